import { parsePort } from '../network/host.ts';
import { toAddress } from './address.ts';
import { type Field, Fields, fieldOf, type Member } from './fields.ts';
import { readGeolocation } from './geolocation.ts';
import { acceptProxy, readProxyLine } from './line.ts';
import { maskLine } from './mask.ts';
import { namesProtocol, readNamedLine } from './named-line.ts';
import { type Scheme, schemesNamed, unnamedScheme } from './protocol.ts';
import { agreed, assertNoOtherLogin, type Login, recordLogin } from './record-login.ts';
import { recordSchemes, withTls } from './record-protocol.ts';
import { Refused, refusalOf, verdictOf } from './refused.ts';
import { readResponseTime } from './response-time.ts';
import type { LineVerdict, ListedProxy, ParseOptions, RefusalCode } from './types.ts';
import { quotedName, UnreadNames } from './unread.ts';
import { isKnown, readFlag, readText } from './values.ts';

/** A name that has a URL with a login in it, or a line of a list. */
const NAME_WITH_LOGIN = /:\/\/\S*@|\S:\S+@\S+:\d|:\d{1,5}:[^:\s]+:\S/;
const MOST_URL = 2048;
const ROTATE_URL = { field: 'rotateUrl', rank: 0, isLoginLike: false } as const;
/** Members that may be an object with the proxy in it. */
const INNER: ReadonlySet<Field | null> = new Set<Field>(['inner', 'url', 'host']);
/** Members of which a second one says nothing new. */
const REPEATED = new Set([
  'country',
  'city',
  'area',
  'latitude',
  'longitude',
  'asn',
  'timezone',
  'time',
  'nested',
]);

/**
 * The verdicts on a record with named members: one for each protocol that it names. `names` notes, once for a list, what is
 * not read; a member that is not read and may hold a login rejects its record.
 */
export function readRecord(
  entries: Iterable<readonly [string, unknown]>,
  options: ParseOptions,
  names = new UnreadNames('member'),
): LineVerdict[] {
  try {
    const fields = fieldsOf(entries);
    const schemes = recordSchemes(fields);
    const login = recordLogin(fields);
    const endpoints = readEndpoints(fields, schemes, options);
    const details = readDetails(fields);
    const other = otherMembers(fields);
    assertNoOtherLogin(other, wholeLogin(endpoints, login, fields));
    if (schemes.length === 0) assertNoOtherProtocol(other, endpoints);
    const notes = [...details.notes, ...other.map(({ name }) => names.noteOf(name))];
    return endpoints.map((endpoint) =>
      endpoint.kind === 'proxy' ? verdictOf(() => complete(endpoint, login, details.proxy, notes)) : endpoint,
    );
  } catch (error) {
    return [refusalOf(error)];
  }
}

/** The address of a record that is refused, as a line is masked. */
export function maskRecord(entries: Iterable<readonly [string, unknown]>, code: RefusalCode): string {
  const fields = fieldsOf(entries);
  const host = textOf(fields.get('host')) ?? textOf(fields.get('url')) ?? '';
  const port = fields.get('port');
  return maskLine(port === undefined ? host : `${host}:${String(port)}`, code);
}

/** Whether members say where a proxy is. */
export function hasAddress(entries: Iterable<readonly [string, unknown]>): boolean {
  for (const [name, value] of entries) {
    const field = fieldOf(name);
    if (field !== 'host' && field !== 'url' && field !== 'inner') continue;
    if (field !== 'inner' && textOf(value) !== undefined) return true;
    if (
      isObject(value) &&
      Object.entries(value).some(([inner, each]) => textOf(each) !== undefined && isHost(inner))
    )
      return true;
  }
  return false;
}

function isHost(name: string): boolean {
  const field = fieldOf(name);
  return field === 'host' || field === 'url';
}

/** The members of a record. Those of an object in it that is the proxy, such as `proxy: { host, port }`, are its own. */
function fieldsOf(entries: Iterable<readonly [string, unknown]>): Fields {
  const fields = new Fields(entries);
  const inner = fields.known.find(({ meaning, value }) => isObject(value) && INNER.has(meaning.field));
  if (inner === undefined) return fields;
  const outer = [...entries].filter(([name]) => name !== inner.name);
  return new Fields([...Object.entries(inner.value as object), ...outer]);
}

type Endpoint = Extract<LineVerdict, { kind: 'proxy' }>;

/** The login of the members and of the URL; a password that is said to be empty is one. */
function wholeLogin([first]: readonly LineVerdict[], login: Login, { hasEmptyPassword }: Fields): Login {
  const whole = first?.kind === 'proxy' ? agreed(first.proxy, login) : login;
  return hasEmptyPassword ? { password: '', ...whole } : whole;
}

