import { type ErrorCode, ProxyVaultError } from '../../../errors.ts';

/** Result codes by prefix, most specific first: https://www.sqlite.org/rescode.html */
const CODES: readonly (readonly [prefix: string, code: ErrorCode, advice: string])[] = [
  ['SQLITE_CONSTRAINT_UNIQUE', 'CONFLICT', 'a row with this value exists already'],
  ['SQLITE_CONSTRAINT_PRIMARYKEY', 'CONFLICT', 'a row with this key exists already'],
  ['SQLITE_CONSTRAINT_FOREIGNKEY', 'CONSTRAINT', 'the row refers to one that does not exist'],
  ['SQLITE_CONSTRAINT', 'CONSTRAINT', 'the database schema refuses this value'],
  ['SQLITE_BUSY', 'BUSY', 'another connection holds the lock: try again, or raise busyTimeoutMs'],
  ['SQLITE_LOCKED', 'BUSY', 'another statement holds the lock: try again'],
  ['SQLITE_PROTOCOL', 'BUSY', 'too many connections start to read at once: try again'],
  ['SQLITE_CORRUPT', 'CORRUPT', 'the database file is damaged: restore a backup, or run `proxyvault check`'],
  [
    'SQLITE_NOTADB',
    'NOT_A_DATABASE',
    'the file is not an SQLite database, or is encrypted: it was not touched',
  ],
  [
    'SQLITE_READONLY',
    'READ_ONLY',
    'the database cannot be written: open it without readonly, and check its permissions',
  ],
  [
    'SQLITE_FULL',
    'DISK_FULL',
    'the disk is full: free space and repeat; nothing of this transaction was stored',
  ],
  ['SQLITE_CANTOPEN', 'CANNOT_OPEN', 'the file cannot be opened: check the path and its permissions'],
  ['SQLITE_PERM', 'CANNOT_OPEN', 'the file may not be accessed: check its permissions'],
  ['SQLITE_AUTH', 'CANNOT_OPEN', 'the file may not be accessed: check its permissions'],
  [
    'SQLITE_IOERR',
    'IO',
    'the operating system reported an error: check the disk, reopen, and run `proxyvault check`',
  ],
  ['SQLITE_NOMEM', 'IO', 'the engine ran out of memory'],
];

/** The engine's own code of an error, or null where it is not the engine's. */
export function sqliteCode(error: unknown): string | null {
  return error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code.startsWith('SQLITE_')
    ? error.code
    : null;
}

/**
 * The typed error for what better-sqlite3 threw. Decides by result code, never by message text; the engine's
 * message is kept, since it names tables, columns and SQL, and never a bound value.
 */
export function translate(
  error: unknown,
  context: { open: boolean; path: string; waitedMs?: number },
): ProxyVaultError {
  if (error instanceof ProxyVaultError) return error;
  if (!context.open) return closedError(context.path);
  const message = error instanceof Error ? error.message : String(error);
  const code = sqliteCode(error);
  // Wrong parameters and the like: better-sqlite3 throws TypeError and RangeError for misuse.
  if (code === null)
    return new ProxyVaultError('INVALID_INPUT', `The statement was refused: ${message}.`, { cause: error });
  const known = CODES.find(([prefix]) => code.startsWith(prefix));
  if (known === undefined)
    return new ProxyVaultError('SQL', `The statement failed: ${message}.`, {
      cause: error,
      details: { sqlite: code },
    });
  const { path, waitedMs } = context;
  const waited = waitedMs === undefined ? '' : `, after ${waitedMs} ms`;
  return new ProxyVaultError(known[1], `${message}${waited}: ${known[2]} (${path}).`, {
    cause: error,
    details: { sqlite: code, path, ...(waitedMs === undefined ? {} : { waitedMs }) },
  });
}

/** What any use after `close()` gets. */
export function closedError(path: string): ProxyVaultError {
  return new ProxyVaultError('CLOSED', `The database is closed: open it again with initDatabase (${path}).`, {
    details: { path },
  });
}

/**
 * After a failed fsync the kernel has marked the page clean, so a retry would report a success that did not
 * happen (https://wiki.postgresql.org/wiki/Fsync_Errors): the connection must not be used again.
 */
export function isFailedSync(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === 'SQLITE_IOERR_FSYNC' || code === 'SQLITE_IOERR_DIR_FSYNC';
}
