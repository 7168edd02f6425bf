import { ProxyVaultError } from '../../../errors.ts';
import { patiently } from '../../patience.ts';
import type { CheckpointResult, Driver, LockName, Params, Row, Scope, Steps } from '../driver.ts';
import { endsTransaction, OpenTransaction } from '../transaction.ts';
import { type Connection, openConnection } from './connection.ts';
import type { ConnectionOptions, SqlLogger } from './connection-options.ts';
import { closedError, ignoreEngine, inDoubt, isFailedSync, isInDoubt, translate } from './errors.ts';
import { ReaderPool } from './readers.ts';
import { type Statement, StatementCache } from './statements.ts';
import { holdHere, isBusy, isHeldHere, type Patience, pauseShortly, waitForLock } from './waiting.ts';
import { WriteAheadLog } from './write-ahead-log.ts';

/** For this long after a wait for the lock, others are taken to want it too. */
const CONTENTION_MS = 1000;

/** More than the program has SQL texts, so that only a caller's own, made from values, push one out. */
const STATEMENTS = 1000;

export interface SqliteDriverOptions extends ConnectionOptions {
  maxReaders: number;
  log: SqlLogger | null;
  /** What may be wrong where a statement cannot be prepared; null if nothing is known. */
  explain?: ((error: ProxyVaultError) => ProxyVaultError | null) | undefined;
  /** Leave the write-ahead log to another connection: a checkpoint of a large one would block this thread. */
  leavesLog?: boolean | undefined;
}

/** How a long transaction lets the event loop have its turns. */
interface Slicing {
  /** A promise to wait for, or null to continue at once. */
  pause: () => Promise<void> | null;
  /** Throws if the transaction must not continue; asked while it waits for the lock, after each pause, and before it commits. */
  assertWanted: () => void;
}

/** {@link Driver} over better-sqlite3: one connection that writes, and a bounded set that streams reads. */
export class SqliteDriver implements Driver<'sync'> {
  readonly mode = 'sync';
  readonly #connection: Connection;
  readonly #readers: ReaderPool;
  readonly #statements: StatementCache;
  /** BEGIN, COMMIT and the like, which only the driver itself may run inside a transaction. */
  readonly #controls: StatementCache;
  readonly #log: SqlLogger | null;
  readonly #path: string;
  readonly #explain: SqliteDriverOptions['explain'];
  readonly #isReadonly: boolean;
  /** Null for a driver that does not move it. */
  readonly #wal: WriteAheadLog | null;
  readonly #patience: Patience;
  #contendedAt = Number.NEGATIVE_INFINITY;
  #transaction: OpenTransaction | null = null;
  /** The I/O error after which the connection must not be used again. */
  #failure: ProxyVaultError | null = null;

  constructor(options: SqliteDriverOptions) {
    this.#path = options.path;
    this.#log = options.log;
    this.#explain = options.explain;
    this.#isReadonly = options.readonly;
    this.#connection = openConnection(options);
    this.#statements = new StatementCache(this.#connection, STATEMENTS);
    this.#controls = new StatementCache(this.#connection, STATEMENTS);
    this.#readers = new ReaderPool(options);
    if (options.leavesLog) this.#connection.pragma('wal_autocheckpoint = 0');
    const hasLog = options.path !== ':memory:' && !options.leavesLog && !options.readonly;
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

  all<T>(sql: string, params: Params, map: (row: Row) => T | undefined): T[];
  all<T, U>(sql: string, params: Params, map: (row: Row) => T | undefined, finish: (values: T[]) => U): U;
  all<T, U>(
    sql: string,
    params: Params,
    map: (row: Row) => T | undefined,
    finish?: (values: T[]) => U,
  ): T[] | U {
    const statement = this.#statement(sql);
    let rows: Row[];
    try {
      rows = statement.all(params) as Row[];
    } catch (error) {
      rows = this.#again(error, () => statement.all(params) as Row[], this.#commits(sql, statement));
    }
    if (!statement.readonly) this.#written();
    const mapped = new Array<T>(rows.length);
    let kept = 0;
    for (let i = 0; i < rows.length; i++) {
      const value = map(rows[i] as Row);
      if (value !== undefined) mapped[kept++] = value;
    }
    mapped.length = kept;
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
      changed = this.#again(error, () => statement.run(params).changes, this.#commits(sql, statement));
    }
    this.#written();
    return map === undefined ? changed : map(changed);
  }

