import { ProxyVaultError } from '../../../errors.ts';
import { patiently } from '../../patience.ts';
import type { CheckpointResult, Driver, Params, Row, Steps } from '../driver.ts';
import { type Connection, openConnection } from './connection.ts';
import type { ConnectionOptions, SqlLogger } from './connection-options.ts';
import { closedError, isFailedSync, sqliteCode, translate } from './errors.ts';
import { ReaderPool } from './readers.ts';
import { holdHere, isBusy, isHeldHere, type Patience, pauseShortly, waitForLock } from './waiting.ts';
import { WriteAheadLog } from './write-ahead-log.ts';

/** For so long after a wait for the lock it counts as contended. */
const CONTENTION_MS = 1000;

type Statement = ReturnType<Connection['prepare']>;

export interface SqliteDriverOptions extends ConnectionOptions {
  maxReaders: number;
  log: SqlLogger | null;
  /** Leave the write-ahead log to another connection: a checkpoint of a large one would block this thread. */
  leavesLog?: boolean | undefined;
}

/** {@link Driver} over better-sqlite3: one connection that writes, and a bounded set that streams reads. */
export class SqliteDriver implements Driver<'sync'> {
  readonly mode = 'sync';
  readonly #connection: Connection;
  readonly #readers: ReaderPool;
  readonly #statements = new Map<string, Statement>();
  readonly #log: SqlLogger | null;
  readonly #path: string;
  readonly #wal: WriteAheadLog | null;
  readonly #patience: Patience;
  #contendedAt = Number.NEGATIVE_INFINITY;
  #depth = 0;
  #transactions = 0;
  #rollbacks = 0;

  constructor(options: SqliteDriverOptions) {
    this.#path = options.path;
    this.#log = options.log;
    this.#connection = openConnection(options);
    this.#readers = new ReaderPool(options);
    if (options.leavesLog) this.#connection.pragma('wal_autocheckpoint = 0');
    const hasLog = options.path !== ':memory:' && !options.leavesLog;
    this.#wal = hasLog ? new WriteAheadLog(this.#connection, options) : null;
    this.#patience = { path: options.path, timeoutMs: options.readonly ? 0 : options.busyTimeoutMs };
  }

  first<T>(sql: string, params: Params, map: (row: Row) => T): T | null {
    const row = this.#get(sql, params);
    return row === undefined ? null : map(row);
  }

