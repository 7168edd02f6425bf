import {
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { inspect } from 'node:util';

import { ProxyVaultError } from '../errors.ts';
import { associatedDataOf, open, type Sealed, seal } from './aes-gcm.ts';

/** The bytes of a key; an AES-256 key has no other length. */
export const KEY_BYTES = 32;

/** A key as it is stored: encrypted by another one. */
export interface WrappedKey {
  keyId: string;
  /** Which key wraps it. */
  kekId: string;
  wrappedKey: string;
  iv: string;
  tag: string;
  /** 16 bytes in hexadecimal: AES-GCM does not commit to its key, so this is compared before the first use. */
  keyCheckValue: string;
}

/** A 256-bit key that nobody can print. Others are derived from it by HKDF-SHA256 (RFC 5869), one label for each use. */
export class SecretKey {
  readonly key: KeyObject;
  /** Tells keys apart and reveals nothing of them: 8 bytes in hexadecimal. */
  readonly id: string;
  #wrapping: KeyObject | null = null;

  private constructor(key: KeyObject) {
    this.key = key;
    // Derived, and never AES_K(0), which would be a block of a real message.
    this.id = Buffer.from(hkdfSync('sha256', key, '', 'proxyvault key id v1', 8)).toString('hex');
  }

  /** Takes the bytes over: they are overwritten. @throws KEY_INVALID for another length. */
  static from(bytes: Buffer): SecretKey {
    try {
      if (bytes.length !== KEY_BYTES)
        throw new ProxyVaultError(
          'KEY_INVALID',
          `A key must be ${KEY_BYTES} bytes, and the source gave ${bytes.length}.`,
        );
      if (bytes.some((byte) => byte !== 0)) return new SecretKey(createSecretKey(bytes));
      throw new ProxyVaultError(
        'KEY_INVALID',
        'The key source gave 32 zeros: it must give a new buffer at each read, since that is overwritten after use.',
      );
    } finally {
      bytes.fill(0);
    }
  }

  /** A new one, of the operating system's random numbers. */
  static generate(): SecretKey {
    return SecretKey.from(randomBytes(KEY_BYTES));
  }

  derive(label: string): SecretKey {
    return SecretKey.from(Buffer.from(hkdfSync('sha256', this.key, '', label, KEY_BYTES)));
  }

  /** The first 128 bits of HMAC-SHA256 (RFC 2104) under this key, in base64url. */
  fingerprint(text: string): string {
    return createHmac('sha256', this.key).update(text, 'utf8').digest().subarray(0, 16).toString('base64url');
  }

  /** Encrypts another key, bound to what it is for. */
  wrap(other: SecretKey, ...place: readonly string[]): WrappedKey {
    const bytes = other.key.export();
    try {
      const data = wrappingData(other.id, this.id, place);
      const { ciphertext, iv, authTag } = seal(this.#wrappingKey(), bytes, data);
      return {
        keyId: other.id,
        kekId: this.id,
        wrappedKey: ciphertext,
        iv,
        tag: authTag,
        keyCheckValue: other.#checkValue().toString('hex'),
      };
    } finally {
      bytes.fill(0);
    }
  }

  /** @throws KEY_INVALID if the wrapped key was changed, or is not that of this place. */
  unwrap(wrapped: WrappedKey, ...place: readonly string[]): SecretKey {
    const key = this.#open(wrapped, place);
    if (key !== null) {
      const stored = Buffer.from(wrapped.keyCheckValue, 'hex');
      const expected = key.#checkValue();
      if (stored.length === expected.length && timingSafeEqual(stored, expected)) return key;
    }
    throw new ProxyVaultError(
      'KEY_INVALID',
      `The stored key ${wrapped.keyId} is damaged: restore it from a backup. What other keys encrypted is not affected.`,
      { details: { keyId: wrapped.keyId } },
    );
  }

  toJSON(): object {
    return { id: this.id, key: '[redacted]' };
  }

  [inspect.custom](): string {
    return `SecretKey { id: ${this.id}, key: [redacted] }`;
  }

  #open({ keyId, wrappedKey, iv, tag }: WrappedKey, place: readonly string[]): SecretKey | null {
    const sealed: Sealed = { ciphertext: wrappedKey, iv, authTag: tag };
    try {
      const bytes = open(this.#wrappingKey(), sealed, wrappingData(keyId, this.id, place));
      return bytes && SecretKey.from(bytes);
    } catch {
      return null;
    }
  }

  #wrappingKey(): KeyObject {
    this.#wrapping ??= this.derive('proxyvault key wrapping v1').key;
    return this.#wrapping;
  }

  #checkValue(): Buffer {
    return Buffer.from(hkdfSync('sha256', this.key, '', 'proxyvault key check value v1', 16));
  }
}

function wrappingData(keyId: string, kekId: string, place: readonly string[]): Buffer {
  return associatedDataOf('proxyvault wrapped key', '1', ...place, keyId, kekId);
}
