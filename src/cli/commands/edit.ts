import { Option } from 'commander';

import { PROXY_PROTOCOLS, PROXY_STATUSES, type ProxyConfig } from '../../database/index.ts';
import type { Vault } from '../../vault.ts';
import type { Change, EditView } from '../../views/changes.ts';
import { proxyViewer } from '../../views/proxy.ts';
import { positiveNumber, proxyWeight, repeated } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { PROXY_ARGUMENT } from '../meant-proxies.ts';
import { withVault } from '../open-vault.ts';
import { print } from '../output.ts';
import { readPassword } from '../password-input.ts';
import { lines, type Text, text } from '../terminal.ts';
import type { LoginChanges } from './edit/change-login.ts';
import { changeProxy, FIELDS, type ProxyChanges } from './edit/change-proxy.ts';

interface EditOptions extends CommonOptions, ProxyChanges {
  username?: string;
  /** False for --no-password. */
  password: boolean;
  passwordStdin?: boolean;
  rotateUrl?: string;
}

const GIVEN = [...FIELDS, 'username', 'passwordStdin', 'rotateUrl'] as const;

export const editCommand = bareCommand({
  name: 'edit',
  purpose: 'change what is given of one proxy: all of it, or nothing; its statistics stay',
  example: 'echo "$PASSWORD" | proxyvault edit gate.example.com:1080 --username me --password-stdin',
  notes: `An empty value clears a region, country, username or change-IP URL, and sets a name back to host:port. A tag belongs to the
list that was imported with it: the next import of that list with --sync takes away a tag that is added here.`,
  key: 'logins',
  takes: (command) =>
    command
      .argument('<id>', PROXY_ARGUMENT)
      .option('--name <name>', 'what to call it')
      .option('--region <region>', 'where it is, for --region of other commands')
      .option('--weight <number>', 'how often `weighted` chooses it, compared with others', proxyWeight)
      .option('--gateway', 'one host with many exits: failures put a session out, and not the proxy')
      .option('--no-gateway', 'a host with one exit')
      .option('--country <code>', 'two letters of ISO 3166; what else is known of the place is forgotten')
      .option('--host <host>', 'a name or an IP address')
      .option('--port <port>', 'the port', positiveNumber)
      .addOption(new Option('--protocol <protocol>', 'how it is spoken to').choices(PROXY_PROTOCOLS))
      .addOption(new Option('--status <status>', 'whether it is handed out').choices(PROXY_STATUSES))
      .addOption(
        new Option('--remote-dns', 'of a SOCKS proxy: it resolves names itself').conflicts('localDns'),
      )
      .option('--local-dns', 'of a SOCKS proxy: its client resolves names, in the open')
      .option('--username <username>', 'of its login')
      .addOption(
        new Option(
          '--password-stdin',
          'read the password from standard input, so that no process list shows it',
        ).conflicts('password'),
      )
      .option('--no-password', 'take the password away')
      .option('--rotate-url <url>', 'the change-IP URL')
      .option('--add-tag <tag>', 'give it a tag; may be repeated', repeated)
      .option('--remove-tag <tag>', 'take a tag from it; may be repeated', repeated),
  async act(options: EditOptions, command, typed: string) {
    if (options.password && GIVEN.every((name) => options[name] === undefined))
      command.error('error: say what to change, such as --name NAME or --status disabled');
    const { username, rotateUrl, json } = options;
    const login: LoginChanges = { username, password: await newPassword(options), rotateUrl };
    const needsKey = [...Object.values(login), options.host, options.port, options.protocol].some(
      (value) => value !== undefined,
    );
    const edit = (vault: Vault): void => {
      const { proxy, changes } = vault.database.transaction(() => changeProxy(vault, typed, options, login));
      const view: EditView = { proxy: proxyViewer(vault, {})(proxy), changes };
      print(json, view, () => describe(proxy, changes));
    };
    await withVault(options, edit, { unlock: needsKey });
  },
});

/** The password that is given, empty for one that is taken away; undefined if it stays. */
async function newPassword({ password, passwordStdin }: EditOptions): Promise<string | undefined> {
  if (!password) return '';
  return passwordStdin ? readPassword() : undefined;
}

function describe({ name, id }: ProxyConfig, changes: readonly Change[]): Text {
  if (changes.length === 0) return text`${name} (${id}) was so already: nothing changed.`;
  return lines([
    text`Changed ${name} (${id}):`,
    ...changes.map(({ field, from, to }) => text`  ${field}: ${shown(from)} -> ${shown(to)}`),
  ]);
}

function shown(value: unknown): string {
  if (value === null || value === '') return '-';
  return Array.isArray(value) ? value.join(', ') || '-' : String(value);
}
