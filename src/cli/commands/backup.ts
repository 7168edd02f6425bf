import { Command } from 'commander';
import { print } from '../output.ts';
import { startProgress } from '../progress.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

export function backupCommand(): Command {
  return withVaultOptions(
    new Command('backup')
      .description('copy the pool, checked, while others use it; the key is not in it')
      .argument('<file>')
      .option('--force', 'replace the file if it exists'),
    'proxyvault backup ./pool-backup.db',
  ).action((file: string, options: VaultOptions & { force?: boolean }) =>
    withVault(
      options,
      async ({ db, encryption }) => {
        const progress = startProgress('Copying', options);
        try {
          const onProgress = ({
            totalPages,
            remainingPages,
          }: {
            totalPages: number;
            remainingPages: number;
          }): void => progress.update(totalPages - remainingPages, totalPages);
          const path = await db.backup(file, { overwrite: options.force, onProgress });
          progress.stop();
          print(
            options.json,
            { path },
            () => `Copied to ${path}.\nKeep the key in another place: ${encryption.source().location}`,
          );
        } finally {
          progress.stop();
        }
      },
      { anyVersion: true },
    ),
  );
}
