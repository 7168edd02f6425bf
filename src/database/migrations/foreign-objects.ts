import { ProxyVaultError } from '../../errors.ts';
import type { SqliteDriver } from '../drivers/sqlite/driver.ts';
import { sectionStatements } from './parser.ts';
import { memoryDriver, readSchema, type SchemaObject } from './schema-objects.ts';
import type { Migration } from './types.ts';

/** An object that a pending migration makes, as it is right after its statement. */
interface Made extends SchemaObject {
  columns: string[];
  /** `CREATE … IF NOT EXISTS`: the same object may be there already, as after a Down that keeps it. */
  mayExist: boolean;
}

/**
 * Compares what pending migrations will make with what the file has. `CREATE TABLE IF NOT EXISTS` would pass over a
 * table of another program and fail later, in the middle of the program's work.
 *
 * @param present the migrations whose objects the file has by our ledger.
 * @throws CONFLICT, which names the object, the difference and the remedy; nothing was changed.
 */
export function assertNoForeignObjects(
  driver: SqliteDriver,
  ledger: string,
  present: readonly Migration[],
  pending: readonly Migration[],
): void {
  const existing = new Map(readSchema(driver, ledger).map((object) => [object.name.toLowerCase(), object]));
  if (existing.size === 0) return;
  for (const made of objectsMadeBy(present, pending)) {
    const there = existing.get(made.name.toLowerCase());
    if (there === undefined || (made.mayExist && there.sql === made.sql)) continue;
    const baseline = present.length === 0 ? versionOf(driver, ledger, pending) : null;
    const remedy =
      baseline === null
        ? `use another file, rename that ${there.type}, or, if its tables are those of this library from elsewhere, make them equal to a version and record it with \`db.migrations.baseline(version)\` (\`proxyvault migrate baseline\`)`
        : `the file has exactly the tables of version ${baseline} and no record of its migrations: record them with \`db.migrations.baseline(${baseline})\` (\`proxyvault migrate baseline ${baseline}\`), then run up() again`;
    throw new ProxyVaultError(
      'CONFLICT',
      `The file already has a ${there.type} named ${there.name}, which these migrations did not make${differenceOf(driver, there, made)}. Nothing was changed: ${remedy}.`,
      { details: { object: there.name, type: there.type, baseline } },
    );
  }
}

function objectsMadeBy(present: readonly Migration[], pending: readonly Migration[]): Made[] {
  const memory = memoryDriver();
  try {
    for (const migration of present) execute(memory, migration);
    const made: Made[] = [];
    const known = new Set(readSchema(memory).map(({ name }) => name));
    for (const migration of pending) {
      for (const { sql } of sectionStatements(migration, 'up')) {
        memory.exec(sql);
        for (const object of readSchema(memory).filter(({ name }) => !known.has(name))) {
          known.add(object.name);
          made.push({
            ...object,
            columns: columnsOf(memory, object.name),
            mayExist: /\bIF\s+NOT\s+EXISTS\b/i.test(sql),
          });
        }
      }
    }
    return made;
  } finally {
    memory.close();
  }
}

/** The newest version whose objects are all there, exactly; null if there is none. */
function versionOf(driver: SqliteDriver, ledger: string, all: readonly Migration[]): number | null {
  const actual = new Set(readSchema(driver, ledger).map(({ name, sql }) => `${name} ${sql}`));
  const memory = memoryDriver();
  try {
    let found: number | null = null;
    for (const migration of all) {
      execute(memory, migration);
      if (readSchema(memory).every(({ name, sql }) => actual.has(`${name} ${sql}`)))
        found = migration.version;
    }
    return found;
  } finally {
    memory.close();
  }
}

function differenceOf(driver: SqliteDriver, there: SchemaObject, made: Made): string {
  if (there.type !== made.type) return `: a ${made.type} of that name is needed`;
  const columns = columnsOf(driver, there.name);
  const missing = made.columns.filter((column) => !columns.includes(column));
  const extra = columns.filter((column) => !made.columns.includes(column));
  const parts = [
    ...(missing.length > 0 ? [`without ${missing.join(', ')}`] : []),
    ...(extra.length > 0 ? [`with ${extra.join(', ')}`] : []),
  ];
  if (parts.length > 0) return `: it is ${parts.join(' and ')}`;
  return there.sql === made.sql ? '' : ': its definition differs';
}

function execute(driver: SqliteDriver, migration: Migration): void {
  for (const { sql } of sectionStatements(migration, 'up')) driver.exec(sql);
}

function columnsOf(driver: SqliteDriver, name: string): string[] {
  return driver.all('SELECT name FROM pragma_table_info(:name)', { name }, (row) => String(row.name));
}
