import { Command } from 'commander';
import { assertNotKeyFile } from '../key-guard.ts';
import { print } from '../output.ts';
import { startCopyProgress } from '../progress.ts';
import { text } from '../terminal.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

export function backupCommand(): Command {
  return withVaultOptions(
    new Command('backup')
      .description('copy the pool, checked, while others use it; the key is not in it')
      .argument('<file>')
      .option('--force', 'replace an older backup; any other file is never replaced'),
    'proxyvault backup ./pool-backup.db',
  ).action((file: string, options: VaultOptions & { force?: boolean }) =>
    withVault(
      options,
      async ({ db, encryption }) => {
        assertNotKeyFile(file, encryption.source());
        const progress = startCopyProgress(options);
        try {
          const path = await db.backup(file, { overwrite: options.force, onProgress: progress.onProgress });
          progress.stop();
          print(
            options.json,
            { path },
            () => text`Copied to ${path}.\nKeep the key in another place: ${encryption.source().location}`,
          );
        } finally {
          progress.stop();
        }
      },
      { anyVersion: true },
    ),
  );
}
