import { randomBytes } from 'node:crypto';
import { Command, Option } from 'commander';

import { PROXY_PROTOCOLS, type ProxyConfig } from '../../database/index.ts';
import type { TemplateValues } from '../../lists/index.ts';
import { type ProxyRequest, Rotator } from '../../rotation/index.ts';
import { print } from '../output.ts';
import { proxyViewer } from '../proxy-view.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

interface NextOptions extends VaultOptions, ProxyRequest, Omit<TemplateValues, 'ttl'> {
  ttl?: string;
  reveal?: boolean;
}

export function nextCommand(): Command {
  return withVaultOptions(
    new Command('next')
      .description('hand out a proxy by the configured strategy, and print its URL')
      .option('--domain <domain>', 'what it is for: sticky sessions and rules look at it')
      .addOption(new Option('--protocol <protocol>').choices(PROXY_PROTOCOLS))
      .option('--region <region>')
      .option('--session <name>', 'for a login with {session}; without it a new one each time')
      .option('--country <code>', 'for a login with {country}; without it that of the proxy')
      .option('--ttl <time>', 'for a login with {ttl}, in the unit of the provider')
      .option('--reveal', 'print username and password too, as a client needs them'),
    'curl --proxy "$(proxyvault next --domain example.com --reveal)" https://example.com/',
  ).action((options: NextOptions) =>
    withVault(
      options,
      (vault) => {
        const { domain, protocol, region, reveal } = options;
        const proxy = new Rotator(vault.db).next({ domain, protocol, region });
        const view = proxyViewer(vault, { reveal, template: templateValues(proxy, options) })(proxy);
        print(options.json, view, () => view.url);
        if (view.hasCredentials && !options.reveal && !options.json)
          process.stderr.write('The login is masked: add --reveal for a URL that works.\n');
      },
      { unlock: options.reveal === true },
    ),
  );
}

function templateValues(
  { geolocation }: ProxyConfig,
  { session, country, ttl }: NextOptions,
): TemplateValues {
  return {
    session: session ?? randomBytes(4).toString('hex'),
    country: country ?? geolocation?.country?.toLowerCase(),
    ttl,
  };
}
