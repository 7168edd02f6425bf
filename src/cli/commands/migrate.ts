import { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { print, table } from '../output.ts';
import { lines, Text, text } from '../terminal.ts';
import { type Vault, type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

export function migrateCommand(): Command {
  const command = new Command('migrate').description('bring the schema up or down, or say where it stands');
  command.addCommand(
    withVaultOptions(
      new Command('up').description('apply every pending migration'),
      'proxyvault migrate up',
    ).action((options: VaultOptions) => run(options, ({ db }) => db.migrations.up())),
  );
  command.addCommand(
    withVaultOptions(
      new Command('down')
        .description('undo the last migrations')
        .option('--steps <n>', 'how many', wholeNumber, 1),
      'proxyvault migrate down --steps 1',
    ).action((options: VaultOptions & { steps: number }) =>
      run(options, ({ db }) => db.migrations.down(options.steps)),
    ),
  );
  command.addCommand(
    withVaultOptions(
      new Command('baseline')
        .description(
          'record the migrations up to a version as applied, for tables that were made by other means',
        )
        .argument('<version>', 'whose tables the file has, exactly', wholeNumber),
      'proxyvault migrate baseline 1',
    ).action((version: number, options: VaultOptions) =>
      run(options, ({ db }) => db.migrations.baseline(version)),
    ),
  );
  command.addCommand(
    withVaultOptions(
      new Command('status').description('what is applied and what is pending'),
      'proxyvault migrate status',
    ).action((options: VaultOptions) => run(options, () => undefined)),
  );
  command.addCommand(
    withVaultOptions(
      new Command('plan').description('the SQL that `up` would execute'),
      'proxyvault migrate plan',
    ).action((options: VaultOptions) =>
      withVault(
        options,
        ({ db }) => {
          const plan = db.migrations.plan();
          print(options.json, plan, () =>
            plan.length === 0
              ? text`Nothing is pending.`
              : lines(
                  plan.map(
                    ({ namespace, name, sql }) => text`-- ${namespace}/${name}\n${Text.ours(sql.trim())}\n`,
                  ),
                ),
          );
        },
        { anyVersion: true },
      ),
    ),
  );
  return command;
}

/** Does it, then says where the schema stands. */
function run(options: VaultOptions, work: (vault: Vault) => void): Promise<void> {
  return withVault(
    options,
    (vault) => {
      work(vault);
      const { migrations } = vault.db;
      const applied = migrations
        .getApplied()
        .map(({ namespace, name, appliedAt }) => ({ namespace, name, appliedAt }));
      const pending = migrations
        .getPending()
        .map(({ namespace, name }) => ({ namespace, name, appliedAt: null }));
      print(options.json, { version: migrations.getCurrentVersion(), applied, pending }, () =>
        table(
          ['MIGRATION', 'APPLIED'],
          [...applied, ...pending].map(({ namespace, name, appliedAt }) => [
            `${namespace}/${name}`,
            appliedAt ?? 'pending',
          ]),
        ),
      );
    },
    { anyVersion: true },
  );
}