function complete(
  { proxy, notes }: Endpoint,
  login: Login,
  { remoteDns, ...details }: Partial<ListedProxy>,
  others: readonly string[],
): LineVerdict {
  const isSocks = proxy.protocol.startsWith('socks');
  if (isSocks && remoteDns !== undefined && proxy.remoteDns === !remoteDns)
    throw new Refused('ambiguous', 'the protocol and the member remoteDns disagree on who resolves names');
  const both = agreed(proxy, login);
  const whole: ListedProxy = { ...proxy, ...details };
  if (both.username !== undefined || both.password !== undefined) {
    whole.username = both.username ?? '';
    whole.password = both.password ?? '';
  }
  if (isSocks && remoteDns !== undefined) whole.remoteDns = remoteDns;
  const all = [...notes, ...others, loneNote(both)];
  return acceptProxy(whole, notes.length === 0 ? all : [...new Set(all)]);
}

/** The proxies of a record without what other members say: from a URL or line, or from host and port. */
function readEndpoints(fields: Fields, schemes: readonly Scheme[], options: ParseOptions): LineVerdict[] {
  const url = fields.member('url');
  const host = textOf(fields.get('host'));
  const port = fields.get('port');
  if (url !== undefined) {
    const verdicts = typeof url.value === 'string' ? readUrl(url.value, fields, schemes, options) : [];
    if (verdicts.length > 0) return verdicts;
    setAside(url, fields);
  }
  if (host === undefined) throw new Refused('not-a-proxy', 'the record has no host');
  if (port === undefined || host.includes('://'))
    return agreeing(readWhole(withPort(host, port), fields, schemes, options), undefined, portOf(port));
  const number = parsePort(String(port).trim());
  if (number === null) throw new Refused('bad-port', 'the port is not a number from 1 to 65535');
  const address = toAddress(host.trim(), number);
  if (address) return withSchemes(fields, schemes, options, { host: address.host, port: number });
  if (/:\d+$/.test(host.trim()))
    return agreeing(readWhole(host, fields, schemes, options), undefined, number);
  throw new Refused('bad-host', 'the host is neither an IP address nor a name');
}

/** The proxies of a URL member; none if it is something else and the record has host and port beside it. */
function readUrl(
  text: string,
  fields: Fields,
  schemes: readonly Scheme[],
  options: ParseOptions,
): LineVerdict[] {
  const host = textOf(fields.get('host'));
  const port = fields.get('port');
  const verdicts = readWhole(host === undefined ? withPort(text, port) : text, fields, schemes, options);
  if (verdicts.every(({ kind }) => kind === 'proxy')) {
    const isWhole = host !== undefined && port !== undefined;
    return agreeing(verdicts, isWhole ? host : undefined, portOf(port));
  }
  const isElsewhere = host !== undefined && port !== undefined && !text.includes('@');
  return isElsewhere ? [] : verdicts;
}

/** Reads a member that holds all of it, as a line does. */
function readWhole(
  text: string,
  fields: Fields,
  schemes: readonly Scheme[],
  options: ParseOptions,
): LineVerdict[] {
  const isTls = readFlag(fields.get('tls')) === true;
  const named =
    schemes.length > 0 || !isTls || namesProtocol(text, options)
      ? schemes
      : [withTls(unnamedScheme(options))];
  const verdicts = named.length > 0 ? readNamedLine(text, named, options) : readProxyLine(text, options);
  return verdicts.map((verdict) =>
    verdict.kind === 'proxy' || verdict.kind === 'refused'
      ? verdict
      : refusalOf(new Refused('not-a-proxy', 'the record has no host')),
  );
}

function withSchemes(
  fields: Fields,
  schemes: readonly Scheme[],
  options: ParseOptions,
  address: { host: string; port: number },
): LineVerdict[] {
  const isTls = readFlag(fields.get('tls')) === true;
  const unnamed = (): Scheme => (isTls ? withTls(unnamedScheme(options)) : unnamedScheme(options));
  return (schemes.length > 0 ? schemes : [unnamed()]).map(({ note, ...scheme }) => ({
    kind: 'proxy',
    proxy: { ...scheme, ...address },
    notes: note === undefined ? [] : [note],
  }));
}

/** Verdicts on a URL, rejected if host or port beside it are not its own. */
function agreeing(
  verdicts: readonly LineVerdict[],
  host: string | undefined,
  port: number | undefined,
): LineVerdict[] {
  const address = host === undefined ? null : toAddress(host.trim(), 1);
  return verdicts.map((verdict) => {
    if (verdict.kind !== 'proxy') return verdict;
    const isOther =
      (address !== null && address.host !== verdict.proxy.host) ||
      (port !== undefined && port !== verdict.proxy.port);
    return isOther
      ? refusalOf(new Refused('ambiguous', 'the URL and the members beside it name different addresses'))
      : verdict;
  });
}

/** A URL that is not the proxy's is a link to a page, or, in AdsPower, what changes the exit address. */
function setAside(member: Member, fields: Fields): void {
  const isAdsPower = fields.unread.some(({ name }) => name === 'proxy_soft');
  if (isAdsPower && member.name === 'proxy_url') fields.known.push({ ...member, meaning: ROTATE_URL });
  else fields.unread.push(member);
}

