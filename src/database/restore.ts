import { copyFileSync, existsSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { ProxyVaultError } from '../errors.ts';
import { makeFolder } from '../files/durable.ts';
import { fileError } from '../files/file-error.ts';
import { assertPath } from '../files/path.ts';
import { isSameFile } from '../files/same-file.ts';
import { createTemporary, removeAbandonedTemporaries, removeTemporary } from '../files/temporary.ts';
import { firstThrown } from '../first-thrown.ts';
import { assertFunction, assertOptions } from '../model/validation.ts';
import { assertName } from './drivers/sqlite/backup-target.ts';
import { type BackupProgress, copyTo, makePool, sealCopy } from './drivers/sqlite/copy.ts';
import { translate } from './drivers/sqlite/errors.ts';
import { COMPANIONS } from './drivers/sqlite/exclusive.ts';
import { assertOwnLog } from './drivers/sqlite/foreign-log.ts';
import { keptName, removeOldReplaced } from './drivers/sqlite/kept.ts';
import { isAbsent, replaceDatabase } from './drivers/sqlite/replace.ts';
import { DatabaseManager } from './manager.ts';
import type { MigrationSource } from './migrations/types.ts';
import { type DatabaseSettings, resolveOptions } from './options.ts';

export interface RestoreOptions {
  /** Replace a pool that exists. It is kept beside the new one; see `RestoreReport.replaced`. Default false. */
  overwrite?: boolean | undefined;
  /** Called after each batch of pages. */
  onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** How long to wait, in milliseconds, until nobody has the pool open. Default 2000. */
  busyTimeoutMs?: number | undefined;
  /** An application's own migrations, as `initDatabase` takes them: the backup may have been made with them. */
  migrations?: readonly MigrationSource[] | undefined;
  /** The name of the table of applied migrations, as `initDatabase` takes it. */
  migrationsTable?: string | undefined;
  /** As `initDatabase` takes it: restore credentials to a folder that every user may write. Default false. */
  allowOthersToWrite?: boolean | undefined;
}

export interface RestoreReport {
  /** The absolute path of the pool. */
  path: string;
  /** Where the pool that was replaced is kept; null if there was none. */
  replaced: string | null;
  /** The schema version of the backup. `migrations.up()` brings it up to date. */
  schemaVersion: number;
  /** What a person should know of the restored pool, in sentences: malformed rows, and objects that no migration makes. */
  notes: string[];
}

/** So many replaced pools are kept. */
const KEPT = 3;

/**
 * Puts a backup in the place of a pool. The backup is copied and checked first, and stays as it is. A pool that exists is
 * replaced at once, so that a crash or a power cut leaves the whole old pool or the whole new one, and is kept under
 * another name. No connection may have the pool open, not even in this process.
 *
 * @throws CONFLICT if the pool exists (unless `overwrite`), BUSY if it is open; NOT_A_DATABASE, CORRUPT, DATABASE_NEWER
 *   or MIGRATION_CHANGED if the backup is not a sound pool of this version or an older one; CANNOT_OPEN, DISK_FULL,
 *   INVALID_INPUT. Then the pool was not changed.
 */
export async function restoreDatabase(
  backup: string,
  path: string,
  options: RestoreOptions = {},
): Promise<RestoreReport> {
  const {
    overwrite = false,
    onProgress,
    busyTimeoutMs = 2000,
    ...schema
  } = assertOptions(
    options,
    ['overwrite', 'onProgress', 'busyTimeoutMs', 'migrations', 'migrationsTable', 'allowOthersToWrite'],
    'options of restoreDatabase',
  );
  if (onProgress !== undefined) assertFunction(onProgress, 'onProgress');
  assertPath(backup, 'The backup');
  const source = resolveOptions({ path: backup, readonly: true, busyTimeoutMs, ...schema });
  const target = resolveOptions({ path, busyTimeoutMs });
  try {
    // Links are followed: the file that a link leads to is replaced, and not the link.
    const real = statSync(target.path, { throwIfNoEntry: false }) ? realpathSync(target.path) : target.path;
    assertRestorable(source.path, real, overwrite);
    makeFolder(dirname(real));
    removeAbandonedTemporaries(real);
    const copy = createTemporary(real, 'partial');
    try {
      const checkedCopy = await checked(source.path, async () => {
        assertOwnLog(realpathSync(source.path));
        await copyBackup(source, copy, onProgress);
        sealCopy(copy);
        return verify(copy, schema);
      });
      makePool(copy);
      const kept = keptName(real, new Date());
      const hasStrayLog = !existsSync(real) && existsSync(`${real}-wal`);
      const isKept = await replaceDatabase({ copy, path: real, kept, waitMs: busyTimeoutMs });
      removeOldReplaced(real, KEPT, source.path);
      if (hasStrayLog) checkedCopy.notes.push(`There was a log without its pool: it is now ${kept}-wal.`);
      return { path: target.path, replaced: isKept ? kept : null, ...checkedCopy };
    } finally {
      removeTemporary(copy);
    }
  } catch (error) {
    throw translate(fileError(error, `The pool ${target.path} cannot be restored`, target.path), {
      open: true,
      path: target.path,
    });
  }
}

function assertRestorable(backup: string, path: string, overwrite: boolean): void {
  if (backup === ':memory:' || path === ':memory:')
    throw new ProxyVaultError('INVALID_INPUT', 'A backup is restored from a file to a file.');
  assertName(path);
  if (['', ...COMPANIONS].some((suffix) => isSameFile(backup, `${path}${suffix}`))) {
    throw new ProxyVaultError(
      'INVALID_INPUT',
      `${backup} is the pool itself or a part of it: give the path of a backup.`,
    );
  }
  const [from, to] = [statSync(backup, { throwIfNoEntry: false }), statSync(path, { throwIfNoEntry: false })];
  if (from === undefined) {
    throw new ProxyVaultError('CANNOT_OPEN', `There is no backup at ${backup}: check the path.`, {
      details: { path: backup },
    });
  }
  for (const [name, found] of [
    [backup, from],
    [path, to],
  ] as const) {
    if (found && !found.isFile())
      throw new ProxyVaultError('CANNOT_OPEN', `${name} is not a regular file: give the path of a file.`, {
        details: { path: name },
      });
  }
  if (!overwrite && to !== undefined && !isAbsent(path)) {
    throw new ProxyVaultError(
      'CONFLICT',
      `There is a pool at ${path}: say that it may be replaced (\`--force\`; it is kept under another name), or give another path.`,
      { details: { path } },
    );
  }
}

/** Says of an error that it is the backup's. */
async function checked<T>(backup: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = firstThrown(thrown);
    const known = translate(error, { open: true, path: backup });
    if (!['NOT_A_DATABASE', 'CORRUPT', 'DATABASE_NEWER', 'MIGRATION_CHANGED'].includes(known.code))
      throw error;
    throw new ProxyVaultError(
      known.code,
      `The backup ${backup} cannot be restored, and the pool was not changed. ${known.message}`,
      { cause: error, details: { ...known.details, path: backup } },
    );
  }
}

