import { Command } from 'commander';
import { print } from '../output.ts';
import { text } from '../terminal.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

export function initCommand(): Command {
  return withVaultOptions(
    new Command('init').description('make an empty pool, or bring one up to date'),
    'proxyvault init --db ./pool.db',
  ).action((options: VaultOptions) =>
    withVault(
      options,
      ({ db, encryption }) => {
        const result = {
          path: db.path,
          schemaVersion: db.migrations.getCurrentVersion(),
          key: encryption.source(),
        };
        print(
          options.json,
          result,
          () =>
            text`Ready: ${result.path}, schema version ${result.schemaVersion}.\nKey: ${result.key.location} (made with the first credential).\nNext: proxyvault import FILE`,
        );
      },
      { create: true },
    ),
  );
}
