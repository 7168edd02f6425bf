import { fileURLToPath } from 'node:url';

import { ProxyVaultError } from '../errors.ts';

/** A URL, also after quotes or a name. A scheme of one letter would be a drive of Windows; a folder before it makes it a path. */
const URL_LIKE = /^[^/\\]*?[\w+.-]{2,}\s*(?::|%3a)(?:\/|%2f){2}/i;
const SCHEME = /^\s*([a-z][a-z\d+.-]+):\/\//i;
/** What `path.resolve` makes of the URL of a server, and forms of its address that have no `//`. */
const SERVER =
  /^\W*(?:jdbc:)?(?:postgres(?:ql)?|mysql|mariadb|mssql|sqlserver|mongodb|redis|cockroachdb)(?:\+\w+)?:(?:[/\\]|.*@)/i;
/** A login before the first folder, and the words of a connection string. */
const LOGIN = /^[^/\\]*:[^/\\]*@|(?:^|[\s;])(?:password|pwd)\s*=/i;

/**
 * Rejects a URL or the address of a database server in place of a path, before a file of that name is made. The error has no more
 * of it than the scheme: the rest may hold a password.
 *
 * @throws INVALID_INPUT.
 */
export function assertPath(path: string, what: string, kind: 'file' | 'folder' = 'file'): void {
  if (typeof path !== 'string')
    throw new ProxyVaultError('INVALID_INPUT', `${what} must be the path of a ${kind}, as a text.`);
  if (!URL_LIKE.test(path) && !SERVER.test(path) && !LOGIN.test(path)) return;
  const scheme = SCHEME.exec(path)?.[1]?.toLowerCase();
  const found =
    scheme === undefined
      ? `what looks like a URL or the address of a server is not supported. If it is the name of a ${kind}, put ./ before it.`
      : `a ${scheme}:// URL is not supported.`;
  const advice = scheme === 'file' ? ' Leave out file:// and the percent escapes.' : '';
  throw new ProxyVaultError('INVALID_INPUT', `${what} must be the path of a ${kind}: ${found}${advice}`);
}

/**
 * Rejects the name of a file that SQLite would remove: it takes `pool.db-journal` for what a crash left of `pool.db`.
 *
 * @throws INVALID_INPUT.
 */
export function assertLasting(path: string, what: string): void {
  if (!/-(wal|shm|journal)$/i.test(path)) return;
  throw new ProxyVaultError(
    'INVALID_INPUT',
    `${what} ${path} has a name that SQLite uses beside a database, and would be removed: give another path.`,
    { details: { path } },
  );
}

/** The path of a `file:` URL, or the path itself. @throws INVALID_INPUT for any other URL, which is not repeated. */
export function pathFrom(path: string | URL, what: string, kind: 'file' | 'folder' = 'file'): string {
  if (path instanceof URL) {
    if (path.protocol !== 'file:')
      throw new ProxyVaultError(
        'INVALID_INPUT',
        `${what} must be the path of a ${kind} or a file: URL: a ${path.protocol} URL is not supported.`,
      );
    return fromFileUrl(path, what, kind);
  }
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw new ProxyVaultError('INVALID_INPUT', `${what} must be the path of a ${kind} or a file: URL.`);
  assertPath(path, what, kind);
  return path;
}

function fromFileUrl(url: URL, what: string, kind: string): string {
  try {
    const path = fileURLToPath(url);
    if (!path.includes('\0')) return path;
  } catch {
    // Such as a URL with the name of a host.
  }
  throw new ProxyVaultError(
    'INVALID_INPUT',
    `${what} must be the path of a ${kind} on this machine: make the URL with new URL('./name', import.meta.url).`,
  );
}
