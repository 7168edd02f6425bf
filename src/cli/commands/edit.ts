import { randomUUID } from 'node:crypto';
import { Option } from 'commander';

import {
  type Login,
  PROXY_PROTOCOLS,
  PROXY_STATUSES,
  type ProxyConfig,
  type ProxyProtocol,
  type ProxyStatus,
  type ProxyUpdate,
} from '../../database/index.ts';
import { isUnreadable } from '../../database/repositories/credential-record.ts';
import { defaultName } from '../../database/repositories/proxy-record.ts';
import { MASK } from '../../lists/index.ts';
import { parseHost } from '../../model/host.ts';
import type { Vault } from '../../vault.ts';
import type { Change, EditView } from '../../views/changes.ts';
import { proxyViewer } from '../../views/proxy.ts';
import { positiveNumber } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { PROXY_ARGUMENT } from '../meant-proxies.ts';
import { withVault } from '../open-vault.ts';
import { print } from '../output.ts';
import { readPassword } from '../password-input.ts';
import { lines, type Text, text } from '../terminal.ts';

interface EditOptions extends CommonOptions {
  name?: string;
  region?: string;
  country?: string;
  host?: string;
  port?: number;
  protocol?: ProxyProtocol;
  status?: ProxyStatus;
  remoteDns?: boolean;
  localDns?: boolean;
  username?: string;
  passwordStdin?: boolean;
  rotateUrl?: string;
  addTag?: string[];
  removeTag?: string[];
}

/** What of a login is changed; an empty text clears it. */
type LoginChanges = Partial<Record<'username' | 'password' | 'rotateUrl', string | undefined>>;

const SHOWN = ['name', 'protocol', 'host', 'port', 'status', 'region', 'remoteDns'] as const;
const EDITS = [
  ...SHOWN,
  ...(['country', 'localDns', 'username', 'passwordStdin', 'rotateUrl', 'addTag', 'removeTag'] as const),
];

export const editCommand = bareCommand({
  name: 'edit',
  purpose: 'change what is given of one proxy: all of it, or nothing; its statistics stay',
  example: 'echo "$PASSWORD" | proxyvault edit gate.example.com:1080 --username me --password-stdin',
  notes: `An empty value clears a region, country, username or change-IP URL, and sets a name back to host:port. A tag that is added here is
that of a list too: an import of the list with --sync takes it away again.`,
  key: 'logins',
  takes: (command) =>
    command
      .argument('<id>', PROXY_ARGUMENT)
      .option('--name <name>', 'what to call it')
      .option('--region <region>', 'where it is, for --region of other commands')
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
      .option('--password-stdin', 'read the password from standard input, so that no process list shows it')
      .option('--rotate-url <url>', 'the change-IP URL')
      .option('--add-tag <tag>', 'give it a tag; may be repeated', collect)
      .option('--remove-tag <tag>', 'take a tag from it; may be repeated', collect),
  async act(options: EditOptions, command, typed: string) {
    if (EDITS.every((name) => options[name] === undefined))
      command.error('error: say what to change, such as --name NAME or --status disabled');
    const password = options.passwordStdin ? await readPassword() : undefined;
    const { username, rotateUrl, json } = options;
    const login = { username, password, rotateUrl };
    const needsKey = [...Object.values(login), options.host, options.port, options.protocol].some(
      (value) => value !== undefined,
    );
    const edit = (vault: Vault): void => {
      const { proxy, changes } = vault.database.transaction(() => change(vault, typed, options, login));
      const view: EditView = { proxy: proxyViewer(vault, {})(proxy), changes };
      print(json, view, () => describe(proxy, changes));
    };
    await withVault(options, edit, { unlock: needsKey });
  },
});

function collect(tag: string, tags: string[] = []): string[] {
  return [...tags, tag];
}

