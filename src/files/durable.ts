import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';

import { errnoOf } from './file-error.ts';
import { removeTemporary } from './temporary.ts';

const POSIX = process.platform !== 'win32';

/**
 * Creates a folder and the folders above it that are missing, 0700 each. Every new name is synced into its parent, so
 * that a power cut cannot take a folder that something durable already lies in.
 *
 * @throws the error of `node:fs`; see `fileError`.
 */
export function makeFolder(folder: string): void {
  if (!tryToMake(folder)) return;
  syncFolder(dirname(folder));
}

/** One folder after the other: Node's recursive `mkdirSync` says ENOENT for some other errors, such as EDQUOT. */
function tryToMake(folder: string, hasParent = false): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    // Some folders, as those of /proc, are there and say ENOENT for every new name.
    if (errno === 'ENOENT' && !hasParent && folder !== dirname(folder)) {
      makeFolder(dirname(folder));
      return tryToMake(folder, true);
    }
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return false;
    // A file is in the way: reading it as a folder says ENOTDIR, which is what the user can act on.
    if (errno === 'EEXIST') readdirSync(folder);
    throw error;
  }
}

/** Gives a finished file its name: the content is on the disk before the name is, and the name before this returns. */
export function publish(temporary: string, path: string): void {
  syncFile(temporary);
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/**
 * As {@link publish}, but never replaces a file: of several processes that publish at the same path, one succeeds.
 *
 * @throws EEXIST if the path is taken.
 */
export function publishNew(temporary: string, path: string): void {
  syncFile(temporary);
  try {
    // Unlike a rename, a link fails if the name exists.
    linkSync(temporary, path);
    removeTemporary(temporary);
  } catch (error) {
    if (!hasNoLinks(error)) throw error;
    // The empty file reserves the name.
    closeSync(openSync(path, 'wx', 0o600));
    renameSync(temporary, path);
  }
  syncFolder(dirname(path));
}

/** Whether a link failed because the file system has no hard links, as FAT, or allows none to this file. */
export function hasNoLinks(error: unknown): boolean {
  return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(String(errnoOf(error)));
}

/** Waits until the content of a file is on the disk. */
function syncFile(path: string): void {
  const descriptor = openSync(path, POSIX ? 'r' : 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Waits until the names in a folder are on the disk. Windows has no such call and needs none. */
export function syncFolder(folder: string): void {
  if (POSIX) syncFile(folder);
}
