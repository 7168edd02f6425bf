import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync } from 'node:crypto';

import { ProxyVaultError } from '../errors.ts';

/** AES-256 in Galois/Counter mode: NIST SP 800-38D, RFC 5116. */
const ALGORITHM = 'aes-256-gcm';
/** SP 800-38D, section 8.2.2: 96 random bits. */
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Without it, Node would take a tag of 4 bytes. */
const OPTIONS = { authTagLength: TAG_BYTES } as const;

/** What encryption gives, each field canonical base64. */
export interface Sealed {
  ciphertext: string;
  /** 12 bytes. */
  iv: string;
  /** 16 bytes. */
  authTag: string;
}

/** Encrypts a text (as UTF-8) or bytes under a new random IV; `associatedData` is authenticated and not stored. */
export function seal(key: KeyObject, plaintext: string | Uint8Array, associatedData?: Uint8Array): Sealed {
  const iv = nextIv();
  const cipher = createCipheriv(ALGORITHM, key, iv, OPTIONS);
  if (associatedData !== undefined) cipher.setAAD(associatedData);
  const ciphertext =
    typeof plaintext === 'string' ? cipher.update(plaintext, 'utf8') : cipher.update(plaintext);
  // In GCM this makes the tag only: all ciphertext is there already.
  cipher.final();
  return {
    ciphertext: ciphertext.toString('base64'),
    iv: iv.toString('base64'),
    authTag: cipher.getAuthTag().toString('base64'),
  };
}

/**
 * The bytes of a ciphertext, for the caller to overwrite after use; null if anything of it, the key or the associated
 * data is another. Nothing is given before all of it is authenticated.
 *
 * @throws CREDENTIAL_CORRUPT for a field that is not canonical base64 or has another length.
 */
export function open(key: KeyObject, sealed: Sealed, associatedData?: Uint8Array): Buffer | null {
  const ciphertext = decodeBase64(sealed.ciphertext, 'ciphertext');
  const iv = decodeBase64(sealed.iv, 'IV', IV_BYTES);
  const tag = decodeBase64(sealed.authTag, 'authentication tag', TAG_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, iv, OPTIONS);
  decipher.setAuthTag(tag);
  if (associatedData !== undefined) decipher.setAAD(associatedData);
  const plaintext = decipher.update(ciphertext);
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    return null;
  }
}

/** As {@link open}, for a text. */
export function openText(key: KeyObject, sealed: Sealed, associatedData?: Uint8Array): string | null {
  const plaintext = open(key, sealed, associatedData);
  if (plaintext === null) return null;
  const text = plaintext.toString('utf8');
  plaintext.fill(0);
  return text;
}

/** Associated data in which no two parts run together: each with its length in bytes before it, 32 bits, big-endian. */
export function associatedDataOf(...parts: readonly string[]): Buffer {
  const data = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + 4 + Buffer.byteLength(part), 0));
  let offset = 0;
  for (const part of parts) {
    const length = data.write(part, offset + 4);
    offset = data.writeUInt32BE(length, offset) + length;
  }
  return data;
}

/** Node's decoder takes nearly anything: only the canonical form (RFC 4648, section 4) is what we wrote. */
function decodeBase64(text: string, what: string, length?: number): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : null;
  if (
    bytes === null ||
    !isCanonical(text, bytes.length) ||
    (length !== undefined && bytes.length !== length)
  ) {
    throw new ProxyVaultError(
      'CREDENTIAL_CORRUPT',
      `The ${what} is not ${length === undefined ? '' : `${length} bytes in `}canonical base64: the credential is damaged. Restore a backup, or store it again.`,
    );
  }
  return bytes;
}

/**
 * Whether a text is the one canonical text of the bytes that Node decoded from it. An invalid character makes it too long; Node
 * also takes the other alphabet; the bits after the last byte must be 0 (RFC 4648, section 3.5).
 */
function isCanonical(text: string, bytes: number): boolean {
  if (text.length !== Math.ceil(bytes / 3) * 4 || text.includes('-') || text.includes('_')) return false;
  if (bytes % 3 === 1) return text.endsWith('==') && 'AQgw'.includes(text.charAt(text.length - 3));
  if (bytes % 3 === 2) return text.endsWith('=') && 'AEIMQUYcgkosw048'.includes(text.charAt(text.length - 2));
  return !text.endsWith('=');
}

/** Random IVs, drawn many at a time, each given once. */
const ivs = Buffer.alloc(IV_BYTES * 256);
let used = ivs.length;

function nextIv(): Buffer {
  if (used === ivs.length) {
    randomFillSync(ivs);
    used = 0;
  }
  used += IV_BYTES;
  // A copy: the pool is filled again while a caller may still hold this one.
  return Buffer.from(ivs.subarray(used - IV_BYTES, used));
}
