import { ProxyVaultError } from '../../../errors.ts';
import { assertOptions, assertSignal, invalidInput } from '../../../model/validation.ts';
import { Turns } from '../../turns.ts';
import { BeforeClose } from '../before-close.ts';
import type {
  BackgroundReads,
  CheckpointResult,
  Damage,
  Engine,
  Row,
  SchemaObject,
  Sizes,
  Steps,
} from '../driver.ts';
import { Background } from './background.ts';
import { type BackupOptions, backupBeforeMigration, backupTo } from './backup.ts';
import type { SqliteEngineOptions } from './connection-options.ts';
import { SqliteDriver } from './driver.ts';
import { explained } from './errors.ts';
import { eachRow, findDamage, readSizes } from './inspection.ts';
import { guardPermissions } from './permissions.ts';
import { prepareFile } from './prepare-file.ts';
import { settleLog } from './write-ahead-log.ts';

/** How long `close()` waits for the background threads: an idle one takes about a millisecond. */
const CLOSE_PATIENCE_MS = 1000;

/** {@link Engine} over SQLite: the driver, threads for background reads, long transactions, backups, and the end of all of them. */
export class SqliteEngine implements Engine<'sync'> {
  readonly driver: SqliteDriver;
  readonly background: BackgroundReads;
  readonly #options: SqliteEngineOptions;
  readonly #threads: Background;
  readonly #longTransactions = new Set<Promise<unknown>>();
  readonly #beforeClose = new BeforeClose<'sync'>();
  #ended: Promise<void> | null = null;

