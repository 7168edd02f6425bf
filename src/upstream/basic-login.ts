import { proxyFailed } from './proxy-failed.ts';
import type { Upstream } from './upstream.ts';

/**
 * The value of `Proxy-Authorization` for a proxy, or null if it has no login (RFC 7617, in UTF-8).
 *
 * @throws PROXY_FAILED for a login that would arrive as another one: the first colon ends the username.
 */
export function basicLogin(upstream: Upstream): string | null {
  const { username, password } = upstream;
  if (username === '' && password === '') return null;
  const why = username.includes(':')
    ? 'HTTP cannot carry a username with a colon. Use its socks5 port, if it has one.'
    : 'its login is not well-formed Unicode. Store it again.';
  if (!canCarryLogin(upstream)) throw proxyFailed(upstream, 'protocol', 'handshake', why);
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Whether HTTP can carry a login as it is. */
export function canCarryLogin({ username, password }: Upstream): boolean {
  return !username.includes(':') && username.isWellFormed() && password.isWellFormed();
}
