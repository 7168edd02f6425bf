import {
  ProxyRepository,
  ProxyUsageStatsRepository,
  StickySessionRepository,
} from '../../database/repositories/index.ts';
import { notFound } from '../../model/validation.ts';
import { poolCommand } from '../command.ts';
import { details, print } from '../output.ts';
import { warnIfOutputIsOpen } from '../private-output.ts';
import { proxyViewer } from '../proxy-view.ts';
import type { VaultOptions } from '../vault.ts';

export const showCommand = poolCommand({
  name: 'show',
  purpose: 'everything about one proxy',
  example: 'proxyvault show 0199c0de-0000-7000-8000-000000000001',
  takes: (command) =>
    command.argument('<id>').option('--reveal', 'show username, password and change-IP URL'),
  key: 'reveal',
  run(vault, options: VaultOptions & { reveal?: boolean }, id: string) {
    if (options.reveal) warnIfOutputIsOpen(options.json, 'run `chmod 600` on it');
    const proxy = new ProxyRepository(vault.db).findById(id);
    if (!proxy) throw notFound('proxy', id);
    const usage = new ProxyUsageStatsRepository(vault.db).totals({ proxyId: id });
    const domains = new StickySessionRepository(vault.db).findByProxy(id).map(({ domain }) => domain);
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
