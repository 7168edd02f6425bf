import { Option } from 'commander';

import { PROXY_PROTOCOLS, type ProxyProtocol } from '../../database/index.ts';
import { type LineVerdict, type ListedProxy, parseProxyLine } from '../../lists/index.ts';
import { loginNote } from '../../lists/line/parse-line.ts';
import { LINE_FORMS, type LineForm } from '../../lists/options.ts';
import { invalidInput } from '../../model/validation.ts';
import type { Vault } from '../../vault.ts';
import { proxyViewer } from '../../views/proxy.ts';
import { proxyWeight } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { withVault } from '../open-vault.ts';
import { print } from '../output.ts';
import { readPassword } from '../password-input.ts';
import { text } from '../terminal.ts';
import { warn } from '../warn.ts';

interface AddOptions extends CommonOptions {
  name?: string;
  region?: string;
  weight?: number;
  gateway?: boolean;
  protocol?: ProxyProtocol;
  strictProtocol?: boolean;
  username?: string;
  passwordStdin?: boolean;
  localDns?: boolean;
  format?: LineForm;
}

export const addCommand = bareCommand({
  name: 'add',
  purpose: 'add one proxy',
  key: 'logins',
  example: 'echo "$PASSWORD" | proxyvault add socks5://gate.example.com:1080 --username me --password-stdin',
  takes: (command) =>
    command
      .argument('<proxy>', 'a URL, or any form that a list may have')
      .addOption(
        new Option('--format <form>', 'the form of the proxy, if it may be read in several ways').choices(
          LINE_FORMS,
        ),
      )
      .option('--name <name>', 'what to call it')
      .option('--region <region>', 'where it is, for --region of other commands')
      .option(
        '--weight <number>',
        'how often `weighted` chooses it, compared with others (default: 1)',
        proxyWeight,
      )
      .option('--gateway', 'one host with many exits: failures put a session out, and not the proxy')
      .addOption(
        new Option('--protocol <protocol>', 'if the proxy names none (default: http)').choices(
          PROXY_PROTOCOLS,
        ),
      )
      .option('--strict-protocol', 'reject a proxy that names no protocol, unless --protocol names it')
      .option('--username <username>', 'of its login')
      .option('--password-stdin', 'read the password from standard input, so that no process list shows it')
      .option('--local-dns', 'of a SOCKS proxy: its client resolves names, in the open'),
  async act(options: AddOptions, _, given: string) {
    const { proxy: read, notes } = readProxy(given, options);
    const listed = await withLogin(read, options);
    const { username = '', password = '', rotateUrl, ...proxy } = listed;
    const isOpen = username === '' && password === '' && rotateUrl === undefined;
    const credentials = isOpen ? null : { username, password, rotateUrl };
    const add = (vault: Vault): void => {
      const { name, region, weight, gateway, localDns, json, quiet } = options;
      const created = vault.proxies.create({
        ...proxy,
        name: name ?? proxy.name,
        region: region ?? proxy.region,
        weight: weight ?? proxy.weight,
        gateway: gateway ?? proxy.gateway,
        remoteDns: localDns ? false : proxy.remoteDns,
        credentials,
      });
      print(json, proxyViewer(vault, {})(created), () => text`Added ${created.name} as ${created.id}.`);
      // The options may have completed the login.
      const said = listed === read ? notes : notes.filter((note) => note !== loginNote(read));
      const missing = listed === read ? undefined : loginNote(listed);
      for (const note of quiet ? [] : missing === undefined ? said : [...said, missing])
        warn(json, 'NOTE', `The proxy was added. Note: ${note}.`);
    };
    await withVault(options, add, { create: true, unlock: credentials !== null });
  },
});

function readProxy(
  given: string,
  { protocol, strictProtocol, localDns, format }: AddOptions,
): Extract<LineVerdict, { kind: 'proxy' }> {
  const verdict = parseProxyLine(given, {
    protocol,
    format,
    strictProtocol: strictProtocol && protocol === undefined,
  });
  if (verdict.kind === 'proxy') {
    if (!localDns || !verdict.proxy.remoteDns) return verdict;
    throw invalidInput(
      'socks5h and socks4a say that the proxy resolves names, and --local-dns that it does not: leave one of them out.',
    );
  }
  throw invalidInput(
    `The proxy cannot be read: ${verdict.kind === 'refused' ? verdict.reason : 'it is empty or a comment'}.`,
  );
}

/** @throws INVALID_INPUT if an option names another login than the proxy has. */
async function withLogin(proxy: ListedProxy, { username, passwordStdin }: AddOptions): Promise<ListedProxy> {
  if (username === undefined && !passwordStdin) return proxy;
  const password = passwordStdin ? await readPassword() : (proxy.password ?? '');
  assertAgrees('username', proxy.username, username);
  assertAgrees('password', proxy.password, password);
  return { ...proxy, username: username ?? proxy.username, password };
}

function assertAgrees(part: string, given = '', option = given): void {
  if (given === '' || given === option) return;
  throw invalidInput(`The proxy has a ${part}, and an option names another one: leave one of them out.`);
}
