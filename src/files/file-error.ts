import { constants } from 'node:os';
import { type ErrorCode, ProxyVaultError } from '../errors.ts';

/** What an error number of the operating system means here, and what to do: see errno(3). */
const MEANINGS: Readonly<Record<string, readonly [code: ErrorCode, advice: string]>> = {
  ENOENT: ['CANNOT_OPEN', 'it does not exist: check the path'],
  ENOTDIR: ['CANNOT_OPEN', 'part of the path is a file and not a folder: check the path'],
  EISDIR: ['CANNOT_OPEN', 'it is a folder: give the path of a file'],
  ELOOP: [
    'CANNOT_OPEN',
    'it is a symbolic link that is not followed, or a loop of links: give the real path',
  ],
  ENAMETOOLONG: ['CANNOT_OPEN', 'the path is too long: choose a shorter one'],
  EACCES: ['CANNOT_OPEN', 'this user may not access it: check its permissions and those of its folders'],
  EPERM: ['CANNOT_OPEN', 'this user may not do that: check the owner and the permissions'],
  EMFILE: [
    'CANNOT_OPEN',
    'this process has too many open files: close some, or raise the limit (`ulimit -n`)',
  ],
  ENFILE: ['CANNOT_OPEN', 'the system has too many open files: close some, or raise the limit'],
  ENXIO: ['CANNOT_OPEN', 'it is not a regular file'],
  EROFS: ['READ_ONLY', 'the file system is read-only: choose another place'],
  EEXIST: ['CONFLICT', 'it exists already: choose another path'],
  ENOTEMPTY: ['CONFLICT', 'the folder is not empty: choose another path'],
  EBUSY: ['BUSY', 'it is in use: try again'],
  ETXTBSY: ['BUSY', 'it is in use: try again'],
  ENOSPC: ['DISK_FULL', 'the disk is full: free space and repeat'],
  EDQUOT: ['DISK_FULL', 'the disk quota is used up: free space, or raise the quota'],
  EFBIG: ['DISK_FULL', 'the file would be larger than is allowed: raise the limit (`ulimit -f`)'],
};

const UNKNOWN = ['IO', 'the operating system reported an error: check the disk'] as const;

/**
 * The typed error for what `node:fs` threw. A `ProxyVaultError`, and an error that has no error number, are given back
 * as they are.
 *
 * @param what the sentence's beginning, such as `The backup /a/b cannot be written`.
 */
export function fileError(error: unknown, what: string, path: string): unknown {
  const errno = errnoOf(error);
  return errno === null ? error : errnoError(errno, error, what, path);
}

/** The typed error for an error number, as {@link fileError} gives it. */
export function errnoError(errno: string, cause: unknown, what: string, path: string): ProxyVaultError {
  const [code, advice] = MEANINGS[errno] ?? UNKNOWN;
  return new ProxyVaultError(code, `${what} (${errno}): ${advice}.`, { cause, details: { errno, path } });
}

/** Runs `work`; an error of the operating system becomes a typed one, as {@link fileError} says. */
export function withFileErrors<T>(what: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fileError(error, what, path);
  }
}

/** Runs `work`, which is no reason to fail; says whether the operating system let it be done. */
export function attempt(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

/**
 * The error number's name, such as `ENOENT`; null for an error that is not the operating system's. By number, since Node has
 * no name for some, such as EDQUOT ("Unknown system error -122"), and none for what its `rmSync` throws (UNKNOWN).
 */
export function errnoOf(error: unknown): string | null {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return null;
  if (typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code)) return error.code;
  const number = -Number((error as NodeJS.ErrnoException).errno);
  return Object.entries(constants.errno).find(([, value]) => value === number)?.[0] ?? 'UNKNOWN';
}
