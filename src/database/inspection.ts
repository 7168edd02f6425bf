import { statSync } from 'node:fs';

import type { Params, Row } from './drivers/driver.ts';
import type { SqliteDriver } from './drivers/sqlite/driver.ts';
import type { MigrationRunner } from './migrations/runner.ts';
import { compareSchema, type SchemaComparison } from './migrations/schema-objects.ts';
import { BASE } from './migrations/sources.ts';

/** What is looked at: an open database. */
interface Inspected {
  path: string;
  driver: SqliteDriver;
  migrations: MigrationRunner;
  background: { all(sql: string, params?: Params): Promise<Row[]> };
}

export interface CheckOptions {
  /** Also compare every index entry with its row (`integrity_check`); slower. Default false. */
  deep?: boolean | undefined;
}

export interface CheckReport {
  /** No damage, no broken reference, and nothing of the schema missing or changed. */
  ok: boolean;
  /** What SQLite found, empty if nothing. It misses changed content: https://www.sqlite.org/pragma.html#pragma_integrity_check */
  integrity: string[];
  /** Rows that refer to a row that is not there. */
  foreignKeys: { table: string; rowid: number | null; parent: string }[];
  schema: SchemaComparison;
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
  { deep = false }: CheckOptions,
): Promise<CheckReport> {
  const pragma = deep ? 'integrity_check' : 'quick_check';
  const [integrity, foreignKeys] = await Promise.all([
    database.background.all(`SELECT ${pragma} AS problem FROM pragma_${pragma}`),
    database.background.all('SELECT "table", rowid AS row_id, parent FROM pragma_foreign_key_check'),
  ]);
  const problems = integrity.map((row) => String(row.problem)).filter((problem) => problem !== 'ok');
  const applied = database.migrations.getApplied();
  const schema = compareSchema(database.driver, applied.length > 0 ? [BASE, ...applied] : []);
  return {
    ok: problems.length + foreignKeys.length + schema.missing.length + schema.changed.length === 0,
    integrity: problems,
    foreignKeys: foreignKeys.map((row) => ({
      table: String(row.table),
      rowid: row.row_id === null ? null : Number(row.row_id),
      parent: String(row.parent),
    })),
    schema,
  };
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
