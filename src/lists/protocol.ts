import { Refused } from './refused.ts';
import type { ListedProtocol } from './types.ts';

export interface Scheme {
  protocol: ListedProtocol;
  note?: string;
}

/** What the schemes stand for. Where names are resolved (the `a` and the `h`) is for the one who connects. */
const SCHEMES: ReadonlyMap<string, Scheme> = new Map<string, Scheme>([
  ['http', { protocol: 'http' }],
  ['https', { protocol: 'https' }],
  ['socks4', { protocol: 'socks4' }],
  ['socks4a', { protocol: 'socks4', note: 'socks4a is kept as socks4' }],
  ['socks5', { protocol: 'socks5' }],
  ['socks5h', { protocol: 'socks5', note: 'socks5h is kept as socks5' }],
]);

/** Proxies of another kind, which are refused by name. */
const FOREIGN = new Set([
  'ss',
  'ssr',
  'vmess',
  'vless',
  'trojan',
  'hysteria',
  'hysteria2',
  'hy2',
  'tuic',
  'wireguard',
  'snell',
  'ssh',
  'anytls',
  'direct',
  'raw',
]);

/** The protocol that a scheme or type names, in any case; null if it names none. */
export function schemeOf(name: string): Scheme | null {
  return SCHEMES.get(name.toLowerCase()) ?? null;
}

/** As `schemeOf`. Names that are known and not supported are named in the refusal; others may be anything, a password too. */
export function requireScheme(name: string, at = 0): Scheme {
  const scheme = schemeOf(name);
  if (scheme) return scheme;
  const known = [...SCHEMES.keys()].join(', ');
  const foreign = FOREIGN.has(name.toLowerCase()) ? `${name.toLowerCase()} is not supported: ` : '';
  throw new Refused('unknown-scheme', `${foreign}the scheme is none of ${known}`, at);
}
