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
 * while they are used up, or, inside a transaction that may be rolled back, one by one.
 */
export class MessageBudget {
  readonly #driver: Driver<'sync'>;
  readonly #keys: EncryptionKeysRepository;
  #keyId = '';
  #left = 0;
  #block = FIRST_BLOCK;
  #warned = '';

  constructor(driver: Driver<'sync'>, keys: EncryptionKeysRepository) {
    this.#driver = driver;
    this.#keys = keys;
  }

  /** Takes one message of a key. @throws KEY_EXHAUSTED. */
  spend(keyId: string): void {
    if (this.#keyId === keyId && this.#left > 0) {
      this.#left--;
      return;
    }
    if (this.#driver.transactionNumber !== 0) {
      this.#reserve(keyId, 1);
      return;
    }
    const block = this.#keyId === keyId ? this.#block : FIRST_BLOCK;
    this.#left = this.#reserve(keyId, block) - 1;
    this.#keyId = keyId;
    this.#block = Math.min(block * 2, LARGEST_BLOCK);
  }

  /** Gives how many were reserved: fewer near the end. */
  #reserve(keyId: string, wanted: number): number {
    for (const messages of wanted === 1 ? [1] : [wanted, 1]) {
      const count = this.#keys.reserve(keyId, messages, MOST_MESSAGES);
      if (count === null) continue;
      if (count >= MANY_MESSAGES) this.#warn(keyId, count);
      return messages;
    }
    // A key that was retired meanwhile has no row: storing with it is refused there.
    if (!this.#keys.exists(keyId)) return 1;
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