function change(
  vault: Vault,
  typed: string,
  options: EditOptions,
  login: LoginChanges,
): { proxy: ProxyConfig; changes: Change[] } {
  const { proxies, tags } = vault;
  const before = proxies.resolve(typed);
  const tagsBefore = tags.findByProxy(before.id);
  const updates = updatesOf(before, options);
  const proxy = Object.keys(updates).length === 0 ? before : proxies.update(before.id, updates);
  const loginChanges = changeLogin(vault, proxy, login);
  for (const tag of options.addTag ?? []) tags.add(before.id, tag, randomUUID());
  for (const tag of options.removeTag ?? []) tags.remove(before.id, tag);
  const fields = SHOWN.map((field) => ({ field, from: before[field], to: proxy[field] }));
  const place = {
    field: 'country',
    from: before.geolocation?.country ?? null,
    to: proxy.geolocation?.country ?? null,
  };
  const tagged = { field: 'tags', from: tagsBefore, to: tags.findByProxy(before.id) };
  const isChanged = ({ from, to }: Change): boolean => JSON.stringify(from) !== JSON.stringify(to);
  return {
    proxy,
    changes: [...[...fields, place].filter(isChanged), ...loginChanges, ...[tagged].filter(isChanged)],
  };
}

/** The fields that are given and differ. */
function updatesOf(before: ProxyConfig, options: EditOptions): ProxyUpdate {
  const { host, port, protocol, status, region, country, remoteDns, localDns } = options;
  const given: ProxyUpdate = { host, port, protocol, status, name: nameOf(before, options) };
  if (region !== undefined) given.region = region === '' ? null : region;
  if (country !== undefined && country.toUpperCase() !== (before.geolocation?.country ?? ''))
    given.geolocation = country === '' ? null : { country: country.toUpperCase() };
  if (remoteDns || localDns) given.remoteDns = remoteDns === true;
  return Object.fromEntries(
    Object.entries(given).filter(
      ([field, value]) => value !== undefined && value !== before[field as keyof ProxyUpdate],
    ),
  );
}

/** A name that was only the address follows it. */
function nameOf(before: ProxyConfig, { name, host, port = before.port }: EditOptions): string | undefined {
  const isAddress = before.name === defaultName(before);
  if (name !== '' && (name !== undefined || !isAddress)) return name;
  const parsed = parseHost(host ?? before.host);
  // An invalid host is rejected by the update.
  return 'error' in parsed ? undefined : defaultName({ host: parsed.host, port });
}

function changeLogin({ credentials }: Vault, proxy: ProxyConfig, changes: LoginChanges): Change[] {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  if (given.length === 0) return [];
  const old = readLogin(() => credentials.reveal(proxy), changes);
  const wasUnreadable = old === 'unreadable';
  const known = wasUnreadable ? null : old;
  const { username = '', password = '', rotateUrl = '' } = { ...known, ...Object.fromEntries(given) };
  const next: Login = { username, password, ...(rotateUrl === '' ? {} : { rotateUrl }) };
  const fields = ['username', 'password', 'rotateUrl'] as const;
  const changed = fields.filter((field) =>
    wasUnreadable ? changes[field] !== undefined : (next[field] ?? '') !== (known?.[field] ?? ''),
  );
  if (changed.length === 0) return [];
  if (username === '' && password === '' && rotateUrl === '') credentials.delete(proxy.id);
  else credentials.store(proxy, next);
  const masked = (value = ''): string | null => (value === '' ? null : MASK);
  return changed.map((field) => ({
    field,
    from: wasUnreadable ? MASK : masked(known?.[field]),
    to: masked(next[field]),
  }));
}

/** A login that cannot be read may be replaced as a whole, or cleared. */
function readLogin(
  read: () => Login | null,
  { username, password }: LoginChanges,
): Login | null | 'unreadable' {
  try {
    return read();
  } catch (error) {
    if (isUnreadable(error) && username !== undefined && password !== undefined) return 'unreadable';
    throw error;
  }
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
