import type { Login } from '../model/login.ts';
import type { ProxyAddress } from '../model/proxy.ts';
import { corruptError, openBound, sealBound } from './binding.ts';
import type {
  CredentialCipher,
  CredentialContent,
  EncryptedData,
  OpenedCredential,
} from './credential-cipher.ts';
import { FingerprintKey } from './fingerprint-key.ts';
import { fingerprintKeyOf, mismatchError, type RootKeys } from './root-keys.ts';
import type { SecretKey } from './secret-key.ts';

/** Encrypts with the key source's key itself, for an engine that has no data keys of its own (one over a network). */
export class DirectCipher implements CredentialCipher {
  readonly #roots: RootKeys;
  #fingerprintKey: FingerprintKey | null = null;

  constructor(roots: RootKeys) {
    this.#roots = roots;
  }

  seal(proxyId: string, address: ProxyAddress, content: CredentialContent, text: string): EncryptedData {
    const [root] = this.#roots.readOrCreate();
    return sealBound(root, { databaseId: '', proxyId, address }, content, text);
  }

  open(proxyId: string, address: ProxyAddress | null, stored: EncryptedData): OpenedCredential {
    for (const key of directKeys(this.#roots, stored.keyId)) {
      const opened = openBound(key, { databaseId: '', proxyId, address }, stored);
      if (opened) return opened;
    }
    throw corruptError(stored);
  }

  fingerprint(username: string): string {
    return this.#fingerprinting().username(username);
  }

  passwordFingerprint(login: Login): string {
    return this.#fingerprinting().password(login);
  }

  #fingerprinting(): FingerprintKey {
    this.#roots.assertAlive();
    this.#fingerprintKey ??= new FingerprintKey(fingerprintKeyOf(this.#roots.readOrCreate()[0]));
    return this.#fingerprintKey;
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
