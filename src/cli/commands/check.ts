import { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { print } from '../output.ts';
import { visible } from '../terminal.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

/** A log this long says that a reader holds it up. */
const WAL_ALARM = 256 * 1024 * 1024;

export function checkCommand(): Command {
  return withVaultOptions(
    new Command('check')
      .description('look for damage, broken references and a changed schema')
      .option('--deep', 'compare every index entry too'),
    'proxyvault check --deep',
  ).action((options: VaultOptions & { deep?: boolean }) =>
    withVault(
      options,
      async ({ db }) => {
        const report = await db.check(options);
        const { walBytes } = await db.stats();
        const notes = [
          ...report.integrity,
          ...report.foreignKeys.map(
            ({ table, rowid, parent }) => `${table} row ${rowid ?? '?'} refers to a missing row of ${parent}`,
          ),
          ...report.schema.missing.map((name) => `${name} is missing`),
          ...report.schema.changed.map((name) => `${name} differs from its migration`),
        ];
        if (walBytes > WAL_ALARM)
          notes.push(`the write-ahead log has ${walBytes} bytes: a reader holds it up`);
        print(options.json, { ...report, walBytes }, () =>
          report.ok
            ? ['Sound.', ...notes.map(visible)].join('\n')
            : `Not sound: restore a backup.\n${notes.map((note) => `- ${visible(note)}`).join('\n')}`,
        );
        if (!report.ok) process.exitCode = EXIT.failure;
      },
      { anyVersion: true },
    ),
  );
}
