import { createHash } from 'node:crypto';

import { invalidInput } from '../../model/validation.ts';

import { type Engine, type Mode, type SchemaObject, type Steps, step } from '../drivers/driver.ts';
import { sectionStatements } from './parser.ts';
import type { Migration } from './types.ts';

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
export function* readSchema<M extends Mode>(engine: Engine<M>, ledger: string): Steps<M, SchemaObject[]> {
  const objects = yield* step(engine.objects());
  return objects.filter(({ name }) => name.toLowerCase() !== ledger.toLowerCase());
}

/** Whether any table but the migration ledger has a row. */
export function* hasRows<M extends Mode>(engine: Engine<M>, ledger: string): Steps<M, boolean> {
  for (const { type, name } of yield* readSchema(engine, ledger)) {
    if (type !== 'table') continue;
    const sql = `SELECT 1 FROM "${name.replaceAll('"', '""')}" LIMIT 1`;
    if (yield* step(engine.driver.one(sql, {}, (row) => row !== undefined))) return true;
  }
  return false;
}

/** Compares the database with an empty one on which the same migrations were tried out. */
export function* compareSchema<M extends Mode>(
  engine: Engine<M>,
  ledger: string,
  migrations: readonly Migration[],
): Steps<M, SchemaComparison> {
  const actual = yield* readSchema(engine, ledger);
  const expected = yield* step(
    engine.tryOut(function* (twin) {
      for (const migration of migrations) yield* migrateUp(twin, migration);
      return yield* step(twin.objects());
    }),
  );
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
export function* assertSchema<M extends Mode>(
  engine: Engine<M>,
  ledger: string,
  migrations: readonly Migration[],
): Steps<M, void> {
  const { missing, changed } = yield* compareSchema(engine, ledger, migrations);
  const wrong = [...missing.map((name) => `${name} is missing`), ...changed.map((name) => `${name} differs`)];
  if (wrong.length > 0) {
    throw invalidInput(`The database does not have the schema of that version: ${wrong.join(', ')}.`);
  }
}

/** Makes what a migration makes, on an empty database. */
export function* migrateUp<M extends Mode>(twin: Engine<M>, migration: Migration): Steps<M, void> {
  for (const { sql } of sectionStatements(migration, 'up')) yield* step(twin.script(sql));
}
