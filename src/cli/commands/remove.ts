import { Command } from 'commander';
import { ProxyRepository } from '../../database/repositories/index.ts';
import { notFound } from '../../model/validation.ts';
import { print } from '../output.ts';
import { text } from '../terminal.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

export function removeCommand(): Command {
  return withVaultOptions(
    new Command('remove')
      .description('remove proxies with their credentials, sticky sessions and usage: all of them, or none')
      .argument('<id...>'),
    'proxyvault remove 0199c0de-0000-7000-8000-000000000001',
  ).action((ids: string[], options: VaultOptions) =>
    withVault(options, ({ db }) => {
      const proxies = new ProxyRepository(db);
      db.transaction(() => {
        for (const id of ids) if (!proxies.delete(id)) throw notFound('proxy', id);
      });
      print(options.json, { removed: ids }, () => text`Removed ${ids.length}.`);
    }),
  );
}