  /** For a sound file; see {@link open}. An engine that borrows the `threads` of another closes only its driver. */
  constructor(options: SqliteEngineOptions, threads = new Background(options)) {
    this.#options = options;
    this.driver = new SqliteDriver(options);
    this.#threads = threads;
    this.background = {
      all: async (sql, params = {}, given = {}) => {
        const { signal } = assertOptions(given, ['signal'], 'options of a background query');
        if (signal !== undefined) assertSignal(signal);
        // Another thread cannot see a database in memory.
        if (this.#isInMemory) return this.driver.readOnly(() => this.driver.all(sql, params, (row) => row));
        this.driver.assertOpen();
        try {
          return await this.#threads.all(sql, params, signal);
        } catch (error) {
          const mayBeExplained = error instanceof ProxyVaultError && this.driver.open;
          throw mayBeExplained ? explained(error, options.explain) : error;
        }
      },
    };
  }

  /** Opens a file, or creates it. @throws CANNOT_OPEN, NOT_A_DATABASE, CORRUPT as {@link prepareFile}: nothing was changed. */
  static open(options: SqliteEngineOptions): SqliteEngine {
    if (options.path !== ':memory:') prepareFile(options.path, options.readonly);
    return new SqliteEngine(options);
  }

  version(): number {
    return this.driver.version();
  }

  script(sql: string): void {
    this.driver.exec(sql);
  }

  objects(): SchemaObject[] {
    return this.driver.all(
      `SELECT type, name, sql FROM sqlite_schema
       WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, name`,
      {},
      ({ type, name, sql }) => ({
        type: String(type),
        name: String(name),
        sql: String(sql).replace(/\s+/g, ' '),
      }),
    );
  }

  columnsOf(table: string): string[] {
    return this.driver.all(
      `SELECT c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
       WHERE t.type = 'table' AND t.name = :table COLLATE NOCASE ORDER BY c.cid`,
      { table },
      (row) => String(row.name),
    );
  }

  snapshot<T>(steps: () => Steps<'sync', T>): T {
    return this.driver.snapshot(() => this.driver.sequence(steps));
  }

  changeSchema<T>(steps: () => Steps<'sync', T>): T {
    if (this.driver.inTransaction) {
      throw invalidInput('Migrations cannot run inside a transaction: return from it first.');
    }
    // Off before BEGIN, since inside a transaction the pragma is ignored and a table rebuild would delete the
    // child rows: https://www.sqlite.org/lang_altertable.html#otheralter
    this.driver.pragma('foreign_keys = OFF');
    try {
      return this.driver.atomically(() => {
        const result = this.driver.sequence(steps);
        dropTemporary(this.driver);
        const sql = 'SELECT DISTINCT "table" AS name FROM pragma_foreign_key_check';
        const broken = this.driver.all(sql, {}, (row) => String(row.name));
        if (broken.length === 0) return result;
        throw new ProxyVaultError(
          'MIGRATION_FAILED',
          `Rows of ${broken.join(', ')} would refer to rows that are gone; everything was rolled back.`,
        );
      });
    } finally {
      if (this.driver.open) this.driver.pragma('foreign_keys = ON');
    }
  }

  tryOut<T>(steps: (engine: Engine<'sync'>) => Steps<'sync', T>): T {
    const inMemory = { path: ':memory:', readonly: false, log: null, explain: undefined };
    const twin = new SqliteEngine({ ...this.#options, ...inMemory }, this.#threads);
    try {
      return twin.driver.sequence(() => steps(twin));
    } finally {
      twin.driver.close();
    }
  }

  checkpoint(): CheckpointResult {
    return this.driver.checkpoint();
  }

  sizes(): Sizes {
    return readSizes(this.driver, this.#options.path);
  }

  beforeClose(work: () => void): () => void {
    this.driver.assertOpen();
    return this.#beforeClose.add(work);
  }

  findDamage(deep: boolean): Promise<Damage> {
    return findDamage(this.background, deep);
  }

  eachRow(table: string, use: (row: Row) => void): Promise<void> {
    return eachRow(this.background, table, use);
  }

  /** As `DatabaseManager.longTransaction`. */
  longTransaction<T>(steps: (engine: SqliteEngine) => Steps<'sync', T>): Promise<T> {
    const job = this.#isInMemory
      ? Promise.resolve().then(() => this.driver.transaction(() => steps(this)))
      : this.#onOwnConnection(steps);
    this.#longTransactions.add(job);
    return job.finally(() => {
      this.#longTransactions.delete(job);
      this.driver.countChange();
    });
  }

  /** As `DatabaseManager.backup`. */
  async backup(path: string, options: BackupOptions): Promise<string> {
    this.driver.assertOpen();
    if (this.#isInMemory) throw invalidInput('A database in memory has no file to back up.');
    return backupTo(this.#options, path, options);
  }

  /** Copies the file before it is migrated, and keeps the newest `keep` of these copies. */
  backupBeforeMigration(copy: { label: string; keep: number; at: Date }): void {
    backupBeforeMigration(this.#options, copy);
  }

  /** As {@link guardPermissions}; nobody else can write a database in memory. */
  guardCredentials(hasCredentials: () => boolean, options: { allowOthersToWrite: boolean }): () => void {
    return this.#isInMemory ? () => undefined : guardPermissions(this.#options.path, hasCredentials, options);
  }

  /** Closes all connections. A background query in the middle of a long step may end later: {@link closeWhenIdle} waits for it. */
  close(): void {
    const failures: unknown[] = [];
    if (this.driver.open && !this.driver.inTransaction) {
      for (const work of this.#beforeClose.take()) failures.push(...failureOf(work));
      // A failure may have closed it.
      if (this.driver.open) this.#prepareToClose();
    }
    this.driver.close();
    // Also if the driver has closed itself after an I/O error.
    void this.#threads.close();
    if (failures.length > 0) throw failures[0];
  }

  /** As `close()`, after the background threads have ended, so that nothing is left to hold the log. */
  async closeWhenIdle(): Promise<void> {
    await this.#threads.close();
    const jobs = [...this.#longTransactions];
    try {
      this.close();
    } finally {
      await Promise.allSettled([...jobs, this.#ended]);
      if (jobs.length > 0) settleLog(this.#options);
    }
  }

  get #isInMemory(): boolean {
    return this.#options.path === ':memory:';
  }

  async #onOwnConnection<T>(steps: (engine: SqliteEngine) => Steps<'sync', T>): Promise<T> {
    this.driver.assertOpen();
    // Short, since waiting blocks the event loop; the transaction tries again between its turns.
    const own = new SqliteEngine({ ...this.#options, busyTimeoutMs: 5, leavesLog: true }, this.#threads);
    const turns = new Turns();
    try {
      return await own.driver.transactionInSlices(() => steps(own), {
        pause: () => turns.next(),
        assertWanted: () => this.driver.assertOpen(),
      });
    } catch (error) {
      this.driver.closeIfUnsafe(error);
      throw error;
    } finally {
      // What cannot be moved now stays in the log, and is as safe there.
      if (this.driver.open)
        await this.#threads.checkpoint().catch((error) => this.driver.closeIfUnsafe(error));
      own.driver.close();
    }
  }

  /** The last connection to close removes the log, and those of the threads cannot, since they only read. */
  #prepareToClose(): void {
    const { readonly } = this.#options;
    if (!readonly) this.driver.optimize();
    const ended = this.#threads.close();
    const isLast = this.#threads.waitUntilClosed(CLOSE_PATIENCE_MS);
    this.#ended = isLast || readonly ? ended : ended.then(() => settleLog(this.#options));
  }
}

/** What `work` throws, if it throws. */
function failureOf(work: () => void): unknown[] {
  try {
    work();
    return [];
  } catch (error) {
    return [error];
  }
}

/**
 * Drops the temporary objects that migrations have left: only this connection would have them, and one with the name of a table
 * of the pool would hide that from the whole program.
 */
function dropTemporary(driver: SqliteDriver): void {
  // Triggers and views before the tables that they need; a table takes its indexes with it. SQLite keeps `sqlite_sequence`.
  const left = driver.all(
    `SELECT type, name FROM sqlite_temp_schema
     WHERE type IN ('trigger', 'view', 'table') AND name <> 'sqlite_sequence' ORDER BY type DESC`,
    {},
    ({ type, name }) => `DROP ${String(type)} IF EXISTS temp."${String(name).replaceAll('"', '""')}"`,
  );
  for (const statement of left) driver.exec(statement);
}
