import {
  type DatabaseManager,
  initDatabase,
  type RestoreOptions,
  type RestoreReport,
  restoreDatabase,
} from './database/index.ts';
import { assertKeyElsewhere } from './database/key-place.ts';
import { patiently } from './database/patience.ts';
import { RESTORE_OPTIONS } from './database/restore.ts';
import { KEY_OPTIONS } from './database/services/encryption-options.ts';
import { type EncryptionOptions, EncryptionService } from './database/services/index.ts';
import { ProxyVaultError } from './errors.ts';
import { assertOptions, pick } from './model/validation.ts';

/** How the backup is restored, and which key should fit it. */
export interface RestoreVaultOptions
  extends RestoreOptions,
    Omit<EncryptionOptions, 'database' | 'onKeyCreated'> {}

export interface RestoreVaultReport extends RestoreReport {
  /** Whether the schema is older than this program. `openVault` updates it. */
  pending: boolean;
  /** Whether the key at hand opens the credentials of the restored pool. */
  key: 'fits' | 'does not fit' | 'none needed' | 'not found' | 'locked' | 'not checked';
  /** Where the key was looked for. */
  keyLocation: string;
  /** What to do if credentials cannot be read, in sentences; null if all is well. */
  advice: string | null;
}

type KeyFit = Pick<RestoreVaultReport, 'key' | 'advice'>;

/**
 * Puts a backup in the place of a pool, and says whether the key fits it. Nobody may have the pool open. A pool that exists is
 * kept beside the new one. See `restoreDatabase` for what is checked first, and for the errors; a key that is missing or another
 * one is reported, and is no failure of the restore.
 *
 * @throws CONFLICT if the pool exists, unless `overwrite`; BUSY if it is open; NOT_A_DATABASE, CORRUPT, DATABASE_NEWER,
 *   MIGRATION_CHANGED, CANNOT_OPEN, DISK_FULL, INVALID_INPUT. Then the pool was not changed.
 * @example
 * const { key, advice } = await restoreVault('./pool-backup.db', './pool.db', { overwrite: true });
 * if (advice !== null) console.log(key, advice); // such as 'not found'
 */
export async function restoreVault(
  backup: string,
  path: string,
  options: RestoreVaultOptions = {},
): Promise<RestoreVaultReport> {
  assertOptions(options, [...RESTORE_OPTIONS, ...KEY_OPTIONS], 'options of restoreVault');
  const keyOptions = pick(options, KEY_OPTIONS);
  const restoreOptions = pick(options, RESTORE_OPTIONS);
  // The options of the key are checked before anything is changed.
  using keys = new EncryptionService(keyOptions);
  if (typeof path === 'string') assertKeyElsewhere(path, keys.source());
  const report = await restoreDatabase(backup, path, restoreOptions);
  const { migrations, migrationsTable, allowOthersToWrite } = restoreOptions;
  // Not `readonly`, though it only looks: a connection that may not write would leave its log beside the file.
  const opening = { path: report.path, migrations, migrationsTable, allowOthersToWrite };
  await using database = await patiently(() => initDatabase(opening));
  using encryption = new EncryptionService({ ...keyOptions, database });
  return {
    ...report,
    pending: database.migrations.plan().length > 0,
    keyLocation: keys.source().location,
    ...(await fitKey(database, encryption)),
  };
}

async function fitKey(database: DatabaseManager, encryption: EncryptionService): Promise<KeyFit> {
  try {
    const { checked, failures } = await encryption.verify();
    const { keys, problem } = encryption.status();
    if (checked === 0 && keys.length === 0) return { key: 'none needed', advice: null };
    // Credentials may fail for another reason, such as an address of a proxy that was changed.
    const key = problem === 'KEY_MISMATCH' ? 'does not fit' : 'fits';
    if (failures.length === 0) return { key, advice: null };
    const advice = `${failures.length} of ${checked} credentials cannot be decrypted: run \`proxyvault key verify\`.`;
    return { key, advice };
  } catch (error) {
    const isOlder = error instanceof ProxyVaultError && error.code === 'MIGRATION_PENDING';
    return isOlder ? fitOfOlder(database, encryption) : unfit(error);
  }
}

/** The credentials of an older pool cannot be read before it is migrated, but it names the keys that wrap its own. */
async function fitOfOlder(database: DatabaseManager, encryption: EncryptionService): Promise<KeyFit> {
  const needed = keyIdsOf(database);
  if (needed === null)
    return { key: 'not checked', advice: 'Run `proxyvault migrate up`, then `proxyvault key verify`.' };
  try {
    for (const id of needed) {
      if (await encryption.hasKey(id)) continue;
      const advice = `The pool needs key ${id}: give it with --key-file, and run \`proxyvault key verify\`.`;
      return { key: 'does not fit', advice };
    }
    return { key: needed.length === 0 ? 'none needed' : 'fits', advice: null };
  } catch (error) {
    return unfit(error);
  }
}

/** The keys of the source that a pool of any version needs; null if it does not say. */
function keyIdsOf({ driver, engine }: DatabaseManager): string[] | null {
  const idsIn = (table: string, column: string): string[] =>
    engine.columnsOf(table).includes(column)
      ? driver.all(`SELECT DISTINCT ${column} AS id FROM ${table}`, {}, ({ id }) => String(id))
      : [];
  const wrapping = idsIn('encryption_keys', 'kek_id');
  // Before the third migration the source's key encrypted each credential itself.
  const ids = wrapping.length > 0 ? wrapping : idsIn('encrypted_credentials', 'key_id');
  const isKnown = ids.length > 0 || idsIn('encrypted_credentials', 'proxy_id').length === 0;
  return isKnown && !ids.includes('null') ? ids : null;
}

function unfit(error: unknown): KeyFit {
  // What a source or a passphrase function of the user throws. The pool is restored, and the report must not be lost.
  if (!(error instanceof ProxyVaultError))
    return {
      key: 'not checked',
      advice: 'What gives the key or its passphrase has failed: run `proxyvault key verify`.',
    };
  const { code, message, details } = error;
  // What protects the key, such as a passphrase, is missing or another one.
  if (code === 'KEY_LOCKED' || details.protection !== undefined) return { key: 'locked', advice: message };
  const fits: Partial<Record<string, KeyFit['key']>> = {
    KEY_MISSING: 'not found',
    KEY_MISMATCH: 'does not fit',
  };
  return { key: fits[code] ?? 'not checked', advice: message };
}