  one<T>(sql: string, params: Params, map: (row: Row | undefined) => T): T {
    return map(this.#get(sql, params));
  }

  all<T>(sql: string, params: Params, map: (row: Row) => T): T[];
  all<T, U>(sql: string, params: Params, map: (row: Row) => T, finish: (values: T[]) => U): U;
  all<T, U>(sql: string, params: Params, map: (row: Row) => T, finish?: (values: T[]) => U): T[] | U {
    const statement = this.#statement(sql);
    let rows: Row[];
    try {
      rows = statement.all(params) as Row[];
    } catch (error) {
      rows = this.#again(error, () => statement.all(params) as Row[]);
    }
    if (!statement.readonly) this.#committed();
    const mapped = new Array<T>(rows.length);
    for (let i = 0; i < rows.length; i++) mapped[i] = map(rows[i] as Row);
    return finish === undefined ? mapped : finish(mapped);
  }

  run(sql: string, params: Params): number;
  run<T>(sql: string, params: Params, map: (changed: number) => T): T;
  run<T>(sql: string, params: Params, map?: (changed: number) => T): number | T {
    const statement = this.#statement(sql);
    let changed: number;
    try {
      changed = statement.run(params).changes;
    } catch (error) {
      changed = this.#again(error, () => statement.run(params).changes);
    }
    this.#committed();
    return map === undefined ? changed : map(changed);
  }

  /** Streams from a snapshot taken at the first `next()`; in a transaction and in memory it reads at once. */
  iterate<T>(sql: string, params: Params, map: (row: Row) => T): IterableIterator<T> {
    if (this.#path === ':memory:' || this.#connection.inTransaction)
      return this.all(sql, params, map).values();
    this.#log?.(sql);
    return this.#readers.iterate(sql, params, map);
  }

  transaction<T>(steps: () => Steps<'sync', T>): T {
    return this.atomically(() => {
      const generator = steps();
      let step = generator.next();
      while (!step.done) step = generator.next(step.value);
      return step.value;
    });
  }

  /** BEGIN IMMEDIATE (a savepoint inside another), `work`, COMMIT; ROLLBACK if it throws. */
  atomically<T>(work: () => T): T {
    const nested = this.#connection.inTransaction;
    const savepoint = `proxyvault_${this.#depth}`;
    // Others want the lock too: without a gap between two transactions of ours they would hardly get it.
    if (!nested && performance.now() - this.#contendedAt < CONTENTION_MS) pauseShortly();
    this.#control(nested ? `SAVEPOINT ${savepoint}` : 'BEGIN IMMEDIATE');
    if (!nested) this.#transactions++;
    this.#depth++;
    try {
      const result = work();
      this.#control(nested ? `RELEASE ${savepoint}` : 'COMMIT');
      this.#committed();
      return result;
    } catch (error) {
      this.#rollbacks++;
      // A full disk or an I/O error has rolled back already: https://www.sqlite.org/lang_transaction.html
      if (this.#connection.open && this.#connection.inTransaction) {
        if (nested) this.#control(`ROLLBACK TO ${savepoint}`);
        this.#control(nested ? `RELEASE ${savepoint}` : 'ROLLBACK');
      }
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /**
   * As `transaction`, but between two steps it awaits what `pause` gives, so that the event loop has its turn. Every
   * statement of this connection is the transaction's until it ends: it must have no other user.
   */
  async transactionInSlices<T>(steps: () => Steps<'sync', T>, pause: () => Promise<void> | null): Promise<T> {
    await patiently(() => this.#control('BEGIN IMMEDIATE'));
    using _ = holdHere(this.#path);
    this.#transactions++;
    this.#depth++;
    try {
      const generator = steps();
      let step = generator.next();
      while (!step.done) {
        const turn = pause();
        if (turn) await turn;
        step = generator.next(step.value);
      }
      this.#control('COMMIT');
      return step.value;
    } catch (error) {
      this.#rollbacks++;
      if (this.#connection.open && this.#connection.inTransaction) this.#control('ROLLBACK');
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /** Runs `work`, in which every write is READ_ONLY. */
  readOnly<T>(work: () => T): T {
    this.pragma('query_only = ON');
    try {
      return work();
    } finally {
      this.pragma('query_only = OFF');
    }
  }

  /** Whether a transaction is open on the writing connection. */
  get inTransaction(): boolean {
    return this.#connection.inTransaction;
  }

  get transactionNumber(): number {
    return this.#connection.inTransaction ? this.#transactions : 0;
  }

  get rollbacks(): number {
    return this.#rollbacks;
  }

  get open(): boolean {
    return this.#connection.open;
  }

  /** Runs several statements without parameters, such as a migration. */
  exec(sql: string): void {
    this.#assertOpen();
    this.#log?.(sql);
    const { path, timeoutMs } = this.#patience;
    const isWaiting = timeoutMs > 0 && !this.#connection.inTransaction && !isHeldHere(path);
    try {
      // Of several statements some may have happened, so that SQLite itself must wait for the lock.
      if (isWaiting) this.#connection.pragma(`busy_timeout = ${timeoutMs}`);
      this.#connection.exec(sql);
    } catch (error) {
      throw this.#failed(error);
    } finally {
      if (isWaiting && this.#connection.open) this.#connection.pragma('busy_timeout = 0');
    }
  }

  /** Moves the log into the file and cuts it to nothing, as far as others allow within the busy timeout. */
  checkpoint(): CheckpointResult {
    this.#assertOpen();
    if (this.#wal === null) return { complete: true, walPages: 0, movedPages: 0 };
    try {
      // Waiting for this thread would never end.
      const isInVain = this.#readers.isStreaming || isHeldHere(this.#path);
      return this.#wal.empty(isInVain ? 0 : this.#patience.timeoutMs);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** A pragma's rows, or its one value. */
  pragma(source: string): unknown {
    this.#assertOpen();
    let rows: unknown;
    try {
      rows = this.#connection.pragma(source);
    } catch (error) {
      rows = this.#again(error, () => this.#connection.pragma(source));
    }
    const [row] = Array.isArray(rows) ? rows : [];
    const values = Object.values(row ?? {});
    return Array.isArray(rows) && rows.length === 1 && values.length === 1 ? values[0] : rows;
  }

  /**
   * Closes every connection, after the log was moved into the file as far as readers of other connections allow within a
   * tenth of a second. A stream that is still read from gets CLOSED.
   */
  close(): void {
    if (!this.#connection.open) return;
    if (this.#connection.inTransaction) {
      throw new ProxyVaultError(
        'INVALID_INPUT',
        'A database cannot be closed inside its own transaction: return from it first.',
      );
    }
    this.#readers.close();
    this.#statements.clear();
    this.#wal?.settle();
    this.#connection.close();
  }

  /** https://www.sqlite.org/pragma.html#pragma_optimize: it may be skipped, so no error of it matters, and it never waits. */
  optimize(): void {
    try {
      this.#connection.pragma('optimize');
    } catch (error) {
      if (sqliteCode(error) === null) throw error;
    }
  }

  #get(sql: string, params: Params): Row | undefined {
    const statement = this.#statement(sql);
    let row: Row | undefined;
    try {
      row = statement.get(params) as Row | undefined;
    } catch (error) {
      row = this.#again(error, () => statement.get(params) as Row | undefined);
    }
    if (!statement.readonly) this.#committed();
    return row;
  }

  #statement(sql: string): Statement {
    this.#log?.(sql);
    return this.#statements.get(sql) ?? this.#prepare(sql);
  }

  #prepare(sql: string): Statement {
    this.#assertOpen();
    try {
      const statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
      return statement;
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #control(sql: string): void {
    this.#log?.(sql);
    const statement = this.#statements.get(sql) ?? this.#prepare(sql);
    try {
      statement.run();
    } catch (error) {
      this.#again(error, () => statement.run());
    }
  }

  /** Outside a transaction BUSY means that nothing happened yet, so the statement waits for its turn. */
  #again<T>(error: unknown, work: () => T): T {
    if (this.#connection.inTransaction || !isBusy(error)) throw this.#failed(error);
    try {
      const result = waitForLock(error, this.#patience, work);
      this.#contendedAt = performance.now();
      return result;
    } catch (last) {
      throw this.#failed(last);
    }
  }

  /** The commit counts whatever happens here; after a failed fsync the connection closes itself. */
  #committed(): void {
    if (this.#wal === null || this.#connection.inTransaction) return;
    try {
      this.#wal.afterCommit(this.#readers.isStreaming);
    } catch (error) {
      this.#failed(error);
    }
  }

  #assertOpen(): void {
    if (!this.#connection.open) throw closedError(this.#path);
  }

  #failed(error: unknown): ProxyVaultError {
    const translated = translate(error, { open: this.#connection.open, path: this.#path });
    if (isFailedSync(error)) {
      this.#readers.close();
      this.#connection.close();
    }
    return translated;
  }
}
