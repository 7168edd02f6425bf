import { ProxyVaultError } from '../../../errors.ts';
import { invalidInput } from '../../../model/validation.ts';
import type { CheckpointResult, Row } from '../driver.ts';
import type { OpenTransaction } from '../transaction.ts';
import { type Connection, openConnection } from './connection.ts';
import type { ConnectionOptions, SqlLogger } from './connection-options.ts';
import { closedError, ignoreEngine, inDoubt, isFailedSync, isInDoubt, translate } from './errors.ts';
import { ReaderPool } from './readers.ts';
import { StatementCache } from './statements.ts';
import { isBusy, isHeldHere, type Patience, pauseShortly, waitForLock } from './waiting.ts';
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

/**
 * The connection that writes, and the readers beside it: when a statement waits for the lock, what an error of it means, when
 * the log is moved, and when everything is closed because the disk may not have what was written.
 */
export abstract class Writer {
  protected readonly path: string;
  /** @internal The types of better-sqlite3 stay out of the declarations, since a user may not have them. */
  protected readonly connection: Connection;
  /** @internal */
  protected readonly readers: ReaderPool;
  /** @internal */
  protected readonly statements: StatementCache;
  protected readonly log: SqlLogger | null;
  /** The transaction that transactions.ts has begun. */
  protected current: OpenTransaction | null = null;
  /** BEGIN, COMMIT and the like, which only the driver itself may run inside a transaction. */
  readonly #controls: StatementCache;
  readonly #isReadonly: boolean;
  /** Null for a driver that does not move it. */
  readonly #wal: WriteAheadLog | null;
  readonly #patience: Patience;
  #contendedAt = Number.NEGATIVE_INFINITY;
  /** The I/O error after which the connection must not be used again. */
  #failure: ProxyVaultError | null = null;

  constructor(options: SqliteDriverOptions) {
    this.path = options.path;
    this.log = options.log;
    this.#isReadonly = options.readonly;
    this.connection = openConnection(options);
    this.statements = new StatementCache(this.connection, STATEMENTS);
    this.#controls = new StatementCache(this.connection, STATEMENTS);
    this.readers = new ReaderPool(options);
    if (options.leavesLog) this.connection.pragma('wal_autocheckpoint = 0');
    const hasLog = options.path !== ':memory:' && !options.leavesLog && !options.readonly;
    this.#wal = hasLog ? new WriteAheadLog(this.connection, options) : null;
    this.#patience = { path: options.path, timeoutMs: options.readonly ? 0 : options.busyTimeoutMs };
  }

  /** Whether a transaction is open on the connection, be it one that is lost. */
  get inTransaction(): boolean {
    return this.current !== null || this.connection.inTransaction;
  }

  get open(): boolean {
    return this.connection.open;
  }

