import { ProxyVaultError } from '../../errors.ts';
import type { EncryptedData } from '../types.ts';
import { openBound, sealBound } from './binding.ts';
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
    return sealBound(this.#root(), '', proxyId, content, text);
  }

  open(proxyId: string, stored: EncryptedData): { content: CredentialContent; text: string } {
    for (const key of directKeys(this.#roots, stored.keyId)) {
      const opened = openBound(key, '', proxyId, stored);
      if (opened) return opened;
    }
    throw new ProxyVaultError('CREDENTIAL_CORRUPT');
  }

  fingerprint(username: string): string {
    this.#fingerprintKey ??= fingerprintKeyOf(this.#root());
    return this.#fingerprintKey.fingerprint(username);
  }

  refresh(): boolean {
    return false;
  }

  #root(): SecretKey {
    const [root] = this.#roots.readOrCreate();
    if (root) return root;
    throw this.#roots.missing();
  }
}

/** The source's keys that may have written a ciphertext. @throws KEY_MISSING, KEY_INVALID, KEY_MISMATCH. */
export function directKeys(roots: RootKeys, keyId: string | undefined): readonly SecretKey[] {
  const keys = roots.readNeeded();
  const matching = keyId === undefined ? keys : keys.filter(({ id }) => id === keyId);
  if (matching.length > 0) return matching;
  throw mismatchError(roots, keyId ?? '', keys[0]?.id ?? '');
}
