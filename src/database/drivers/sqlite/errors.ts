import { type ErrorCode, type ErrorDetails, ProxyVaultError } from '../../../errors.ts';
import { errnoError, errnoOf, fileError } from '../../../files/file-error.ts';
import type { SqliteDriverOptions } from './connection-options.ts';
import { systemCause, tooManyFiles } from './system-cause.ts';

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
  ['SQLITE_NOMEM', 'IO', 'there is not enough memory: free some, or raise the limit (`ulimit -v`)'],
];

/** The engine's own code of an error, or null where it is not the engine's. */
export function sqliteCode(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('SQLITE_') ? code : null;
}

/** For work that may be left out: an error of the engine does not matter, any other is a fault of this program. */
export function ignoreEngine(error: unknown): void {
  if (sqliteCode(error) === null) throw error;
}

/**
 * The typed error for what better-sqlite3 threw. Decides by result code, never by message text; the engine's
 * message is kept, since it names tables, columns and SQL, and never a bound value.
 */
export function translate(
  error: unknown,
  { path, source, waitedMs }: { path: string; source?: string; waitedMs?: number },
): ProxyVaultError {
  if (error instanceof ProxyVaultError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = sqliteCode(error);
  if (code === null) return withoutCode(error, message, path);
  const cause = systemCause(code, path, source);
  if (cause !== null) return ofSystem(cause, error, { sqlite: code, path });
  const known = CODES.find(([prefix]) => code.startsWith(prefix));
  if (known === undefined) {
    const details = { sqlite: code };
    return new ProxyVaultError('SQL', `The statement failed: ${message}.`, { cause: error, details });
  }
  const waited = waitedMs === undefined ? '' : `, after ${waitedMs} ms`;
  return new ProxyVaultError(known[1], `${message}${waited}: ${known[2]} (${path}).`, {
    cause: error,
    details: { sqlite: code, path, ...(waitedMs === undefined ? {} : { waitedMs }) },
  });
}

/** An error that is not the engine's: misuse of better-sqlite3, or what a thread or the loading of the engine fails with. */
function withoutCode(error: unknown, message: string, path: string): ProxyVaultError {
  const found = fileError(error, `The database ${path} cannot be used`, path);
  if (found instanceof ProxyVaultError) return found;
  // Wrong parameters and the like, and what cannot be sent to a thread.
  if (error instanceof Error && ['TypeError', 'RangeError', 'DataCloneError'].includes(error.name))
    return new ProxyVaultError('INVALID_INPUT', `The statement was refused: ${message}.`, { cause: error });
  const cause = tooManyFiles();
  if (cause !== null) return ofSystem(cause, error, { path });
  if (isNotLoaded(error))
    return new ProxyVaultError(
      'UNSUPPORTED',
      `The binary of better-sqlite3 cannot be loaded: ${message.replaceAll(/\s+/g, ' ').replace(/\.\s*$/, '')}. Install better-sqlite3 again, on the system and with the Node that run this program.`,
      { cause: error, details: { path } },
    );
  return new ProxyVaultError(
    'IO',
    `The database ${path} cannot be used: ${message}. Check the memory and the installation of better-sqlite3, and repeat.`,
    { cause: error, details: { path } },
  );
}

/** Whether the engine's binary is missing, or made for another system or another Node. */
function isNotLoaded(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ERR_DLOPEN_FAILED' || code === 'MODULE_NOT_FOUND';
}

/** The error of a statement, or what explains it: a table that is not there yet, for example. */
export function explained(error: ProxyVaultError, explain: SqliteDriverOptions['explain']): ProxyVaultError {
  return (error.code === 'SQL' && explain?.(error)) || error;
}

/** The error for what the operating system has refused, with the engine's error as its cause. */
function ofSystem(reason: Error, cause: unknown, details: ErrorDetails & { path: string }): ProxyVaultError {
  const { path } = details;
  const errno = String(errnoOf(reason));
  const found = errnoError(errno, reason, `The database ${path} cannot be opened or written`, path);
  return new ProxyVaultError(found.code, found.message, { cause, details: { ...found.details, ...details } });
}

/** What any use after `close()` gets. @param reason the I/O error after which the driver has closed itself. */
export function closedError(path: string, reason: ProxyVaultError | null = null): ProxyVaultError {
  if (reason === null) {
    const message = `The database is closed: open it again (${path}).`;
    return new ProxyVaultError('CLOSED', message, { details: { path } });
  }
  return new ProxyVaultError(
    'CLOSED',
    `The database was closed after an input/output error, since the disk may not have what was written: check the disk, open the database again with initDatabase, and run \`proxyvault check\` (${path}). The error was: ${reason.message}`,
    { cause: reason, details: { path, sqlite: reason.details.sqlite ?? null } },
  );
}

/**
 * Whether a change may be stored although its commit has failed (https://www.sqlite.org/walformat.html). SQLite writes the commit
 * record, syncs the log and extends its index. If one of these fails, the record may be whole, and the next opening replays it.
 * It is not whole if space is missing for it, or if something cannot be read before.
 */
export function isInDoubt({ code, details: { sqlite } }: ProxyVaultError, sql: string): boolean {
  if (sqlite === 'SQLITE_NOMEM') return sql === 'COMMIT';
  if (sqlite === 'SQLITE_IOERR_WRITE') return code !== 'DISK_FULL';
  return /^SQLITE_IOERR(?!_(?:SHORT_)?READ$)/.test(String(sqlite));
}

/** The same error, saying that the outcome of the commit is in doubt. */
export function inDoubt({ code, message, cause, details }: ProxyVaultError): ProxyVaultError {
  return new ProxyVaultError(
    code,
    `The commit failed, and whether the change was stored is in doubt: open the database again, look whether the change is there, and repeat it only if it is not. ${message}`,
    { cause, details: { ...details, inDoubt: true } },
  );
}

/** The error for a file that is not used as it is. @param what such as `is a folder: give the path of a file`. */
export function refused(code: ErrorCode, path: string, what: string, cause?: unknown): ProxyVaultError {
  return new ProxyVaultError(code, `${path} ${what}.`, { cause, details: { path } });
}

/**
 * After a failed fsync the kernel has marked the page clean, so a retry would report a success that did not
 * happen (https://wiki.postgresql.org/wiki/Fsync_Errors): the connection must not be used again.
 */
export function isFailedSync(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === 'SQLITE_IOERR_FSYNC' || code === 'SQLITE_IOERR_DIR_FSYNC';
}
