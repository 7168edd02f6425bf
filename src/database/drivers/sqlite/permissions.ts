import { existsSync, lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { ProxyVaultError } from '../../../errors.ts';
import { withFileErrors } from '../../../files/file-error.ts';
import { type Exposure, mayEverybodyWrite } from '../../../files/private.ts';
import { refused } from './errors.ts';

const GROUP_WRITES = 0o020;
const EVERYBODY_WRITES = 0o002;

/**
 * Looks at who may change a pool. Whoever can write it can have credentials sent to a host of their own, so a pool that
 * every user may write is rejected if it holds any, and warned about otherwise. A service may share its pool with a group.
 *
 * @returns what to call before credentials are stored: it throws while the pool is as open as it was found here.
 * @throws CANNOT_OPEN, with the command that fixes it.
 */
export function guardPermissions(
  path: string,
  hasCredentials: () => boolean,
  { allowOthersToWrite }: { allowOthersToWrite: boolean },
): () => void {
  const [found] = exposuresOf(path);
  if (found === undefined) return () => undefined;
  const isAccepted = allowOthersToWrite || !hasCredentials();
  if (!isAccepted) throw exposedError([found], 'then open the pool again');
  process.emitWarning(`${problemOf(found)} Run ${fixOf([found])}.`, {
    type: 'ProxyVaultWarning',
    code: 'PROXYVAULT_OTHERS_MAY_WRITE',
  });
  let mayHold = allowOthersToWrite;
  return () => {
    if (mayHold) return;
    // The permissions may have been corrected meanwhile. The log, which is open now, has those that the pool had.
    const [left, ...more] = exposuresOf(path);
    if (left !== undefined) throw exposedError([left, ...more], 'then store the credentials again');
    mayHold = true;
  };
}

/**
 * Rejects a log or journal beside a pool that another user has made, before SQLite applies it to the pool. In a sticky folder such
 * as /tmp any user can make one. A pool that a group shares has logs of each member, and only members can make one.
 *
 * @param path the real path of the pool, since SQLite follows links.
 * @throws CANNOT_OPEN, with what to do. Nothing was read or changed.
 */
export function guardCompanions(path: string): void {
  if (process.platform === 'win32') return;
  const pool = statSync(path);
  const isShared = isWritable(pool, GROUP_WRITES) && !isWritable(statSync(dirname(path)), EVERYBODY_WRITES);
  const owners = [0, process.geteuid?.() ?? 0, pool.uid];
  for (const suffix of ['-wal', '-shm', '-journal']) {
    const file = `${path}${suffix}`;
    const found = lstatSync(file, { throwIfNoEntry: false });
    if (found === undefined) continue;
    // A pool that every user may write is warned about or rejected by itself.
    const isOpen = isWritable(found, EVERYBODY_WRITES) && !isWritable(pool, EVERYBODY_WRITES);
    const what = !found.isFile()
      ? 'is not a regular file'
      : !isShared && !owners.includes(found.uid)
        ? 'belongs to another user'
        : isOpen
          ? 'can be written by every user of this machine'
          : null;
    if (what === null) continue;
    throw refused(
      'CANNOT_OPEN',
      file,
      `${what}, and SQLite would apply what is in it to the pool. Find out where it comes from, move it away, and keep the pool in a folder that only you can write. Nothing was changed`,
    );
  }
}

function isWritable({ mode }: Stats, who: number): boolean {
  return (mode & who) !== 0;
}

/** The log and its index hold pages of the pool, so they are looked at too. */
function exposuresOf(path: string): Exposure[] {
  const found = withFileErrors(`The permissions of ${path} cannot be read`, path, () => {
    const real = realpathSync(path);
    return [path, `${real}-wal`, `${real}-shm`]
      .filter((file) => existsSync(file))
      .flatMap((file) => mayEverybodyWrite(file) ?? []);
  });
  // Each of them may be in the same folder.
  return [...new Map(found.map((each) => [each.path, each])).values()];
}

function exposedError(exposures: readonly [Exposure, ...Exposure[]], next: string): ProxyVaultError {
  const [first] = exposures;
  return new ProxyVaultError(
    'CANNOT_OPEN',
    `${problemOf(first)} Such a pool may not hold credentials. Run ${fixOf(exposures)}, ${next}. If the file system cannot hold permissions, say allowOthersToWrite: true (PROXYVAULT_ALLOW_OTHERS_TO_WRITE=1). Nothing was changed.`,
    { details: { path: first.path } },
  );
}

function problemOf({ path, problem }: Exposure): string {
  return `${path} ${problem}, who could replace proxies and credentials.`;
}

function fixOf(exposures: readonly Exposure[]): string {
  const commands = exposures.map(
    ({ path, isFolder }) => `chmod ${isFolder ? 'o-w' : '600'} '${path.replaceAll("'", `'\\''`)}'`,
  );
  return `\`${commands.join(' && ')}\``;
}
