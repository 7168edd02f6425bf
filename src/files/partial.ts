import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { isAbandoned, ownMark } from './owner.ts';

/** Names of version 0.1.0 have no owner's mark, so that only their age tells whether they are abandoned. */
const PARTIAL = /^\..+?\.(?:([\da-f]{8}-\d+-\d+)\.)?[\da-f]{12}\.partial(?:-wal|-shm|-journal)?$/;

/**
 * Creates an empty file (0600) beside `path`, in which its new content is written. Its hidden name says which process
 * owns it, so that {@link removeAbandonedPartials} can remove it after a crash.
 */
export function createPartial(path: string): string {
  const unique = `${ownMark()}.${randomBytes(6).toString('hex')}`;
  const partial = join(dirname(path), `.${basename(path)}.${unique}.partial`);
  closeSync(openSync(partial, 'wx', 0o600));
  return partial;
}

/** Removes a partial file and whatever SQLite has put beside it. */
export function removePartial(partial: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${partial}${suffix}`, { force: true });
}

/**
 * Removes the partial files that killed processes have left in a folder. One that cannot be removed, such as another
 * user's in /tmp, is no reason to fail.
 */
export function removeAbandonedPartials(folder: string): void {
  for (const name of readdirSync(folder)) {
    const [matched, mark = ''] = PARTIAL.exec(name) ?? [];
    const path = join(folder, name);
    if (matched !== undefined && isAbandoned(path, mark)) tryToRemove(path);
  }
}

function tryToRemove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}
