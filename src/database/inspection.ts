import { statSync } from 'node:fs';

import { type ErrorCode, ProxyVaultError } from '../errors.ts';
import type { Params, Row, Session } from './drivers/driver.ts';
import type { SqliteDriver } from './drivers/sqlite/driver.ts';
import type { MigrationRunner } from './migrations/runner.ts';
import { compareSchema, type SchemaComparison } from './migrations/schema-objects.ts';
import { BASE } from './migrations/sources.ts';
import { EncryptedCredentialsRepository } from './repositories/encrypted-credentials.repository.ts';
import { findMalformedRows, type MalformedRow } from './row-check.ts';
import type { EncryptionService } from './services/encryption.service.ts';
import type { VerificationReport } from './services/key-verification.ts';

/** What is looked at: an open database. */
interface Inspected extends Session<'sync'> {
  path: string;
  driver: SqliteDriver;
  migrations: MigrationRunner;
  background: { all(sql: string, params?: Params): Promise<Row[]> };
}

export interface CheckOptions {
  /** Also compare every index entry with its row (`integrity_check`), and open every credential; slower. Default false. */
  deep?: boolean | undefined;
  /** What opens the credentials in a deep check. Only with the key can a changed address of a proxy be found. */
  encryption?: Pick<EncryptionService, 'verify'> | undefined;
}

/** Whether each credential opens for the address that its proxy has; or why that is not known, as without the key. */
export type CredentialCheck =
  | ({ verified: true } & VerificationReport)
  | { verified: false; total: number; code: ErrorCode; message: string };

export interface CheckReport {
  /**
   * No damage, no broken reference, no malformed row, nothing of the schema missing or changed, and no credential that
   * fails to open. Without `credentials.verified` the latter is not known.
   */
  ok: boolean;
  /** What SQLite found, empty if nothing. It misses changed content: https://www.sqlite.org/pragma.html#pragma_integrity_check */
  integrity: string[];
  /** Rows that refer to a row that is not there. */
  foreignKeys: { table: string; rowid: number | null; parent: string }[];
  schema: SchemaComparison;
  /** Columns that do not hold what they should, the first thousand; `rowsTotal` is how many there are. */
  rows: MalformedRow[];
  rowsTotal: number;
  /** Null unless the check is deep. */
  credentials: CredentialCheck | null;
}

export interface DatabaseStats {
  path: string;
  sqliteVersion: string;
  /** Bytes of the file; 0 in memory. */
  fileBytes: number;
  /** Bytes of the write-ahead log. It grows while a reader holds it: leave long `iterate()` loops. */
  walBytes: number;
  pageSize: number;
  pageCount: number;
  /** Pages that deleted rows have left, used again by new ones. */
  freePages: number;
  schemaVersion: number;
  /** Rows by table. */
  rows: Record<string, number>;
}

export async function checkDatabase(
  database: Inspected,
  { deep = false, encryption }: CheckOptions,
): Promise<CheckReport> {
  const pragma = deep ? 'integrity_check' : 'quick_check';
  const [integrity, foreignKeys] = await Promise.all([
    database.background.all(`SELECT ${pragma} AS problem FROM pragma_${pragma}`),
    database.background.all('SELECT "table", rowid AS row_id, parent FROM pragma_foreign_key_check'),
  ]);
  const problems = integrity.map((row) => String(row.problem)).filter((problem) => problem !== 'ok');
  // A damaged file may not let its rows be read, and there is nothing to say of them then.
  const malformed =
    problems.length === 0
      ? await findMalformedRows(database.migrations.table, (sql, params) =>
          database.background.all(sql, params),
        )
      : { rows: [], total: 0 };
  const schema = database.driver.snapshot(() => {
    const applied = database.migrations.getApplied();
    const expected = applied.length > 0 ? [BASE, ...applied] : [];
    return compareSchema(database.driver, database.migrations.table, expected);
  });
  const credentials = deep ? await checkCredentials(database, encryption) : null;
  const failures = credentials?.verified ? credentials.failures.length : 0;
  return {
    ok:
      problems.length +
        foreignKeys.length +
        schema.missing.length +
        schema.changed.length +
        malformed.total +
        failures ===
      0,
    integrity: problems,
    foreignKeys: foreignKeys.map((row) => ({
      table: String(row.table),
      rowid: row.row_id === null ? null : Number(row.row_id),
      parent: String(row.parent),
    })),
    schema,
    rows: malformed.rows,
    rowsTotal: malformed.total,
    credentials,
  };
}

/** The rest of a check is of use even where this cannot be done. */
async function checkCredentials(
  database: Inspected,
  encryption: CheckOptions['encryption'],
): Promise<CredentialCheck> {
  let total = 0;
  try {
    total = new EncryptedCredentialsRepository(database).count();
    if (total === 0) return { verified: true, ok: true, checked: 0, unbound: 0, oldBinding: 0, failures: [] };
    if (encryption) return { verified: true, ...(await encryption.verify({ database })) };
    const message = 'There was no key to open them: give an EncryptionService as the option `encryption`.';
    return { verified: false, total, code: 'KEY_MISSING', message };
  } catch (error) {
    if (!(error instanceof ProxyVaultError)) throw error;
    return { verified: false, total, code: error.code, message: error.message };
  }
}

export async function readStats(database: Inspected): Promise<DatabaseStats> {
  const { driver, path } = database;
  const tables = await database.background.all(
    `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`,
  );
  const rows: [table: string, count: number][] = [];
  for (const { name } of tables) {
    const table = String(name);
    const [count] = await database.background.all(
      `SELECT count(*) AS n FROM "${table.replaceAll('"', '""')}"`,
    );
    rows.push([table, Number(count?.n)]);
  }
  return {
    path,
    sqliteVersion: String(driver.first('SELECT sqlite_version() AS version', {}, (row) => row.version)),
    fileBytes: sizeOf(path),
    walBytes: sizeOf(`${path}-wal`),
    pageSize: Number(driver.pragma('page_size')),
    pageCount: Number(driver.pragma('page_count')),
    freePages: Number(driver.pragma('freelist_count')),
    schemaVersion: database.migrations.getCurrentVersion(),
    rows: Object.fromEntries(rows),
  };
}

/** By name, not by descriptor: closing a descriptor would drop SQLite's locks (https://www.sqlite.org/howtocorrupt.html). */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
