import { ProxyVaultError } from '../errors.ts';
import { assertPath } from '../files/path.ts';
import { assertFunction, assertOptions } from '../model/validation.ts';
import type { BackupProgress } from './drivers/sqlite/copy.ts';
import { restoreFile } from './drivers/sqlite/restore.ts';
import { DatabaseManager } from './manager.ts';
import { type DatabaseOptions, resolveOptions } from './options.ts';

/** How the pool is opened, as `initDatabase` takes it: the backup may have been made with an application's own migrations. */
type SchemaOptions = Pick<DatabaseOptions, 'migrations' | 'migrationsTable' | 'allowOthersToWrite'>;

export interface RestoreOptions extends SchemaOptions {
  /** Replace a pool that exists. It is kept beside the new one; see `RestoreReport.replaced`. Default false. */
  overwrite?: boolean | undefined;
  /** Called after each batch of pages. */
  onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** How long to wait, in milliseconds, until nobody has the pool open. Default 2000. */
  busyTimeoutMs?: number | undefined;
}

export const RESTORE_OPTIONS = [
  'overwrite',
  'onProgress',
  'busyTimeoutMs',
  'migrations',
  'migrationsTable',
  'allowOthersToWrite',
] as const satisfies readonly (keyof RestoreOptions)[];

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

/**
 * Puts a backup in the place of a pool. The backup is copied and checked first, and stays as it is. A pool that exists is
 * replaced at once, so that a crash or a power cut leaves the whole old pool or the whole new one, and is kept under
 * another name. No connection may have the pool open, not even in this process.
 *
 * @throws CONFLICT if the pool exists (unless `overwrite`), BUSY if it is open; NOT_A_DATABASE, CORRUPT, DATABASE_NEWER
 *   or MIGRATION_CHANGED if the backup is not a sound pool of this version or an older one; CANNOT_OPEN, DISK_FULL,
 *   INVALID_INPUT. Then the pool was not changed.
 * @example
 * const { replaced, notes } = await restoreDatabase('./pool-backup.db', './pool.db', { overwrite: true });
 * if (replaced !== null) console.log(`The old pool is now ${replaced}.`, ...notes);
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
  } = assertOptions(options, RESTORE_OPTIONS, 'options of restoreDatabase');
  if (onProgress !== undefined) assertFunction(onProgress, 'onProgress');
  assertPath(backup, 'The backup');
  const source = resolveOptions({ path: backup, readonly: true, busyTimeoutMs, ...schema });
  const target = resolveOptions({ path, busyTimeoutMs });
  const { replaced, strayLog, found } = await restoreFile({
    source,
    path: target.path,
    overwrite,
    onProgress,
    waitMs: busyTimeoutMs,
    verify: (copy) => verify(copy, schema),
  });
  if (strayLog !== null) found.notes.push(`There was a log without its pool: it is now ${strayLog}.`);
  return { path: target.path, replaced, ...found };
}

/** Reads the whole copy, so that what is put in place is what was checked. */
async function verify(
  copy: string,
  options: SchemaOptions,
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
  const notes = [...schema.changed, ...schema.extra].map(
    (name) =>
      `${name} is not as the migrations make it: make sure that it is yours, since a trigger or a view can change what is stored or shown.`,
  );
  const [row] = rows;
  if (row !== undefined)
    notes.unshift(
      `${rowsTotal} columns hold what they should not, the first in ${row.table}: run \`proxyvault check\`.`,
    );
  return { schemaVersion: db.migrations.getCurrentVersion(), notes };
}
