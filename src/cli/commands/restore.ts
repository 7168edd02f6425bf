import { type RestoreVaultReport, restoreVault } from '../../restore-vault.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { assertNotKeyFile } from '../key-guard.ts';
import { keySourceOf, locatePool } from '../open-vault.ts';
import { print } from '../output.ts';
import { startCopyProgress } from '../progress.ts';
import { lines } from '../terminal.ts';

interface RestoreCommandOptions extends CommonOptions {
  force?: boolean;
}

export const restoreCommand = bareCommand({
  name: 'restore',
  purpose: 'put a backup in the place of the pool, and say whether the key fits; nobody may use the pool',
  example: 'proxyvault restore ./pool-backup.db --force',
  takes: (command) =>
    command
      .argument('<backup>', 'what `backup` wrote')
      .option('--force', 'replace a pool that exists; it is kept under another name'),
  act: (options: RestoreCommandOptions, _, backup: string) => run(backup, options),
});

async function run(backup: string, options: RestoreCommandOptions): Promise<void> {
  const report = await restore(backup, options);
  const { path, schemaVersion, replaced, pending, key, keyLocation, advice, notes } = report;
  print(options.json, report, () =>
    lines([
      `Restored ${path}, schema version ${schemaVersion}.`,
      ...(replaced === null ? [] : [`The pool that was there is now ${replaced}.`]),
      ...(pending ? ['It is older than this program: run `proxyvault migrate up`.'] : []),
      `Key: ${key}${key === 'none needed' ? '' : ` (${keyLocation})`}.`,
      ...(advice === null ? [] : [advice]),
      ...notes.map((note) => `Note: ${note}`),
    ]),
  );
}

async function restore(backup: string, options: RestoreCommandOptions): Promise<RestoreVaultReport> {
  const { path } = locatePool(options);
  const keySource = keySourceOf(options);
  assertNotKeyFile(path, keySource);
  const { onProgress, stop } = startCopyProgress(options);
  try {
    return await restoreVault(backup, path, {
      keySource,
      overwrite: options.force,
      onProgress,
      migrationsTable: process.env.PROXYVAULT_MIGRATIONS_TABLE || undefined,
      allowOthersToWrite: process.env.PROXYVAULT_ALLOW_OTHERS_TO_WRITE === '1',
    });
  } finally {
    stop();
  }
}
