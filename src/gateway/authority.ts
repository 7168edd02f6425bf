import { parseHost, parsePort } from '../model/host.ts';
import type { Target } from '../upstream/index.ts';

/** Anything else, such as a login, a path or a space, makes two programs see two hosts. */
const AUTHORITY = /^(\[[\da-f:.]+\]|[^[\]:@/?#\\\s]+)(?::(\d+))?$/i;

/**
 * Reads `host:port` strictly: no login, no path, no spaces; IPv6 in brackets only; ASCII only, since bytes of a header have no encoding.
 *
 * @param defaultPort the port if the text has none. Without it the text must have one, as that of CONNECT must.
 * @returns null for any other text.
 */
export function parseAuthority(text: string, defaultPort?: number): Target | null {
  if (!/^[!-~]{1,300}$/.test(text)) return null;
  const [, name = '', digits] = AUTHORITY.exec(text) ?? [];
  const port = digits === undefined ? defaultPort : parsePort(digits);
  const parsed = parseHost(name);
  if (port === undefined || port === null || 'error' in parsed) return null;
  return { host: parsed.host, port };
}
