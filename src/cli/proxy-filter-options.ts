import { type Command, Option } from 'commander';

import { PROXY_PROTOCOLS, PROXY_STATUSES } from '../database/index.ts';
import type { ProxyFilter } from '../database/repositories/index.ts';

/** Adds the options that say which proxies are meant. */
export function withProxyFilter(command: Command): Command {
  return command
    .option('--tag <tag>', 'of this list')
    .addOption(new Option('--status <status>', 'in this state').choices(PROXY_STATUSES))
    .addOption(new Option('--protocol <protocol>', 'of this protocol').choices(PROXY_PROTOCOLS))
    .option('--region <region>', 'of this region')
    .option('--country <code>', 'two letters of ISO 3166')
    .option('--search <text>', 'part of the name or host');
}

/** The filter that was given, or null if nothing was. */
export function givenFilter(options: ProxyFilter): ProxyFilter | null {
  const { tag, status, protocol, region, country, search } = options;
  const filter = { tag, status, protocol, region, country, search };
  return Object.values(filter).some((value) => value !== undefined) ? filter : null;
}
