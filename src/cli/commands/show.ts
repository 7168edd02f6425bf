import { notFound } from '../../model/validation.ts';
import { poolCommand } from '../command.ts';
import type { CommonOptions } from '../open-vault.ts';
import { details, print } from '../output.ts';
import { warnIfOutputIsOpen } from '../private-output.ts';
import { proxyViewer } from '../proxy-view.ts';

export const showCommand = poolCommand({
  name: 'show',
  purpose: 'everything about one proxy',
  example: 'proxyvault show 0199c0de-0000-7000-8000-000000000001',
  takes: (command) =>
    command.argument('<id>').option('--reveal', 'show username, password and change-IP URL'),
  key: 'reveal',
  run(vault, options: CommonOptions & { reveal?: boolean }, id: string) {
    if (options.reveal) warnIfOutputIsOpen(options.json, 'run `chmod 600` on it');
    const proxy = vault.proxies.findById(id);
    if (!proxy) throw notFound('proxy', id);
    const usage = vault.usage.totals({ proxyId: id });
    const domains = vault.sticky.findByProxy(id).map(({ domain }) => domain);
    const view = { ...proxyViewer(vault, options)(proxy), usage, domains };
    const facts = Object.entries({ ...view, usage: undefined, ...usage, domains: domains.join(', ') });
    print(options.json, view, () =>
      details(
        facts.filter(([, value]) => value !== undefined),
        16,
      ),
    );
  },
});
