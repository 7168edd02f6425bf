import { createHash } from 'node:crypto';

import { ProxyVaultError } from '../../errors.ts';
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
function* readSchema<M extends Mode>(engine: Engine<M>, ledger: string): Steps<M, SchemaObject[]> {
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
function* migrateUp<M extends Mode>(twin: Engine<M>, migration: Migration): Steps<M, void> {
  for (const { sql } of sectionStatements(migration, 'up')) yield* step(twin.script(sql));
}

/** An object that a pending migration makes, as it is right after its statement. */
interface Made extends SchemaObject {
  columns: string[];
  /** `CREATE … IF NOT EXISTS`: the same object may be there already, as after a Down that keeps it. */
  mayExist: boolean;
}

/**
 * Compares what pending migrations will make with what the file has: `CREATE TABLE IF NOT EXISTS` would pass over a table of
 * another program, and the program would fail later, in the middle of its work.
 *
 * @param present the migrations whose objects the file has by our ledger.
 * @throws CONFLICT, which names the object, the difference and the remedy; nothing was changed.
 */
export function* assertNoForeignObjects<M extends Mode>(
  engine: Engine<M>,
  ledger: string,
  present: readonly Migration[],
  pending: readonly Migration[],
): Steps<M, void> {
  const objects = yield* readSchema(engine, ledger);
  const existing = new Map(objects.map((object) => [object.name.toLowerCase(), object]));
  if (existing.size === 0) return;
  for (const made of yield* objectsMadeBy(engine, present, pending)) {
    const there = existing.get(made.name.toLowerCase());
    if (there === undefined || (made.mayExist && there.sql === made.sql)) continue;
    const baseline = present.length === 0 ? yield* versionOf(engine, objects, pending) : null;
    const remedy =
      baseline === null
        ? `use another file, rename that ${there.type}, or, if its tables are those of this library from elsewhere, make them equal to a version and record it with \`db.migrations.baseline(version)\` (\`proxyvault migrate baseline\`)`
        : `the file has exactly the tables of version ${baseline} and no record of its migrations: record them with \`db.migrations.baseline(${baseline})\` (\`proxyvault migrate baseline ${baseline}\`), then run up() again`;
    const difference = differenceOf(there, yield* step(engine.columnsOf(there.name)), made);
    throw new ProxyVaultError(
      'CONFLICT',
      `The file already has a ${there.type} named ${there.name}, which these migrations did not make${difference}. Nothing was changed: ${remedy}.`,
      { details: { object: there.name, type: there.type, baseline } },
    );
  }
}

function* objectsMadeBy<M extends Mode>(
  engine: Engine<M>,
  present: readonly Migration[],
  pending: readonly Migration[],
): Steps<M, Made[]> {
  const tryOut = engine.tryOut(function* (twin): Steps<M, Made[]> {
    for (const migration of present) yield* migrateUp(twin, migration);
    const made: Made[] = [];
    const known = new Set((yield* step(twin.objects())).map(({ name }) => name));
    for (const { sql } of pending.flatMap((migration) => sectionStatements(migration, 'up'))) {
      yield* step(twin.script(sql));
      for (const object of yield* step(twin.objects())) {
        if (known.has(object.name)) continue;
        known.add(object.name);
        const columns = yield* step(twin.columnsOf(object.name));
        made.push({ ...object, columns, mayExist: /\bIF\s+NOT\s+EXISTS\b/i.test(sql) });
      }
    }
    return made;
  });
  return yield* step(tryOut);
}

/** The newest version whose objects are all there, exactly; null if no version matches. */
function* versionOf<M extends Mode>(
  engine: Engine<M>,
  existing: readonly SchemaObject[],
  all: readonly Migration[],
): Steps<M, number | null> {
  const actual = new Set(existing.map(({ name, sql }) => `${name} ${sql}`));
  const tryOut = engine.tryOut(function* (twin): Steps<M, number | null> {
    let found: number | null = null;
    for (const migration of all) {
      yield* migrateUp(twin, migration);
      const expected = yield* step(twin.objects());
      if (expected.every(({ name, sql }) => actual.has(`${name} ${sql}`))) found = migration.version;
    }
    return found;
  });
  return yield* step(tryOut);
}

function differenceOf(there: SchemaObject, columns: readonly string[], made: Made): string {
  if (there.type !== made.type) return `: a ${made.type} of that name is needed`;
  const missing = made.columns.filter((column) => !columns.includes(column));
  const extra = columns.filter((column) => !made.columns.includes(column));
  const parts = [
    ...(missing.length > 0 ? [`without ${missing.join(', ')}`] : []),
    ...(extra.length > 0 ? [`with ${extra.join(', ')}`] : []),
  ];
  if (parts.length > 0) return `: it is ${parts.join(' and ')}`;
  return there.sql === made.sql ? '' : ': its definition differs';
}
