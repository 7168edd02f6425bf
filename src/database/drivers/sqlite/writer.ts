import type { Statement } from 'better-sqlite3';

import { ProxyVaultError } from '../../../errors.ts';
import { invalidInput } from '../../../model/validation.ts';
import type { OpenTransaction } from '../transaction.ts';
import { type Connection, openConnection } from './connection.ts';
import type { SqliteDriverOptions } from './connection-options.ts';
import { closedError, inDoubt, isFailedSync, isInDoubt, translate } from './errors.ts';
import { ReaderPool } from './readers.ts';
import { StatementCache } from './statements.ts';
import { isBusy, type Patience, pauseShortly, waitForLock } from './waiting.ts';
import { WriteAheadLog } from './write-ahead-log.ts';

/** For this long after a wait for the lock, others are taken to want it too. */
const CONTENTION_MS = 1000;

/** More than the program has SQL texts, so that only a caller's own, made from values, push one out. */
const STATEMENTS = 1000;
/** An application's own, whose values may be in the text. */
const CALLER_STATEMENTS = 200;

/**
 * The connection that writes, and the readers beside it: decides when a statement waits for the lock, what an error of it means,
 * when the log is moved, and when everything is closed because the disk may not have what was written.
 */
export class Writer {
  readonly connection: Connection;
  readonly readers: ReaderPool;
  readonly statements: StatementCache;
  /** An application's own; they give every integer as a bigint. */
  readonly callerStatements: StatementCache;
  /** Null if this connection does not move the log. */
  readonly wal: WriteAheadLog | null;
  readonly patience: Patience;
  /** The transaction that transactions.ts has begun. */
  transaction: OpenTransaction | null = null;
  /** As {@link Driver.changes}. */
  changes = 0;
  readonly #log: SqliteDriverOptions['log'];
  /** BEGIN, COMMIT and the like, which only the driver itself may run inside a transaction. */
  readonly #controls: StatementCache;
  #dataVersion: Statement | null = null;
  #contendedAt = Number.NEGATIVE_INFINITY;
  /** The I/O error after which the connection must not be used again. */
  #failure: ProxyVaultError | null = null;

  constructor(options: SqliteDriverOptions) {
    const { path, readonly, busyTimeoutMs, leavesLog } = options;
    this.#log = options.log;
    this.connection = openConnection(options);
    this.statements = new StatementCache(this.connection, STATEMENTS);
    this.callerStatements = new StatementCache(this.connection, CALLER_STATEMENTS, true);
    this.#controls = new StatementCache(this.connection, STATEMENTS);
    this.readers = new ReaderPool(options);
    if (leavesLog) this.connection.pragma('wal_autocheckpoint = 0');
    const hasLog = path !== ':memory:' && !leavesLog && !readonly;
    this.wal = hasLog ? new WriteAheadLog(this.connection, options) : null;
    this.patience = { path, timeoutMs: readonly ? 0 : busyTimeoutMs };
  }

  /** Whether a transaction is open on the connection, be it one that is lost. */
  get inTransaction(): boolean {
    return this.transaction !== null || this.connection.inTransaction;
  }

