/** Which errors fit what the operating system said. */
import { inspect } from 'node:util';
import { type ErrorCode, ProxyVaultError } from 'proxyvault';
import type { Errno, Fault } from './shim/control.ts';

export const FITTING: Record<Errno, readonly ErrorCode[]> = {
  EIO: ['IO'],
  ENOSPC: ['DISK_FULL'],
  EDQUOT: ['DISK_FULL'],
  EFBIG: ['DISK_FULL'],
  EMFILE: ['CANNOT_OPEN'],
  EACCES: ['CANNOT_OPEN', 'READ_ONLY'],
  EROFS: ['READ_ONLY', 'CANNOT_OPEN'],
  EINTR: ['IO'],
};

/**
 * The codes that fit a fault. SQLite tells less than the system: of what it opens only that it cannot, or cannot for
 * writing, or while it takes a lock only that it failed; of the -shm file, of syncing, cutting and removing only that they
 * failed, and an EIO while it reads is a damaged file to it. The library looks for the cause, and finds one that lasts. After
 * a failed `mkdir` of a path of several folders, Node says that the path does not exist.
 */
export function fittingCodes({
  call,
  errno,
  path,
  mode,
}: Pick<Fault, 'call' | 'errno' | 'path'> & Partial<Pick<Fault, 'mode'>>): readonly ErrorCode[] {
  const isIndex = path.endsWith('-shm');
  if (call === 'open')
    return [
      ...FITTING[errno],
      'CANNOT_OPEN',
      'READ_ONLY',
      ...(isIndex || mode === 'once' ? ['IO' as const] : []),
    ];
  if (call === 'read') return [...FITTING[errno], 'CORRUPT'];
  if (call === 'mkdir') return [...FITTING[errno], 'CANNOT_OPEN'];
  // SQLite calls a used-up quota and the file-size limit an I/O error; a fault that is over cannot be looked for.
  return call === 'write' && !isIndex && errno === 'ENOSPC' ? FITTING[errno] : [...FITTING[errno], 'IO'];
}

/** What is wrong with an error, or null: an operation may succeed in spite of a fault, or say a code that fits it. */
export function judge(thrown: unknown, fitting: readonly ErrorCode[]): string | null {
  if (thrown === null) return null;
  if (!(thrown instanceof ProxyVaultError)) return `it threw ${inspect(thrown).slice(0, 600)}`;
  return fitting.includes(thrown.code)
    ? null
    : `it threw ${thrown.code}, not ${fitting.join(' or ')}: ${thrown.message}`;
}
