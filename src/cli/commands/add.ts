import { text as readText } from 'node:stream/consumers';
import { Command, Option } from 'commander';

import { PROXY_PROTOCOLS, type ProxyProtocol } from '../../database/index.ts';
import { ProxyRepository } from '../../database/repositories/index.ts';
import { ProxyVaultError } from '../../errors.ts';
import { type ListedProxy, parseProxyLine } from '../../lists/index.ts';
import { print } from '../output.ts';
import { proxyViewer } from '../proxy-view.ts';
import { text } from '../terminal.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

interface AddOptions extends VaultOptions {
  name?: string;
  region?: string;
  protocol?: ProxyProtocol;
  strictProtocol?: boolean;
  username?: string;
  passwordStdin?: boolean;
  localDns?: boolean;
}

export function addCommand(): Command {
  return withVaultOptions(
    new Command('add')
      .description('add one proxy')
      .argument('<proxy>', 'a URL, or any form that a list may have')
      .option('--name <name>')
      .option('--region <region>')
      .addOption(
        new Option('--protocol <protocol>', 'if the proxy names none (default: http)').choices(
          PROXY_PROTOCOLS,
        ),
      )
      .option('--strict-protocol', 'reject a proxy that names no protocol, unless --protocol names it')
      .option('--username <username>')
      .option('--password-stdin', 'read the password from standard input, so that no process list shows it')
      .option('--local-dns', 'of a SOCKS proxy: its client resolves names, in the open'),
    'echo "$PASSWORD" | proxyvault add socks5://gate.example.com:1080 --username me --password-stdin',
  ).action(async (given: string, options: AddOptions) => {
    const listed = await withPassword(read(given, options), options);
    const { username = '', password = '', rotateUrl, ...proxy } = listed;
    const isOpen = username === '' && password === '' && rotateUrl === undefined;
    const credentials = isOpen ? null : { username, password, rotateUrl };
    await withVault(
      options,
      (vault) => {
        const { name, region, localDns } = options;
        const created = new ProxyRepository(vault.db, vault.encryption).create({
          ...proxy,
          name,
          region,
          remoteDns: localDns ? false : proxy.remoteDns,
          credentials,
        });
        print(
          options.json,
          proxyViewer(vault, {})(created),
          () => text`Added ${created.name} as ${created.id}.`,
        );
      },
      { create: true, unlock: credentials !== null },
    );
  });
}

function read(given: string, { protocol, strictProtocol, localDns }: AddOptions): ListedProxy {
  const verdict = parseProxyLine(given, {
    protocol,
    strictProtocol: strictProtocol && protocol === undefined,
  });
  if (verdict.kind === 'proxy') {
    if (!localDns || !verdict.proxy.remoteDns) return verdict.proxy;
    throw new ProxyVaultError(
      'INVALID_INPUT',
      'socks5h and socks4a say that the proxy resolves names, and --local-dns that it does not: leave one of them out.',
    );
  }
  throw new ProxyVaultError(
    'INVALID_INPUT',
    `The proxy cannot be read: ${verdict.kind === 'refused' ? verdict.reason : 'it is empty or a comment'}.`,
  );
}

async function withPassword(
  proxy: ListedProxy,
  { username, passwordStdin }: AddOptions,
): Promise<ListedProxy> {
  if (!passwordStdin) return username === undefined ? proxy : { ...proxy, username };
  const password = (await readText(process.stdin)).replace(/\r?\n$/, '');
  return { ...proxy, username: username ?? proxy.username, password };
}