  /** Streams from a snapshot taken at the first `next()`; in a transaction and in memory it reads at once. */
  iterate<T>(sql: string, params: Params, map: (row: Row) => T | undefined): IterableIterator<T> {
    if (this.#path === ':memory:' || this.inTransaction) return this.all(sql, params, map).values();
    this.#log?.(sql);
    return this.#readers.iterate(sql, params, map);
  }

  transaction<T>(steps: () => Steps<'sync', T>): T {
    return this.atomically(() => this.sequence(steps));
  }

  sequence<T>(steps: () => Steps<'sync', T>): T {
    const generator = steps();
    let step = generator.next();
    while (!step.done) step = generator.next(step.value);
    return step.value;
  }

  /** Nothing: SQLite has one writer, and a transaction here is that writer from its beginning. */
  lock(_name: LockName): void {
    if (!this.inTransaction) throw new ProxyVaultError('INVALID_INPUT', 'A lock is held by a transaction.');
  }

  /**
   * BEGIN IMMEDIATE (a savepoint inside another), `work`, COMMIT; ROLLBACK if it throws. If the engine itself has rolled
   * everything back, the outermost throws the first cause, even if `work` has caught it.
   */
  atomically<T>(work: () => T): T {
    return this.#transaction === null ? this.#outermost(work) : this.#nested(this.#transaction, work);
  }

  #outermost<T>(work: () => T): T {
    // Somebody may have begun a transaction by hand, with exec(): it is not ours to end.
    const isInside = this.#connection.inTransaction;
    const [begin, commit, undo] = isInside
      ? controlsOf('proxyvault')
      : (['BEGIN IMMEDIATE', 'COMMIT', ['ROLLBACK']] as const);
    // Others want the lock too: without a gap between two transactions of ours they would hardly get it.
    if (performance.now() - this.#contendedAt < CONTENTION_MS) pauseShortly();
    this.#control(begin);
    const transaction = new OpenTransaction(isInside);
    this.#transaction = transaction;
    try {
      const result = work();
      this.#control(commit);
      if (!isInside) this.#committed();
      return result;
    } catch (error) {
      this.#undo(undo);
      throw transaction.cause ?? error;
    } finally {
      this.#transaction = null;
      for (const work of transaction.followUps) runQuietly(work);
    }
  }

  #nested<T>(transaction: OpenTransaction, work: () => T): T {
    const [begin, commit, undo] = controlsOf(`proxyvault_${transaction.depth}`);
    this.#control(begin);
    transaction.enter();
    try {
      const result = work();
      this.#control(commit);
      return result;
    } catch (error) {
      this.#undo(transaction.cause === null ? undo : []);
      throw error;
    } finally {
      transaction.leave();
    }
  }

  /** Rolls back. If that fails, what should be undone must not be committed: the whole transaction is lost. */
  #undo(controls: readonly string[]): void {
    this.#transaction?.undo();
    // A full disk or an I/O error has rolled back already: https://www.sqlite.org/lang_transaction.html
    if (!this.#connection.open || !this.#connection.inTransaction) return;
    try {
      for (const sql of controls) this.#runControl(sql);
    } catch (error) {
      this.#transaction?.lose(this.#failed(error));
    }
  }

  /**
   * As `transaction`, but between two steps it awaits what `pause` gives, so that the event loop has its turn. Every
   * statement of this connection is the transaction's until it ends: it must have no other user.
   */
  async transactionInSlices<T>(steps: () => Steps<'sync', T>, slicing: Slicing): Promise<T> {
    await patiently(() => {
      slicing.assertWanted();
      this.#control('BEGIN IMMEDIATE');
    });
    const transaction = new OpenTransaction();
    try {
      return await this.#inSlices(transaction, steps, slicing);
    } finally {
      // They wait for the lock too; once the transaction is not wanted any more, each is tried once.
      for (const work of transaction.followUps) {
        const attempt = (): void => {
          try {
            work();
          } catch (error) {
            slicing.assertWanted();
            throw error;
          }
        };
        await patiently(attempt).catch(ignoreTyped);
      }
    }
  }

