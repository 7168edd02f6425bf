import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';

import { ProxyVaultError } from '../../../errors.ts';
import { refused } from './errors.ts';
import { changeCounterOf, changingHeaderOf, type LogSummary, sizeOf, summarizeLog } from './log-file.ts';

/** The part of a database's header that is compared: https://www.sqlite.org/fileformat2.html#the_database_header */
const HEADER_BYTES = 100;

/**
 * Rejects a database whose write-ahead log belongs to another file, as when a backup was copied over a pool: SQLite would
 * apply the log to it. Always recognises a backup of ours, and another file if its page size, page count or change counter does
 * not lead to the log's. Never rejects a log that does belong to the file.
 *
 * Also rejects a file that is no database, is empty or missing: SQLite would remove the log beside it. A new pool is never like
 * that, since SQLite syncs its first page before it creates the log. If there is a rollback journal, which may repair the
 * beginning of the file, SQLite decides.
 *
 * @param path the real path, since SQLite follows links.
 * @throws CORRUPT if the log is not the file's own, NOT_A_DATABASE. Nothing was changed.
 */
export function assertOwnLog(path: string): void {
  const wal = `${path}-wal`;
  const hasJournal = sizeOf(`${path}-journal`) > 0;
  if (sizeOf(wal) === 0 && !hasJournal) return;
  if (sizeOf(path) === 0 && !hasJournal) {
    throw new ProxyVaultError(
      'NOT_A_DATABASE',
      `${path} is missing or empty, but the log ${wal} beside it is not: SQLite would remove the log, which may hold the last changes of a pool. Nothing was touched. Restore a backup with \`proxyvault restore BACKUP --force\`, which keeps the log, or move the log to another folder.`,
      { details: { path, log: wal } },
    );
  }
  const header = sizeOf(path) > 0 ? readBeginning(path) : null;
  if (header !== null && !isHeader(header) && !isJournal(`${path}-journal`)) {
    throw refused(
      'NOT_A_DATABASE',
      path,
      'is not an SQLite database, or its beginning is damaged. Nothing was touched, and neither was the log beside it: restore a backup with `proxyvault restore BACKUP --force`',
    );
  }
  if (hasJournal) return;
  const log = summarizeLog(wal);
  if (!log || !header || isPlausible(header, log)) return;
  // Another process may have written between these reads: only a state that holds still is judged.
  const [logAgain, headerAgain] = [summarizeLog(wal), readBeginning(path)];
  if (logAgain?.id !== log.id || !headerAgain?.equals(header) || isPlausible(headerAgain, logAgain)) return;
  throw new ProxyVaultError(
    'CORRUPT',
    `The log ${wal} belongs to another database file; probably a backup was copied over the pool. Nothing was changed. ` +
      `Restore with \`proxyvault restore BACKUP --force\`, or, to use ${path} as it is, move the log to another folder.`,
    { details: { path, log: wal } },
  );
}

/** Whether it begins as a rollback journal: https://www.sqlite.org/fileformat2.html#the_rollback_journal */
function isJournal(path: string): boolean {
  return readBeginning(path)?.toString('hex', 0, 8) === 'd9d505f920a163d7';
}

function isPlausible(header: Buffer, log: LogSummary): boolean {
  // A file is in WAL mode as long as it has a log; our backups never are. SQLite marks the file before it creates the log.
  if (header.readUInt8(18) !== 2 || header.readUInt8(19) !== 2) return false;
  const pageSize = header.readUInt16BE(16);
  if ((pageSize === 1 ? 65_536 : pageSize) !== log.pageSize) return false;
  if (log.firstPage === null) {
    // The page count is on the first page. This log does not have that page, so the count did not change.
    return !log.complete || log.pageCount === header.readUInt32BE(28);
  }
  const growth = log.firstPage.counter - changeCounterOf(header);
  if (growth === 0 || growth === 1) return true;
  // Else a checkpoint has copied the page from the log to the file.
  return log.complete ? log.firstPage.headers.has(changingHeaderOf(header)) : growth < 0;
}

/** Whether a file begins as a database does; null if it cannot be read. */
export function hasDatabaseHeader(path: string): boolean | null {
  const bytes = readBeginning(path);
  return bytes && isHeader(bytes);
}

function isHeader(bytes: Buffer): boolean {
  return bytes.length === HEADER_BYTES && bytes.toString('latin1', 0, 16) === 'SQLite format 3\0';
}

/**
 * Null if the file cannot be read. Reads in a child process: if this one closed a descriptor of the file, all its POSIX locks on
 * the file would go, also those of SQLite in another thread (https://www.sqlite.org/howtocorrupt.html).
 */
function readBeginning(path: string): Buffer | null {
  try {
    if (process.platform === 'win32') return readHere(path);
    return execFileSync('/usr/bin/head', ['-c', String(HEADER_BYTES), path], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: {},
      timeout: 5000,
    });
  } catch {
    return null;
  }
}

function readHere(path: string): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const descriptor = openSync(path, 'r');
  try {
    return bytes.subarray(0, readSync(descriptor, bytes, 0, HEADER_BYTES, 0));
  } finally {
    closeSync(descriptor);
  }
}
