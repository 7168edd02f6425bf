import { type Command, Option } from 'commander';

import { PROXY_PROTOCOLS, type ProxyProtocol } from '../database/index.ts';
import { ROTATION_STRATEGIES, type RotationStrategy } from '../model/rotation.ts';
import type { PoolRequest } from '../rotation/index.ts';
import type { Vault } from '../vault.ts';
import { repeated } from './arguments.ts';
import { meantProxies } from './meant-proxies.ts';

/** What a proxy is wanted for, and which one will do, as it was typed. */
export interface RequestOptions {
  url?: string;
  domain?: string;
  session?: string;
  country?: string;
  region?: string;
  protocol?: ProxyProtocol;
  tag?: string[];
  exclude?: string[];
  strategy?: RotationStrategy;
}

/** Adds the options that say what a proxy is wanted for, and which one will do. */
export function withRequestOptions(command: Command): Command {
  return command
    .option('--url <url>', 'the target: rules look at it, and its host is the domain')
    .option('--domain <domain>', 'the host of the target, or its URL: rules and sticky sessions look at it')
    .option('--session <name>', 'what has the same name keeps its proxy')
    .option('--country <code>', 'only one of this country: two letters of ISO 3166')
    .option('--region <region>', 'only one of this region')
    .addOption(new Option('--protocol <protocol>', 'only one of this protocol').choices(PROXY_PROTOCOLS))
    .option('--tag <tag>', 'only one of this list; may be repeated, and then each must fit', repeated)
    .option('--exclude <id>', 'not this one, such as after a failure; may be repeated', repeated)
    .addOption(
      new Option('--strategy <name>', 'in place of the configured one, and of one that a rule names').choices(
        ROTATION_STRATEGIES,
      ),
    );
}

/** The request that was typed. @throws NOT_FOUND, CONFLICT for an excluded proxy that is not clear. */
export function requestOf(vault: Vault, options: RequestOptions): PoolRequest {
  const { url, domain, session, country, region, protocol, tag: tags, strategy } = options;
  const exclude = meantProxies(vault, options.exclude ?? []).map(({ id }) => id);
  return { url, domain, session, country, region, protocol, tags, exclude, strategy };
}
