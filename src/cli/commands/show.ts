import { Command } from 'commander';
import {
  ProxyRepository,
  ProxyUsageStatsRepository,
  StickySessionRepository,
} from '../../database/repositories/index.ts';
import { notFound } from '../../model/validation.ts';
import { details, print } from '../output.ts';
import { warnIfOutputIsOpen } from '../private-output.ts';
import { proxyViewer } from '../proxy-view.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

export function showCommand(): Command {
  return withVaultOptions(
    new Command('show')
      .description('everything about one proxy')
      .argument('<id>')
      .option('--reveal', 'show username, password and change-IP URL'),
    'proxyvault show 0199c0de-0000-7000-8000-000000000001',
  ).action((id: string, options: VaultOptions & { reveal?: boolean }) =>
    withVault(
      options,
      (vault) => {
        if (options.reveal) warnIfOutputIsOpen(options.json, 'run `chmod 600` on it');
        const proxy = new ProxyRepository(vault.db).findById(id);
        if (!proxy) throw notFound('proxy', id);
        const usage = new ProxyUsageStatsRepository(vault.db).totals({ proxyId: id });
        const domains = new StickySessionRepository(vault.db).findByProxy(id).map(({ domain }) => domain);
        const view = { ...proxyViewer(vault, options)(proxy), usage, domains };
        print(options.json, view, () =>
          details(
            Object.entries({ ...view, usage: undefined, ...usage, domains: domains.join(', ') }).filter(
              ([, value]) => value !== undefined,
            ),
            16,
          ),
        );
      },
      { unlock: options.reveal === true },
    ),
  );
}
