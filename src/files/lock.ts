import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { ProxyVaultError } from '../errors.ts';
import { attempt, errnoOf } from './file-error.ts';
import { isAbandoned, isAlive, ownMark, processOf } from './owner.ts';
import { removeAbandonedTemporaries, removeTemporary, temporaryName } from './temporary.ts';

const RETRY_MS = 10;

/** The locks of this process that nobody holds, and that could not be removed. */
const unreleased = new Set<string>();

/** One instance of a lock file: no other one, earlier or later, has this id. */
interface Holder {
  id: string;
  mark: string;
}

/**
 * Runs `work` while this process holds the lock file at `path`. A lock whose process is gone is broken at once; one
 * whose process lives is never broken, whatever its age. `work` gets a function that says whether the lock is still
 * held: ask it right before the step that must not be done twice, because the lock of a process in another container can
 * only be judged by its age.
 *
 * @throws BUSY if the lock is not free after `waitMs`; the error of `node:fs`.
 */
export function withLock<T>(path: string, waitMs: number, work: (isHeld: () => boolean) => T): T {
  const own = acquire(path, waitMs);
  try {
    removeLeftovers(path);
    return work(() => holderOf(path)?.id === own.id);
  } finally {
    release(path, own);
  }
}

function acquire(path: string, waitMs: number): Holder {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const own = take(path);
    if (own !== null) return own;
    if (breakIfAbandoned(path)) continue;
    if (performance.now() > deadline) throw heldError(path);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
  }
}

/** Makes the lock file, complete with its content; null if there is one. */
function take(path: string): Holder | null {
  const temporary = temporaryName(path);
  try {
    writeFileSync(temporary, `${ownMark()} ${randomBytes(8).toString('hex')}`, { flag: 'wx', mode: 0o600 });
    const own = holderOf(temporary);
    linkSync(temporary, path);
    return own;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return null;
    throw error;
  } finally {
    // The lock counts whatever happens to its first name.
    removeTemporary(temporary);
  }
}

/**
 * Leaves the lock alone if somebody has broken it and another process holds it now. The work is done: a lock that cannot be
 * removed is broken by the next one of this process that wants it, and by others once this process has ended.
 */
function release(path: string, { id }: Holder): void {
  const isReleased = attempt(() => {
    if (holderOf(path)?.id === id) rmSync(path, { force: true });
  });
  if (!isReleased) unreleased.add(id);
}

/**
 * Removes the lock if its process is gone or done with it; says whether that was so. Several processes may come to that
 * conclusion, and the slow ones must not remove the lock that the first one takes afterwards. So only the holder of a guard, a
 * second lock named for this very instance, may remove it, after looking again.
 */
function breakIfAbandoned(path: string): boolean {
  const found = holderOf(path);
  if (found === null || !(unreleased.has(found.id) || isAbandoned(path, found.mark))) return false;
  const guard = `${path}.${createHash('sha256').update(found.id).digest('hex').slice(0, 12)}`;
  const own = take(guard);
  if (own === null) return breakIfAbandoned(guard);
  try {
    if (holderOf(path)?.id === found.id) rmSync(path, { force: true });
    return true;
  } finally {
    release(guard, own);
  }
}

/** Who holds the lock; null if nobody does. */
function holderOf(path: string): Holder | null {
  try {
    const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    try {
      const content = readFileSync(descriptor, 'latin1');
      return { id: `${fstatSync(descriptor).ino} ${content}`, mark: content.split(' ')[0] ?? '' };
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** For the holder of the lock: guards of earlier instances serve nothing now, nor do temporary files of killed processes. */
function removeLeftovers(path: string): void {
  const prefix = `${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    if (name.startsWith(prefix) && /^[\da-f]{12}(?:\.[\da-f]{12})*$/.test(name.slice(prefix.length)))
      rmSync(join(dirname(path), name), { force: true });
  }
  removeAbandonedTemporaries(path);
}

function heldError(path: string): ProxyVaultError {
  const mark = holderOf(path)?.mark ?? '';
  const who = isAlive(mark) ? `process ${processOf(mark)}` : 'a process that cannot be seen from here';
  return new ProxyVaultError(
    'BUSY',
    `The lock ${path} is held by ${who}: try again when it has finished. Nothing was changed.`,
    { details: { path } },
  );
}
