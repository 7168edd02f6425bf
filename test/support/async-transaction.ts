import type { Scope } from 'proxyvault/driver';
import type { SqliteEngine } from '../../src/database/drivers/sqlite/engine.ts';
import { OpenTransaction } from '../../src/database/drivers/transaction.ts';
import { ProxyVaultError } from '../../src/errors.ts';

/** An outermost transaction, from its BEGIN to its end, on a connection of its own. */
export class Transaction {
  readonly engine: SqliteEngine;
  readonly open = new OpenTransaction();
  #hasEnded = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(engine: SqliteEngine) {
    this.engine = engine;
  }

  /** Runs `work` after everything that was asked of this transaction before. */
  inOrder<T>(work: () => T | Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Runs a statement; the transaction is lost if it must be played again, or if the engine has left it. */
  run<T>(sql: string, work: (engine: SqliteEngine) => T): T {
    this.assertAlive();
    this.open.assertStaysOpen(sql);
    try {
      return work(this.engine);
    } catch (error) {
      if (error instanceof ProxyVaultError && (isRetryable(error) || !this.engine.driver.inTransaction))
        this.open.lose(error);
      throw error;
    }
  }

  /** BEGIN, SAVEPOINT and the like. */
  control(sql: string): void {
    this.assertAlive();
    this.engine.script(sql);
  }

  /** @throws INVALID_INPUT if a nested transaction is still open. */
  commit(): void {
    if (this.open.scope.depth > 0) this.open.lose(parentError());
    this.control('COMMIT');
    this.#hasEnded = true;
  }

  rollBack(): void {
    this.#hasEnded = true;
    this.open.scope.undo();
    if (this.engine.driver.inTransaction) this.engine.script('ROLLBACK');
  }

  assertAlive(): void {
    this.open.assertAlive();
    if (this.#hasEnded)
      throw new ProxyVaultError('INVALID_INPUT', 'The transaction of this statement has ended.');
  }
}

/** A transaction or savepoint whose steps run at this moment. */
export interface Frame {
  transaction: Transaction;
  scope: Scope;
}

/** What 40001 and 40P01 are to PostgreSQL, wherever it is among the causes: two transactions were in each other's way. */
export function isRetryable(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (!(cause instanceof ProxyVaultError)) continue;
    const { isDeadlock, sqlite } = cause.details;
    if (isDeadlock === true || String(sqlite).startsWith('SQLITE_BUSY')) return true;
  }
  return false;
}

export function deadlockError(lock: string): ProxyVaultError {
  return new ProxyVaultError('BUSY', `Two transactions wait for each other at the lock "${lock}".`, {
    details: { isDeadlock: true },
  });
}

export function givenUp(cause: unknown, plays: number, waited: number): ProxyVaultError {
  const message = `Others were in the way of this transaction ${plays} times: try again. Nothing of it was stored.`;
  return new ProxyVaultError('BUSY', message, { cause, details: { waitedMs: Math.round(waited) } });
}

export function parentError(): ProxyVaultError {
  return new ProxyVaultError(
    'INVALID_INPUT',
    'A nested transaction is open: yield it, and issue the next statement after its end.',
  );
}
