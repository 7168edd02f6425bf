import { lstatSync, realpathSync, type Stats } from 'node:fs';
import { dirname, resolve } from 'node:path';

const STICKY = 0o1000;
const OTHERS_WRITE = 0o022;
const EVERYBODY_WRITES = 0o002;

/**
 * Who else could change or replace what is at `path`: a sentence's end such as `can be written by others`, or null if
 * nobody but this user and root can. Looks at the file and at every folder above it, links resolved. A folder that
 * others may write is fine only if it is sticky, as /tmp is, and what is in it is ours. Always null on Windows.
 *
 * @throws the error of `node:fs` if the path does not exist or cannot be looked at.
 */
export function whoElseMayWrite(path: string): Exposure | null {
  return process.platform === 'win32' ? null : walkUp(realpathSync(resolve(path)), problemOf);
}

/**
 * As {@link whoElseMayWrite}, for a file that a group may share and that another user may own, as a service's data is:
 * only what everybody may write counts. Looks at the folders of a symbolic link too, which could be replaced.
 */
export function mayEverybodyWrite(path: string): Exposure | null {
  if (process.platform === 'win32') return null;
  const named = resolve(path);
  const real = realpathSync(named);
  return walkUp(real, openToAll) ?? (named === real ? null : walkUp(named, openToAll));
}

/** What can be changed by others, and how. */
export interface Exposure {
  path: string;
  isFolder: boolean;
  problem: string;
}

function walkUp(path: string, problemOf: (stats: Stats, isTop: boolean) => string | null): Exposure | null {
  for (let at = path, isTop = true; ; at = dirname(at), isTop = false) {
    const stats = lstatSync(at);
    const problem = problemOf(stats, isTop);
    if (problem !== null) return { path: at, isFolder: stats.isDirectory(), problem };
    if (at === dirname(at)) return null;
  }
}

function openToAll(stats: Stats, isTop: boolean): string | null {
  // A link has no permissions of its own.
  if (stats.isSymbolicLink() || isStickyFolder(stats, isTop)) return null;
  return (stats.mode & EVERYBODY_WRITES) === 0 ? null : 'can be written by every user of this machine';
}

function isStickyFolder(stats: Stats, isTop: boolean): boolean {
  return stats.isDirectory() && !isTop && (stats.mode & STICKY) !== 0;
}

function problemOf(stats: Stats, isTop: boolean): string | null {
  const user = process.geteuid?.();
  if (stats.uid !== user && stats.uid !== 0) return 'belongs to another user';
  return (stats.mode & OTHERS_WRITE) === 0 || isStickyFolder(stats, isTop)
    ? null
    : 'can be written by others';
}
