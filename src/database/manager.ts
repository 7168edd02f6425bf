import type { ProxyVaultError } from '../errors.ts';
import { execute, query, type SqlParameters } from './caller-sql.ts';
import type {
  BackgroundReads,
  CheckpointResult,
  Clock,
  ExecuteResult,
  Row,
  Session,
  Steps,
  VacuumResult,
} from './drivers/driver.ts';
import type { BackupOptions } from './drivers/sqlite/backup.ts';
import type { SqliteDriver } from './drivers/sqlite/driver.ts';
import { SqliteEngine } from './drivers/sqlite/engine.ts';
import {
  type CheckOptions,
  type CheckReport,
  checkDatabase,
  type DatabaseStats,
  readStats,
} from './inspection.ts';
import { MigrationRunner } from './migrations/runner.ts';
import { type DatabaseOptions, resolveOptions } from './options.ts';
import { type Pruned, type PruneOptions, prune } from './prune.ts';
import { assertSynchronous, runSynchronously } from './synchronous-work.ts';

/**
 * Opens a database without its key, or creates it; `migrations.up()` then makes or updates its tables. Most programs use
 * `openVault`, which does all of this.
 *
 * @throws CANNOT_OPEN for a folder, missing permission, or credentials in a file that everybody may write, NOT_A_DATABASE
 *   (the file is untouched), CORRUPT if the file's log belongs to another one (untouched too), DATABASE_NEWER,
 *   MIGRATION_CHANGED, MIGRATION_INVALID, INVALID_INPUT, UNSUPPORTED.
 * @example
 * using db = initDatabase({ path: './pool.db' });
 * db.migrations.up();
 * const proxies = new ProxyRepository(db);
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

  constructor(options: DatabaseOptions) {
    const settings = resolveOptions(options);
    this.path = settings.path;
    this.readonly = settings.readonly;
    this.clock = settings.clock;
    this.onInvalidRow = settings.onInvalidRow;
    const explain = (error: ProxyVaultError): ProxyVaultError | null => this.migrations.pendingError(error);
    this.engine = SqliteEngine.open({ ...settings, explain });
    this.driver = this.engine.driver;
    const keep = settings.migrationBackups;
    this.migrations = new MigrationRunner({
      engine: this.engine,
      clock: this.clock,
      migrations: settings.migrations,
      beforeChange:
        keep === 0 || this.path === ':memory:'
          ? null
          : ({ name: label }) =>
              this.engine.backupBeforeMigration({ label, keep, at: new Date(this.clock()) }),
      table: settings.migrationsTable,
    });
    try {
      this.migrations.verify();
      this.assertMayHoldCredentials = this.engine.guardCredentials(() => this.#hasCredentials(), settings);
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
   * @example
   * vault.database.transaction(() => {
   *   const { id } = vault.proxies.create({ protocol: 'http', host: '192.0.2.2', port: 8080 });
   *   vault.tags.add(id, 'mine', 'by hand');
   * }); // both or neither
   */
  transaction<T>(work: () => T): T {
    assertSynchronous(work);
    return this.driver.atomically(() => runSynchronously(work));
  }

  /**
   * The rows of one statement of your own, as plain objects: a SELECT, or a write with RETURNING. Inside `transaction()` it is a part of it.
   * An integer that a number cannot hold exactly is a bigint.
   *
   * @param params an array for `?`, an object for `:name`.
   * @throws INVALID_INPUT for several statements, a statement without rows, and parameters that are missing, unknown or of another
   *   type; SQL, CONFLICT, CONSTRAINT, READ_ONLY, BUSY, CLOSED, MIGRATION_PENDING.
   * @example
   * interface Target { id: number; url: string }
   * const due = vault.database.query<Target>(
   *   'SELECT id, url FROM targets WHERE checked_at < :before',
   *   { before: new Date(Date.now() - 3_600_000) },
   * );
   */
  query<T extends object = Row>(sql: string, params: SqlParameters = []): T[] {
    return query(this.driver, sql, params) as T[];
  }

  /**
   * Runs one statement of your own that changes something, and says how many rows it changed. It is stored when this returns; inside
   * `transaction()` it is a part of it. For what is stored, see `SqlParameter`.
   *
   * @param params an array for `?`, an object for `:name`.
   * @throws INVALID_INPUT for a statement that only reads, else as `query`.
   * @example
   * const { changes } = vault.database.execute(
   *   'UPDATE targets SET paused = ?, checked_at = ? WHERE id = ?',
   *   [true, new Date(), 7],
   * );
   */
  execute(sql: string, params: SqlParameters = []): ExecuteResult {
    return execute(this.driver, sql, params);
  }

  /**
   * One long write transaction that lets the event loop have its turns, on a connection of its own, so that nothing else
   * lands in it. It holds the write lock to its end: meanwhile a write of this process is BUSY at once, and those of others
   * wait. In memory there is one connection only, and no turn.
   *
   * @throws what the steps throw; CLOSED if the database is closed meanwhile, also while it waits for the lock: then nothing
   *   was stored. If it is in doubt whether it was (`details.inDoubt`), the database is closed.
   * @example
   * const removed = await vault.database.longTransaction(function* (session) {
   *   const tags = new ProxyTagsRepository(session);
   *   return yield* tags.removeOthersSteps('mine', 'import-7');
   * });
   */
  longTransaction<T>(steps: (session: Session<'sync'>) => Steps<'sync', T>): Promise<T> {
    const { clock, onInvalidRow, assertMayHoldCredentials } = this;
    return this.engine.longTransaction((engine) =>
      steps({ driver: engine.driver, engine, clock, onInvalidRow, assertMayHoldCredentials }),
    );
  }

  /**
   * Read-only queries that do not block the event loop: they run in worker threads, on connections of their own. They fail as
   * others do, so with MIGRATION_PENDING if the tables are not there yet.
   */
  get background(): BackgroundReads {
    return this.engine.background;
  }

  /**
   * Copies the database to a file while it is in use: to a temporary name, checked, then renamed.
   *
   * @returns the absolute path of the copy.
   * @throws CONFLICT if the target exists (with `overwrite`: unless it is an older backup that nobody has open),
   *   INVALID_INPUT for a part of the database itself, for a name that SQLite uses, and for a database in memory;
   *   CANNOT_OPEN, DISK_FULL, CORRUPT.
   * @example
   * await vault.database.backup('./pool-backup.db', { onProgress: ({ remainingPages }) => console.log(remainingPages) });
   */
  async backup(path: string, options: BackupOptions = {}): Promise<string> {
    return this.engine.backup(path, options);
  }

  /**
   * Looks for damage of the file, broken references and a changed schema; with `deep` and `encryption` also for credentials that
   * do not open for their proxy's address. Never changes anything.
   *
   * @example
   * const { ok, integrity, rows } = await vault.database.check(); // { ok: true, integrity: [], rows: [], … }
   */
  async check(options: CheckOptions = {}): Promise<CheckReport> {
    this.driver.assertOpen();
    return checkDatabase(this, options);
  }

  /**
   * Sizes and row counts.
   *
   * @example
   * const { fileBytes, walBytes, rows } = await vault.database.stats();
   * console.log(`${fileBytes + walBytes} bytes, ${rows.proxies} proxies`);
   */
  async stats(): Promise<DatabaseStats> {
    this.driver.assertOpen();
    return readStats(this);
  }

  /**
   * Moves the write-ahead log into the file and cuts it to nothing, as far as readers allow.
   *
   * @example
   * const { complete } = vault.database.checkpoint(); // false while a reader holds it up
   */
  checkpoint(): CheckpointResult {
    return this.engine.checkpoint();
  }

  /**
   * Removes old history, expired sessions, and cooldowns and leases that ended more than a day ago, in one transaction and gives how many rows went. The newest event stays. It
   * blocks the event loop meanwhile: with a `limit`, repeat it until no row goes, and let others have their turn in between.
   *
   * @throws INVALID_INPUT.
   * @example
   * const monthAgo = new Date(Date.now() - 30 * 86_400_000);
   * const { events, stats } = vault.database.prune({ eventsOlderThan: monthAgo, statsOlderThan: monthAgo }); // 1200 and 34 rows
   */
  prune(options: PruneOptions): Pruned {
    return prune(this, options);
  }

  /**
   * Gives the space of deleted rows back to the file system, and says how many bytes. Without it that space is used again by
   * new rows. It writes the whole file again, which blocks the event loop, and needs as much memory and free space as the file has.
   *
   * @throws BUSY if others read or write, or an `iterate()` loop is open; DISK_FULL, IO, READ_ONLY; INVALID_INPUT inside a
   *   transaction. Then the database is as it was.
   * @example
   * const { freedBytes } = vault.database.vacuum();
   */
  vacuum(): VacuumResult {
    return this.driver.vacuum();
  }

  get open(): boolean {
    return this.driver.open;
  }

  /**
   * Updates the query planner's statistics, moves the log into the file and closes all connections. Calling it again does
   * nothing. The file alone is then the whole pool, unless a background query is in the middle of a long step, which
   * `close()` does not wait for: `await db[Symbol.asyncDispose]()` does, also after `close()`. See docs/durability.md.
   *
   * @example
   * const db = initDatabase({ path: './pool.db' });
   * db.close(); // or declare it with `using`
   */
  close(): void {
    this.engine.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** As `close()`, after the background threads have ended, so that nothing is left to hold the log. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.engine.closeWhenIdle();
  }

  #hasCredentials(): boolean {
    return this.driver.snapshot(
      () =>
        this.engine.columnsOf('encrypted_credentials').length > 0 &&
        this.driver.one('SELECT 1 FROM encrypted_credentials LIMIT 1', {}, (row) => row !== undefined),
    );
  }
}