  /** @throws CLOSED, with the reason if it was not `close()`. */
  assertOpen(): void {
    if (!this.connection.open) throw closedError(this.patience.path, this.#failure);
  }

  /** @throws CLOSED; if the transaction is lost, its cause. It is also lost if the engine has left it unnoticed. */
  assertUsable(): void {
    if (this.transaction !== null && this.connection.open && !this.connection.inTransaction)
      this.transaction.lose(
        new ProxyVaultError('SQL', 'The transaction ended before its function returned.'),
      );
    this.transaction?.assertAlive();
    this.assertOpen();
  }

  /** After `work` threw. Outside a transaction BUSY means that nothing happened yet, so it waits for its turn. */
  again<T>(error: unknown, work: () => T, sql: string | null = null): T {
    if (this.inTransaction || !isBusy(error)) throw this.failed(error, sql);
    try {
      const result = waitForLock(error, this.patience, work);
      this.#contendedAt = performance.now();
      return result;
    } catch (last) {
      throw this.failed(last, sql);
    }
  }

  /** Runs `work`, and {@link again} if it throws. */
  attempt<T>(work: () => T, sql: string | null = null): T {
    try {
      return work();
    } catch (error) {
      return this.again(error, work, sql);
    }
  }

  /** Runs `work`, which waits no longer than this for a lock. */
  waitingAtMost<T>(milliseconds: number, work: () => T): T {
    const { timeoutMs } = this.patience;
    this.patience.timeoutMs = Math.min(milliseconds, timeoutMs);
    try {
      return work();
    } finally {
      this.patience.timeoutMs = timeoutMs;
    }
  }

  /** Others want the lock too: without a gap between two transactions of ours they would hardly get it. */
  leaveGap(): void {
    if (performance.now() - this.#contendedAt < CONTENTION_MS) pauseShortly();
  }

  /** Runs BEGIN, COMMIT or the like. A SAVEPOINT would begin another transaction if the engine has left this one. */
  control(sql: string): void {
    this.assertUsable();
    this.runControl(sql);
  }

  /** As `control`, in a transaction that may be lost. */
  runControl(sql: string): void {
    this.#log?.(sql);
    this.attempt(
      () => (this.#controls.find(sql) ?? this.#controls.prepare(sql)).statement.run(),
      sql === 'COMMIT' ? sql : null,
    );
  }

  /** https://www.sqlite.org/pragma.html#pragma_data_version: what others commit changes it, and what this connection does not. */
  dataVersion(): number {
    this.assertUsable();
    return this.attempt(() => {
      this.#dataVersion ??= this.connection.prepare('PRAGMA data_version').pluck();
      return this.#dataVersion.get() as number;
    });
  }

  /** After a statement that writes. @throws if it has ended its transaction: what follows would be stored by itself. */
  written(): void {
    if (this.connection.inTransaction) return;
    if (this.transaction !== null) this.assertUsable();
    this.committed();
  }

  /** The commit counts whatever happens here; after a failed fsync the connection closes itself. */
  committed(): void {
    try {
      this.wal?.afterCommit(this.readers.isStreaming);
    } catch (error) {
      this.failed(error);
    }
  }

  /**
   * The typed error for what the engine threw. The transaction is lost if the engine has left it, and the connections are
   * closed if they must not be used again.
   *
   * @param sql what was run, if it may have changed anything.
   */
  failed(error: unknown, sql: string | null = null): ProxyVaultError {
    const { path } = this.patience;
    if (!this.connection.open) return closedError(path, this.#failure);
    let failure = translate(error, { path });
    if (sql !== null && this.#commits(sql) && isInDoubt(failure, sql)) failure = inDoubt(failure);
    if (failure.details.inDoubt === true || isFailedSync(error)) this.#closeAfter(failure);
    if (!this.connection.open || !this.connection.inTransaction) this.transaction?.lose(failure);
    return failure;
  }

  /** Outside a transaction every change commits by itself. A failed checkpoint (a PRAGMA) loses nothing. */
  #commits(sql: string): boolean {
    return sql === 'COMMIT' || (this.transaction === null && !/^\s*PRAGMA\b/i.test(sql));
  }

  /** Moves the log into the file, as far as others allow within a tenth of a second, and closes every connection. */
  close(): void {
    if (!this.connection.open) return;
    if (this.inTransaction) {
      throw invalidInput('A database cannot be closed inside its own transaction: return from it first.');
    }
    this.readers.close(() => closedError(this.patience.path));
    this.wal?.settle();
    this.#closeAll();
  }

  /** If the disk may not have what another connection wrote, nothing must be written any more; every later use says why. */
  closeIfUnsafe(error: unknown): void {
    if (!(error instanceof ProxyVaultError) || !this.connection.open) return;
    if (error.details.inDoubt === true || isFailedSync(error.cause)) this.#closeAfter(error);
  }

  #closeAfter(failure: ProxyVaultError): void {
    this.#failure = failure;
    this.#closeAll();
  }

  #closeAll(): void {
    this.readers.close(() => closedError(this.patience.path, this.#failure));
    this.statements.clear();
    this.callerStatements.clear();
    this.#controls.clear();
    this.#dataVersion = null;
    this.changes++;
    this.connection.close();
  }
}
