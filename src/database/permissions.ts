import { existsSync, lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { ProxyVaultError } from '../errors.ts';
import { type Exposure, mayEverybodyWrite } from '../files/private.ts';
import type { SqliteDriver } from './drivers/sqlite/driver.ts';

const GROUP_WRITES = 0o020;
const EVERYBODY_WRITES = 0o002;

/**
 * Looks at who may change a pool. Whoever can write it can have credentials sent to a host of their own, so one that
 * every user may write is refused if it holds any, and warned about otherwise. Group permissions are a choice: a service
 * may share its pool with a group.
 *
 * @throws CANNOT_OPEN, with the command that fixes it.
 */
export function guardPermissions(
  path: string,
  driver: SqliteDriver,
  { allowOthersToWrite }: { allowOthersToWrite: boolean },
): void {
  const exposure = exposureOf(path);
  if (exposure === null) return;
  const { path: at, problem } = exposure;
  const message = `${at} ${problem}, who could replace proxies and credentials. Run ${fixOf(exposure)}`;
  if (allowOthersToWrite || !hasCredentials(driver)) {
    process.emitWarning(`${message}.`, { type: 'ProxyVaultWarning', code: 'PROXYVAULT_OTHERS_MAY_WRITE' });
    return;
  }
  throw new ProxyVaultError(
    'CANNOT_OPEN',
    `${message}, then open the pool again. If the file system cannot hold permissions, say allowOthersToWrite: true (PROXYVAULT_ALLOW_OTHERS_TO_WRITE=1). Nothing was changed.`,
    { details: { path: at } },
  );
}

/**
 * Refuses a log or journal beside a pool that another user has made, before SQLite reads it: what is in it would replace
 * the pool's own content. In a sticky folder such as /tmp any user can make one. A pool that a group shares has logs of
 * each member, and only its members can make one in its folder.
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
    // A pool that every user may write is warned about or refused by itself.
    const isOpen = isWritable(found, EVERYBODY_WRITES) && !isWritable(pool, EVERYBODY_WRITES);
    const what = !found.isFile()
      ? 'is not a regular file'
      : !isShared && !owners.includes(found.uid)
        ? 'belongs to another user'
        : isOpen
          ? 'can be written by every user of this machine'
          : null;
    if (what === null) continue;
    throw new ProxyVaultError(
      'CANNOT_OPEN',
      `${file} ${what}, and SQLite would apply what is in it to the pool. Find out where it comes from, move it away, and keep the pool in a folder that only you can write. Nothing was changed.`,
      { details: { path: file } },
    );
  }
}

function isWritable({ mode }: Stats, who: number): boolean {
  return (mode & who) !== 0;
}

/** The log and its index hold pages of the pool, so they are looked at too. */
function exposureOf(path: string): Exposure | null {
  const real = realpathSync(path);
  for (const file of [path, `${real}-wal`, `${real}-shm`]) {
    const exposure = existsSync(file) ? mayEverybodyWrite(file) : null;
    if (exposure !== null) return exposure;
  }
  return null;
}

function fixOf({ path, isFolder }: Exposure): string {
  return `\`chmod ${isFolder ? 'o-w' : '600'} '${path.replaceAll("'", `'\\''`)}'\``;
}

function hasCredentials(driver: SqliteDriver): boolean {
  return driver.snapshot(() => {
    const hasTable = driver.first(
      `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'encrypted_credentials'`,
      {},
      () => true,
    );
    return hasTable !== null && driver.first(`SELECT 1 FROM encrypted_credentials`, {}, () => true) !== null;
  });
}
