import type { ProxyAddress } from '../model/proxy.ts';

/** AES-256-GCM output, each field canonical base64 (RFC 4648, section 4). */
export interface EncryptedData {
  ciphertext: string;
  /** 12 bytes. */
  iv: string;
  /** 16 bytes. */
  authTag: string;
  /** Which key wrote it: tells a wrong key from damage. Not secret. */
  keyId?: string | undefined;
  /** The id of the proxy that it is bound to and decrypts for; absent on what the plain `encrypt` gave, which is unbound. */
  boundTo?: string | undefined;
  /** Of a bound one: a login, for `reveal`, or a text, for `decrypt` too. */
  content?: 'login' | 'text' | undefined;
  /** Where that proxy is: it is bound to this too. Absent on one that an older version bound to the id alone. */
  address?: ProxyAddress | undefined;
}

/** What a stored credential holds: a login, or a text as the specification's plain `encrypt` took it. */
export type CredentialContent = 'login' | 'text';

export interface OpenedCredential {
  content: CredentialContent;
  text: string;
  /** What its ciphertext is bound to: the proxy's id and address; by older versions the id alone; or nothing. */
  binding: 'address' | 'id' | 'none';
}
