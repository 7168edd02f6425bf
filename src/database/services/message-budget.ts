import { ProxyVaultError } from '../../errors.ts';
import type { Driver, Scope } from '../drivers/driver.ts';
import type { EncryptionKeysRepository } from '../repositories/encryption-keys.repository.ts';

/** NIST SP 800-38D, section 8.3: at most 2^32 messages a key where IVs are random. */
export const MOST_MESSAGES = 2 ** 32;
/** From here on a rotation is due. */
export const MANY_MESSAGES = 2 ** 30;
const FIRST_BLOCK = 16;
const LARGEST_BLOCK = 4096;

/** Messages counted in a scope that may be undone, and how many of them have not been used. */
interface Uncertain {
  scope: Scope;
  counted: number;
  left: number;
}

/**
 * Counts messages in the database before they are encrypted, so that the count is never too low: in blocks that grow
 * while they are used up. What a transaction has counted and rolled back is counted again as soon as it has ended, since
 * those messages were encrypted all the same.
 */
export class MessageBudget {
  readonly #driver: Driver<'sync'>;
  readonly #keys: EncryptionKeysRepository;
  #keyId = '';
  /** What is left of what is reserved for good. */
  #left = 0;
  #block = FIRST_BLOCK;
  /** Reserved inside a transaction that may still be rolled back. */
  #uncertain: Uncertain[] = [];
  /** Reserved inside one that was. */
  #owed = 0;
  #warned = '';

  constructor(driver: Driver<'sync'>, keys: EncryptionKeysRepository) {
    this.#driver = driver;
    this.#keys = keys;
  }

  /** Takes one message of a key; false if there is no such key (any more). @throws KEY_EXHAUSTED, BUSY. */
  spend(keyId: string): boolean {
    if (this.#uncertain.length > 0) this.#settle();
    if (keyId !== this.#keyId) this.#begin(keyId);
    if (this.#left > 0) {
      this.#left--;
      return true;
    }
    const last = this.#uncertain.at(-1);
    if (last !== undefined && last.left > 0) {
      last.left--;
      return true;
    }
    return this.#reserve(keyId, [this.#block, 1]);
  }

  /** Nothing to do for a key that has gone with its transaction. If the lock cannot be had now, the next message pays. */
  readonly #repay = (): void => {
    this.#settle();
    if (this.#owed > 0 && this.#keys.reserve(this.#keyId, this.#owed, MOST_MESSAGES) !== null) this.#owed = 0;
  };

  /** What became of the messages counted in transactions. */
  #settle(): void {
    const hasEnded = this.#driver.scope === null;
    this.#uncertain = this.#uncertain.filter(({ scope, counted, left }) => {
      // What is left of the block has encrypted nothing, and goes with its reservation.
      if (scope.isUndone) this.#owed += counted - left;
      else if (hasEnded) this.#left += left;
      return !scope.isUndone && !hasEnded;
    });
  }

  #begin(keyId: string): void {
    this.#keyId = keyId;
    this.#left = 0;
    this.#uncertain = [];
    this.#owed = 0;
    this.#block = FIRST_BLOCK;
  }

  /** Reserves the first of these numbers of messages that there is room for, with those owed, and takes one; false if the key is gone. */
  #reserve(keyId: string, wanted: readonly number[]): boolean {
    for (const messages of wanted) {
      const counted = messages + this.#owed;
      const count = this.#keys.reserve(keyId, counted, MOST_MESSAGES);
      if (count === null) continue;
      this.#owed = 0;
      const { scope } = this.#driver;
      if (scope === null) this.#left += messages - 1;
      else {
        this.#uncertain.push({ scope, counted, left: messages - 1 });
        this.#driver.afterTransaction(this.#repay);
      }
      if (count >= MANY_MESSAGES) this.#warn(keyId, count);
      this.#block = Math.min(this.#block * 2, LARGEST_BLOCK);
      return true;
    }
    if (!this.#keys.findAll().some((key) => key.keyId === keyId)) return false;
    throw new ProxyVaultError(
      'KEY_EXHAUSTED',
      `The data key ${keyId} has encrypted 2^32 messages, the most that are safe: run \`proxyvault key rotate\`. Nothing was encrypted.`,
      { details: { keyId } },
    );
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
