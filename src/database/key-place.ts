import { isSameFile } from '../files/same-file.ts';
import type { KeySource } from '../keys/index.ts';
import { invalidInput } from '../model/validation.ts';

type Source = Pick<KeySource, 'kind' | 'location'>;

/** What belongs to a key file: its backup and its lock. */
const OF_KEY_FILE = ['', '.bak', '.lock'];

/**
 * Rejects a pool in the place of its key file, also through a link: reading the key would drop the locks of the database, and
 * writing it would replace the pool.
 *
 * @throws INVALID_INPUT, which names both.
 */
export function assertKeyElsewhere(pool: string, source: Source): void {
  const { location } = source;
  if (!isKeyPlace(pool, source)) return;
  throw invalidInput(
    `The pool (${pool}) and its key file (${location}) need two files: give another path to one of them, with \`path\` or \`keyFile\`.`,
    { path: pool, keyFile: location },
  );
}

/** Rejects a backup in the place of the key file of its pool, which may not have been made yet. @throws INVALID_INPUT. */
export function assertBackupElsewhere(backup: string, source: Source): void {
  if (!isKeyPlace(backup, source)) return;
  throw invalidInput(
    `The backup (${backup}) would take the place of the key file (${source.location}) or of a file that belongs to it: give another path.`,
    { path: backup, keyFile: source.location },
  );
}

function isKeyPlace(path: string, { kind, location }: Source): boolean {
  return kind === 'key file' && OF_KEY_FILE.some((suffix) => isSame(path, `${location}${suffix}`));
}

function isSame(one: string, other: string): boolean {
  try {
    return isSameFile(one, other);
  } catch {
    // What may not be looked at is not the pool, which is open or about to be.
    return false;
  }
}
