import { ProxyVaultError } from '../../errors.ts';
import { type Driver, type Mode, type Result, type Scope, type Steps, step } from '../drivers/driver.ts';
import type { KeyStore } from './key-store.ts';

/** From here on a rotation is due. */
export const MANY_MESSAGES = 2 ** 30;
const FIRST_BLOCK = 16;
const LARGEST_BLOCK = 4096;

/** A block of messages that was counted in a scope which may be undone, and how many of them have not been used. */
interface UncertainBlock {
  scope: Scope;
  counted: number;
  left: number;
}

/**
 * Counts messages in the database before they are encrypted, so that the count is never too low: in blocks that grow
 * while they are used up. A block that an open transaction has counted is spent in that transaction alone. What it has counted
 * and rolled back is counted again as soon as it has ended, since those messages were encrypted all the same.
 */
export class MessageBudget<M extends Mode> {
  readonly #driver: Driver<M>;
  readonly #store: KeyStore<M>;
  #keyId = '';
  /** What is left of what is counted for good. */
  #left = 0;
  #block = FIRST_BLOCK;
  #uncertain: UncertainBlock[] = [];
  /** Encrypted, and counted only by what was rolled back. */
  #owed = 0;
  #warned = '';

  constructor(driver: Driver<M>, store: KeyStore<M>) {
    this.#driver = driver;
    this.#store = store;
  }

  /** Takes one message of a key without asking the database; false if none is left that was counted. */
  take(keyId: string): boolean {
    if (keyId !== this.#keyId) this.#begin(keyId);
    if (this.#left > 0) {
      this.#left--;
      return true;
    }
    const transaction = this.#driver.scope?.transaction;
    if (transaction === undefined) return false;
    const own = this.#uncertain.findLast(
      ({ scope, left }) => left > 0 && scope.transaction === transaction && !scope.isUndone,
    );
    if (own === undefined) return false;
    own.left--;
    return true;
  }

  /** As `take`, but counts more if need be; false if there is no such key (any more). @throws KEY_EXHAUSTED, BUSY. */
  *spend(keyId: string): Steps<M, boolean> {
    if (this.take(keyId)) return true;
    this.#charge();
    // The first of these numbers of messages that there is room for.
    for (const messages of [this.#block, 1]) if (yield* this.#reserve(keyId, messages)) return true;
    if (!(yield* this.#store.has(keyId))) return false;
    throw new ProxyVaultError(
      'KEY_EXHAUSTED',
      `The data key ${keyId} has encrypted 2^32 messages, the most that are safe: run \`proxyvault key rotate\`. Nothing was encrypted.`,
      { details: { keyId } },
    );
  }

  /** Counts messages, with those owed, and takes one; false if there is no room for them. */
  *#reserve(keyId: string, messages: number): Steps<M, boolean> {
    const counted = yield* this.#count(keyId, messages);
    if (counted === null) return false;
    if (keyId !== this.#keyId) this.#begin(keyId);
    const { scope } = this.#driver;
    if (scope === null) this.#left += messages - 1;
    else {
      const { transaction } = scope;
      const isFirst = this.#uncertain.every((block) => block.scope.transaction !== transaction);
      if (isFirst) this.#driver.afterTransaction(() => this.#settle(transaction));
      this.#uncertain.push({ scope, counted, left: messages - 1 });
    }
    this.#block = Math.min(this.#block * 2, LARGEST_BLOCK);
    return true;
  }

  /** Counts messages and those owed; gives how many that were, or null if there is no room for them. */
  *#count(keyId: string, messages: number): Steps<M, number | null> {
    // Taken at once, so that what runs meanwhile does not pay it too.
    const owed = this.#owed;
    this.#owed = 0;
    let count: number | null = null;
    try {
      count = yield* step(this.#store.countMessages(keyId, messages + owed));
    } finally {
      if (count === null && keyId === this.#keyId) this.#owed += owed;
    }
    if (count === null) return null;
    if (count >= MANY_MESSAGES) this.#warn(keyId, count);
    return messages + owed;
  }

  /** A transaction has ended: what is left of its blocks is everyone's, and what was rolled back is owed, and paid. */
  #settle(transaction: Scope): Result<M, void> {
    this.#charge();
    this.#uncertain = this.#uncertain.filter(({ scope, left }) => {
      const isOver = scope.transaction === transaction;
      if (isOver) this.#left += left;
      return !isOver;
    });
    return this.#driver.sequence(() => this.#pay());
  }

  /** If the lock cannot be had now, the next message pays. */
  *#pay(): Steps<M, void> {
    if (this.#owed > 0) yield* this.#count(this.#keyId, 0);
  }

  /** What was counted in a scope that was undone is owed: what is left of it has encrypted nothing, and goes with its reservation. */
  #charge(): void {
    this.#uncertain = this.#uncertain.filter(({ scope: { isUndone }, counted, left }) => {
      if (isUndone) this.#owed += counted - left;
      return !isUndone;
    });
  }

  #begin(keyId: string): void {
    this.#keyId = keyId;
    this.#left = 0;
    this.#uncertain = [];
    this.#owed = 0;
    this.#block = FIRST_BLOCK;
  }

  #warn(keyId: string, count: number): void {
    if (this.#warned === keyId) return;
    this.#warned = keyId;
    process.emitWarning(
      `The data key ${keyId} has encrypted ${count} messages, of at most 2^32: run \`proxyvault key rotate\` soon.`,
      { type: 'ProxyVaultWarning', code: 'PROXYVAULT_KEY_USE' },
    );
  }
}
