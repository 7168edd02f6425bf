import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { ProxyVaultError } from '../../../errors.ts';

const POSIX = process.platform !== 'win32';

/**
 * The text of a key file, or null if there is no file.
 *
 * @throws KEY_INVALID if it is no regular file, someone else's, or open to others, with the command that mends it.
 */
export function readKeyFile(path: string): string | null {
  const found = attempt(path, 'read', () => lstatSync(path, { throwIfNoEntry: false }));
  if (found === undefined) return null;
  assertSafe(path, found);
  return attempt(path, 'read', () => {
    const descriptor = openSync(path, constants.O_RDONLY | (POSIX ? constants.O_NOFOLLOW : 0));
    try {
      // What was opened, whatever stood there a moment ago.
      assertSafe(path, fstatSync(descriptor));
      const bytes = readFileSync(descriptor);
      const text = bytes.toString('utf8');
      bytes.fill(0);
      return text;
    } finally {
      closeSync(descriptor);
    }
  });
}

/**
 * Makes a key file, 0600 in folders of 0700. It appears whole and synced or not at all, and an existing one is never
 * replaced: of several processes that start together one makes it.
 */
export function createKeyFile(path: string, text: string): void {
  attempt(path, 'made', () => {
    const temporary = writeTemporary(path, text);
    try {
      // Fails if there is one already, unlike a rename.
      linkSync(temporary, path);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    } finally {
      rmSync(temporary, { force: true });
    }
    syncFolder(path);
  });
}

/** Replaces a key file at one stroke; what was there is kept beside it as `.bak`. */
export function replaceKeyFile(path: string, text: string): void {
  attempt(path, 'written', () => {
    if (lstatSync(path, { throwIfNoEntry: false })) keepBackup(path);
    renameSync(writeTemporary(path, text), path);
    syncFolder(path);
  });
}

/** The path of the backup that {@link replaceKeyFile} keeps. */
export function backupOf(path: string): string {
  return `${path}.bak`;
}

/** Removes a backup that must not lie about. */
export function removeBackup(path: string): void {
  attempt(path, 'cleaned up', () => {
    rmSync(backupOf(path), { force: true });
    syncFolder(path);
  });
}

function keepBackup(path: string): void {
  const temporary = temporaryName(backupOf(path));
  copyFileSync(path, temporary, constants.COPYFILE_EXCL);
  sync(temporary);
  renameSync(temporary, backupOf(path));
}

function writeTemporary(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = temporaryName(path);
  const descriptor = openSync(temporary, 'wx', 0o600);
  const bytes = Buffer.from(text);
  try {
    writeSync(descriptor, bytes);
    fsyncSync(descriptor);
    return temporary;
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    bytes.fill(0);
    closeSync(descriptor);
  }
}

function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
}

function syncFolder(path: string): void {
  if (POSIX) sync(dirname(path));
}

function sync(path: string): void {
  const descriptor = openSync(path, POSIX ? 'r' : 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function assertSafe(path: string, stats: Stats): void {
  const problem = problemOf(path, stats);
  if (problem !== null)
    throw new ProxyVaultError('KEY_INVALID', `The key file ${path} ${problem}.`, { details: { path } });
}

function problemOf(path: string, stats: Stats): string | null {
  if (stats.isSymbolicLink())
    return `is a symbolic link: put the key itself there with \`cp --remove-destination "$(realpath '${path}')" '${path}' && chmod 600 '${path}'\`, or name its real path`;
  if (!stats.isFile()) return 'is not a regular file: name the file that holds the key';
  if (!POSIX) return null;
  const user = process.geteuid?.() ?? 0;
  if (stats.uid !== user && stats.uid !== 0)
    return `belongs to another user: run \`chown ${user} '${path}'\``;
  if ((stats.mode & 0o077) !== 0) return `can be read or written by others: run \`chmod 600 '${path}'\``;
  return null;
}

function attempt<T>(path: string, what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProxyVaultError) throw error;
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new ProxyVaultError(
      'KEY_INVALID',
      `The key file ${path} cannot be ${what} (${reason}): check the path and its permissions.`,
      { cause: error, details: { path } },
    );
  }
}
