import type { Clock, Row } from '../drivers/driver.ts';
import type { SqliteDriver } from '../drivers/sqlite/driver.ts';
import { type Migration, OWN_NAMESPACE } from './types.ts';

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

/** The table `schema_migrations`: a line for each applied migration, written in its transaction. */
export class Ledger {
  readonly #driver: SqliteDriver;
  readonly #clock: Clock;

  constructor(driver: SqliteDriver, clock: Clock) {
    this.#driver = driver;
    this.#clock = clock;
  }

  create(): void {
    this.#driver.exec(`
      CREATE TABLE IF NOT EXISTS schema_migrations (
        position INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        version INTEGER NOT NULL,
        name TEXT NOT NULL,
        checksum TEXT NOT NULL,
        applied_at TEXT NOT NULL,
        UNIQUE (namespace, name)
      )`);
  }

  /** All lines in the order of application; none where the table does not exist yet. */
  read(): LedgerLine[] {
    const exists = this.#driver.first(
      `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'`,
      {},
      () => true,
    );
    if (!exists) return [];
    return this.#driver.all(`SELECT * FROM schema_migrations ORDER BY position`, {}, toLine);
  }

  add({ namespace, version, name, checksum }: Migration): void {
    this.#driver.run(
      `INSERT INTO schema_migrations (position, namespace, version, name, checksum, applied_at)
       VALUES ((SELECT coalesce(max(position), 0) + 1 FROM schema_migrations), :namespace, :version, :name, :checksum, :at)`,
      { namespace, version, name, checksum, at: new Date(this.#clock()).toISOString() },
    );
  }

  remove({ namespace, name }: Migration): void {
    this.#driver.run(`DELETE FROM schema_migrations WHERE namespace = :namespace AND name = :name`, {
      namespace,
      name,
    });
  }
}

/** The line of the base schema, which is no migration and is never undone. */
export function isBase(line: { namespace: string; version: number }): boolean {
  return line.namespace === OWN_NAMESPACE && line.version === 0;
}

function toLine(row: Row): LedgerLine {
  return {
    position: Number(row.position),
    namespace: String(row.namespace),
    version: Number(row.version),
    name: String(row.name),
    checksum: String(row.checksum),
    appliedAt: String(row.applied_at),
  };
}
