import { isSameFile } from '../files/same-file.ts';
import type { KeySource } from '../keys/index.ts';
import { invalidInput } from '../model/validation.ts';

/** What belongs to a key file: its backup and its lock. */
const OF_KEY_FILE = ['', '.bak', '.lock'];

/**
 * Rejects a pool in the place of its key file, also through a link: reading the key would drop the locks of the database, and
 * writing it would replace the pool.
 *
 * @throws INVALID_INPUT, which names both.
 */
export function assertKeyElsewhere(
  pool: string,
  { kind, location }: Pick<KeySource, 'kind' | 'location'>,
): void {
  if (kind !== 'key file' || !OF_KEY_FILE.some((suffix) => isSame(pool, `${location}${suffix}`))) return;
  throw invalidInput(
    `The pool (${pool}) and its key file (${location}) need two files: give another path to one of them, with \`path\` or \`keyFile\`.`,
    { path: pool, keyFile: location },
  );
}

function isSame(one: string, other: string): boolean {
  try {
    return isSameFile(one, other);
  } catch {
    // What may not be looked at is not the pool, which is open or about to be.
    return false;
  }
}
