import { existsSync, lstatSync, statSync } from 'node:fs';

import { ProxyVaultError } from '../errors.ts';
import { type Exposure, mayEverybodyWrite } from '../files/private.ts';
import type { SqliteDriver } from './drivers/sqlite/driver.ts';

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
 * the pool's own content. In a sticky folder such as /tmp any user can make one.
 *
 * @throws CANNOT_OPEN, with what to do. Nothing was read or changed.
 */
export function guardCompanions(path: string): void {
  if (process.platform === 'win32') return;
  const owners = [0, process.geteuid?.() ?? 0, statSync(path, { throwIfNoEntry: false })?.uid];
  for (const suffix of ['-wal', '-shm', '-journal']) {
    const file = `${path}${suffix}`;
    const found = lstatSync(file, { throwIfNoEntry: false });
    if (found === undefined || (found.isFile() && owners.includes(found.uid))) continue;
    const what = found.isFile() ? 'belongs to another user' : 'is not a regular file';
    throw new ProxyVaultError(
      'CANNOT_OPEN',
      `${file} ${what}, and SQLite would apply what is in it to the pool. Find out where it comes from, move it away, and keep the pool in a folder that only you can write. Nothing was changed.`,
      { details: { path: file } },
    );
  }
}

/** The log and its index hold pages of the pool, so they are looked at too. */
function exposureOf(path: string): Exposure | null {
  for (const suffix of ['', '-wal', '-shm']) {
    const file = `${path}${suffix}`;
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
