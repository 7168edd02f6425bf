import { chmodSync, chownSync, closeSync, linkSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { ProxyVaultError } from '../../../errors.ts';
import { hasNoLinks, publish, syncFolder } from '../../../files/durable.ts';
import { errnoOf } from '../../../files/file-error.ts';
import { isSameFile } from '../../../files/same-file.ts';
import type { Connection } from './connection.ts';
import { companionsOf, isLocked, lockAlone, openElsewhere } from './exclusive.ts';
import { assertOwnLog, hasDatabaseHeader } from './foreign-log.ts';
import { sizeOf } from './log-file.ts';

interface Replacement {
  /** A sealed copy in the folder of `path`. */
  copy: string;
  path: string;
  /** The second name that the replaced file gets. */
  kept: string;
  waitMs: number;
}

/**
 * Puts a copy in the place of a database that no connection has open. The replaced file keeps a second name, and if it
 * is damaged or missing, so does its log. Also after a kill or a power cut, `path` is the whole old database or the whole new
 * one: the old log is off the disk before the name changes, and the name changes at once.
 *
 * @returns whether an old file was kept.
 * @throws BUSY if a connection has the old database open.
 */
export async function replaceDatabase({ copy, path, kept, waitMs }: Replacement): Promise<boolean> {
  if (!statSync(path, { throwIfNoEntry: false })) moveLog(path, kept);
  // There is always a file to lock, so that a process that creates the pool meanwhile has to wait too.
  const created = isAbsent(path) && createEmpty(path);
  const isOld = !isAbsent(path);
  let lock: Connection | null = null;
  try {
    lock = await lockOrNull(path, waitMs);
    if (isOld) keep(path, kept);
    if (lock === null) moveLog(path, kept);
    if (isOld) takeOwner(path, copy);
    replaceLocked(copy, path, lock);
    return isOld;
  } catch (error) {
    if (isOld && isSameFile(path, kept)) {
      if (lock === null) moveLog(kept, path);
      rmSync(kept, { force: true });
    }
    if (created && lock !== null && sizeOf(path) === 0) rmSync(path, { force: true });
    throw error;
  } finally {
    lock?.close();
  }
}

/**
 * Publishes a file in the place of one that is locked. Windows replaces no file that a process has open: there the lock
 * is released first, and a process that opens the file at this moment makes the rename fail.
 */
export function replaceLocked(copy: string, path: string, lock: Connection | null): void {
  if (process.platform === 'win32') lock?.close();
  publish(copy, path);
}

/** Whether nothing is lost if a new file takes this path: no file is there, or an empty one without a log. */
export function isAbsent(path: string): boolean {
  return sizeOf(path) === 0 && sizeOf(`${path}-wal`) === 0;
}

/** The lock, or null for a file that SQLite cannot read. */
async function lockOrNull(path: string, waitMs: number): Promise<Connection | null> {
  try {
    // SQLite would delete the log of a file that it cannot read.
    if (!isAbsent(path) && hasDatabaseHeader(path) === false)
      throw new ProxyVaultError('NOT_A_DATABASE', `${path} is not a database.`);
    assertOwnLog(path);
    return await lockAlone(path, waitMs);
  } catch (error) {
    const isDamaged =
      error instanceof ProxyVaultError && ['CORRUPT', 'NOT_A_DATABASE', 'IO'].includes(error.code);
    if (!isDamaged) throw error;
    if (!isLocked(path)) return null;
    throw openElsewhere(path, 'is damaged, and still', error);
  }
}

function createEmpty(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600));
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    return false;
  }
}

function keep(path: string, kept: string): void {
  try {
    linkSync(path, kept);
  } catch (error) {
    if (!hasNoLinks(error)) throw error;
    throw new ProxyVaultError(
      'UNSUPPORTED',
      `The replaced pool cannot be kept, because ${dirname(path)} allows no hard link to it: move ${path} away, and repeat.`,
      { cause: error, details: { path } },
    );
  }
  syncFolder(dirname(path));
}

/** Moves the log of one database to another, and what else SQLite keeps beside it. */
function moveLog(from: string, to: string): void {
  for (const file of companionsOf(from)) renameSync(file, to + file.slice(from.length));
  syncFolder(dirname(to));
}

/** Gives the copy the owner, and no more of the permissions than its group's, as far as this user may. */
function takeOwner(path: string, copy: string): void {
  if (process.platform === 'win32') return;
  const { uid, gid, mode } = statSync(path);
  const { uid: ownUid, gid: ownGid } = statSync(copy);
  try {
    if (uid !== ownUid || gid !== ownGid) chownSync(copy, uid, gid);
    // What everybody may do was hardly meant, so that nothing is taken from such a mode.
    chmodSync(copy, (mode & 0o007) === 0 ? 0o600 | (mode & 0o060) : 0o600);
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
  }
}
