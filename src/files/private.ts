import { lstatSync, realpathSync, type Stats } from 'node:fs';
import { dirname, resolve } from 'node:path';

const STICKY = 0o1000;
const OTHERS_WRITE = 0o022;

/**
 * Who else could change or replace what is at `path`: a sentence's end such as `can be written by others`, or null if
 * nobody but this user and root can. Looks at the file and at every folder above it, links resolved. A folder that
 * others may write is fine only if it is sticky, as /tmp is, and what is in it is ours. Always null on Windows.
 *
 * @throws the error of `node:fs` if the path does not exist or cannot be looked at.
 */
export function whoElseMayWrite(path: string): { path: string; problem: string } | null {
  if (process.platform === 'win32') return null;
  for (let at = realpathSync(resolve(path)), isTop = true; ; at = dirname(at), isTop = false) {
    const problem = problemOf(lstatSync(at), isTop);
    if (problem !== null) return { path: at, problem };
    if (at === dirname(at)) return null;
  }
}

function problemOf(stats: Stats, isTop: boolean): string | null {
  const user = process.geteuid?.() ?? 0;
  if (stats.uid !== user && stats.uid !== 0) return 'belongs to another user';
  const sticky = stats.isDirectory() && !isTop && (stats.mode & STICKY) !== 0;
  return (stats.mode & OTHERS_WRITE) === 0 || sticky ? null : 'can be written by others';
}
