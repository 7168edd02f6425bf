import { ProxyVaultError } from '../../../errors.ts';
import type { CheckpointResult, Engine, SchemaObject, Steps } from '../driver.ts';
import { SqliteDriver } from './driver.ts';

/** {@link Engine} over SQLite. */
export class SqliteEngine implements Engine<'sync'> {
  readonly driver: SqliteDriver;

  constructor(driver: SqliteDriver) {
    this.driver = driver;
  }

  script(sql: string): void {
    this.driver.exec(sql);
  }

  objects(): SchemaObject[] {
    return this.driver.all(
      `SELECT type, name, sql FROM sqlite_schema
       WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, name`,
      {},
      (row) => ({
        type: String(row.type),
        name: String(row.name),
        sql: String(row.sql).replace(/\s+/g, ' '),
      }),
    );
  }

  columnsOf(table: string): string[] {
    return this.driver.all('SELECT name FROM pragma_table_info(:table)', { table }, (row) =>
      String(row.name),
    );
  }

  snapshot<T>(steps: () => Steps<'sync', T>): T {
    return this.driver.snapshot(() => this.driver.sequence(steps));
  }

  changeSchema<T>(steps: () => Steps<'sync', T>): T {
    // Off before BEGIN, since inside a transaction the pragma is ignored and a table rebuild would delete the
    // child rows: https://www.sqlite.org/lang_altertable.html#otheralter
    this.driver.pragma('foreign_keys = OFF');
    try {
      return this.driver.atomically(() => {
        const result = this.driver.sequence(steps);
        this.#assertForeignKeys();
        return result;
      });
    } finally {
      if (this.driver.open) this.driver.pragma('foreign_keys = ON');
    }
  }

  tryOut<T>(steps: (engine: Engine<'sync'>) => Steps<'sync', T>): T {
    const driver = new SqliteDriver({
      path: ':memory:',
      readonly: false,
      durability: 'normal',
      busyTimeoutMs: 0,
      maxReaders: 0,
      log: null,
    });
    try {
      return driver.sequence(() => steps(new SqliteEngine(driver)));
    } finally {
      driver.close();
    }
  }

  checkpoint(): CheckpointResult {
    return this.driver.checkpoint();
  }

  #assertForeignKeys(): void {
    const broken = this.driver.all(
      `SELECT DISTINCT "table" AS name FROM pragma_foreign_key_check`,
      {},
      (row) => String(row.name),
    );
    if (broken.length > 0) {
      throw new ProxyVaultError(
        'MIGRATION_FAILED',
        `Rows of ${broken.join(', ')} would refer to rows that are gone; everything was rolled back.`,
      );
    }
  }
}
