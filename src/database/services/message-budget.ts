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

/** The messages of one key. */
interface KeyBudget {
  keyId: string;
  /** What is left of what is counted for good. */
  left: number;
  /** The size of the next block. */
  block: number;
  uncertain: UncertainBlock[];
  /** Encrypted, and counted only by what was rolled back. */
  owed: number;
}

/**
 * Counts messages in the database before they are encrypted, so that the count is never too low: in blocks that grow
 * while they are used up. A block that an open transaction has counted is spent in that transaction alone. What it has counted
 * and rolled back is counted again as soon as it has ended, since those messages were encrypted all the same.
 */
export class MessageBudget<M extends Mode> {
  readonly #driver: Driver<M>;
  readonly #store: KeyStore<M>;
  /** By key. A late message of an old key, or what it owes, is still counted after a key rotation. */
  readonly #budgets = new Map<string, KeyBudget>();
  #warned = '';

  constructor(driver: Driver<M>, store: KeyStore<M>) {
    this.#driver = driver;
    this.#store = store;
  }

  /** Takes one message of a key without asking the database; false if none is left that was counted. */
  take(keyId: string): boolean {
    const budget = this.#of(keyId);
    if (budget.left > 0) {
      budget.left--;
      return true;
    }
    const transaction = this.#driver.scope?.transaction;
    if (transaction === undefined) return false;
    const own = budget.uncertain.findLast(
      ({ scope, left }) => left > 0 && scope.transaction === transaction && !scope.isUndone,
    );
    if (own === undefined) return false;
    own.left--;
    return true;
  }

  /** As `take`, but counts more if need be; false if there is no such key (any more). @throws KEY_EXHAUSTED, BUSY. */
  *spend(keyId: string): Steps<M, boolean> {
    if (this.take(keyId)) return true;
    const budget = this.#of(keyId);
    charge(budget);
    // The first of these numbers of messages that there is room for.
    for (const messages of [budget.block, 1]) if (yield* this.#reserve(budget, messages)) return true;
    if (!(yield* this.#store.has(keyId))) return false;
    throw new ProxyVaultError(
      'KEY_EXHAUSTED',
      `The data key ${keyId} has encrypted 2^32 messages, the most that are safe: run \`proxyvault key rotate\`. Nothing was encrypted.`,
      { details: { keyId } },
    );
  }

  #of(keyId: string): KeyBudget {
    let budget = this.#budgets.get(keyId);
    if (budget === undefined) {
      budget = { keyId, left: 0, block: FIRST_BLOCK, uncertain: [], owed: 0 };
      this.#budgets.set(keyId, budget);
    }
    return budget;
  }

  /** Counts messages, with those owed, and takes one; false if there is no room for them. */
  *#reserve(budget: KeyBudget, messages: number): Steps<M, boolean> {
    const counted = yield* this.#count(budget, messages);
    if (counted === null) return false;
    const { scope } = this.#driver;
    if (scope === null) budget.left += messages - 1;
    else {
      const { transaction } = scope;
      const isFirst = budget.uncertain.every((block) => block.scope.transaction !== transaction);
      if (isFirst) this.#driver.afterTransaction(() => this.#settle(budget, transaction));
      budget.uncertain.push({ scope, counted, left: messages - 1 });
    }
    budget.block = Math.min(budget.block * 2, LARGEST_BLOCK);
    return true;
  }

  /** Counts messages and those owed; gives how many that were, or null if there is no room for them. */
  *#count(budget: KeyBudget, messages: number): Steps<M, number | null> {
    const { keyId, owed } = budget;
    if (messages + owed === 0) return 0;
    // Taken at once, so that what runs meanwhile does not pay it too.
    budget.owed = 0;
    let count: number | null = null;
    try {
      count = yield* step(this.#store.countMessages(keyId, messages + owed));
    } finally {
      if (count === null) budget.owed += owed;
    }
    if (count === null) return null;
    if (count >= MANY_MESSAGES) this.#warn(keyId, count);
    return messages + owed;
  }

  /** A transaction has ended: what is left of its blocks is everyone's. What was rolled back is counted now, or by the next message. */
  #settle(budget: KeyBudget, transaction: Scope): Result<M, unknown> {
    charge(budget);
    budget.uncertain = budget.uncertain.filter(({ scope, left }) => {
      const isOver = scope.transaction === transaction;
      if (isOver) budget.left += left;
      return !isOver;
    });
    return this.#driver.sequence(() => this.#count(budget, 0));
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

/** What was counted in a scope that was undone is owed: what is left of it has encrypted nothing, and goes with its reservation. */
function charge(budget: KeyBudget): void {
  budget.uncertain = budget.uncertain.filter(({ scope: { isUndone }, counted, left }) => {
    if (isUndone) budget.owed += counted - left;
    return !isUndone;
  });
}
