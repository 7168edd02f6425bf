import { ProxyVaultError } from '../errors.ts';
import { invalidInput } from '../model/validation.ts';
import { openText, seal } from './aes-gcm.ts';
import { corruptError, type EncryptedData } from './binding.ts';
import { FingerprintKey } from './fingerprint-key.ts';
import { fingerprintKeyOf, type RootKeys } from './root-keys.ts';

/** Encrypts texts with the key source's key itself, if no database is known whose data keys could be used. */
export class SourceTextCipher {
  readonly #roots: RootKeys;

  constructor(roots: RootKeys) {
    this.#roots = roots;
  }

  encrypt(text: string, associatedData?: Uint8Array): EncryptedData {
    const [root] = this.#roots.readOrCreate();
    return { ...seal(root.key, text, associatedData), keyId: root.id };
  }

  decrypt(stored: EncryptedData, associatedData?: Uint8Array): string {
    const { keyId, boundTo } = stored;
    if (boundTo !== undefined) {
      throw invalidInput(
        'The credential is bound to a row of a database: give that as the option `database`, or use the repository\u2019s reveal.',
      );
    }
    const keys = this.#roots.readNeeded();
    const matching = keyId === undefined ? keys : keys.filter(({ id }) => id === keyId);
    if (matching.length === 0) throw this.#roots.mismatch(String(keyId));
    for (const { key } of matching) {
      const text = openText(key, stored, associatedData);
      if (text !== null) return text;
    }
    throw corruptError(stored);
  }

  fingerprint(text: string): string {
    return new FingerprintKey(fingerprintKeyOf(this.#roots.readOrCreate()[0])).username(text);
  }
}

/** @throws NOT_FOUND for null, which a repository gives if nothing is stored. */
export function assertEncrypted(encrypted: EncryptedData | null): EncryptedData {
  if (encrypted !== null && encrypted !== undefined) return encrypted;
  throw new ProxyVaultError(
    'NOT_FOUND',
    'There is nothing to decrypt: no credentials are stored for this proxy.',
  );
}

/** @throws INVALID_INPUT. */
export function assertText(text: string, what: string): void {
  if (typeof text !== 'string' || !text.isWellFormed()) {
    throw invalidInput(`The ${what} must be a well-formed text: a lone surrogate cannot be stored.`);
  }
}

/** @throws INVALID_INPUT. */
export function assertBytes(data: Uint8Array | undefined): void {
  if (data !== undefined && !(data instanceof Uint8Array)) {
    throw invalidInput('The associated data must be bytes: a Buffer or Uint8Array.');
  }
}
