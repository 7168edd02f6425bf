import { realpathSync } from 'node:fs';

import { ProxyVaultError } from '../errors.ts';
import { withFileErrors } from '../files/file-error.ts';
import { assertOptions } from '../model/validation.ts';
import type { CheckpointResult, Clock, Params, Row, Session, Steps } from './drivers/driver.ts';
import { Background } from './drivers/sqlite/background.ts';
import { type BackupOptions, backupBeforeMigration, backupTo } from './drivers/sqlite/backup.ts';
import { assertName } from './drivers/sqlite/backup-target.ts';
import { prepareFile } from './drivers/sqlite/connection.ts';
import { SqliteDriver, type SqliteDriverOptions } from './drivers/sqlite/driver.ts';
import { SqliteEngine } from './drivers/sqlite/engine.ts';
import { assertOwnLog } from './drivers/sqlite/foreign-log.ts';
import { settleLog } from './drivers/sqlite/write-ahead-log.ts';
import {
  type CheckOptions,
  type CheckReport,
  checkDatabase,
  type DatabaseStats,
  readStats,
} from './inspection.ts';
import { MigrationRunner } from './migrations/runner.ts';
import type { Migration } from './migrations/types.ts';
import { type DatabaseOptions, resolveOptions } from './options.ts';
import { guardCompanions, guardPermissions } from './permissions.ts';
import { ProxyUsageStatsRepository } from './repositories/proxy-usage-stats.repository.ts';
import { RotationEventsRepository } from './repositories/rotation-events.repository.ts';
import { Turns } from './turns.ts';

/** How long `close()` waits for the background threads: an idle one takes about a millisecond. */
const CLOSE_PATIENCE_MS = 1000;

/** What goes before this time is removed. */
export interface PruneOptions {
  eventsOlderThan?: Date | undefined;
  statsOlderThan?: Date | undefined;
  /** Remove at most so many rows of each. Default: all. */
  limit?: number | undefined;
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
  readonly engine: SqliteEngine;
  readonly clock: Clock;
  readonly migrations: MigrationRunner;
  /** The absolute path of the file, or `:memory:`. */
  readonly path: string;
  readonly readonly: boolean;
  readonly onInvalidRow: (error: ProxyVaultError) => void;
  /** @throws CANNOT_OPEN if every user of this machine may write the file, unless `allowOthersToWrite`. */
  readonly assertMayHoldCredentials: () => void;
  readonly #connection: SqliteDriverOptions;
  readonly #background: Background;
  readonly #jobs = new Set<Promise<unknown>>();
  #ended: Promise<void> | null = null;

