import { MASK } from './mask.ts';
import type { ListedProxy } from './types.ts';

/** What a URL tells of a proxy. */
type ProxyEndpoint = Pick<ListedProxy, 'protocol' | 'host' | 'port' | 'username' | 'password'>;

/**
 * A proxy URL: `scheme://user:pass@host:port`, IPv6 in brackets, the port always there. Username and password are
 * percent-encoded (RFC 3986, section 3.2.1) with `reveal`, and masked without.
 */
export function formatProxyUrl(
  { protocol, host, port, username = '', password = '' }: ProxyEndpoint,
  { reveal = false }: { reveal?: boolean | undefined } = {},
): string {
  const address = formatAddress({ host, port });
  if (username === '' && password === '') return `${protocol}://${address}`;
  const login = reveal
    ? `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
    : `${MASK}:${MASK}`;
  return `${protocol}://${login}@${address}`;
}

/** `host:port`, IPv6 in brackets. */
export function formatAddress({ host, port }: Pick<ProxyEndpoint, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** RFC 3986, section 2.1; what is no escape, or not UTF-8, stays as it stands. */
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
