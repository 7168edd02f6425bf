import { Fields } from '../../record/fields.ts';
import { isObject, plainText } from '../../record/values.ts';

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
  const type = FOXYPROXY_TYPES[members.type as number];
  if (type === undefined) return { other: 'a FoxyProxy setting that is not HTTP or SOCKS' };
  return { records: [Object.entries({ ...members, type })] };
}

function readOmegaProfile({ name, auth, ...members }: Record<string, unknown>, type: string): Exported {
  if (OMEGA_SETTINGS.test(type)) return { settings: true };
  if (type !== 'FixedProfile') return { other: 'a profile of SwitchyOmega that is not a fixed proxy' };
  const logins = isObject(auth) ? auth : {};
  // A profile often has the same proxy for each kind of URL.
  const records = new Map<string, [string, unknown][]>();
  for (const role of OMEGA_PROXIES) {
    const proxy = members[role];
    if (!isObject(proxy)) continue;
    const login = logins[role] ?? logins.all;
    const { username, password } = isObject(login) ? login : {};
    const key = [proxy.scheme, proxy.host, proxy.port, username, password].map(plainText).join('\0');
    records.set(key, Object.entries({ ...proxy, name, auth: login }));
  }
  const isUnused = Object.keys(logins).some((role) => role !== 'all' && !isObject(members[role]));
  if (isUnused) return { other: 'a profile of SwitchyOmega with a login for a proxy that it does not have' };
  return records.size > 0
    ? { records: [...records.values()] }
    : { other: 'a profile of SwitchyOmega without a proxy' };
}

/** Whether an object says something of a proxy, though it may not say where it is. */
export function isRecordLike(value: object): boolean {
  return new Fields(Object.entries(value)).has('port') || hasLogin(value);
}

export function hasLogin(value: object): boolean {
  const fields = new Fields(Object.entries(value));
  return (['username', 'password', 'login'] as const).some(
    (field) => fields.has(field) && typeof fields.get(field) !== 'boolean',
  );
}
