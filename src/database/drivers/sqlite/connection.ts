import type Database from 'better-sqlite3';

import { ProxyVaultError } from '../../../errors.ts';
import { withFileErrors } from '../../../files/file-error.ts';
import { identityOf } from '../../../files/same-file.ts';
import { connect } from './better-sqlite3.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { translate } from './errors.ts';
import { whileBusy } from './waiting.ts';

export type Connection = Database.Database;

/** The write-ahead log is cut back to this after a checkpoint. */
const JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024;

/** Before this, a checkpoint could corrupt a WAL that was reset meanwhile. */
const MINIMUM_SQLITE = [3, 51, 3] as const;

/**
 * Opens one connection with our pragmas, each set and read back. One that writes does not wait for locks by itself:
 * its user does, see waiting.ts. One that only reads waits as SQLite does, since nobody competes for what it waits for.
 */
export function openConnection(options: ConnectionOptions): Connection {
  const { path, readonly, busyTimeoutMs } = options;
  const before = fileAt(path);
  let opened: Connection | null = null;
  try {
    const connection = connect(path, {
      readonly,
      fileMustExist: path !== ':memory:',
      timeout: readonly ? busyTimeoutMs : 0,
    });
    opened = connection;
    // Waits while another process recovers the log or switches the journal too: the switch asks no busy handler.
    whileBusy({ path, timeoutMs: busyTimeoutMs }, () => configure(connection, options));
    if (fileAt(path) === before) return connection;
    connection.close();
  } catch (error) {
    // Before it closes: the cause may be that the process has too many open files.
    const translated = translate(error, { path });
    opened?.close();
    if (fileAt(path) === before) throw translated;
  }
  // A restore has replaced the file meanwhile, and what was opened is the old one.
  return openConnection(options);
}

/** Which file is at a path; null if nothing is there. */
function fileAt(path: string): string | null {
  return withFileErrors(`${path} cannot be opened`, path, () => identityOf(path));
}

/** A read-only connection to a file that another connection of ours has set up. */
export function openReader(options: ConnectionOptions): Connection {
  return openConnection({ ...options, readonly: true });
}

function configure(connection: Connection, options: ConnectionOptions): void {
  const { path, readonly, durability, busyTimeoutMs } = options;
  // Reads the header, so that a file which is no database is found out now.
  connection.pragma('schema_version');
  if (path !== ':memory:' && !readonly) switchToWal(connection);
  const wanted = {
    busy_timeout: readonly ? busyTimeoutMs : 0,
    foreign_keys: 1,
    trusted_schema: 0,
    cell_size_check: 1,
    // What is deleted or replaced is overwritten: https://www.sqlite.org/pragma.html#pragma_secure_delete
    secure_delete: 1,
    temp_store: 2,
    synchronous: durability === 'full' ? 2 : 1,
    journal_size_limit: JOURNAL_SIZE_LIMIT,
    query_only: readonly ? 1 : 0,
  };
  const pragmas = Object.entries(wanted);
  connection.exec(pragmas.map(([name, value]) => `PRAGMA ${name} = ${value};`).join('\n'));
  const columns = pragmas.map(([name]) => `(SELECT * FROM pragma_${name}) AS ${name}`);
  const actual = connection
    .prepare(`SELECT sqlite_version() AS version, ${columns.join(', ')}`)
    .get() as Record<string, unknown>;
  assertSqliteVersion(String(actual.version));
  for (const [name, value] of pragmas) {
    if (actual[name] === value) continue;
    const message = `SQLite kept ${name} at ${String(actual[name])} where ${value} is needed.`;
    throw new ProxyVaultError('UNSUPPORTED', message);
  }
}

function assertSqliteVersion(version: string): void {
  const parts = version.split('.').map(Number);
  const difference = MINIMUM_SQLITE.map((least, i) => Number(parts[i]) - least).find((d) => d !== 0) ?? 0;
  if (difference >= 0) return;
  const needed = `SQLite ${MINIMUM_SQLITE.join('.')} or newer is needed`;
  throw new ProxyVaultError('UNSUPPORTED', `${needed} and this is ${version}: reinstall better-sqlite3.`);
}

function switchToWal(connection: Connection): void {
  const mode = connection.pragma('journal_mode = WAL', { simple: true });
  if (mode === 'wal') return;
  const message = `SQLite kept journal_mode at ${String(mode)}: write-ahead logging needs a local disk.`;
  throw new ProxyVaultError('UNSUPPORTED', message);
}
