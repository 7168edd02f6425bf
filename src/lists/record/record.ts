import { acceptProxy } from '../line/parse-line.ts';
import type { ParseOptions } from '../options.ts';
import { maskLine } from '../parts/mask.ts';
import { Refused, refusalOf, verdictOf } from '../parts/refused.ts';
import { schemesNamed } from '../parts/scheme.ts';
import type { LineVerdict, ListedProxy, RefusalCode } from '../verdicts.ts';
import { readDetails } from './details.ts';
import { readEndpoints } from './endpoint.ts';
import { type Field, fieldOf, plainName } from './field-names.ts';
import { type Entries, Fields, LOGIN_FIELDS, type Member } from './fields.ts';
import { PLACES } from './geolocation.ts';
import { agreed, assertNoOtherLogin, holdsLogin, type Login, recordLogin } from './login.ts';
import { recordSchemes } from './protocol.ts';
import { nameOrMember, UnreadNames } from './unread-names.ts';
import { isKnown, isObject, plainText, readFlag, textOf } from './values.ts';

/** Members that may be an object with the proxy in it. */
const INNER: ReadonlySet<Field | null> = new Set<Field>(['inner', 'url', 'host']);
/** The proxy in a profile of AdsPower, whose own username and password are those of a website. */
const ADSPOWER_PROXY = 'userproxyconfig';
const NOT_READ = { field: null, rank: 0, isLoginLike: false } as const;
/** Fields of which a second member says nothing new, or was compared. */
const REPEATED: ReadonlySet<Field | null> = new Set([...PLACES, ...LOGIN_FIELDS, 'time', 'protocol']);

/** One verdict for each protocol of a record. `names` notes what is not read; if that may hold a login, the record is rejected. */
export function readRecord(
  entries: Entries,
  options: ParseOptions,
  names = new UnreadNames('member'),
): LineVerdict[] {
  try {
    const { fields, beside } = fieldsOf(entries);
    const schemes = recordSchemes(fields);
    const login = recordLogin(fields);
    assertLoginInside(beside);
    const endpoints = readEndpoints({ fields, schemes, options });
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

/** The address of a rejected record, masked as a line is. */
export function maskRecord(entries: Entries, code: RefusalCode): string {
  const { fields } = fieldsOf(entries);
  const host = textOf(fields.get('host')) ?? textOf(fields.get('url')) ?? '';
  const port = fields.get('port');
  return maskLine(port === undefined ? host : `${host}:${plainText(port)}`, code);
}

/** Whether members say where a proxy is. */
export function hasAddress(entries: Entries): boolean {
  return [...entries].some(
    ([name, value]) =>
      isAddress([name, value]) ||
      (INNER.has(fieldOf(name)) && isObject(value) && Object.entries(value).some(isAddress)),
  );
}

function isAddress([name, value]: readonly [string, unknown]): boolean {
  const field = fieldOf(name);
  return (field === 'host' || field === 'url') && textOf(value) !== undefined;
}

/** The members of a record, and those of `proxy: { host, port }` in it. If that has no login, `beside` is the login next to it. */
function fieldsOf(entries: Entries): { fields: Fields; beside: readonly Member[] } {
  const record = new Fields(entries);
  const inner = record.known.find(({ meaning, value }) => isObject(value) && INNER.has(meaning.field));
  if (inner === undefined) return { fields: record, beside: [] };
  const own = Object.entries(inner.value as object);
  // The login is beside `address: { host, port }`.
  const logins = inner.meaning.field === 'host' ? [] : record.known.filter(isLogin);
  const isProfile = plainName(inner.name) === ADSPOWER_PROXY;
  const outer = [...entries].filter(
    ([name]) => name !== inner.name && !(isProfile && logins.some((login) => login.name === name)),
  );
  const fields = new Fields([...own, ...outer]);
  if (!isProfile) return { fields, beside: new Fields(own).known.some(isLogin) ? [] : logins };
  fields.unread.push(...logins.map((member) => ({ ...member, meaning: NOT_READ })));
  return { fields, beside: [] };
}

function isLogin({ meaning }: Member): boolean {
  return LOGIN_FIELDS.has(meaning.field);
}

/** @throws Refused for a login beside the proxy: it may be that of an account. */
function assertLoginInside(beside: readonly Member[]): void {
  const login = beside.find(({ value }) => holdsLogin(value));
  if (login === undefined) return;
  throw new Refused(
    'ambiguous',
    `${nameOrMember(login.name)} stands beside the proxy and may be the login of an account: move it into the proxy`,
  );
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
  if (!isSocks && remoteDns === false)
    throw new Refused('bad-record', `remoteDns is false, and the protocol is ${proxy.protocol}`);
  const both = agreed(proxy, login);
  const whole: ListedProxy = { ...proxy, ...details };
  if (both.username !== undefined || both.password !== undefined) {
    whole.username = both.username ?? '';
    whole.password = both.password ?? '';
  }
  if (isSocks && remoteDns !== undefined) whole.remoteDns = remoteDns;
  const all = [...notes, ...others];
  return acceptProxy(whole, notes.length === 0 ? all : [...new Set(all)]);
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
      throw new Refused('unknown-scheme', `${nameOrMember(name)} may name the protocol: call it protocol`);
  }
}

/** The members that have a value and were not read. @throws Refused for two addresses. */
function otherMembers(fields: Fields): Member[] {
  const best = new Map<Field | null, Member>();
  const others: Member[] = [];
  for (const member of fields.known) {
    const { field, rank } = member.meaning;
    const known = best.get(field);
    if (known === undefined) best.set(field, member);
    else if (rank < known.meaning.rank) {
      best.set(field, member);
      others.push(known);
    } else others.push(member);
  }
  if (others.length === 0) return fields.unread;
  return [...fields.unread, ...others.filter((member) => isOther(member, best.get(member.meaning.field)))];
}

/** Whether a member says something else than the best of its field. */
function isOther({ name, value, meaning: { field } }: Member, best: Member | undefined): boolean {
  if (best === undefined || field === null || REPEATED.has(field)) return false;
  if (plainText(best.value).trim() === plainText(value).trim()) return false;
  if (field === 'port' || ((field === 'host' || field === 'url') && name === best.name))
    throw new Refused('ambiguous', `the record has two different ${field}s`);
  return true;
}