/** Reads the whole copy, so that what is put in place is what was checked. */
async function verify(
  copy: string,
  options: Pick<RestoreOptions, 'migrations' | 'migrationsTable' | 'allowOthersToWrite'>,
): Promise<Pick<RestoreReport, 'schemaVersion' | 'notes'>> {
  await using db = new DatabaseManager({ path: copy, readonly: true, ...options });
  if (db.migrations.getApplied().length === 0)
    throw new ProxyVaultError('NOT_A_DATABASE', 'It is an SQLite database, and not a pool of proxyvault.');
  const { integrity, foreignKeys, schema, rows, rowsTotal } = await db.check({ deep: true });
  const [problem] = [
    ...integrity,
    ...foreignKeys.map(({ table, parent }) => `a row of ${table} refers to a missing row of ${parent}`),
    ...schema.missing.map((name) => `${name} is missing`),
  ];
  if (problem !== undefined) throw new ProxyVaultError('CORRUPT', `It is damaged: ${problem}.`);
  const [row] = rows;
  const notes = [
    ...(row === undefined
      ? []
      : [
          `${rowsTotal} columns hold what they should not, the first in ${row.table}: run \`proxyvault check\`.`,
        ]),
    ...[...schema.changed, ...schema.extra].map(
      (name) =>
        `${name} is not as the migrations make it: make sure that it is yours, since a trigger or a view can change what is stored or shown.`,
    ),
  ];
  return { schemaVersion: db.migrations.getCurrentVersion(), notes };
}

/**
 * Copies the backup. SQLite cannot open one in WAL mode where it may not write, such as on a read-only disk: nobody can
 * have that open to write, so that its bytes are copied if it has no log.
 */
async function copyBackup(
  source: DatabaseSettings,
  copy: string,
  onProgress: RestoreOptions['onProgress'],
): Promise<void> {
  try {
    await copyTo(source, copy, onProgress);
  } catch (error) {
    const { code } = translate(error, { open: true, path: source.path });
    const hasLog = COMPANIONS.some((suffix) =>
      statSync(`${source.path}${suffix}`, { throwIfNoEntry: false }),
    );
    if (!['CANNOT_OPEN', 'READ_ONLY'].includes(code) || hasLog) throw error;
    copyFileSync(source.path, copy);
  }
}
