import type { CheckReport, CredentialCheck } from '../../database/index.ts';
import { poolCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { EXIT } from '../exit-codes.ts';
import { print } from '../output.ts';
import { lines } from '../terminal.ts';

/** A log this long says that a reader holds it up. */
const WAL_ALARM = 256 * 1024 * 1024;

export const checkCommand = poolCommand({
  name: 'check',
  purpose: 'look for damage, broken references, malformed rows and a changed schema',
  key: '--deep',
  reads: true,
  example: 'proxyvault check --deep',
  takes: (command) =>
    command.option('--deep', 'compare every index entry too, and open every credential (needs the key)'),
  anyVersion: true,
  async run(vault, options: CommonOptions & { deep?: boolean }) {
    const report = await vault.check({ deep: options.deep });
    const { walBytes } = await vault.database.stats();
    const notes = notesOf(report);
    if (walBytes > WAL_ALARM) notes.push(`the write-ahead log has ${walBytes} bytes: a reader holds it up`);
    // A scheduled check without its key must not stay green.
    const isUnverified = report.credentials?.verified === false;
    const verdict = isUnverified ? 'Not fully checked.' : 'Sound.';
    const advice = onlyCredentials(report) ? '' : ': restore a backup';
    print(options.json, { ...report, walBytes }, () =>
      report.ok
        ? lines([verdict, ...notes])
        : lines([`Not sound${advice}.`, ...notes.map((note) => `- ${note}`)]),
    );
    if (!report.ok || isUnverified) process.exitCode = EXIT.failure;
  },
});

function notesOf({ integrity, foreignKeys, rows, rowsTotal, schema, credentials }: CheckReport): string[] {
  const unnamed = rowsTotal - rows.length;
  return [
    ...integrity,
    ...foreignKeys.map(
      ({ table, rowid, parent }) => `${table} row ${rowid ?? '?'} refers to a missing row of ${parent}`,
    ),
    ...rows.map(({ table, id, column, problem }) => `${table} ${id}: ${column}: ${problem}`),
    ...(unnamed > 0 ? [`${unnamed} more malformed columns`] : []),
    ...schema.missing.map((name) => `${name} is missing`),
    ...schema.changed.map((name) => `${name} differs from its migration`),
    ...schema.extra.map((name) => `${name} is not part of the schema of proxyvault`),
    ...credentialNotes(credentials),
  ];
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
