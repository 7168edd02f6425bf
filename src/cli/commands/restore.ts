import { Command } from 'commander';

import { type RestoreReport, restoreDatabase } from '../../database/index.ts';
import { ProxyVaultError } from '../../errors.ts';
import { assertNotKeyFile } from '../key-guard.ts';
import { print } from '../output.ts';
import { startCopyProgress } from '../progress.ts';
import {
  keySourceOf,
  locatePool,
  type Vault,
  type VaultOptions,
  withVault,
  withVaultOptions,
} from '../vault.ts';

interface RestoreCommandOptions extends VaultOptions {
  force?: boolean;
}

/** Whether the key at hand opens the credentials of the restored pool. */
interface KeyFit {
  key: 'fits' | 'does not fit' | 'none needed' | 'not found' | 'not checked';
  /** What to do, if the credentials cannot be read. */
  advice: string | null;
}

export function restoreCommand(): Command {
  return withVaultOptions(
    new Command('restore')
      .description(
        'put a backup in the place of the pool, and say whether the key fits; nobody may use the pool',
      )
      .argument('<backup>')
      .option('--force', 'replace a pool that exists; it is kept under another name'),
    'proxyvault restore ./pool-backup.db --force',
  ).action(run);
}

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
        [
          `Restored ${report.path}, schema version ${report.schemaVersion}.`,
          ...(report.replaced === null ? [] : [`The pool that was there is now ${report.replaced}.`]),
          ...(isPending ? ['It is older than this program: run `proxyvault migrate up`.'] : []),
          `Key: ${key}${key === 'none needed' ? '' : ` (${vault.encryption.source().location})`}.`,
          ...(advice === null ? [] : [advice]),
        ].join('\n'),
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
    });
  } finally {
    stop();
  }
}

/** The restore is done: a key that is missing is reported, and is no failure of it. */
async function fitKey({ encryption }: Vault): Promise<KeyFit> {
  try {
    const { checked, failures } = await encryption.verify();
    if (checked === 0 && encryption.status().keys.length === 0) return { key: 'none needed', advice: null };
    if (failures.length === 0) return { key: 'fits', advice: null };
    const advice = `${failures.length} of ${checked} credentials cannot be decrypted: run \`proxyvault key verify\`.`;
    return { key: failures.length < checked ? 'fits' : 'does not fit', advice };
  } catch (error) {
    if (!(error instanceof ProxyVaultError)) throw error;
    const keys: Partial<Record<string, KeyFit['key']>> = {
      KEY_MISSING: 'not found',
      KEY_MISMATCH: 'does not fit',
    };
    return { key: keys[error.code] ?? 'not checked', advice: error.message };
  }
}
