import { readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/**
 * Whether two paths lead to the same file, also through links. If neither file exists, the names are compared without
 * regard to case, because many file systems ignore it.
 *
 * @throws the error of `node:fs` if a folder may not be looked into.
 */
export function isSameFile(one: string, other: string): boolean {
  const [first, second] = [identityOf(one), identityOf(other)];
  if (first !== null || second !== null) return first === second;
  return nameOf(one) === nameOf(other);
}

/** Names the file at `path`, whatever its path is; null if there is no file. */
export function identityOf(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev}:${found.ino}`;
}

function nameOf(path: string): string {
  const target = targetOf(path);
  if (target !== null) return nameOf(resolve(dirname(path), target));
  const folder = dirname(resolve(path));
  const real = identityOf(folder) === null ? folder : realpathSync(folder);
  return join(real, basename(path)).normalize('NFC').toLowerCase();
}

/** What a link without a file leads to; null if it is no link. */
function targetOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
