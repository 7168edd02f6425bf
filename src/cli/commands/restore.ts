import { type DatabaseManager, type RestoreReport, restoreDatabase } from '../../database/index.ts';
import { ProxyVaultError } from '../../errors.ts';
import { bareCommand } from '../command.ts';
import { assertNotKeyFile } from '../key-guard.ts';
import { print } from '../output.ts';
import { startCopyProgress } from '../progress.ts';
import { lines } from '../terminal.ts';
import { keySourceOf, locatePool, type Vault, type VaultOptions, withVault } from '../vault.ts';

interface RestoreCommandOptions extends VaultOptions {
  force?: boolean;
}

/** Whether the key at hand opens the credentials of the restored pool. */
interface KeyFit {
  key: 'fits' | 'does not fit' | 'none needed' | 'not found' | 'locked' | 'not checked';
  /** What to do, if the credentials cannot be read. */
  advice: string | null;
}

export const restoreCommand = bareCommand({
  name: 'restore',
  purpose: 'put a backup in the place of the pool, and say whether the key fits; nobody may use the pool',
  example: 'proxyvault restore ./pool-backup.db --force',
  takes: (command) =>
    command
      .argument('<backup>')
      .option('--force', 'replace a pool that exists; it is kept under another name'),
  act: (options: RestoreCommandOptions, _, backup: string) => run(backup, options),
});

async function run(backup: string, options: RestoreCommandOptions): Promise<void> {
  const { path } = locatePool(options);
  assertNotKeyFile(path, keySourceOf(options));
  const report = await restore(backup, path, options);
  await withVault(
    options,
    async (vault) => {
      const { key, advice } = await fitKey(vault);
      const isPending = vault.db.migrations.plan().length > 0;
      print(options.json, { ...report, key, advice, pending: isPending }, () =>
        lines([
          `Restored ${report.path}, schema version ${report.schemaVersion}.`,
          ...(report.replaced === null ? [] : [`The pool that was there is now ${report.replaced}.`]),
          ...(isPending ? ['It is older than this program: run `proxyvault migrate up`.'] : []),
          `Key: ${key}${key === 'none needed' ? '' : ` (${vault.encryption.source().location})`}.`,
          ...(advice === null ? [] : [advice]),
          ...report.notes.map((note) => `Note: ${note}`),
        ]),
      );
    },
    { anyVersion: true },
  );
}

async function restore(backup: string, path: string, options: RestoreCommandOptions): Promise<RestoreReport> {
  const { onProgress, stop } = startCopyProgress(options);
  try {
    return await restoreDatabase(backup, path, {
      overwrite: options.force,
      onProgress,
      migrationsTable: process.env.PROXYVAULT_MIGRATIONS_TABLE || undefined,
      allowOthersToWrite: process.env.PROXYVAULT_ALLOW_OTHERS_TO_WRITE === '1',
    });
  } finally {
    stop();
  }
}

/** The restore is done: a key that is missing is reported, and is no failure of it. */
async function fitKey(vault: Vault): Promise<KeyFit> {
  const { encryption } = vault;
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
    if (!(error instanceof ProxyVaultError)) throw error;
    return error.code === 'MIGRATION_PENDING' ? fitOfOlder(vault) : unfit(error);
  }
}

/** The credentials of an older pool cannot be read before it is migrated, but it names the keys that wrap its own. */
async function fitOfOlder({ db, encryption }: Vault): Promise<KeyFit> {
  const needed = keyIdsOf(db);
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
    if (!(error instanceof ProxyVaultError)) throw error;
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

function unfit({ code, message, details }: ProxyVaultError): KeyFit {
  // What protects the key, such as a passphrase, is missing or another one.
  if (code === 'KEY_LOCKED' || details.protection !== undefined) return { key: 'locked', advice: message };
  const keys: Partial<Record<string, KeyFit['key']>> = {
    KEY_MISSING: 'not found',
    KEY_MISMATCH: 'does not fit',
  };
  return { key: keys[code] ?? 'not checked', advice: message };
}