  async #inSlices<T>(
    transaction: OpenTransaction,
    steps: () => Steps<'sync', T>,
    { pause, assertWanted }: Slicing,
  ): Promise<T> {
    using _ = holdHere(this.#path);
    this.#transaction = transaction;
    try {
      const generator = steps();
      let step = generator.next();
      while (!step.done) {
        const turn = pause();
        if (turn) {
          await turn;
          assertWanted();
        }
        step = generator.next(step.value);
      }
      assertWanted();
      this.#control('COMMIT');
      return step.value;
    } catch (error) {
      this.#undo(['ROLLBACK']);
      throw transaction.cause ?? error;
    } finally {
      this.#transaction = null;
    }
  }

  afterTransaction(work: () => unknown): void {
    if (this.#transaction === null) work();
    else this.#transaction.followUpWith(work);
  }

  /** Runs `work`, whose reads all see the same state of the database, whatever others commit. It must not write. */
  snapshot<T>(work: () => T): T {
    if (this.inTransaction) return work();
    this.#control('BEGIN');
    try {
      return work();
    } finally {
      if (this.#connection.open && this.#connection.inTransaction) this.#runControl('END');
    }
  }

  /** Runs `work`, in which every write is READ_ONLY. */
  readOnly<T>(work: () => T): T {
    this.pragma('query_only = ON');
    try {
      return work();
    } finally {
      // Not through pragma(), which throws inside a transaction that is lost.
      if (this.#connection.open) this.#connection.pragma('query_only = OFF');
    }
  }

  /** Whether a transaction is open on the writing connection, be it one that is lost. */
  get inTransaction(): boolean {
    return this.#transaction !== null || this.#connection.inTransaction;
  }

  get scope(): Scope | null {
    return this.#transaction?.scope ?? null;
  }

  get open(): boolean {
    return this.#connection.open;
  }

  /** Runs several statements without parameters, such as a migration. */
  exec(sql: string): void {
    this.#assertUsable();
    this.#transaction?.assertStaysOpen(sql);
    this.#log?.(sql);
    const { path, timeoutMs } = this.#patience;
    const isWaiting = timeoutMs > 0 && !this.inTransaction && !isHeldHere(path);
    try {
      // Of several statements some may have happened, so that SQLite itself must wait for the lock.
      if (isWaiting) this.#connection.pragma(`busy_timeout = ${timeoutMs}`);
      this.#connection.exec(sql);
    } catch (error) {
      throw this.#failed(error, this.#commits(sql));
    } finally {
      if (isWaiting && this.#connection.open) this.#connection.pragma('busy_timeout = 0');
    }
    this.#written();
  }

  /** Moves the log into the file and cuts it to nothing, as far as others allow within the busy timeout. */
  checkpoint(): CheckpointResult {
    this.#assertUsable();
    if (this.#isReadonly)
      throw new ProxyVaultError(
        'READ_ONLY',
        `The log of ${this.#path} cannot be moved into it: open it without readonly.`,
        { details: { path: this.#path } },
      );
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
    this.#assertUsable();
    let rows: Row[];
    try {
      rows = this.#connection.pragma(source) as Row[];
    } catch (error) {
      rows = this.#again(error, () => this.#connection.pragma(source) as Row[]);
    }
    const values = rows.flatMap((row) => Object.values(row));
    return rows.length === 1 && values.length === 1 ? values[0] : rows;
  }

  /**
   * Closes every connection, after the log was moved into the file as far as readers of other connections allow within a
   * tenth of a second. A stream that is still read from gets CLOSED.
   */
  close(): void {
    if (!this.#connection.open) return;
    if (this.inTransaction) {
      throw new ProxyVaultError(
        'INVALID_INPUT',
        'A database cannot be closed inside its own transaction: return from it first.',
      );
    }
    this.#readers.close(closedError(this.#path));
    this.#wal?.settle();
    this.#closeAll();
  }

  /** https://www.sqlite.org/pragma.html#pragma_optimize: it may be skipped, so no error of it matters, and it never waits. */
  optimize(): void {
    try {
      this.#connection.pragma('optimize');
    } catch (error) {
      ignoreEngine(error);
    }
  }

  /** @throws CLOSED, with the reason if it was not `close()`. */
  assertOpen(): void {
    if (!this.#connection.open) throw closedError(this.#path, this.#failure);
  }

  /**
   * Closes this connection too if `error`, of another connection to the same file, says that the disk may not have what was
   * written: then nothing must be written any more, and every later use says why.
   */
  closeIfUnsafe(error: unknown): void {
    if (!(error instanceof ProxyVaultError) || !this.#connection.open) return;
    if (error.details.inDoubt !== true && !isFailedSync(error.cause)) return;
    this.#failure = error;
    this.#closeAll();
  }

  #closeAll(): void {
    this.#readers.close(closedError(this.#path, this.#failure));
    this.#statements.clear();
    this.#controls.clear();
    this.#connection.close();
  }

  #get(sql: string, params: Params): Row | undefined {
    const statement = this.#statement(sql);
    // get() steps once and ignores the error of the reset, in which a write commits: so a write is stepped to its end.
    const read = (): Row | undefined =>
      statement.readonly ? (statement.get(params) as Row | undefined) : (statement.all(params) as Row[])[0];
    let row: Row | undefined;
    try {
      row = read();
    } catch (error) {
      row = this.#again(error, read, this.#commits(sql, statement));
    }
    if (!statement.readonly) this.#written();
    return row;
  }

  #statement(sql: string): Statement {
    this.#transaction?.assertAlive();
    this.#log?.(sql);
    return this.#statements.find(sql) ?? this.#prepare(sql);
  }

  #prepare(sql: string): Statement {
    this.assertOpen();
    this.#transaction?.assertStaysOpen(sql);
    try {
      // Not kept, so that it is looked at again inside a transaction.
      return endsTransaction(sql) ? this.#connection.prepare(sql) : this.#statements.prepare(sql);
    } catch (error) {
      const failed = this.#failed(error);
      throw (failed.code === 'SQL' && this.#explain?.(failed)) || failed;
    }
  }

  /** @throws also if the engine has left the transaction unnoticed: SAVEPOINT would then begin another. */
  #control(sql: string): void {
    this.#noteEnd();
    this.#assertUsable();
    this.#runControl(sql);
  }

  /** The transaction is lost if the engine has left it. */
  #noteEnd(): void {
    if (this.#transaction !== null && this.#connection.open && !this.#connection.inTransaction)
      this.#transaction.lose(endedError());
  }

  #runControl(sql: string): void {
    this.#log?.(sql);
    const run = (): unknown => (this.#controls.find(sql) ?? this.#controls.prepare(sql)).run();
    try {
      run();
    } catch (error) {
      this.#again(error, run, sql === 'COMMIT' ? sql : null);
    }
  }

  /**
   * Outside a transaction BUSY means that nothing happened yet, so the statement waits for its turn.
   *
   * @param committing as of `#failed`.
   */
  #again<T>(error: unknown, work: () => T, committing: string | null = null): T {
    if (this.inTransaction || !isBusy(error)) throw this.#failed(error, committing);
    try {
      const result = waitForLock(error, this.#patience, work);
      this.#contendedAt = performance.now();
      return result;
    } catch (last) {
      throw this.#failed(last, committing);
    }
  }

  /** @throws if the statement has ended the transaction that it was in: what follows would be stored by itself. */
  #written(): void {
    // The engine is asked once, since this runs after every statement that writes.
    if (this.#connection.inTransaction) return;
    this.#noteEnd();
    this.#assertUsable();
    this.#committed();
  }

  /** The commit counts whatever happens here; after a failed fsync the connection closes itself. */
  #committed(): void {
    try {
      this.#wal?.afterCommit(this.#readers.isStreaming);
    } catch (error) {
      this.#failed(error);
    }
  }

  #assertUsable(): void {
    this.#transaction?.assertAlive();
    this.assertOpen();
  }

  /**
   * The typed error of what the engine threw. Notes whether the engine has left the transaction, and closes the
   * connections if they must not be used again.
   *
   * @param committing the SQL text if it may have reached a commit.
   */
  #failed(error: unknown, committing: string | null = null): ProxyVaultError {
    if (!this.#connection.open) return closedError(this.#path, this.#failure);
    let failure = translate(error, { open: true, path: this.#path });
    if (committing !== null && isInDoubt(failure, committing)) failure = inDoubt(failure);
    if (failure.details.inDoubt === true || isFailedSync(error)) {
      this.#failure = failure;
      this.#closeAll();
    }
    if (!this.#connection.open || !this.#connection.inTransaction) this.#transaction?.lose(failure);
    return failure;
  }

  /** The SQL text if it commits by itself, outside a transaction. A failed checkpoint (a PRAGMA) loses nothing. */
  #commits(sql: string, statement?: Statement): string | null {
    if (statement?.readonly || this.#transaction !== null) return null;
    return /^\s*PRAGMA\b/i.test(sql) ? null : sql;
  }
}

function runQuietly(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    ignoreTyped(error);
  }
}

function ignoreTyped(error: unknown): void {
  if (!(error instanceof ProxyVaultError)) throw error;
}

function endedError(): ProxyVaultError {
  return new ProxyVaultError('SQL', 'The transaction ended before its function returned.');
}

/** How a savepoint of this name begins, ends and is undone. */
function controlsOf(name: string): readonly [begin: string, end: string, undo: readonly string[]] {
  return [`SAVEPOINT ${name}`, `RELEASE ${name}`, [`ROLLBACK TO ${name}`, `RELEASE ${name}`]];
}
