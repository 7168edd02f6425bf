import { Fields } from '../fields.ts';

/** A record in the names of another tool, as its members; or what it is, if it holds no proxy that can be read. */
export type Exported = { records: [string, unknown][][] } | { other: string } | { settings: true };

/** FoxyProxy 7 numbers what later versions name. */
const FOXYPROXY_TYPES: Readonly<Record<number, string>> = { 1: 'http', 2: 'https', 3: 'socks5', 4: 'socks4' };
const FOXYPROXY_DIRECT = 5;
const FOXYPROXY_MEMBERS = ['whitePatterns', 'blackPatterns', 'pacURL', 'proxyDNS'];

const OMEGA_PROXIES = ['fallbackProxy', 'proxyForHttp', 'proxyForHttps', 'proxyForFtp'];
/** Profiles of SwitchyOmega that choose among others. */
const OMEGA_SETTINGS =
  /^(?:Switch|Virtual|RuleList|SwitchyRuleList|AutoProxyRuleList|Direct|System|AutoDetect)/;

/** The records in an object that FoxyProxy 7 or SwitchyOmega wrote; null for any other object. */
export function readExport(value: object): Exported | null {
  const members = value as Record<string, unknown>;
  if (typeof members.profileType === 'string') return readOmegaProfile(members, members.profileType);
  const isFoxyProxy = typeof members.type === 'number' && FOXYPROXY_MEMBERS.some((name) => name in members);
  return isFoxyProxy ? readFoxyProxy(members) : null;
}

function readFoxyProxy(members: Record<string, unknown>): Exported {
  if (members.type === FOXYPROXY_DIRECT) return { settings: true };
  const type = FOXYPROXY_TYPES[Number(members.type)];
  if (type === undefined) return { other: 'a FoxyProxy setting that is not HTTP or SOCKS' };
  return { records: [Object.entries({ ...members, type })] };
}

function readOmegaProfile({ name, auth, ...members }: Record<string, unknown>, type: string): Exported {
  if (OMEGA_SETTINGS.test(type)) return { settings: true };
  if (type !== 'FixedProfile') return { other: 'a profile of SwitchyOmega without fixed proxies' };
  const logins = isObject(auth) ? auth : {};
  const records = OMEGA_PROXIES.flatMap((role) => {
    const proxy = members[role];
    if (!isObject(proxy)) return [];
    return [Object.entries({ ...proxy, name, auth: logins[role] ?? logins.all })];
  });
  const texts = records.map((record) => JSON.stringify(record));
  return { records: records.filter((_, index) => texts.indexOf(texts[index] ?? '') === index) };
}

/** Whether an object says something of a proxy, though it may not say where it is. */
export function isRecordLike(value: object): boolean {
  return new Fields(Object.entries(value)).has('port') || hasLogin(value);
}

/** Whether an object has a username, a password or both in one. */
export function hasLogin(value: object): boolean {
  const fields = new Fields(Object.entries(value));
  return (['username', 'password', 'login'] as const).some(
    (field) => fields.has(field) && typeof fields.get(field) !== 'boolean',
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
