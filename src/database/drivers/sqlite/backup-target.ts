import { realpathSync, statSync } from 'node:fs';
import { basename } from 'node:path';

import { ProxyVaultError } from '../../../errors.ts';
import { isSameFile } from '../../../files/same-file.ts';
import { connect } from './better-sqlite3.ts';
import type { Connection } from './connection.ts';
import { refused, sqliteCode, translate } from './errors.ts';
import { COMPANIONS, companionsOf, lockAlone } from './exclusive.ts';
import { isKept } from './kept.ts';

/** Long enough for a command that only reads the old backup. */
const LOCK_WAIT_MS = 500;

const POOL =
  'is a pool, or a backup that was opened since it was made, and is never overwritten: give another path, or remove it first';
const OTHER =
  'is not a backup of proxyvault, and such a file is never overwritten: give another path, or remove it first';

/**
 * Decides whether a backup of the database at `source` may be written to `target`.
 *
 * @returns the real path of an older file that will be replaced if {@link lockTarget} agrees; null if no file is there.
 * @throws INVALID_INPUT for the database itself, its companions and its kept copies; CONFLICT if the target exists;
 *   CANNOT_OPEN if it is no regular file.
 */
export function assertTarget(source: string, target: string, overwrite: boolean): string | null {
  assertName(target);
  for (const own of [source, realPath(source)]) {
    if (['', ...COMPANIONS].some((suffix) => isSameFile(`${own}${suffix}`, target)))
      throw refused('INVALID_INPUT', target, 'is the database itself or a part of it: give another path');
    if (isKept(own, basename(target)))
      throw refused(
        'INVALID_INPUT',
        target,
        'has the name of a copy that is removed later: give another path',
      );
  }
  const found = statSync(target, { throwIfNoEntry: false });
  if (!found) {
    const [stray] = companionsOf(target);
    if (stray === undefined) return null;
    throw refused('CONFLICT', stray, 'was left by another database: give another path');
  }
  if (!found.isFile()) throw refused('CANNOT_OPEN', target, 'is not a regular file: give the path of a file');
  if (!overwrite)
    throw refused('CONFLICT', target, 'exists: give another path, or say that it may be overwritten');
  return realpathSync(target);
}

/** Locks an older backup, which is to be replaced; an empty file needs no lock. @throws CONFLICT if it is not ours or is in use. */
export async function lockTarget(target: string): Promise<Connection | null> {
  // Before it is opened, because that would move a log into the file.
  if (companionsOf(target).length > 0) throw refused('CONFLICT', target, POOL);
  if (statSync(target).size === 0) return null;
  const objection = objectionTo(target);
  if (objection !== null) throw refused('CONFLICT', target, objection);
  return lockAlone(target, LOCK_WAIT_MS).catch((error: unknown) => {
    const isBusy = error instanceof ProxyVaultError && error.code === 'BUSY';
    throw isBusy ? refused('CONFLICT', target, 'is a database in use: give another path', error) : error;
  });
}

/** SQLite opens files by these names whenever a database has the rest of the name. @throws INVALID_INPUT. */
export function assertName(path: string): void {
  if (/-(wal|shm|journal)$/i.test(path))
    throw refused('INVALID_INPUT', path, 'has a name that SQLite uses beside a database: give another path');
}

/** Why a file may not be replaced; null for a backup. A pool is in WAL mode; a backup is not until somebody opens it to write. */
function objectionTo(path: string): string | null {
  let connection: Connection | null = null;
  try {
    connection = connect(path, { fileMustExist: true });
    const tables = connection
      .prepare(
        `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name IN ('proxies', 'rotation_events', 'sticky_sessions')`,
      )
      .all();
    if (tables.length < 3) return OTHER;
    return connection.pragma('journal_mode', { simple: true }) === 'wal' ? POOL : null;
  } catch (error) {
    if (/^SQLITE_(?:NOTADB$|CORRUPT)/.test(String(sqliteCode(error)))) return OTHER;
    throw translate(error, { path });
  } finally {
    connection?.close();
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
