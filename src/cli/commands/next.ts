import { Command, Option } from 'commander';
import { PROXY_PROTOCOLS } from '../../database/index.ts';
import { type ProxyRequest, Rotator } from '../../rotation/index.ts';
import { print } from '../output.ts';
import { proxyViewer } from '../proxy-view.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

export function nextCommand(): Command {
  return withVaultOptions(
    new Command('next')
      .description('hand out a proxy by the configured strategy, and print its URL')
      .option('--domain <domain>', 'what it is for: sticky sessions and rules look at it')
      .addOption(new Option('--protocol <protocol>').choices(PROXY_PROTOCOLS))
      .option('--region <region>')
      .option('--reveal', 'print username and password too, as a client needs them'),
    'curl --proxy "$(proxyvault next --domain example.com --reveal)" https://example.com/',
  ).action((options: VaultOptions & ProxyRequest & { reveal?: boolean }) =>
    withVault(
      options,
      (vault) => {
        const { domain, protocol, region } = options;
        const view = proxyViewer(vault, options)(new Rotator(vault.db).next({ domain, protocol, region }));
        print(options.json, view, () => view.url);
        if (view.hasCredentials && !options.reveal && !options.json)
          process.stderr.write('The login is masked: add --reveal for a URL that works.\n');
      },
      { unlock: options.reveal === true },
    ),
  );
}
