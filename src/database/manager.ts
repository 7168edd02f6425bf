import { ProxyVaultError } from '../errors.ts';
import type { Clock, Params, Row, Session } from './drivers/driver.ts';
import { Background } from './drivers/sqlite/background.ts';
import { type BackupOptions, backupBeforeMigration, backupTo } from './drivers/sqlite/backup.ts';
import { prepareFile } from './drivers/sqlite/connection.ts';
import type { ConnectionOptions } from './drivers/sqlite/connection-options.ts';
import { SqliteDriver } from './drivers/sqlite/driver.ts';
import { assertOwnLog } from './drivers/sqlite/foreign-log.ts';
import {
  type CheckOptions,
  type CheckReport,
  checkDatabase,
  type DatabaseStats,
  readStats,
} from './inspection.ts';
import { MigrationRunner } from './migrations/runner.ts';
import { loadMigrations } from './migrations/sources.ts';
import type { Migration } from './migrations/types.ts';
import { type DatabaseOptions, resolveOptions } from './options.ts';
import { guardPermissions } from './permissions.ts';
import { ProxyUsageStatsRepository } from './repositories/proxy-usage-stats.repository.ts';
import { RotationEventsRepository } from './repositories/rotation-events.repository.ts';

/** What goes before this time is removed. */
export interface PruneOptions {
  eventsOlderThan?: Date | undefined;
  statsOlderThan?: Date | undefined;
}

/** How much of the write-ahead log a checkpoint moved, in pages. `complete` is false if a reader held it up. */
export interface CheckpointResult {
  complete: boolean;
  walPages: number;
  movedPages: number;
}

/**
 * Opens a database, or creates it; `migrations.up()` then makes or updates its tables.
 *
 * @throws CANNOT_OPEN for a folder, missing permission, or credentials in a file that everybody may write, NOT_A_DATABASE
 *   (the file is untouched), CORRUPT if the file's log belongs to another one (untouched too), DATABASE_NEWER,
 *   MIGRATION_CHANGED, MIGRATION_INVALID, INVALID_INPUT, UNSUPPORTED.
 */
export function initDatabase(options: DatabaseOptions): DatabaseManager {
  return new DatabaseManager(options);
}

/** One open database: its connections, transactions, migrations and upkeep. Give it to the repositories. */
export class DatabaseManager implements Session<'sync'>, Disposable, AsyncDisposable {
  readonly driver: SqliteDriver;
  readonly clock: Clock;
  readonly migrations: MigrationRunner;
  /** The absolute path of the file, or `:memory:`. */
  readonly path: string;
  readonly readonly: boolean;
  readonly onInvalidRow: (error: ProxyVaultError) => void;
  readonly #connection: ConnectionOptions;
  readonly #background: Background;

