import type { ListedProxy } from '../verdicts.ts';
import { MASK } from './mask.ts';
import { schemeNameOf } from './scheme.ts';

type ProxyEndpoint = Pick<ListedProxy, 'protocol' | 'host' | 'port' | 'username' | 'password' | 'remoteDns'>;

/**
 * A proxy URL: `scheme://user:pass@host:port`, IPv6 in brackets, the port always there. The scheme is `socks5h` or `socks4a`,
 * with which clients leave the names of targets to the proxy, unless `remoteDns` is false. Username and password are
 * percent-encoded (RFC 3986, section 3.2.1) with `reveal`, and masked without.
 *
 * @example
 * const proxy = { protocol: 'http', host: 'h.example', port: 80, username: 'me', password: 'p@ss' } as const;
 * formatProxyUrl(proxy); // 'http://***:***@h.example:80'
 * formatProxyUrl(proxy, { reveal: true }); // 'http://me:p%40ss@h.example:80'
 */
export function formatProxyUrl(
  { host, port, username = '', password = '', ...rest }: ProxyEndpoint,
  { reveal = false }: { reveal?: boolean | undefined } = {},
): string {
  const scheme = schemeNameOf(rest);
  const address = formatAddress({ host, port });
  if (username === '' && password === '') return `${scheme}://${address}`;
  const login = reveal
    ? `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
    : `${MASK}:${MASK}`;
  return `${scheme}://${login}@${address}`;
}

/**
 * `host:port`, IPv6 in brackets.
 *
 * @example
 * formatAddress({ host: '2001:db8::1', port: 1080 }); // '[2001:db8::1]:1080'
 */
export function formatAddress({ host, port }: Pick<ProxyEndpoint, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** RFC 3986, section 2.1; what is no escape, or not UTF-8, stays as it is. */
export function decodePercent(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/(?:%[\da-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}
