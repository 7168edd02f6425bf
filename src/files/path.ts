import { ProxyVaultError } from '../errors.ts';

/** How a URL begins. A scheme of one letter would be a drive of Windows. */
const URL_BEGIN = /^\s*([a-z][a-z\d+.-]+):\/\//i;

/**
 * Rejects a URL in place of a path, before a file of that name is made. The error has no more of it than the scheme: the rest may
 * hold a password.
 *
 * @throws INVALID_INPUT.
 */
export function assertPath(path: string, what: string, kind: 'file' | 'folder' = 'file'): void {
  const [, scheme] = URL_BEGIN.exec(path) ?? [];
  if (scheme === undefined) return;
  const advice = /^file$/i.test(scheme) ? ' Leave out file:// and the percent escapes.' : '';
  throw new ProxyVaultError(
    'INVALID_INPUT',
    `${what} must be the path of a ${kind}: a ${scheme.toLowerCase()}:// URL is not supported.${advice}`,
  );
}
