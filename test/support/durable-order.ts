import { constants } from 'node:fs';
import { dirname } from 'node:path';

import type { FileCall } from './file-calls.ts';

/** Names that nobody relies on after a crash: temporary files and locks, and the guards of locks. */
const TRANSIENT = /\.(?:tmp|partial|probe)(?:-wal|-shm|-journal)?$|\.lock(?:\.[\da-f]{12})*$/;
/** What SQLite keeps beside a database. */
const LOG = /-(?:wal|shm|journal)$/;

/**
 * What is wrong with the order of some calls, by the rules of a disk that keeps nothing that was not synced:
 *
 * - the content of a file is synced before it gets its name, and its name (a sync of the folder) before the end;
 * - so is the name of a new folder in its parent, before anything is put into it;
 * - a file is created exclusively and 0600, a folder 0700;
 * - nothing is removed or replaced while a name in the same folder that may replace it is not on the disk;
 * - the log of a database is off the disk before another database gets its name, since it would be applied to that one.
 */
export function problemsOf(calls: readonly FileCall[]): string[] {
  const unsynced = new Set<string>();
  const unnamed = new Set<string>();
  const removedLogs = new Set<string>();
  const problems: string[] = [];
  const complain = (path: string, what: string): number => problems.push(`${path} ${what}`);
  const name = (path: string): void => {
    const folder = dirname(path);
    if (unnamed.has(folder)) complain(path, 'is put into a folder whose own name is not on the disk');
    if (!TRANSIENT.test(path)) unnamed.add(path);
  };
  const goes = (path: string): void => {
    if (LOG.test(path)) {
      removedLogs.add(path);
      unnamed.delete(path);
      return;
    }
    const pending = [...unnamed].find((each) => dirname(each) === dirname(path) && each !== path);
    if (pending !== undefined && !TRANSIENT.test(path))
      complain(path, `goes before the name ${pending} is on the disk`);
    unnamed.delete(path);
  };
  for (const { call, path, to, flags, mode, replaces } of calls) {
    switch (call) {
      case 'mkdir':
        if (mode !== 0o700) complain(path, 'is a folder that is not 0700');
        name(path);
        break;
      case 'open':
        if (!/[wa+]/.test(String(flags)) || String(flags) === 'r+') break;
        if (!/x/.test(String(flags))) complain(path, 'is opened without O_EXCL');
        if (mode !== 0o600) complain(path, 'is a new file that is not 0600');
        unsynced.add(path);
        name(path);
        break;
      case 'writeFile':
        if (flags === 'wx' && mode === 0o600) name(path);
        else if (flags !== '' || mode !== undefined) complain(path, 'is not written to a new file of 0600');
        unsynced.add(path);
        break;
      case 'write':
        unsynced.add(path);
        break;
      case 'copyFile':
        if ((Number(flags) & constants.COPYFILE_EXCL) === 0 && replaces && !TRANSIENT.test(to))
          complain(to, 'is overwritten by a copy');
        unsynced.add(to);
        name(to);
        break;
      case 'fsync':
        unsynced.delete(path);
        for (const names of [unnamed, removedLogs])
          for (const each of names) if (dirname(each) === path) names.delete(each);
        break;
      case 'link':
      case 'rename':
        if (unsynced.has(path) && !TRANSIENT.test(to))
          complain(to, 'gets its name before its content is synced');
        if ([...removedLogs].some((log) => log.replace(LOG, '') === to))
          complain(to, 'gets its name while the log of another file of that name may be on the disk');
        if (replaces) goes(to);
        if (call === 'rename' && !TRANSIENT.test(path)) goes(path);
        name(to);
        break;
      case 'rm':
      case 'unlink':
        if (replaces) goes(path);
        break;
    }
  }
  for (const path of unnamed) complain(path, 'has a name that is not on the disk at the end');
  return problems;
}