  constructor(options: DatabaseOptions) {
    const settings = resolveOptions(options);
    this.path = settings.path;
    this.readonly = settings.readonly;
    this.clock = settings.clock;
    this.onInvalidRow = settings.onInvalidRow;
    const explain = (error: ProxyVaultError): ProxyVaultError | null => this.migrations.pendingError(error);
    this.#connection = { ...settings, explain };
    if (!this.#inMemory) {
      assertName(this.path);
      prepareFile(this.path, this.readonly);
      guardLogs(this.path);
    }
    this.driver = new SqliteDriver(this.#connection);
    this.engine = new SqliteEngine(this.driver);
    this.#background = new Background({ ...settings, workers: settings.backgroundWorkers });
    this.migrations = new MigrationRunner({
      driver: this.driver,
      clock: this.clock,
      migrations: settings.migrations,
      beforeChange: (first) => this.#backupBefore(first, settings.migrationBackups),
      table: settings.migrationsTable,
    });
    try {
      this.migrations.verify();
      this.assertMayHoldCredentials = this.#inMemory
        ? () => undefined
        : guardPermissions(this.path, this.driver, settings);
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

  /**
   * One long write transaction that lets the event loop have its turns, on a connection of its own, so that nothing else
   * lands in it. It holds the write lock to its end: meanwhile a write of this process is BUSY at once, and those of others
   * wait. In memory there is one connection only, and no turn.
   *
   * @throws what the steps throw; CLOSED if the database is closed meanwhile, also while it waits for the lock: then nothing
   *   was stored. If it is in doubt whether it was (`details.inDoubt`), the database is closed.
   */
  longTransaction<T>(steps: (session: Session<'sync'>) => Steps<'sync', T>): Promise<T> {
    const job = this.#inMemory
      ? Promise.resolve().then(() => this.driver.transaction(() => steps(this)))
      : this.#onOwnConnection(steps);
    this.#jobs.add(job);
    return job.finally(() => this.#jobs.delete(job));
  }

  /**
   * Read-only queries that do not block the event loop: they run in worker threads, on connections of their own. They fail as
   * others do, so with MIGRATION_PENDING if the tables are not there yet.
   */
  get background(): Pick<Background, 'all'> {
    if (!this.#inMemory) {
      return {
        all: async (sql, params, options) => {
          this.driver.assertOpen();
          try {
            return await this.#background.all(sql, params, options);
          } catch (error) {
            if (!(error instanceof ProxyVaultError && error.code === 'SQL' && this.open)) throw error;
            throw this.migrations.pendingError(error) ?? error;
          }
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
    return this.driver.checkpoint();
  }

  /**
   * Removes old history in one transaction and gives how many rows went. The newest event stays, since rotation continues from it. It
   * blocks the event loop meanwhile: with a `limit`, repeat it until no row goes, and let others have their turn in between.
   *
   * @throws INVALID_INPUT.
   */
  prune(options: PruneOptions): { events: number; stats: number } {
    const { eventsOlderThan, statsOlderThan, limit } = assertOptions(
      options,
      ['eventsOlderThan', 'statsOlderThan', 'limit'],
      'options of prune',
    );
    return this.transaction(() => ({
      events: eventsOlderThan
        ? new RotationEventsRepository(this).deleteOlderThan(eventsOlderThan, limit)
        : 0,
      stats: statsOlderThan ? new ProxyUsageStatsRepository(this).deleteOlderThan(statsOlderThan, limit) : 0,
    }));
  }

  get open(): boolean {
    return this.driver.open;
  }

  /**
   * Updates the query planner's statistics, moves the log into the file and closes all connections. Calling it again does
   * nothing. The file alone is then the whole pool, unless a background query is in the middle of a long step, which
   * `close()` does not wait for: `await db[Symbol.asyncDispose]()` does, also after `close()`. See docs/durability.md.
   */
  close(): void {
    if (this.driver.open && !this.driver.inTransaction) this.#prepareToClose();
    this.driver.close();
    // Also if the driver has closed itself after an I/O error.
    void this.#background.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** As `close()`, after the background threads have ended, so that nothing is left to hold the log. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#background.close();
    const jobs = [...this.#jobs];
    this.close();
    await Promise.allSettled([...jobs, this.#ended]);
    if (jobs.length > 0) settleLog(this.#connection);
  }

  get #inMemory(): boolean {
    return this.path === ':memory:';
  }

  /** The last connection to close removes the log, and those of the threads cannot, since they only read. */
  #prepareToClose(): void {
    if (!this.readonly) this.driver.optimize();
    const ended = this.#background.close();
    const isLast = this.#background.waitUntilClosed(CLOSE_PATIENCE_MS);
    this.#ended = isLast || this.readonly ? ended : ended.then(() => settleLog(this.#connection));
  }

  async #onOwnConnection<T>(steps: (session: Session<'sync'>) => Steps<'sync', T>): Promise<T> {
    this.driver.assertOpen();
    // Short, since waiting blocks the event loop; the transaction tries again between its turns.
    const driver = new SqliteDriver({ ...this.#connection, busyTimeoutMs: 5, leavesLog: true });
    const { clock, onInvalidRow, assertMayHoldCredentials } = this;
    const session = {
      driver,
      engine: new SqliteEngine(driver),
      clock,
      onInvalidRow,
      assertMayHoldCredentials,
    };
    const turns = new Turns();
    const pause = (): Promise<void> | null => turns.next();
    const assertWanted = (): void => this.driver.assertOpen();
    try {
      return await driver.transactionInSlices(() => steps(session), { pause, assertWanted });
    } catch (error) {
      this.driver.closeIfUnsafe(error);
      throw error;
    } finally {
      // What cannot be moved now stays in the log, and is as safe there.
      if (this.open) await this.#background.checkpoint().catch((error) => this.driver.closeIfUnsafe(error));
      driver.close();
    }
  }

  #backupBefore(first: Migration, keep: number): void {
    if (keep === 0 || this.#inMemory || !hasRows(this.driver, this.migrations.table)) return;
    backupBeforeMigration(this.#connection, { label: first.name, keep, at: new Date(this.clock()) });
  }
}

/** SQLite follows a symbolic link to the database, and looks for its log and journal beside the real file. */
function guardLogs(path: string): void {
  withFileErrors(`${path} cannot be opened`, path, () => {
    const real = realpathSync(path);
    assertName(real);
    guardCompanions(real);
    assertOwnLog(real);
  });
}

function hasRows(driver: SqliteDriver, ledger: string): boolean {
  const tables = driver.all(
    `SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> :ledger COLLATE NOCASE AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
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
  const mayBe = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return mayBe && 'then' in value && typeof value.then === 'function';
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
