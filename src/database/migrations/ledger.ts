import { ProxyVaultError } from '../../errors.ts';
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
import { hasLedger } from './foreign-ledger.ts';
import { type Migration, OWN_NAMESPACE } from './types.ts';

const COLUMNS = {
  position: whole(1),
  namespace: NAME,
  version: whole(),
  name: NAME,
  checksum: NAME,
  applied_at: TIME,
};

/** The ledger's columns, under whatever name it has. */
export function ledgerTable(name: string): Table<typeof COLUMNS> {
  return new Table(name, ['position'], COLUMNS);
}

/** What the database says it has. */
export interface LedgerLine {
  /** Order of application. */
  position: number;
  namespace: string;
  version: number;
  name: string;
  checksum: string;
  appliedAt: string;
}

/**
 * The table `schema_migrations`, or whatever name it was given: a line for each applied migration, written in its
 * transaction.
 */
export class Ledger<M extends Mode> {
  /** As `assertLedgerName` takes it; SQL has it between quotes, since it may be a word of SQL. */
  readonly name: string;
  readonly #engine: Engine<M>;
  readonly #clock: Clock;

  constructor(name: string, engine: Engine<M>, clock: Clock) {
    this.name = name;
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
    const table = ledgerTable(this.name);
    const sql = `SELECT * FROM "${this.name}" ORDER BY position`;
    const lines = yield* step(this.#engine.driver.all(sql, {}, (row) => toLine(table, row)));
    if (lines.some(isOurs) && !lines.some(isBase)) throw lostBase(this.name);
    return lines;
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

function isOurs({ namespace }: { namespace: string }): boolean {
  return namespace === OWN_NAMESPACE;
}

/** INVALID_ROW: without the line of the base schema its tables would be made a second time. */
function lostBase(table: string): ProxyVaultError {
  return new ProxyVaultError(
    'INVALID_ROW',
    `The row of the base schema (${OWN_NAMESPACE}, version 0) is missing from ${table} or was changed, and rows of later migrations are there: restore a backup of the database. Nothing was changed.`,
    { details: { table, id: null, column: 'namespace' } },
  );
}

/** @throws INVALID_ROW: what was applied must be known before anything is done. */
function toLine(table: ReturnType<typeof ledgerTable>, row: Row): LedgerLine {
  const { read } = table;
  const line = {
    position: Number(row.position),
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
