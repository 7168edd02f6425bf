import { Command } from 'commander';
import { StickySessionRepository } from '../../database/repositories/index.ts';
import { parseDomain } from '../../model/domain.ts';
import { notFound } from '../../model/validation.ts';
import { wholeNumber } from '../arguments.ts';
import { print, table } from '../output.ts';
import { text } from '../terminal.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

export function stickyCommand(): Command {
  const command = new Command('sticky').description('which domain sticks to which proxy');
  command.addCommand(
    withVaultOptions(new Command('list').description('all live mappings'), 'proxyvault sticky list').action(
      (options: VaultOptions) =>
        withVault(options, ({ db }) => {
          const all = new StickySessionRepository(db).getAll();
          print(options.json, all, () =>
            table(
              ['DOMAIN', 'PROXY', 'USES', 'TTL MS', 'LAST USED'],
              all.map(({ domain, proxyId, requestCount = 0, ttl = null, lastUsed = '' }) => [
                domain,
                proxyId,
                requestCount,
                ttl,
                lastUsed,
              ]),
            ),
          );
        }),
    ),
  );
  command.addCommand(
    withVaultOptions(
      new Command('set')
        .description('map a domain, or *.domain, to a proxy')
        .argument('<domain>', 'or a URL, of which the host counts')
        .argument('<id>')
        .option('--ttl <ms>', 'milliseconds from the last use', wholeNumber),
      "proxyvault sticky set '*.example.com' 0199c0de-0000-7000-8000-000000000001 --ttl 3600000",
    ).action((given: string, proxyId: string, options: VaultOptions & { ttl?: number }) =>
      withVault(options, ({ db }) => {
        const { pattern: domain } = parseDomain(given);
        const sticky = new StickySessionRepository(db);
        sticky.create({ domain, proxyId, ttl: options.ttl });
        print(options.json, sticky.findByDomain(domain), () => text`${domain} sticks to ${proxyId}.`);
      }),
    ),
  );
  command.addCommand(
    withVaultOptions(
      new Command('remove')
        .description('let a domain go')
        .argument('<domain>', 'or a URL, of which the host counts'),
      'proxyvault sticky remove example.com',
    ).action((given: string, options: VaultOptions) =>
      withVault(options, ({ db }) => {
        const { pattern: domain } = parseDomain(given);
        if (!new StickySessionRepository(db).delete(domain)) throw notFound('sticky session for', domain);
        print(options.json, { removed: domain }, () => text`Removed ${domain}.`);
      }),
    ),
  );
  return command;
}
