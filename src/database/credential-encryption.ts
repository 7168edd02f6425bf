import type { CredentialCipher, EncryptedData } from '../keys/credential-cipher.ts';
import type { ProxyAddress } from '../model/proxy.ts';
import type { Mode, Session } from './drivers/driver.ts';

/** What the repositories need of the encryption service. */
export interface CredentialEncryption {
  cipherOf(session: Session<Mode>): CredentialCipher;
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