  constructor(options: DatabaseOptions) {
    const settings = resolveOptions(options);
    const migrations = loadMigrations(settings.migrations);
    this.path = settings.path;
    this.readonly = settings.readonly;
    this.clock = settings.clock;
    this.onInvalidRow = settings.onInvalidRow;
    this.#connection = settings;
    if (!this.#inMemory) {
      prepareFile(this.path, this.readonly);
      assertOwnLog(this.path);
    }
    this.driver = new SqliteDriver({ ...settings, explain: (error) => this.migrations.pendingError(error) });
    this.#background = new Background({ ...settings, workers: settings.backgroundWorkers });
    this.migrations = new MigrationRunner({
      driver: this.driver,
      clock: this.clock,
      migrations,
      beforeChange: (first) => this.#backupBefore(first, settings.migrationBackups),
      table: settings.migrationsTable,
    });
    try {
      this.migrations.verify();
      if (!this.#inMemory) guardPermissions(this.path, this.driver, settings);
    } catch (error) {
      this.driver.close();
      throw error;
    }
  }

  /**
   * Runs `work` in a write transaction: all of it is stored, or, if it throws, nothing. Inside another it is
   * a savepoint, which can fail alone. But if the engine itself has rolled everything back, as on a full disk, every
   * later statement throws, and so does the outermost transaction, even if `work` has caught the error.
   *
   * @throws ASYNC_TRANSACTION for an async function (it would commit at its first await), BUSY, CLOSED.
   */
  transaction<T>(work: () => T): T {
    assertSynchronous(work);
    return this.driver.atomically(() => {
      const result = work();
      if (isThenable(result)) throw asynchronous(work, 'returned a promise');
      return result;
    });
  }

  /** Read-only queries that do not block the event loop: they run in worker threads, on connections of their own. */
  get background(): Pick<Background, 'all'> {
    if (!this.#inMemory) {
      return {
        all: async (sql, params, options) => {
          this.driver.assertOpen();
          return this.#background.all(sql, params, options);
        },
      };
    }
    // Another thread cannot see a database in memory.
    return {
      all: async (sql: string, params: Params = {}): Promise<Row[]> =>
        this.driver.readOnly(() => this.driver.all(sql, params, (row) => row)),
    };
  }

  /**
   * Copies the database to a file while it is in use: to a temporary name, checked, then renamed.
   *
   * @returns the absolute path of the copy.
   * @throws CONFLICT if the target exists (with `overwrite`: unless it is an older backup that nobody has open),
   *   INVALID_INPUT for a part of the database itself, for a name that SQLite uses, and for a database in memory;
   *   CANNOT_OPEN, DISK_FULL, CORRUPT.
   */
  async backup(path: string, options: BackupOptions = {}): Promise<string> {
    this.driver.assertOpen();
    if (this.#inMemory)
      throw new ProxyVaultError('INVALID_INPUT', 'A database in memory has no file to back up.');
    return backupTo(this.#connection, path, options);
  }

  /**
   * Looks for damage of the file, broken references and a changed schema; with `deep` and `encryption` also for credentials that
   * do not open for their proxy's address. Never changes anything.
   */
  async check(options: CheckOptions = {}): Promise<CheckReport> {
    this.driver.assertOpen();
    return checkDatabase(this, options);
  }

  /** Sizes and row counts. */
  async stats(): Promise<DatabaseStats> {
    this.driver.assertOpen();
    return readStats(this);
  }

  /** Moves the write-ahead log into the file and cuts it to nothing, as far as readers allow. */
  checkpoint(): CheckpointResult {
    const [row] = this.driver.all('PRAGMA wal_checkpoint(TRUNCATE)', {}, (result) => ({
      complete: result.busy === 0,
      walPages: Math.max(0, Number(result.log)),
      movedPages: Math.max(0, Number(result.checkpointed)),
    }));
    return row ?? { complete: true, walPages: 0, movedPages: 0 };
  }

  /** Removes old history and gives how many rows went. The newest event stays: rotation goes on from it. */
  prune({ eventsOlderThan, statsOlderThan }: PruneOptions): { events: number; stats: number } {
    return this.transaction(() => ({
      events: eventsOlderThan ? new RotationEventsRepository(this).deleteOlderThan(eventsOlderThan) : 0,
      stats: statsOlderThan ? new ProxyUsageStatsRepository(this).deleteOlderThan(statsOlderThan) : 0,
    }));
  }

  get open(): boolean {
    return this.driver.open;
  }

  /** Updates the query planner's statistics and closes all connections. Calling it again does nothing. */
  close(): void {
    if (!this.readonly && this.driver.open && !this.driver.inTransaction) this.#optimize();
    this.driver.close();
    // Also if the driver has closed itself after an I/O error.
    void this.#background.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * As `close()`, once the background threads have ended: the last connection to close removes the log, and theirs,
   * which only read, cannot.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#background.close();
    this.close();
  }

  get #inMemory(): boolean {
    return this.path === ':memory:';
  }

  /** https://www.sqlite.org/pragma.html#pragma_optimize: it may be skipped, so a lock is no reason to fail. */
  #optimize(): void {
    try {
      this.driver.pragma('busy_timeout = 0');
      this.driver.pragma('optimize');
    } catch (error) {
      const harmless =
        error instanceof ProxyVaultError &&
        ['BUSY', 'DISK_FULL', 'READ_ONLY', 'CORRUPT', 'IO'].includes(error.code);
      if (!harmless) throw error;
    }
  }

  #backupBefore(first: Migration, keep: number): void {
    if (keep === 0 || this.#inMemory || !hasRows(this.driver, this.migrations.table)) return;
    backupBeforeMigration(this.#connection, { label: first.name, keep, at: new Date(this.clock()) });
  }
}

function hasRows(driver: SqliteDriver, ledger: string): boolean {
  const tables = driver.all(
    `SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> :ledger AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
    { ledger },
    (row) => String(row.name),
  );
  return tables.some((table) =>
    driver.first(`SELECT 1 FROM "${table.replaceAll('"', '""')}" LIMIT 1`, {}, () => true),
  );
}

function assertSynchronous(work: unknown): asserts work is () => unknown {
  if (typeof work !== 'function') throw new ProxyVaultError('INVALID_INPUT', 'transaction takes a function.');
  const kind = Object.prototype.toString.call(work);
  if (kind === '[object AsyncFunction]' || kind === '[object AsyncGeneratorFunction]')
    throw asynchronous(work, 'is async');
  if (kind === '[object GeneratorFunction]') {
    throw new ProxyVaultError(
      'INVALID_INPUT',
      `${nameOf(work)} is a generator, and would not run: give a plain function.`,
    );
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function asynchronous(work: { name: string }, what: string): ProxyVaultError {
  return new ProxyVaultError(
    'ASYNC_TRANSACTION',
    `${nameOf(work)} ${what}: a transaction cannot wait. Await first, then write in a plain function; nothing was stored.`,
  );
}

function nameOf(work: { name: string }): string {
  return work.name === '' ? 'The transaction function' : `The transaction function ${work.name}`;
}
