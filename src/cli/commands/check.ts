import { Command } from 'commander';
import type { CheckReport, CredentialCheck } from '../../database/index.ts';
import { EXIT } from '../exit-codes.ts';
import { print } from '../output.ts';
import { lines } from '../terminal.ts';
import { type VaultOptions, withVault, withVaultOptions } from '../vault.ts';

/** A log this long says that a reader holds it up. */
const WAL_ALARM = 256 * 1024 * 1024;

export function checkCommand(): Command {
  return withVaultOptions(
    new Command('check')
      .description('look for damage, broken references, malformed rows and a changed schema')
      .option('--deep', 'compare every index entry too, and open every credential (needs the key)'),
    'proxyvault check --deep',
  ).action((options: VaultOptions & { deep?: boolean }) =>
    withVault(
      options,
      async ({ db, encryption }) => {
        const report = await db.check({ deep: options.deep, encryption });
        const { walBytes } = await db.stats();
        const notes = [
          ...report.integrity,
          ...report.foreignKeys.map(
            ({ table, rowid, parent }) => `${table} row ${rowid ?? '?'} refers to a missing row of ${parent}`,
          ),
          ...report.rows.map(({ table, id, column, problem }) => `${table} ${id}: ${column}: ${problem}`),
          ...(report.rowsTotal > report.rows.length
            ? [`${report.rowsTotal - report.rows.length} more malformed columns`]
            : []),
          ...report.schema.missing.map((name) => `${name} is missing`),
          ...report.schema.changed.map((name) => `${name} differs from its migration`),
          ...report.schema.extra.map((name) => `${name} is not part of the schema of proxyvault`),
          ...credentialNotes(report.credentials),
        ];
        if (walBytes > WAL_ALARM)
          notes.push(`the write-ahead log has ${walBytes} bytes: a reader holds it up`);
        // A scheduled check without its key must not stay green.
        const isUnverified = report.credentials?.verified === false;
        print(options.json, { ...report, walBytes }, () =>
          report.ok
            ? lines([isUnverified ? 'Not fully checked.' : 'Sound.', ...notes])
            : lines([
                `Not sound${onlyCredentials(report) ? '' : ': restore a backup'}.`,
                ...notes.map((note) => `- ${note}`),
              ]),
        );
        if (!report.ok || isUnverified) process.exitCode = EXIT.failure;
      },
      { anyVersion: true },
    ),
  );
}

/** What a deep check says of the credentials, for a person. */
function credentialNotes(check: CredentialCheck | null): string[] {
  if (check === null) return [];
  if (!check.verified)
    return [`the ${check.total} credentials were not verified: ${check.message} (${check.code})`];
  const failures = check.failures.map(
    ({ proxyId, code, message }) => `credential of proxy ${proxyId}: ${message} (${code})`,
  );
  if (check.oldBinding === 0) return failures;
  return [
    ...failures,
    `${check.oldBinding} credentials are not bound to the address of their proxy: run \`proxyvault key rotate\``,
  ];
}

/** Each of those says itself what to do. */
function onlyCredentials({ integrity, foreignKeys, schema }: CheckReport): boolean {
  return integrity.length + foreignKeys.length + schema.missing.length + schema.changed.length === 0;
}
