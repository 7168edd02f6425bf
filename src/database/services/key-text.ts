import { ProxyVaultError } from '../../errors.ts';
import { KEY_BYTES } from './secret-key.ts';

/**
 * The keys of a text: each 32 bytes in base64 or hexadecimal, between them white space or commas, and lines that begin
 * with `#` are comments. The first key is the one in use, those behind it only decrypt.
 *
 * @throws KEY_INVALID, which names `where` and never the text.
 */
export function decodeKeys(text: string, where: string): Buffer[] {
  const words = text
    .replaceAll(/^[ \t]*#.*$/gm, '')
    .split(/[\s,]+/)
    .filter((word) => word !== '');
  const keys: Buffer[] = [];
  for (const word of words.length > 0 ? words : ['']) {
    const key = decodeKey(word);
    if (key === null) {
      for (const other of keys) other.fill(0);
      throw new ProxyVaultError(
        'KEY_INVALID',
        `${where} does not hold a key: it must be ${KEY_BYTES} bytes in base64 or hexadecimal. Restore it from its backup; nothing was generated in its place.`,
        { details: { malformed: true } },
      );
    }
    keys.push(key);
  }
  return keys;
}

function decodeKey(text: string): Buffer | null {
  if (/^[\da-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === KEY_BYTES && bytes.toString('base64') === text) return bytes;
  bytes.fill(0);
  return null;
}
