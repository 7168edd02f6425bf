import { randomBytes } from 'node:crypto';
import { type Command, Option } from 'commander';

import { PROXY_PROTOCOLS, type ProxyConfig } from '../database/index.ts';
import type { TemplateValues } from '../lists/index.ts';
import { type ProxyRequest, Rotator } from '../rotation/index.ts';
import { type ProxyView, proxyViewer } from './proxy-view.ts';
import type { Vault, VaultOptions } from './vault.ts';

/** What `next` and `exec` can be asked for. */
export interface HandOutOptions extends VaultOptions, ProxyRequest, Omit<TemplateValues, 'ttl'> {
  ttl?: string;
  reveal?: boolean;
}

/** Adds the options of a request. */
export function withRequestOptions(command: Command): Command {
  return command
    .option('--domain <domain>', 'the target: sticky sessions and rules look at it')
    .addOption(new Option('--protocol <protocol>').choices(PROXY_PROTOCOLS))
    .option('--region <region>')
    .option('--session <name>', 'for a login with {session}; without it a new one each time')
    .option('--country <code>', 'for a login with {country}; without it that of the proxy')
    .option('--ttl <time>', 'for a login with {ttl}, in the unit of the provider');
}

/** Hands out a proxy. @throws NO_PROXY, and with `reveal` also what is wrong with the key. */
export function handOut(vault: Vault, options: HandOutOptions): ProxyView {
  const { domain, protocol, region, reveal } = options;
  const proxy = new Rotator(vault.db).next({ domain, protocol, region });
  return proxyViewer(vault, { reveal, template: templateValues(proxy, options) })(proxy);
}

function templateValues(
  { geolocation }: ProxyConfig,
  { session, country, ttl }: HandOutOptions,
): TemplateValues {
  return {
    session: session ?? randomBytes(4).toString('hex'),
    country: country ?? geolocation?.country?.toLowerCase(),
    ttl,
  };
}
