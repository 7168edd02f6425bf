import type { CredentialContent, EncryptedData, OpenedCredential } from '../keys/binding.ts';
import type { Login } from '../model/login.ts';
import type { ProxyAddress } from '../model/proxy.ts';
import type { Mode, Result, Session } from './drivers/driver.ts';

/** What the repositories need of the encryption service. */
export interface CredentialEncryption {
  cipherOf<M extends Mode>(session: Session<M>): CredentialCipher<M>;
}

/**
 * Encrypts the credentials of one database, each bound to its proxy and that proxy's address. Called between two steps of a
 * transaction, it works within it.
 */
export interface CredentialCipher<M extends Mode = 'sync'> {
  /**
   * Encrypts a text for a proxy. Inside a transaction the key that encrypts is kept until the end of it.
   *
   * @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID, KEY_EXHAUSTED.
   */
  seal(
    proxyId: string,
    address: ProxyAddress,
    content: CredentialContent,
    text: string,
  ): Result<M, EncryptedData>;
  /**
   * Opens what a proxy's row holds. `address` is where that proxy is now; null if there is no such proxy.
   *
   * @throws CREDENTIAL_CORRUPT if it or the address was changed, or it is another row's or database's; KEY_MISSING,
   *   KEY_MISMATCH, KEY_INVALID.
   */
  open(proxyId: string, address: ProxyAddress | null, stored: EncryptedData): Result<M, OpenedCredential>;
  /** A keyed fingerprint of a username: 128 bits in base64url. */
  fingerprint(username: string): Result<M, string>;
  /** A keyed fingerprint of a password, bound to its username: 128 bits in base64url. */
  passwordFingerprint(login: Login): Result<M, string>;
}

/** Where an encrypted credential was read: in which database, and at which address of its proxy. */
export interface CredentialOrigin {
  session: Session<Mode>;
  address: ProxyAddress | null;
}

/**
 * Remembers where each credential was read, so that a service which was not told the database can decrypt it with that
 * database's keys. Kept beside the object and not in it: the record stays the specification's plain data.
 */
const origins = new WeakMap<EncryptedData, CredentialOrigin>();

export function rememberOrigin(data: EncryptedData, origin: CredentialOrigin): EncryptedData {
  origins.set(data, origin);
  return data;
}

export function originOf(data: EncryptedData): CredentialOrigin | undefined {
  return origins.get(data);
}