function portOf(value: unknown): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function withPort(text: string, port: unknown): string {
  const plain = text.trim();
  return port === undefined || /:\d+\/?$/.test(plain)
    ? plain
    : `${plain.replace(/\/$/, '')}:${String(port).trim()}`;
}

/** What a record says beside address, protocol and login. */
function readDetails(fields: Fields): { proxy: Partial<ListedProxy>; notes: string[] } {
  const { geolocation, notes: placeNotes } = readGeolocation(fields);
  const notes = [...placeNotes];
  const latency = readResponseTime(fields);
  const name = readName(fields.get('name'));
  const proxy: Partial<ListedProxy> = {};
  if ('text' in name) proxy.name = name.text;
  const region = readText(fields.get('region'), 128);
  if (region !== undefined) proxy.region = region;
  if (geolocation !== undefined) proxy.geolocation = geolocation;
  if (typeof latency === 'number') proxy.latency = latency;
  const status = fields.member('status');
  const place = fields.member('nested');
  if (place && typeof place.value !== 'object') fields.unread.push(place);
  if (status?.value === 'disabled') proxy.status = 'disabled';
  else if (status && isKnown(status.value)) fields.unread.push(status);
  const rotateUrl = readRotateUrl(fields);
  if (rotateUrl !== undefined) proxy.rotateUrl = rotateUrl;
  const remoteDns = readRemoteDns(fields, notes);
  if (remoteDns !== undefined) proxy.remoteDns = remoteDns;
  if ('leftOut' in name) notes.push(name.leftOut);
  if (typeof latency === 'object') notes.push(latency.leftOut);
  return { proxy, notes };
}

function readName(value: unknown): { text: string } | { leftOut: string } | Record<never, never> {
  if (value === undefined) return {};
  const text = readText(value, 256);
  if (text === undefined)
    return { leftOut: 'the name was left out: it is not a printable text of up to 256 characters' };
  return NAME_WITH_LOGIN.test(text)
    ? { leftOut: 'the name was left out: it looks as if it held a login' }
    : { text };
}

function readRotateUrl(fields: Fields): string | undefined {
  const member = fields.member('rotateUrl');
  if (member === undefined || !isKnown(member.value)) return undefined;
  const { name, value } = member;
  if (
    typeof value === 'string' &&
    value.length <= MOST_URL &&
    !/\p{Cc}|\s/u.test(value) &&
    /^https?:\/\//i.test(value)
  )
    if (URL.canParse(value)) return value;
  throw new Refused('bad-record', `${quotedName(name)} is not a URL of http or https`);
}

function readRemoteDns(fields: Fields, notes: string[]): boolean | undefined {
  const proxyDns = fields.member('proxyDns');
  if (proxyDns) {
    if (readFlag(proxyDns.value) === false)
      notes.push('proxyDNS is false, and was not read: a list does not make names be resolved locally');
    else if (readFlag(proxyDns.value) === undefined) fields.unread.push(proxyDns);
  }
  const member = fields.member('remoteDns');
  if (member === undefined) return readFlag(proxyDns?.value) === true ? true : undefined;
  const flag = readFlag(member.value);
  if (flag === undefined)
    throw new Refused('bad-record', `${quotedName(member.name)} is neither true nor false`);
  return flag;
}

/** @throws Refused if a member that is not read names another protocol than the one that was assumed. */
function assertNoOtherProtocol(unread: readonly Member[], endpoints: readonly LineVerdict[]): void {
  for (const { name, value } of unread) {
    const words = Array.isArray(value) ? value : [value];
    const named = words.flatMap((word) => (typeof word === 'string' ? (schemesNamed(word) ?? []) : []));
    const isFlag = /socks/i.test(name) && isKnown(value) && readFlag(value) !== false;
    const isOther = endpoints.some(
      (endpoint) =>
        endpoint.kind === 'proxy' &&
        (isFlag
          ? !endpoint.proxy.protocol.startsWith('socks')
          : named.length > 0 && !named.some(({ protocol }) => protocol === endpoint.proxy.protocol)),
    );
    if (isOther)
      throw new Refused('unknown-scheme', `${quotedName(name)} may name the protocol: call it protocol`);
  }
}

/** The members that have a value and were not read. @throws Refused for two addresses. */
function otherMembers(fields: Fields): Member[] {
  const others = fields.known.filter((member) => {
    const { name, value, meaning } = member;
    const field = meaning.field ?? 'host';
    const best = fields.member(field);
    if (best === undefined || best === member || REPEATED.has(field)) return false;
    if (String(best.value).trim() === String(value).trim()) return false;
    if (field === 'port' || (field === 'host' && name === best.name))
      throw new Refused('ambiguous', `the record has two different ${field}s`);
    return !['username', 'password', 'login', 'protocol'].includes(field);
  });
  return others.length === 0 ? fields.unread : [...fields.unread, ...others];
}

function loneNote({ username = '', password = '' }: Login): string | undefined {
  if (username === '' && password !== '') return 'the password has no username';
  return username !== '' && password === '' ? 'the username has no password' : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
