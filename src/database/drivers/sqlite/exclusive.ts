import { readFileSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ProxyVaultError } from '../../../errors.ts';
import { syncFolder } from '../../../files/durable.ts';
import { identityOf } from '../../../files/same-file.ts';
import { connect } from './better-sqlite3.ts';
import type { Connection } from './connection.ts';
import { refused, translate } from './errors.ts';
import { isBusy } from './waiting.ts';

/** The files that SQLite keeps beside a database: https://www.sqlite.org/tempfiles.html */
export const COMPANIONS = ['-wal', '-shm', '-journal'] as const;

const RETRY_MS = 25;

/** The companions that exist beside a database. */
export function companionsOf(path: string): string[] {
  return COMPANIONS.map((suffix) => path + suffix).filter((file) =>
    statSync(file, { throwIfNoEntry: false }),
  );
}

/**
 * Locks a database against every other connection, of this process too, so that its file can be replaced. Moves its log into the
 * file and removes it, so that nothing is left to apply to the new file. The lock may be released once the new file is there: in
 * rollback mode, SQLite writes to no file that was renamed (SQLITE_READONLY_DBMOVED).
 *
 * @returns a connection in an exclusive transaction; closing it releases the lock.
 * @throws BUSY if a connection is still open after `waitMs`; CORRUPT or NOT_A_DATABASE if the file cannot be read.
 */
export async function lockAlone(path: string, waitMs: number): Promise<Connection> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const connection = tryLock(path);
    if (connection !== null) return connection;
    if (Date.now() >= deadline) throw openElsewhere(path, 'is');
    await sleep(RETRY_MS);
  }
}

/** The error for a file that is in use. @param what the words before `open`: `is`, or more about the file. */
export function openElsewhere(path: string, what: string, cause?: unknown): ProxyVaultError {
  const open = `${what} open in this or another process: close it there, and repeat. Nothing was changed`;
  return refused('BUSY', path, open, cause);
}

function tryLock(path: string): Connection | null {
  const before = identityOf(path);
  let connection: Connection | null = null;
  try {
    connection = connect(path, { fileMustExist: true, timeout: 0 });
    connection.pragma('synchronous = FULL');
    // Leaving WAL mode needs to be alone: a connection that only reads, or is idle, holds a shared lock.
    connection.pragma('journal_mode = DELETE');
    connection.exec('BEGIN EXCLUSIVE');
    // Another process may have switched back, or replaced the file, before the lock was taken.
    if (connection.pragma('journal_mode', { simple: true }) === 'delete' && identityOf(path) === before) {
      // On the disk when this returns: a log that comes back after a power cut would be applied.
      for (const file of companionsOf(path)) rmSync(file, { force: true });
      syncFolder(dirname(path));
      return connection;
    }
    connection.close();
    return null;
  } catch (error) {
    connection?.close();
    if (isBusy(error) || identityOf(path) !== before) return null;
    throw translate(error, { path });
  }
}

/** Whether any process has locked a file that is too damaged to ask SQLite. Only Linux tells (proc_locks(5)); else false. */
export function isLocked(path: string): boolean {
  const { dev, ino } = statSync(path, { bigint: true });
  // As makedev(3) puts the two numbers together.
  const major = (dev >> 8n) & 0xfffn;
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n);
  const hex = (number: bigint): string => number.toString(16).padStart(2, '0');
  try {
    return readFileSync('/proc/locks', 'utf8').includes(` ${hex(major)}:${hex(minor)}:${ino} `);
  } catch {
    return false;
  }
}
