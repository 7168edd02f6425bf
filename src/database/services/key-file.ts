import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { ProxyVaultError } from '../../errors.ts';
import { decodeKey, KEY_BYTES } from './key-text.ts';

const POSIX = process.platform !== 'win32';

/**
 * The key in a file, or null if there is no file.
 *
 * @throws KEY_INVALID if it is malformed, no regular file, someone else's, or open to others.
 */
export function readKeyFile(path: string): Buffer | null {
  const stats = statusOf(path);
  if (stats === null) return null;
  assertSafe(path, stats);
  const text = attempt(path, 'read', () => readFileSync(path, 'utf8'));
  return decodeKey(text.replace(/\r?\n$/, ''), `The key file ${path}`);
}

/**
 * Makes a key file, 0600 in folders of 0700, and gives its key. It appears whole and synced or not at all, and an
 * existing one is never replaced: of several processes that start together, all get the key of the first.
 */
export function createKeyFile(path: string): Buffer {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  attempt(path, 'create', () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeKey(temporary);
    try {
      // Fails if there is one already, unlike a rename.
      linkSync(temporary, path);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    } finally {
      rmSync(temporary, { force: true });
    }
    if (POSIX) sync(folder);
  });
  const key = readKeyFile(path);
  if (key) return key;
  throw new ProxyVaultError('KEY_MISSING', `The key file ${path} was removed while it was made: try again.`);
}

function writeKey(path: string): void {
  const descriptor = openSync(path, 'wx', 0o600);
  const key = randomBytes(KEY_BYTES);
  const text = Buffer.from(`${key.toString('base64')}\n`);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    key.fill(0);
    text.fill(0);
    closeSync(descriptor);
  }
}

function sync(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function statusOf(path: string): Stats | null {
  return attempt(path, 'read', () => lstatSync(path, { throwIfNoEntry: false })) ?? null;
}

function assertSafe(path: string, stats: Stats): void {
  const problem = problemOf(path, stats);
  if (problem !== null)
    throw new ProxyVaultError('KEY_INVALID', `The key file ${path} ${problem}.`, { details: { path } });
}

function problemOf(path: string, stats: Stats): string | null {
  if (!stats.isFile()) return 'is not a regular file: put the key itself there, or name its real path';
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
      `The key file ${path} cannot be ${what === 'read' ? 'read' : 'made'} (${reason}): check the path and its permissions.`,
      {
        cause: error,
        details: { path },
      },
    );
  }
}
