import { readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { errnoOf } from '../../../files/file-error.ts';
import { isSameFile } from '../../../files/same-file.ts';
import { COMPANIONS } from './exclusive.ts';

const RESTORE = 'restore';

/** The name of the copy that is kept beside a database before it is migrated or replaced by a backup. */
export function keptName(path: string, at: Date, label: string = RESTORE): string {
  return `${path}.${at.toISOString().replace(/[-:.]/g, '')}.before-${label}.backup`;
}

/** Whether a file of this name is such a copy of the database at `path`. */
export function isKept(path: string, name: string): boolean {
  const prefix = `${basename(path)}.`;
  return name.startsWith(prefix) && /^\d{8}T\d{9}Z\.before-.+\.backup$/.test(name.slice(prefix.length));
}

/** Removes all but the newest copies that migrations have made. */
export function removeOldMigrationBackups(path: string, keep: number): void {
  const migrated = listKept(path).filter((name) => !isReplaced(name));
  removeOldest(migrated, keep);
}

/**
 * Removes all but the newest pools that restores have replaced, and any second name that a killed restore gave to this pool.
 * The file at `except`, which was restored from, stays.
 */
export function removeOldReplaced(path: string, keep: number, except: string): void {
  const replaced = listKept(path).filter((name) => isReplaced(name) && !isSameFile(name, except));
  const { left = [], whole = [] } = Object.groupBy(replaced, (name) =>
    isSameFile(name, path) ? 'left' : 'whole',
  );
  removeOldest(left, 0);
  removeOldest(whole, keep);
}

function listKept(path: string): string[] {
  const folder = dirname(path);
  return readdirSync(folder)
    .filter((name) => isKept(path, name))
    .sort()
    .map((name) => join(folder, name));
}

function isReplaced(name: string): boolean {
  return name.endsWith(`.before-${RESTORE}.backup`);
}

/** What they were made for is done, so that one that cannot be removed is no reason to fail. */
function removeOldest(names: readonly string[], keep: number): void {
  for (const name of names.slice(0, Math.max(0, names.length - keep))) {
    try {
      for (const suffix of ['', ...COMPANIONS]) rmSync(`${name}${suffix}`, { force: true });
    } catch (error) {
      process.emitWarning(
        `The old copy ${name} cannot be removed (${String(errnoOf(error))}): remove it by hand.`,
        { type: 'ProxyVaultWarning', code: 'PROXYVAULT_OLD_COPY' },
      );
    }
  }
}
