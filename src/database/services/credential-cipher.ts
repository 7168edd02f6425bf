import type { Mode, Session } from '../drivers/driver.ts';
import type { EncryptedData } from '../types.ts';

/** What a stored credential holds: a login, or a text as the specification's plain `encrypt` took it. */
export type CredentialContent = 'login' | 'text';

/** Encrypts the credentials of one database, each bound to its row. */
export interface CredentialCipher {
  /**
   * Encrypts a text for a proxy.
   *
   * @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID, KEY_EXHAUSTED.
   */
  seal(proxyId: string, content: CredentialContent, text: string): EncryptedData;
  /**
   * What a proxy's row holds.
   *
   * @throws CREDENTIAL_CORRUPT if it was changed, or is another row's or database's; KEY_MISSING, KEY_MISMATCH, KEY_INVALID.
   */
  open(proxyId: string, stored: EncryptedData): { content: CredentialContent; text: string };
  /** A keyed fingerprint of a username: 128 bits in base64url. */
  fingerprint(username: string): string;
}

/** What the repositories need of the encryption service. */
export interface CredentialEncryption {
  cipherOf(session: Session<Mode>): CredentialCipher;
}

/**
 * Which database an encrypted credential was read from, so that a service which was not told can decrypt it with that
 * database's keys. Kept beside the object and not in it: the record stays the specification's plain data.
 */
const origins = new WeakMap<EncryptedData, Session<Mode>>();

export function rememberOrigin(data: EncryptedData, session: Session<Mode>): EncryptedData {
  origins.set(data, session);
  return data;
}

export function originOf(data: EncryptedData): Session<Mode> | undefined {
  return origins.get(data);
}
