import type { ProxyProtocol } from '../../model/proxy.ts';
import type { ParseOptions } from '../options.ts';
import type { ListedProxy } from '../verdicts.ts';
import { Refused } from './refused.ts';

export interface Scheme {
  protocol: ProxyProtocol;
  /** The name says that the proxy resolves host names: `socks5h`, `socks4a`. */
  remoteDns?: true;
  note?: string;
}

const HTTP: Scheme = { protocol: 'http' };
const SOCKS4: Scheme = { protocol: 'socks4' };
const SOCKS5: Scheme = { protocol: 'socks5' };

/** What URL schemes mean. */
const SCHEMES: ReadonlyMap<string, Scheme> = new Map<string, Scheme>([
  ['http', HTTP],
  ['https', { protocol: 'https' }],
  ['socks4', SOCKS4],
  ['socks4a', { protocol: 'socks4', remoteDns: true }],
  ['socks5', SOCKS5],
  ['socks5h', { protocol: 'socks5', remoteDns: true }],
]);

/** Providers mean an HTTP proxy that also tunnels HTTPS (CONNECT), not TLS to the proxy. */
const TUNNELS: Scheme = { protocol: 'http', note: 'HTTP/HTTPS was read as http, which tunnels HTTPS too' };

/** What lists write for a scheme, in lower case without blanks, `-` and `_`. */
const WORDS: ReadonlyMap<string, readonly Scheme[]> = new Map<string, readonly Scheme[]>([
  ...[...SCHEMES].map(([name, scheme]) => [name, [scheme]] as const),
  ...'http(s) http/https https/http http/s http+https http&https http|https http,https'
    .split(' ')
    .map((name) => [name, [TUNNELS]] as const),
  ['socksv4', [SOCKS4]],
  ['socksv5', [SOCKS5]],
  ['sock4', [SOCKS4]],
  ['sock5', [SOCKS5]],
  ...'socks4/5 socks4/socks5 socks5/socks4 socks4+socks5 socks4,socks5 socks4|socks5 socks4&5'
    .split(' ')
    .map((name) => [name, [SOCKS4, SOCKS5]] as const),
]);

/** The longest word of `WORDS` with blanks and an ending such as ` proxy`. */
const MAX_WORD = 32;

/** Proxies of another kind, which are rejected by name. */
const FOREIGN = new Set(
  'ss ssr vmess vless trojan hysteria hysteria2 hy2 tuic wireguard snell ssh anytls direct raw'.split(' '),
);

/** The protocol that a URL scheme names, in any case; null for any other word. */
export function schemeOf(name: string): Scheme | null {
  return SCHEMES.get(name.toLowerCase()) ?? null;
}

const UNSUPPORTED = new RegExp(String.raw`^\s*(?:socks|${[...FOREIGN].join('|')})\s*$`, 'i');

/** The protocols that a word names, in any case: `socks5://`, `SOCKS v5`, `HTTP(S)`, `socks4/5`, `HTTPS proxy`. Else null. */
export function schemesNamed(word: string): readonly Scheme[] | null {
  if (word.length > MAX_WORD || !/^\s*[hs]/i.test(word)) return null;
  const plain = word
    .toLowerCase()
    .replace(/[\s_-]/g, '')
    .replace(/(?::\/\/|(?:prox(?:y|ies)))$/, '');
  return WORDS.get(plain) ?? null;
}

/** Whether a word names a protocol, one that is not supported and SOCKS without its version included. */
export function namesProtocol(word: string): boolean {
  return schemesNamed(word) !== null || isUnsupported(word);
}

/** Whether a word names a protocol that is not supported, or SOCKS without its version. */
export function isUnsupported(word: string): boolean {
  return UNSUPPORTED.test(word);
}

/** The scheme that names a protocol, and with it who resolves the names of targets: the proxy, unless it says otherwise. */
export function schemeNameOf({
  protocol,
  remoteDns = true,
}: Pick<ListedProxy, 'protocol' | 'remoteDns'>): string {
  if (!remoteDns) return protocol;
  return protocol === 'socks5' ? 'socks5h' : protocol === 'socks4' ? 'socks4a' : protocol;
}

/** As `schemeOf`. Unsupported kinds are named in the error; other words are not, since one may be a password. */
export function requireScheme(name: string, at = 0): Scheme {
  const scheme = schemeOf(name);
  if (scheme) return scheme;
  throw unknownScheme(name, at);
}

/** The protocols that a word names. @throws Refused as `requireScheme`. */
export function requireSchemes(word: string, at = 0): readonly Scheme[] {
  const schemes = schemesNamed(word);
  if (schemes) return schemes;
  throw unknownScheme(word, at);
}

/** The protocol of a line or record without one. @throws Refused with `strictProtocol`. */
export function unnamedScheme({ protocol = 'http', strictProtocol = false }: ParseOptions): Scheme {
  if (!strictProtocol) return { protocol };
  throw new Refused('unknown-scheme', 'no protocol is named, and none is assumed');
}

/** The protocols that the words of a line name; null if no word does. @throws Refused (ambiguous) if others are not among `explicit`. */
export function schemesOfLine(
  explicit: readonly Scheme[] | null,
  others: readonly Scheme[],
): readonly Scheme[] | null {
  if (explicit === null || explicit.length === 0) return others.length === 0 ? null : distinct(others);
  const differ = others.some(({ protocol }) => !explicit.some((scheme) => scheme.protocol === protocol));
  if (differ) throw new Refused('ambiguous', 'the line names two protocols that disagree');
  return distinct([...explicit, ...others]);
}

function distinct(schemes: readonly Scheme[]): readonly Scheme[] {
  const byProtocol = new Map<ProxyProtocol, Scheme>();
  for (const scheme of schemes)
    byProtocol.set(scheme.protocol, { ...scheme, ...byProtocol.get(scheme.protocol), ...remote(scheme) });
  const isTunnel = byProtocol.size === 2 && byProtocol.has('http') && byProtocol.has('https');
  return isTunnel ? [TUNNELS] : [...byProtocol.values()];
}

function remote({ remoteDns }: Scheme): Pick<Scheme, 'remoteDns'> {
  return remoteDns ? { remoteDns } : {};
}

function unknownScheme(name: string, at: number): Refused {
  const known = [...SCHEMES.keys()].join(', ');
  const plain = name.trim().toLowerCase();
  if (/^socks$/.test(plain))
    return new Refused('unknown-scheme', 'SOCKS has two versions: write socks4 or socks5', at);
  const foreign = FOREIGN.has(plain) ? `${plain} is not supported: ` : '';
  return new Refused('unknown-scheme', `${foreign}the protocol must be one of ${known}`, at);
}
