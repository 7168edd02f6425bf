import { ProxyVaultError } from '../../errors.ts';
import type { Driver } from '../drivers/driver.ts';
import type { EncryptionKeysRepository } from '../repositories/encryption-keys.repository.ts';

/** NIST SP 800-38D, section 8.3: at most 2^32 messages a key where IVs are random. */
export const MOST_MESSAGES = 2 ** 32;
/** From here on a rotation is due. */
export const MANY_MESSAGES = 2 ** 30;
const FIRST_BLOCK = 16;
const LARGEST_BLOCK = 4096;

/**
 * Counts messages in the database before they are encrypted, so that the count is never too low: in blocks that grow
 * while they are used up. What a transaction has counted and rolled back is counted again as soon as it has ended, since
 * those messages were encrypted all the same.
 */
export class MessageBudget {
  readonly #driver: Driver<'sync'>;
  readonly #keys: EncryptionKeysRepository;
  #keyId = '';
  #left = 0;
  #block = FIRST_BLOCK;
  /** Reserved inside a transaction that may still be rolled back. */
  #uncertain = 0;
  /** Reserved inside one that was. */
  #owed = 0;
  #rollbacks = 0;
  #warned = '';

  constructor(driver: Driver<'sync'>, keys: EncryptionKeysRepository) {
    this.#driver = driver;
    this.#keys = keys;
  }

  /** Takes one message of a key; false if there is no such key (any more). @throws KEY_EXHAUSTED, BUSY. */
  spend(keyId: string): boolean {
    this.#settle(keyId);
    if (this.#left > 0) {
      this.#left--;
      return true;
    }
    const reserved = this.#reserve(keyId, [this.#block, 1]);
    if (reserved === 0) return false;
    this.#left = reserved - 1;
    this.#block = Math.min(this.#block * 2, LARGEST_BLOCK);
    return true;
  }

  /** Nothing to do for a key that has gone with its transaction. If the lock cannot be had now, the next message pays. */
  readonly #repay = (): void => {
    this.#settle(this.#keyId);
    if (this.#owed > 0 && this.#keys.reserve(this.#keyId, this.#owed, MOST_MESSAGES) !== null) this.#owed = 0;
  };

  /** What became of the messages counted so far. */
  #settle(keyId: string): void {
    if (this.#driver.rollbacks !== this.#rollbacks && this.#uncertain > 0) {
      // What is left of the last block has encrypted nothing, and goes with its reservation.
      this.#owed += this.#uncertain - this.#left;
      this.#left = 0;
    }
    if (this.#driver.rollbacks !== this.#rollbacks || this.#driver.transactionNumber === 0)
      this.#uncertain = 0;
    this.#rollbacks = this.#driver.rollbacks;
    if (keyId === this.#keyId) return;
    this.#keyId = keyId;
    this.#left = 0;
    this.#owed = 0;
    this.#block = FIRST_BLOCK;
  }

  /** Reserves the first of these numbers of messages that there is room for, with those owed; gives it. 0 if the key is gone. */
  #reserve(keyId: string, wanted: readonly number[]): number {
    for (const messages of wanted) {
      const counted = messages + this.#owed;
      const count = this.#keys.reserve(keyId, counted, MOST_MESSAGES);
      if (count === null) continue;
      this.#owed = 0;
      if (this.#driver.transactionNumber !== 0) {
        this.#uncertain += counted;
        this.#driver.afterTransaction(this.#repay);
      }
      if (count >= MANY_MESSAGES) this.#warn(keyId, count);
      return messages;
    }
    if (!this.#keys.findAll().some((key) => key.keyId === keyId)) return 0;
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
