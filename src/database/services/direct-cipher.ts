import type { EncryptedData } from '../types.ts';
import { corruptError, openBound, sealBound } from './binding.ts';
import type { CredentialCipher, CredentialContent } from './credential-cipher.ts';
import { fingerprintKeyOf, mismatchError, type RootKeys } from './root-keys.ts';
import type { SecretKey } from './secret-key.ts';

/** Encrypts with the key source's key itself, for an engine that has no data keys of its own (one over a network). */
export class DirectCipher implements CredentialCipher {
  readonly #roots: RootKeys;
  #fingerprintKey: SecretKey | null = null;

  constructor(roots: RootKeys) {
    this.#roots = roots;
  }

  seal(proxyId: string, content: CredentialContent, text: string): EncryptedData {
    return sealBound(this.#roots.readOrCreate()[0], '', proxyId, content, text);
  }

  open(proxyId: string, stored: EncryptedData): { content: CredentialContent; text: string } {
    for (const key of directKeys(this.#roots, stored.keyId)) {
      const opened = openBound(key, '', proxyId, stored);
      if (opened) return opened;
    }
    throw corruptError(stored.keyId);
  }

  fingerprint(username: string): string {
    this.#fingerprintKey ??= fingerprintKeyOf(this.#roots.readOrCreate()[0]);
    return this.#fingerprintKey.fingerprint(username);
  }
}

/** The source's keys that may have written a ciphertext. @throws KEY_MISSING, KEY_INVALID, KEY_MISMATCH. */
export function directKeys(roots: RootKeys, keyId: string | undefined): readonly SecretKey[] {
  const keys = roots.readNeeded();
  if (keyId === undefined) return keys;
  const matching = keys.filter(({ id }) => id === keyId);
  if (matching.length > 0) return matching;
  throw mismatchError(roots, keyId, keys[0].id);
}
