import { ProxyVaultError } from '../../../errors.ts';
import { patiently } from '../../patience.ts';
import type { Scope, Steps } from '../driver.ts';
import { OpenTransaction } from '../transaction.ts';
import { holdHere } from './waiting.ts';
import { Writer } from './writer.ts';

/** How a long transaction lets the event loop have its turns. */
interface Slicing {
  /** A promise to wait for, or null to continue at once. */
  pause: () => Promise<void> | null;
  /** Throws if the transaction must not continue; asked while it waits for the lock, after each pause, and before it commits. */
  assertWanted: () => void;
}

/** Begins, ends and undoes the transactions and savepoints of a connection. */
export abstract class Transactions extends Writer {
  get scope(): Scope | null {
    return this.current?.scope ?? null;
  }

  /**
   * BEGIN IMMEDIATE (a savepoint inside another), `work`, COMMIT; ROLLBACK if it throws. If the engine itself has rolled
   * everything back, the outermost throws the first cause, even if `work` has caught it.
   */
  atomically<T>(work: () => T): T {
    return this.current === null ? this.#outermost(work) : this.#nested(this.current, work);
  }

  afterTransaction(work: () => unknown): void {
    if (this.current === null) work();
    else this.current.followUpWith(work);
  }

  #outermost<T>(work: () => T): T {
    // Somebody may have begun a transaction by hand, with exec(): it is not ours to end.
    const isInside = this.connection.inTransaction;
    const [begin, commit, undo] = isInside
      ? controlsOf('proxyvault')
      : (['BEGIN IMMEDIATE', 'COMMIT', ['ROLLBACK']] as const);
    this.leaveGap();
    this.control(begin);
    const transaction = new OpenTransaction(isInside);
    this.current = transaction;
    try {
      const result = work();
      this.control(commit);
      if (!isInside) this.committed();
      return result;
    } catch (error) {
      this.#undo(undo);
      throw transaction.cause ?? error;
    } finally {
      this.current = null;
      for (const work of transaction.followUps) runQuietly(work);
    }
  }

  #nested<T>(transaction: OpenTransaction, work: () => T): T {
    const [begin, commit, undo] = controlsOf(`proxyvault_${transaction.depth}`);
    this.control(begin);
    transaction.enter();
    try {
      const result = work();
      this.control(commit);
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
    this.current?.undo();
    // A full disk or an I/O error has rolled back already: https://www.sqlite.org/lang_transaction.html
    if (!this.connection.open || !this.connection.inTransaction) return;
    try {
      for (const sql of controls) this.runControl(sql);
    } catch (error) {
      this.current?.lose(this.failed(error));
    }
  }

  /**
   * As a transaction over `steps`, but between two of them it awaits what `pause` gives, so that the event loop has its turn.
   * Every statement of this connection is the transaction's until it ends: it must have no other user.
   */
  async transactionInSlices<T>(steps: () => Steps<'sync', T>, slicing: Slicing): Promise<T> {
    await patiently(() => {
      slicing.assertWanted();
      this.control('BEGIN IMMEDIATE');
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
    using _ = holdHere(this.path);
    this.current = transaction;
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
      this.control('COMMIT');
      return step.value;
    } catch (error) {
      this.#undo(['ROLLBACK']);
      throw transaction.cause ?? error;
    } finally {
      this.current = null;
    }
  }

  /** Runs `work`, whose reads all see the same state of the database, whatever others commit. It must not write. */
  snapshot<T>(work: () => T): T {
    if (this.inTransaction) return work();
    this.control('BEGIN');
    try {
      return work();
    } finally {
      if (this.connection.open && this.connection.inTransaction) this.runControl('END');
    }
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

/** How a savepoint of this name begins, ends and is undone. */
function controlsOf(name: string): readonly [begin: string, end: string, undo: readonly string[]] {
  return [`SAVEPOINT ${name}`, `RELEASE ${name}`, [`ROLLBACK TO ${name}`, `RELEASE ${name}`]];
}
