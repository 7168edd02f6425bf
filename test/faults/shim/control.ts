/** Controls the faults of file-calls.c from inside the process that it was loaded into. */
import { accessSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';

export const CALLS = [
  'open',
  'read',
  'write',
  'sync',
  'truncate',
  'rename',
  'link',
  'unlink',
  'mkdir',
] as const;

export type Call = (typeof CALLS)[number];

const ERRNOS = ['EIO', 'ENOSPC', 'EDQUOT', 'EFBIG', 'EMFILE', 'EACCES', 'EROFS', 'EINTR'] as const;

export type Errno = (typeof ERRNOS)[number];

export interface Fault {
  call: Call;
  /** The n-th such call fails, counted from 1. */
  nth: number;
  errno: Errno;
  /** `always`: the later ones fail too. `short`: a write stores half and says so, `errno` does not matter. */
  mode: 'once' | 'always' | 'short';
  /** A part of the paths that are meant. */
  path: string;
}

export function arm({ call, nth, errno, mode, path }: Fault): void {
  accessSync(`/file-calls/arm/${call}/${nth}/${constants.errno[errno]}/${mode}/${path}`);
}

export function lift(): void {
  accessSync('/file-calls/lift');
}

/** Since the fault was armed: how many calls failed, the last path that did, and how many calls of each kind there were. */
export function status(): { fired: number; path: string; seen: Map<Call, number> } {
  const [fired = '', ...rest] = readlinkSync('/file-calls/status').split(' ');
  const seen = new Map(CALLS.map((call, index) => [call, Number(rest[index])]));
  return { fired: Number(fired), path: rest.slice(CALLS.length).join(' '), seen };
}

/** How many calls of each kind `work` makes on paths that contain `path`. */
export async function countCalls(path: string, work: () => unknown): Promise<Map<Call, number>> {
  arm({ call: 'open', nth: 2 ** 30, errno: 'EIO', mode: 'once', path });
  try {
    await work();
    return status().seen;
  } finally {
    lift();
  }
}
