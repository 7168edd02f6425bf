import { createHash } from 'node:crypto';

import { ProxyVaultError } from '../../errors.ts';
import { SqliteDriver } from '../drivers/sqlite/driver.ts';
import { sectionStatements } from './parser.ts';
import type { Migration } from './types.ts';

/** One table, index, trigger or view. */
export interface SchemaObject {
  type: string;
  name: string;
  /** With white space folded. */
  sql: string;
}

/** How a database's schema differs from what its migrations make. */
export interface SchemaComparison {
  /** SHA-256 in hex over all objects of the database, in the order of type and name. */
  fingerprint: string;
  missing: string[];
  changed: string[];
  /** Objects that no known migration makes, such as those of another application. */
  extra: string[];
}

/** Every object of a database but the engine's own and the migration ledger. */
export function readSchema(driver: SqliteDriver, ledger = ''): SchemaObject[] {
  return driver.all(
    `SELECT type, name, sql FROM sqlite_schema
     WHERE sql IS NOT NULL AND name <> :ledger COLLATE NOCASE AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
     ORDER BY type, name`,
    { ledger },
    (row) => ({ type: String(row.type), name: String(row.name), sql: String(row.sql).replace(/\s+/g, ' ') }),
  );
}

/** Compares the database with a fresh one in memory that the same migrations made. */
export function compareSchema(
  driver: SqliteDriver,
  ledger: string,
  migrations: readonly Migration[],
): SchemaComparison {
  const actual = readSchema(driver, ledger);
  const expected = schemaOf(migrations);
  const actualByName = new Map(actual.map((object) => [object.name, object]));
  const expectedNames = new Set(expected.map((object) => object.name));
  return {
    fingerprint: createHash('sha256').update(JSON.stringify(actual)).digest('hex'),
    missing: expected.filter(({ name }) => !actualByName.has(name)).map(({ name }) => name),
    changed: expected
      .filter(({ name, sql }) => (actualByName.get(name)?.sql ?? sql) !== sql)
      .map(({ name }) => name),
    extra: actual.filter(({ name }) => !expectedNames.has(name)).map(({ name }) => name),
  };
}

/** @throws INVALID_INPUT if an object that the migrations make is missing or another one. */
export function assertSchema(driver: SqliteDriver, ledger: string, migrations: readonly Migration[]): void {
  const { missing, changed } = compareSchema(driver, ledger, migrations);
  const wrong = [...missing.map((name) => `${name} is missing`), ...changed.map((name) => `${name} differs`)];
  if (wrong.length > 0) {
    throw new ProxyVaultError(
      'INVALID_INPUT',
      `The database does not have the schema of that version: ${wrong.join(', ')}.`,
    );
  }
}

function schemaOf(migrations: readonly Migration[]): SchemaObject[] {
  const memory = memoryDriver();
  try {
    for (const migration of migrations) {
      for (const { sql } of sectionStatements(migration, 'up')) memory.exec(sql);
    }
    return readSchema(memory);
  } finally {
    memory.close();
  }
}

/** An empty database, to see what migrations make. */
export function memoryDriver(): SqliteDriver {
  return new SqliteDriver({
    path: ':memory:',
    readonly: false,
    durability: 'normal',
    busyTimeoutMs: 0,
    maxReaders: 0,
    log: null,
  });
}
