import { ProxyVaultError } from '../../errors.ts';
import { invalidInput } from '../../model/validation.ts';
import type { Scope } from './driver.ts';
import { splitStatements } from './split-script.ts';

/** How a long transaction lets the event loop have its turns. */
export interface Slicing {
  /** A promise to wait for, or null to continue at once. */
  pause: () => Promise<void> | null;
  /** Throws if the transaction must not continue; asked while it waits for the lock, after each pause, and before it commits. */
  assertWanted: () => void;
}

/** A savepoint, or the transaction around all of them. */
export class OpenScope implements Scope {
  readonly parent: OpenScope | null;
  /** How many savepoints it is in. */
  readonly depth: number;
  #isUndone = false;

  constructor(parent: OpenScope | null) {
    this.parent = parent;
    this.depth = parent === null ? 0 : parent.depth + 1;
  }

  get isUndone(): boolean {
    return this.#isUndone || (this.parent?.isUndone ?? false);
  }

  get transaction(): OpenScope {
    return this.parent?.transaction ?? this;
  }

  /**
   * What was done in it is being rolled back.
   *
   * @example
   * const transaction = new OpenTransaction();
   * transaction.enter();
   * transaction.scope.undo(); // at ROLLBACK TO SAVEPOINT
   */
  undo(): void {
    this.#isUndone = true;
  }
}

/**
 * One outermost transaction that a driver has open. An engine may end a transaction by itself: SQLite rolls all of it
 * back when the disk is full, at an I/O error, or when a trigger raises ROLLBACK
 * (https://www.sqlite.org/lang_transaction.html). Later statements would then be stored one by one. So a driver asks
 * {@link assertAlive} before each statement, and calls {@link lose} when the engine has left the transaction.
 */
export class OpenTransaction {
  /** What the driver does when the transaction has ended; each may throw. */
  readonly followUps = new Set<() => unknown>();
  readonly #isInside: boolean;
  #scope = new OpenScope(null);
  #cause: ProxyVaultError | null = null;

  /** @param isInside whether it is only a savepoint in a transaction that the caller has begun by hand: RELEASE could end it. */
  constructor(isInside = false) {
    this.#isInside = isInside;
  }

  /** The innermost savepoint that is open, or the transaction itself. */
  get scope(): OpenScope {
    return this.#scope;
  }

  /** Why the transaction is lost: what the outermost `transaction` must throw. Null while it can still be committed. */
  get cause(): ProxyVaultError | null {
    return this.#cause;
  }

  /**
   * A savepoint was begun.
   *
   * @example
   * const transaction = new OpenTransaction();
   * transaction.enter(); // after SAVEPOINT
   * console.log(transaction.scope.depth); // 1
   */
  enter(): void {
    this.#scope = new OpenScope(this.#scope);
  }

  /**
   * The innermost savepoint has ended.
   *
   * @example
   * const transaction = new OpenTransaction();
   * transaction.enter();
   * transaction.leave(); // after RELEASE
   */
  leave(): void {
    this.#scope = this.#scope.parent ?? this.#scope;
  }

  /**
   * Nothing of it is stored any more. The first cause counts.
   *
   * @example
   * const transaction = new OpenTransaction();
   * transaction.lose(new ProxyVaultError('DISK_FULL')); // the engine has rolled back
   * console.log(transaction.cause?.code); // DISK_FULL
   */
  lose(cause: ProxyVaultError): void {
    this.#cause ??= cause;
  }

  /**
   * Checks that the transaction can still be committed.
   * @throws the code of the first cause if the transaction is lost.
   * @example
   * const transaction = new OpenTransaction();
   * transaction.assertAlive(); // before each statement
   */
  assertAlive(): void {
    if (this.#cause === null) return;
    const { code, message, details } = this.#cause;
    throw new ProxyVaultError(
      code,
      `This transaction was rolled back, so nothing more can run in it: return from it, and repeat all of it. The first error was: ${message}`,
      { cause: this.#cause, details },
    );
  }

  /**
   * A statement that ends the transaction by hand is not run, since what came before it would be stored even if the
   * transaction then throws. The transaction is lost.
   *
   * @throws INVALID_INPUT for COMMIT, END and ROLLBACK, but not for ROLLBACK TO a savepoint.
   * @example
   * const transaction = new OpenTransaction();
   * transaction.assertStaysOpen('DELETE FROM crawls'); // before the text of a caller is run
   */
  assertStaysOpen(script: string): void {
    if (!endsTransaction(script) && !(this.#isInside && /\bRELEASE\b/i.test(script))) return;
    const error = invalidInput(
      'COMMIT, END and ROLLBACK cannot be run inside transaction(): return from its function to commit, or throw to roll back. Nothing of this transaction was stored.',
    );
    this.lose(error);
    throw error;
  }
}

/** Whether a script has a COMMIT, END or ROLLBACK (but not ROLLBACK TO a savepoint) among its statements. */
export function endsTransaction(script: string): boolean {
  // Most scripts have none of these words, and need not be split.
  if (!/\b(?:COMMIT|END|ROLLBACK)\b/i.test(script)) return false;
  try {
    // SQLite takes a comment that is still open at the end, and runs what is before it.
    return splitStatements(`${script}*/`, { file: 'script', firstLine: 1 }).some(
      ({ keyword, sql }) =>
        keyword === 'COMMIT' ||
        keyword === 'END' ||
        (keyword === 'ROLLBACK' && !/^ROLLBACK(?:\s+TRANSACTION)?\s+TO\b/i.test(sql)),
    );
  } catch {
    // It also runs what is before a string that is still open.
    return true;
  }
}
