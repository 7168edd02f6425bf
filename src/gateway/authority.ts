import { parseHost, parsePort } from '../model/host.ts';
import { remembered } from '../rotation/remembered.ts';
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
  const read = readAuthority(text);
  const port = read?.port ?? defaultPort;
  return read === null || port === undefined ? null : { host: read.host, port };
}

/** The same few are read for each request, and several times. */
const readAuthority = remembered((text: string): { host: string; port: number | undefined } | null => {
  if (!/^[!-~]{1,300}$/.test(text)) return null;
  const [, name = '', digits] = AUTHORITY.exec(text) ?? [];
  const port = digits === undefined ? undefined : parsePort(digits);
  const parsed = parseHost(name);
  return port === null || 'error' in parsed ? null : { host: parsed.host, port };
});
