import { createHash, randomBytes } from 'node:crypto';
import { constants, copyFileSync, lstatSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { ProxyVaultError } from '../../errors.ts';
import { makeFolder, publish, publishNew, syncFolder } from '../../files/durable.ts';
import { errnoOf, withFileErrors } from '../../files/file-error.ts';
import { withLock } from '../../files/lock.ts';
import { removeAbandonedTemporaries, removeTemporary, temporaryName } from '../../files/temporary.ts';
import { assertReplaceable, assertSize, readKeyFile } from './key-file-access.ts';

/** Writing takes some milliseconds, so a lock that is held for longer belongs to a process that is stopped. */
const WAIT_MS = 5000;

/** What replaces the text of a key file. */
export interface Replacement {
  text: string;
  /** `revisionOf` the text that it was made from; null if there was no file. */
  revision: string | null;
  /** Whether every key of an older text is in the new one. */
  covers: (older: string) => boolean;
  /** Replace even a text that is not covered. */
  dropOthers: boolean;
}

/** Makes a key file, 0600 in folders of 0700, whole and synced or not at all; of several processes at once, one makes it. */
export function createKeyFile(path: string, text: string): void {
  withFileErrors(`The key file ${path} cannot be made`, path, () => {
    makeFolder(dirname(path));
    removeAbandonedTemporaries(path);
    tryToPublish(writeTemporary(path, text), path);
  });
}

/**
 * Replaces a key file in one step; the old text is kept beside it as `.bak`. A pool that shares the file never loses
 * its key: the new text must have every key of the present one, and a backup that has other keys is put aside.
 * Nothing is changed if it throws: BUSY if another process has changed the file since `revision`.
 */
export function replaceKeyFile(path: string, replacement: Replacement): void {
  const { text, covers } = replacement;
  assertSize(path, text.length);
  withFileErrors(`The key file ${path} cannot be written`, path, () => {
    assertReplaceable(path);
    makeFolder(dirname(path));
    withLock(`${path}.lock`, WAIT_MS, (isHeld) => {
      removeAbandonedTemporaries(path);
      const present = assertUnchanged(path, replacement);
      if (present !== null) keepBackup(path, covers);
      const temporary = writeTemporary(path, text);
      try {
        assertUnchanged(path, replacement);
        if (!isHeld()) throw changedError(path);
        if (present !== null) publish(temporary, path);
        // A link, because a rename would replace a file that another process makes at this moment.
        else if (!tryToPublish(temporary, path)) throw changedError(path);
      } finally {
        removeTemporary(temporary);
      }
    });
  });
}

/** Names a text, and reveals nothing of it. */
export function revisionOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The path of the backup that {@link replaceKeyFile} keeps. */
export function backupOf(path: string): string {
  return `${path}.bak`;
}

/** Removes what a killed process has left, and the backup if it must not stay. What cannot be removed or read stays. */
export function removeLeftovers(path: string, isUnwanted: (backup: string) => boolean): void {
  try {
    removeAbandonedTemporaries(path);
    removeAbandonedTemporaries(backupOf(path));
    const backup = readKeyFile(backupOf(path));
    if (backup === null || !isUnwanted(backup)) return;
    rmSync(backupOf(path), { force: true });
    syncFolder(dirname(path));
  } catch {
    // It stays.
  }
}

/** The present text, if the file is still as the new text was made for. */
function assertUnchanged(path: string, { revision, covers, dropOthers }: Replacement): string | null {
  const present = readKeyFile(path);
  if ((present === null ? null : revisionOf(present)) !== revision) throw changedError(path);
  if (present !== null && !dropOthers && !covers(present)) throw changedError(path);
  return present;
}

function changedError(path: string): ProxyVaultError {
  return new ProxyVaultError(
    'BUSY',
    `Another process has changed the key file ${path} in the meantime: try again. Nothing was changed.`,
    { details: { path } },
  );
}

/** An earlier backup with keys that the new text lacks may be the only place of them: it gets a name of its own. */
function keepBackup(path: string, covers: (older: string) => boolean): void {
  const backup = backupOf(path);
  if (lstatSync(backup, { throwIfNoEntry: false }) && !isCovered(backup, covers)) {
    renameSync(backup, `${backup}-${randomBytes(4).toString('hex')}`);
    syncFolder(dirname(path));
  }
  const temporary = temporaryName(backup);
  try {
    copyFileSync(path, temporary, constants.COPYFILE_EXCL);
    // It may be the only place of what is replaced next.
    publish(temporary, backup);
  } finally {
    removeTemporary(temporary);
  }
}

function isCovered(backup: string, covers: (older: string) => boolean): boolean {
  try {
    const text = readKeyFile(backup);
    return text === null || covers(text);
  } catch {
    // What cannot be read may have keys of its own.
    return false;
  }
}

/** Gives a finished file its name unless there is a file already; says whether it did. The temporary name goes. */
function tryToPublish(temporary: string, path: string): boolean {
  try {
    publishNew(temporary, path);
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    // The key of the other process must be on the disk before it is used.
    syncFolder(dirname(path));
    return false;
  } finally {
    removeTemporary(temporary);
  }
}

function writeTemporary(path: string, text: string): string {
  const temporary = temporaryName(path);
  const bytes = Buffer.from(text);
  try {
    // Synced here already: that takes long, and nothing long may come between the last look at the old file and the new name.
    writeFileSync(temporary, bytes, { flag: 'wx', mode: 0o600, flush: true });
    return temporary;
  } catch (error) {
    removeTemporary(temporary);
    throw error;
  } finally {
    bytes.fill(0);
  }
}
