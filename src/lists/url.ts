import { MASK } from './mask.ts';
import type { ListedProxy } from './types.ts';

/**
 * A proxy URL: `scheme://user:pass@host:port`, IPv6 in brackets, the port always there. Username and password are
 * percent-encoded (RFC 3986, section 3.2.1) with `reveal`, and masked without.
 */
export function formatProxyUrl(
  { protocol, host, port, username = '', password = '' }: ListedProxy,
  { reveal = false }: { reveal?: boolean | undefined } = {},
): string {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (username === '' && password === '') return `${protocol}://${address}`;
  const login = reveal
    ? `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
    : `${MASK}:${MASK}`;
  return `${protocol}://${login}@${address}`;
}