  /** @throws CLOSED, with the reason if it was not `close()`. */
  assertOpen(): void {
    if (!this.connection.open) throw closedError(this.path, this.#failure);
  }

  protected assertUsable(): void {
    this.current?.assertAlive();
    this.assertOpen();
  }

  /**
   * Runs BEGIN, COMMIT or the like.
   *
   * @throws also if the engine has left the transaction unnoticed: SAVEPOINT would then begin another.
   */
  protected control(sql: string): void {
    this.#noteEnd();
    this.assertUsable();
    this.runControl(sql);
  }

  /** As `control`, in a transaction that may be lost. */
  protected runControl(sql: string): void {
    this.log?.(sql);
    const run = (): unknown => (this.#controls.find(sql) ?? this.#controls.prepare(sql)).run();
    try {
      run();
    } catch (error) {
      this.again(error, run, sql === 'COMMIT' ? sql : null);
    }
  }

  /** Runs several statements without parameters, such as a migration. */
  exec(sql: string): void {
    this.assertUsable();
    this.current?.assertStaysOpen(sql);
    this.log?.(sql);
    const { path, timeoutMs } = this.#patience;
    const isWaiting = timeoutMs > 0 && !this.inTransaction && !isHeldHere(path);
    try {
      // Of several statements some may have happened, so that SQLite itself must wait for the lock.
      if (isWaiting) this.connection.pragma(`busy_timeout = ${timeoutMs}`);
      this.connection.exec(sql);
    } catch (error) {
      throw this.failed(error, this.commits(sql));
    } finally {
      if (isWaiting && this.connection.open) this.connection.pragma('busy_timeout = 0');
    }
    this.written();
  }

  /**
   * Outside a transaction BUSY means that nothing happened yet, so the statement waits for its turn.
   *
   * @param committing as of `failed`.
   */
  protected again<T>(error: unknown, work: () => T, committing: string | null = null): T {
    if (this.inTransaction || !isBusy(error)) throw this.failed(error, committing);
    try {
      const result = waitForLock(error, this.#patience, work);
      this.#contendedAt = performance.now();
      return result;
    } catch (last) {
      throw this.failed(last, committing);
    }
  }

  /** Others want the lock too: without a gap between two transactions of ours they would hardly get it. */
  protected leaveGap(): void {
    if (performance.now() - this.#contendedAt < CONTENTION_MS) pauseShortly();
  }

  /**
   * After a statement that writes.
   *
   * @throws if it has ended the transaction that it was in: what follows would be stored by itself.
   */
  protected written(): void {
    // The engine is asked once, since this runs after every statement that writes.
    if (this.connection.inTransaction) return;
    this.#noteEnd();
    this.assertUsable();
    this.committed();
  }

  /** The commit counts whatever happens here; after a failed fsync the connection closes itself. */
  protected committed(): void {
    try {
      this.#wal?.afterCommit(this.readers.isStreaming);
    } catch (error) {
      this.failed(error);
    }
  }

  /** A pragma's rows, or its one value. */
  pragma(source: string): unknown {
    this.assertUsable();
    let rows: Row[];
    try {
      rows = this.connection.pragma(source) as Row[];
    } catch (error) {
      rows = this.again(error, () => this.connection.pragma(source) as Row[]);
    }
    const values = rows.flatMap((row) => Object.values(row));
    return rows.length === 1 && values.length === 1 ? values[0] : rows;
  }

  /** Runs `work`, in which every write is READ_ONLY. */
  readOnly<T>(work: () => T): T {
    this.pragma('query_only = ON');
    try {
      return work();
    } finally {
      // Not through pragma(), which throws inside a transaction that is lost.
      if (this.connection.open) this.connection.pragma('query_only = OFF');
    }
  }

  /** Moves the log into the file and cuts it to nothing, as far as others allow within the busy timeout. */
  checkpoint(): CheckpointResult {
    this.assertUsable();
    if (this.#isReadonly)
      throw new ProxyVaultError(
        'READ_ONLY',
        `The log of ${this.path} cannot be moved into it: open it without readonly.`,
        { details: { path: this.path } },
      );
    if (this.#wal === null) return { complete: true, walPages: 0, movedPages: 0 };
    try {
      // Waiting for this thread would never end.
      const isInVain = this.readers.isStreaming || isHeldHere(this.path);
      return this.#wal.empty(isInVain ? 0 : this.#patience.timeoutMs);
    } catch (error) {
      throw this.failed(error);
    }
  }

  /**
   * The typed error of what the engine threw. Notes whether the engine has left the transaction, and closes the
   * connections if they must not be used again.
   *
   * @param committing the SQL text if it may have reached a commit.
   */
  protected failed(error: unknown, committing: string | null = null): ProxyVaultError {
    if (!this.connection.open) return closedError(this.path, this.#failure);
    let failure = translate(error, { open: true, path: this.path });
    if (committing !== null && isInDoubt(failure, committing)) failure = inDoubt(failure);
    if (failure.details.inDoubt === true || isFailedSync(error)) {
      this.#failure = failure;
      this.#closeAll();
    }
    if (!this.connection.open || !this.connection.inTransaction) this.current?.lose(failure);
    return failure;
  }

  /** The SQL text if it commits by itself, outside a transaction. A failed checkpoint (a PRAGMA) loses nothing. */
  protected commits(sql: string, isReadonly = false): string | null {
    if (isReadonly || this.current !== null) return null;
    return /^\s*PRAGMA\b/i.test(sql) ? null : sql;
  }

  /** https://www.sqlite.org/pragma.html#pragma_optimize: it may be skipped, so no error of it matters, and it never waits. */
  optimize(): void {
    try {
      this.connection.pragma('optimize');
    } catch (error) {
      ignoreEngine(error);
    }
  }

  /**
   * Closes every connection, after the log was moved into the file as far as readers of other connections allow within a
   * tenth of a second. A stream that is still read from gets CLOSED.
   */
  close(): void {
    if (!this.connection.open) return;
    if (this.inTransaction) {
      throw invalidInput('A database cannot be closed inside its own transaction: return from it first.');
    }
    this.readers.close(closedError(this.path));
    this.#wal?.settle();
    this.#closeAll();
  }

  /**
   * Closes this connection too if `error`, of another connection to the same file, says that the disk may not have what was
   * written: then nothing must be written any more, and every later use says why.
   */
  closeIfUnsafe(error: unknown): void {
    if (!(error instanceof ProxyVaultError) || !this.connection.open) return;
    if (error.details.inDoubt !== true && !isFailedSync(error.cause)) return;
    this.#failure = error;
    this.#closeAll();
  }

  #closeAll(): void {
    this.readers.close(closedError(this.path, this.#failure));
    this.statements.clear();
    this.#controls.clear();
    this.connection.close();
  }

  /** The transaction is lost if the engine has left it. */
  #noteEnd(): void {
    if (this.current !== null && this.connection.open && !this.connection.inTransaction)
      this.current.lose(endedError());
  }
}

function endedError(): ProxyVaultError {
  return new ProxyVaultError('SQL', 'The transaction ended before its function returned.');
}
