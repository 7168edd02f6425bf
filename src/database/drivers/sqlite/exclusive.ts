import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';

import { ProxyVaultError } from '../../../errors.ts';
import { syncFolder } from '../../../files/durable.ts';
import { identityOf } from '../../../files/same-file.ts';
import type { Connection } from './connection.ts';
import { sqliteCode, translate } from './errors.ts';

/** The files that SQLite keeps beside a database: https://www.sqlite.org/tempfiles.html */
export const COMPANIONS = ['-wal', '-shm', '-journal'] as const;

const RETRY_MS = 25;

/**
 * Locks a database against every other connection, of this process too, so that its file can be replaced. Its log has
 * been moved into the file then and is gone from the disk: nothing is left that could be applied to the new file.
 *
 * A connection that opens the old file meanwhile cannot write to it afterwards: in rollback mode, SQLite refuses to
 * write to a file that was renamed (SQLITE_READONLY_DBMOVED). So the lock may be released once the new file is there.
 *
 * @returns a connection in an exclusive transaction; closing it releases the lock.
 * @throws BUSY if a connection is still open after `waitMs`; CORRUPT or NOT_A_DATABASE if the file cannot be read.
 */
export async function lockAlone(path: string, waitMs: number): Promise<Connection> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const connection = tryLock(path);
    if (connection !== null) return connection;
    if (Date.now() >= deadline) {
      throw new ProxyVaultError(
        'BUSY',
        `${path} is open in this or another process: close it there, and repeat. Nothing was changed.`,
        { details: { path } },
      );
    }
    await sleep(RETRY_MS);
  }
}

function tryLock(path: string): Connection | null {
  const before = identityOf(path);
  let connection: Connection | null = null;
  try {
    connection = new Database(path, { fileMustExist: true, timeout: 0 });
    connection.pragma('synchronous = FULL');
    // Leaving WAL mode needs to be alone: a connection that only reads, or is idle, holds a shared lock.
    connection.pragma('journal_mode = DELETE');
    connection.exec('BEGIN EXCLUSIVE');
    // Another process may have switched back, or replaced the file, before the lock was taken.
    if (connection.pragma('journal_mode', { simple: true }) === 'delete' && identityOf(path) === before) {
      removeCompanions(path);
      return connection;
    }
    connection.close();
    return null;
  } catch (error) {
    connection?.close();
    if (sqliteCode(error)?.startsWith('SQLITE_BUSY') || identityOf(path) !== before) return null;
    throw translate(error, { path });
  }
}

/** Their removal is on the disk when this returns: a log that comes back after a power cut would be applied. */
function removeCompanions(path: string): void {
  for (const suffix of COMPANIONS)
    if (existsSync(`${path}${suffix}`)) rmSync(`${path}${suffix}`, { force: true });
  syncFolder(dirname(path));
}
