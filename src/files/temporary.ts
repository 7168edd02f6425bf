import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { attempt } from './file-error.ts';
import { isAbandoned, ownMark } from './owner.ts';

/** `tmp` is a small file, such as a key; `partial` is the copy of a database, which SQLite may keep other files beside. */
type Suffix = 'tmp' | 'partial';

const TEMPORARY = /^\..+\.((?:[\da-f]{8}-){2}\d+-\d+)\.[\da-f]{12}\.(?:tmp|partial)(?:-wal|-shm|-journal)?$/;
/** Names of version 0.1.0 have no owner's mark, so that only their age tells whether they are abandoned. */
const OLD_PARTIAL = /^\..+\.[\da-f]{12}\.partial(?:-wal|-shm|-journal)?$/;
const OLD_REST = /^[\da-f]{12}\.tmp$/;

/** A new hidden name beside `path`, for a file that gets its real name when it is finished. It names its owner. */
export function temporaryName(path: string, suffix: Suffix = 'tmp'): string {
  const random = randomBytes(6).toString('hex');
  return join(dirname(path), `.${basename(path)}.${ownMark()}.${random}.${suffix}`);
}

/** As {@link temporaryName}, and creates the file, empty and 0600. */
export function createTemporary(path: string, suffix: Suffix): string {
  const temporary = temporaryName(path, suffix);
  const descriptor = openSync(temporary, 'wx', 0o600);
  try {
    closeSync(descriptor);
    return temporary;
  } catch (error) {
    removeTemporary(temporary);
    throw error;
  }
}

/**
 * Removes a temporary file and whatever SQLite has put beside it. One that cannot be removed stays until the next job in
 * the folder, and hides no error of this one.
 */
export function removeTemporary(temporary: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) remove(`${temporary}${suffix}`);
}

/**
 * Removes the temporary files that killed processes have left in the folder of `path`, also those of other files: they
 * may hold passwords. One that cannot be removed, such as another user's in /tmp, is no reason to fail.
 *
 * @throws the error of `node:fs` if the folder cannot be read.
 */
export function removeAbandonedTemporaries(path: string): void {
  for (const name of readdirSync(dirname(path))) {
    const mark = markOf(name, path);
    const file = join(dirname(path), name);
    if (mark !== null && isAbandoned(file, mark)) remove(file);
  }
}

/** The owner's mark in the name of a temporary file, empty if it has none; null for another file. */
function markOf(name: string, path: string): string | null {
  const [, mark] = TEMPORARY.exec(name) ?? [];
  if (mark !== undefined) return mark;
  const own = `.${basename(path)}.`;
  // Other programs may have such names too.
  const isOld = OLD_PARTIAL.test(name) || (name.startsWith(own) && OLD_REST.test(name.slice(own.length)));
  return isOld ? '' : null;
}

function remove(path: string): void {
  attempt(() => rmSync(path, { force: true }));
}
