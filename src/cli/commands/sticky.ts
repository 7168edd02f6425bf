import { parseDomain } from '../../model/domain.ts';
import { notFound } from '../../model/validation.ts';
import { wholeMilliseconds } from '../arguments.ts';
import { commandGroup, poolCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { PROXY_ARGUMENT } from '../meant-proxies.ts';
import { print, table } from '../output.ts';
import { text } from '../terminal.ts';

export const stickyCommand = commandGroup('sticky', 'which domain sticks to which proxy', [
  poolCommand({
    name: 'list',
    purpose: 'all live mappings',
    example: 'proxyvault sticky list',
    reads: true,
    run({ sticky }, { json }) {
      const all = sticky.getAll();
      const rows = all.map(({ domain, proxyId, requestCount = 0, ttl = null, lastUsed = '' }) => {
        return [domain, proxyId, requestCount, ttl, lastUsed];
      });
      print(json, all, () => table(['DOMAIN', 'PROXY', 'USES', 'TTL MS', 'LAST USED'], rows));
    },
  }),
  poolCommand({
    name: 'set',
    purpose: 'map a domain, or *.domain, to a proxy',
    example: "proxyvault sticky set '*.example.com' gate.example.com:1080 --ttl 1h",
    takes: (command) =>
      command
        .argument('<domain>', 'or a URL, of which the host counts')
        .argument('<id>', PROXY_ARGUMENT)
        .option(
          '--ttl <time>',
          'from the last use, such as 30m or 7d, or in milliseconds',
          wholeMilliseconds,
        ),
    run({ sticky, proxies }, { json, ttl }: CommonOptions & { ttl?: number }, given: string, typed: string) {
      const { pattern: domain } = parseDomain(given);
      const { id: proxyId } = proxies.resolve(typed);
      sticky.create({ domain, proxyId, ttl });
      print(json, sticky.findByDomain(domain), () => text`${domain} sticks to ${proxyId}.`);
    },
  }),
  poolCommand({
    name: 'remove',
    purpose: 'let a domain go',
    example: 'proxyvault sticky remove example.com',
    takes: (command) => command.argument('<domain>', 'or a URL, of which the host counts'),
    run({ sticky }, { json }, given: string) {
      const { pattern: domain } = parseDomain(given);
      if (!sticky.delete(domain)) throw notFound('sticky session for', domain);
      print(json, { removed: [domain] }, () => text`Removed ${domain}.`);
    },
  }),
]);
