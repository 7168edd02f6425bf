import { existsSync } from 'node:fs';

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
