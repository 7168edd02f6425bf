import { createHash, randomBytes } from 'node:crypto';
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
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { ProxyVaultError } from '../../../errors.ts';

const POSIX = process.platform !== 'win32';
/** Far more than the keys of a life. */
const MOST_BYTES = 1024 * 1024;
/** Writing takes some milliseconds: who left a lock or a temporary file so long ago has died. */
const STALE_MS = 30_000;
/** How long the lock of a process that is gone is still respected. */
const GRACE_MS = 200;
const WAIT_MS = 35_000;

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
      const opened = fstatSync(descriptor);
      assertSafe(path, opened);
      if (opened.size > MOST_BYTES) throw tooLarge(path);
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
      if (!isExisting(error)) throw error;
    } finally {
      rmSync(temporary, { force: true });
    }
    syncFolder(path);
  });
}

/**
 * Replaces a key file at one stroke; what was there is kept beside it as `.bak`.
 *
 * @throws BUSY if its text is not that of the revision (null: no file) any more: a key that another process has put there
 *   would be lost.
 */
export function replaceKeyFile(path: string, text: string, revision: string | null): void {
  if (text.length > MOST_BYTES) throw tooLarge(path);
  attempt(path, 'written', () => {
    makeFolder(path);
    removeStale(path);
    underLock(path, () => {
      const present = readKeyFile(path);
      if ((present === null ? null : revisionOf(present)) !== revision) {
        throw new ProxyVaultError(
          'BUSY',
          `The key file ${path} was changed by another process meanwhile: try again. Nothing was changed.`,
          { details: { path } },
        );
      }
      if (present !== null) keepBackup(path);
      renameSync(writeTemporary(path, text), path);
      syncFolder(path);
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

/**
 * Removes what a process that was killed has left, and the backup if it must not lie about. It is no reason to fail: a backup
 * that cannot be read stays.
 */
export function removeLeftovers(path: string, isUnwanted: (backup: string) => boolean): void {
  try {
    removeStale(path);
    const backup = readKeyFile(backupOf(path));
    if (backup === null || !isUnwanted(backup)) return;
    rmSync(backupOf(path), { force: true });
    syncFolder(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}

/** Holds `path.lock` meanwhile, which no other process can make then. */
function underLock(path: string, work: () => void): void {
  const lock = `${path}.lock`;
  const deadline = Date.now() + WAIT_MS;
  while (!tryLock(lock)) {
    if (Date.now() > deadline)
      throw new ProxyVaultError(
        'BUSY',
        `Another process is writing the key file ${path} (${lock}): try again.`,
      );
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  try {
    work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function tryLock(lock: string): boolean {
  const mine = writeTemporary(lock, String(process.pid));
  try {
    linkSync(mine, lock);
    return true;
  } catch (error) {
    if (!isExisting(error)) throw error;
    if (isAbandoned(lock)) rmSync(lock, { force: true });
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Its process has died; or, where that cannot be told (another container), it is far too old. */
function isAbandoned(lock: string): boolean {
  if (ageOf(lock) < GRACE_MS) return false;
  if (ageOf(lock) > STALE_MS) return true;
  try {
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}

/** The temporary files of processes that were killed hold keys. */
function removeStale(path: string): void {
  const folder = dirname(path);
  const left = readdirSync(folder).filter(
    (name) => name.startsWith(`.${basename(path)}.`) && /\.[\da-f]{12}\.tmp$/.test(name),
  );
  for (const name of left)
    if (ageOf(join(folder, name)) > STALE_MS) rmSync(join(folder, name), { force: true });
}

/** Milliseconds since it was written; 0 for what is gone. */
function ageOf(path: string): number {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found ? Date.now() - found.mtimeMs : 0;
}

function isExisting(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}

function tooLarge(path: string): ProxyVaultError {
  return new ProxyVaultError(
    'KEY_INVALID',
    `The key file ${path} is larger than ${MOST_BYTES} bytes: it is none, or its older keys must be removed.`,
    { details: { path } },
  );
}

function keepBackup(path: string): void {
  const temporary = temporaryName(backupOf(path));
  copyFileSync(path, temporary, constants.COPYFILE_EXCL);
  sync(temporary);
  renameSync(temporary, backupOf(path));
}

function writeTemporary(path: string, text: string): string {
  makeFolder(path);
  const temporary = temporaryName(path);
  const descriptor = openSync(temporary, 'wx', 0o600);
  const bytes = Buffer.from(text);
  try {
    writeFileSync(descriptor, bytes);
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

/** With the folders above it that are missing, each on the disk before anything relies on it. */
function makeFolder(path: string): void {
  const first = mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (first === undefined || !POSIX) return;
  for (let folder = dirname(path); folder !== dirname(first); folder = dirname(folder)) sync(dirname(folder));
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
    return `is a symbolic link: put the key itself there with \`cp --remove-destination "$(realpath ${quoted(path)})" ${quoted(path)} && chmod 600 ${quoted(path)}\`, or name its real path`;
  if (!stats.isFile()) return 'is not a regular file: name the file that holds the key';
  if (!POSIX) return null;
  const user = process.geteuid?.() ?? 0;
  if (stats.uid !== user && stats.uid !== 0)
    return `belongs to another user: run \`chown ${user} ${quoted(path)}\``;
  if ((stats.mode & 0o077) !== 0)
    return `can be read or written by others: run \`chmod 600 ${quoted(path)}\``;
  return null;
}

/** As a POSIX shell takes it. */
function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
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
