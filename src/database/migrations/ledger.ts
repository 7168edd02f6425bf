import { ProxyVaultError } from '../../errors.ts';
import { invalidInput } from '../../model/validation.ts';
import {
  type Clock,
  type Engine,
  type Mode,
  type Result,
  type Row,
  type Steps,
  step,
} from '../drivers/driver.ts';
import { NAME, Table, TIME, whole } from '../repositories/columns.ts';
import { type Migration, OWN_NAMESPACE } from './types.ts';

const COLUMNS = {
  position: whole(1),
  namespace: NAME,
  version: whole(),
  name: NAME,
  checksum: NAME,
  applied_at: TIME,
};

/** Tools that call their table `schema_migrations` too, by the columns that tell. */
const OTHERS: readonly (readonly [tool: string, columns: readonly string[]])[] = [
  ['golang-migrate', ['dirty', 'version']],
  ['Rails or dbmate', ['version']],
  ['Ecto', ['inserted_at', 'version']],
];

/** The ledger's columns, under whatever name it has. */
export function ledgerTable(name: string): Table<typeof COLUMNS> {
  return new Table(name, ['position'], COLUMNS);
}

/** What the database says it has. */
export type LedgerLine = ReturnType<typeof toLine>;

/** The table `schema_migrations`, or whatever its name: a line for each migration, written in its transaction. */
export class Ledger<M extends Mode> {
  /** As `assertLedgerName` takes it; SQL has it between quotes, since it may be a word of SQL. */
  readonly name: string;
  readonly #table: ReturnType<typeof ledgerTable>;
  readonly #engine: Engine<M>;
  readonly #clock: Clock;

  constructor(name: string, engine: Engine<M>, clock: Clock) {
    this.name = name;
    this.#table = ledgerTable(name);
    this.#engine = engine;
    this.#clock = clock;
  }

  create(): Result<M, void> {
    return this.#engine.script(`
      CREATE TABLE IF NOT EXISTS "${this.name}" (
        position INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        version INTEGER NOT NULL,
        name TEXT NOT NULL,
        checksum TEXT NOT NULL,
        applied_at TEXT NOT NULL,
        UNIQUE (namespace, name)
      )`);
  }

  /** All lines in the order of application; none before the table exists. @throws as `hasLedger`; INVALID_ROW. */
  read(): Result<M, LedgerLine[]> {
    // In one snapshot: another process may make the table between two of these statements.
    return this.#engine.snapshot(() => this.#read());
  }

  *#read(): Steps<M, LedgerLine[]> {
    if (!(yield* hasLedger(this.#engine, this.name))) return [];
    const sql = `SELECT * FROM "${this.name}" ORDER BY position`;
    const lines = yield* step(this.#engine.driver.all(sql, {}, (row) => toLine(this.#table, row)));
    if (lines.some(isBase) || lines.every(({ namespace }) => namespace !== OWN_NAMESPACE)) return lines;
    // Without the line of the base schema its tables would be made a second time.
    throw new ProxyVaultError(
      'INVALID_ROW',
      `The row of the base schema (${OWN_NAMESPACE}, version 0) is missing from ${this.name} or was changed, and rows of later migrations are there: restore a backup of the database. Nothing was changed.`,
      { details: { table: this.name, id: null, column: 'namespace' } },
    );
  }

  add({ namespace, version, name, checksum }: Migration): Result<M, number> {
    return this.#engine.driver.run(
      `INSERT INTO "${this.name}" (position, namespace, version, name, checksum, applied_at)
       VALUES ((SELECT coalesce(max(position), 0) + 1 FROM "${this.name}"), :namespace, :version, :name, :checksum, :at)`,
      { namespace, version, name, checksum, at: new Date(this.#clock()).toISOString() },
    );
  }

  remove({ namespace, name }: Migration): Result<M, number> {
    return this.#engine.driver.run(
      `DELETE FROM "${this.name}" WHERE namespace = :namespace AND name = :name`,
      { namespace, name },
    );
  }
}

/** The line of the base schema, which is no migration and is never undone. */
export function isBase(line: { namespace: string; version: number }): boolean {
  return line.namespace === OWN_NAMESPACE && line.version === 0;
}

/** @throws INVALID_ROW: what was applied must be known before anything is done. */
function toLine(table: ReturnType<typeof ledgerTable>, row: Row) {
  const { read } = table;
  const line = {
    namespace: read.namespace(row.namespace, row),
    version: read.version(row.version, row),
    name: read.name(row.name, row),
    checksum: read.checksum(row.checksum, row),
    // Only shown.
    appliedAt: String(row.applied_at),
  };
  if (Number(/^\d+/.exec(line.name)?.[0]) === line.version) return line;
  return table.refuse(
    row,
    'version',
    `it is not the number that the name ${JSON.stringify(line.name)} begins with`,
  );
}

/**
 * Whether the ledger is in the file.
 * @throws CONFLICT if something else has its name; INVALID_INPUT if ours has another name, so that no migration runs twice.
 */
function* hasLedger<M extends Mode>(engine: Engine<M>, table: string): Steps<M, boolean> {
  const columns = yield* step(engine.columnsOf(table));
  if (hasOwnColumns(columns)) return true;
  const objects = yield* step(engine.objects());
  const found = objects.find(({ name }) => name.toLowerCase() === table.toLowerCase());
  if (found === undefined) {
    const elsewhere = yield* findLedger(
      engine,
      objects.flatMap(({ type, name }) => (type === 'table' ? name : [])),
    );
    if (elsewhere === null) return false;
    throw invalidInput(
      `The migrations of this file are recorded in the table ${elsewhere}, and not in ${table}: open it with \`migrationsTable: '${elsewhere}'\` (PROXYVAULT_MIGRATIONS_TABLE=${elsewhere}). Nothing was changed.`,
      { table, found: elsewhere },
    );
  }
  const owner = OTHERS.find(([, theirs]) => theirs.join() === columns.toSorted().join())?.[0] ?? null;
  const what = owner === null ? `the ${found.type} of another program` : `the migration table of ${owner}`;
  const those = columns.length === 0 ? '' : ` (columns: ${columns.join(', ')})`;
  throw new ProxyVaultError(
    'CONFLICT',
    `In this file ${table} is ${what}${those}. Nothing was changed: use a file of its own, or give our migration table another name with \`migrationsTable: 'proxyvault_migrations'\` (PROXYVAULT_MIGRATIONS_TABLE).`,
    { details: { table, owner } },
  );
}

/** The table that has our columns and our lines, whatever its name. */
function* findLedger<M extends Mode>(engine: Engine<M>, tables: readonly string[]): Steps<M, string | null> {
  for (const name of tables) {
    if (!hasOwnColumns(yield* step(engine.columnsOf(name)))) continue;
    const sql = `SELECT 1 FROM "${name.replaceAll('"', '""')}" WHERE namespace = :namespace LIMIT 1`;
    const isOurs = engine.driver.one(sql, { namespace: OWN_NAMESPACE }, (row) => row !== undefined);
    if (yield* step(isOurs)) return name;
  }
  return null;
}

function hasOwnColumns(columns: readonly string[]): boolean {
  return Object.keys(COLUMNS).every((column) => columns.includes(column));
}
