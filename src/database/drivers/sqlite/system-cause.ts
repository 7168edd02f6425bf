import { randomBytes } from 'node:crypto';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { devNull } from 'node:os';
import { basename, dirname, join } from 'node:path';

import { errnoOf } from '../../../files/file-error.ts';
import { sizeOf } from './log-file.ts';

/** A connection opens four files, and a thread needs five descriptors more for itself. */
const DESCRIPTORS = 12;
/** The index of the log, which grows by the largest step, grows by 32 KiB: https://www.sqlite.org/walformat.html */
const BLOCK = Buffer.alloc(64 * 1024);

/**
 * Why the operating system has refused something to SQLite, which does not say: a write error may be a used-up quota, and a
 * file that cannot be opened one descriptor too many. So the same is tried again here.
 *
 * @param source The database whose copy the file at `path` becomes; the copy may be empty again when its error comes.
 * @returns an error of `node:fs`, or null if the cause is not found.
 */
export function systemCause(code: string, path: string, source = path): Error | null {
  if (path === ':memory:') return null;
  if (code.startsWith('SQLITE_CANTOPEN')) return tooManyFiles() ?? noSpace(path, source);
  // The backup API names only the kind of its error.
  return /^SQLITE_IOERR(?:_(?:WRITE|TRUNCATE|LOCK|SHMSIZE|SHMOPEN))?$/.test(code)
    ? noSpace(path, source)
    : null;
}

/** The error if this process, or the system, has too few file descriptors left to open a database. */
export function tooManyFiles(): Error | null {
  const opened: number[] = [];
  const error = errorOf(() => {
    for (let i = 0; i < DESCRIPTORS; i++) opened.push(openSync(devNull, 'r'));
  });
  for (const descriptor of opened) closeSync(descriptor);
  return /^E[MN]FILE$/.test(String(errnoOf(error))) ? error : null;
}

/** The error if a new file beside the database cannot grow as large as the database, its source, a log or an index would. */
function noSpace(path: string, source: string): Error | null {
  // A name, never the files themselves: closing a descriptor of them drops SQLite's locks.
  const probe = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.probe`);
  const end = Math.max(
    ...['', '-wal', '-shm'].flatMap((suffix) => [sizeOf(path + suffix), sizeOf(source + suffix)]),
  );
  const error = errorOf(() => {
    const descriptor = openSync(probe, 'wx', 0o600);
    try {
      rmSync(probe);
      // A file with a hole, so that this costs one block.
      for (let at = 0; at < BLOCK.length; )
        at += writeSync(descriptor, BLOCK, at, BLOCK.length - at, end + at);
    } finally {
      closeSync(descriptor);
    }
  });
  return /^(?:ENOSPC|EDQUOT|EFBIG)$/.test(String(errnoOf(error))) ? error : null;
}

function errorOf(work: () => void): Error | null {
  try {
    work();
    return null;
  } catch (error) {
    // Whatever `node:fs` throws is one.
    return error as Error;
  }
}
