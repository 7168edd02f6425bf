import { ProxyVaultError } from '../../errors.ts';

/** The bytes of a key; an AES-256 key has no other length. */
export const KEY_BYTES = 32;

/**
 * The 32 bytes of a key's base64 or hexadecimal text.
 *
 * @throws KEY_INVALID, which names `where` and never the text.
 */
export function decodeKey(text: string, where: string): Buffer {
  if (/^[\da-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === KEY_BYTES && bytes.toString('base64') === text) return bytes;
  bytes.fill(0);
  throw new ProxyVaultError(
    'KEY_INVALID',
    `${where} does not hold a key: it must be ${KEY_BYTES} bytes in base64 or hexadecimal. Restore it from its backup; nothing was generated in its place.`,
  );
}
