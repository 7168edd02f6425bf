import { createHash, hkdfSync, randomBytes } from 'node:crypto';

import { invalidInput } from '../model/validation.ts';

import { KEY_BYTES, SecretKey } from './secret-key.ts';

/** Crockford's base 32: no letter that is taken for a digit. https://www.crockford.com/base32.html */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 160 random bits: 32 characters, and 4 more that find a slip of the pen. */
const SECRET_BYTES = 20;
const SECRET_CHARACTERS = 32;
const CHECK_CHARACTERS = 4;

/** A new code, nine groups of four characters, and the key that it stands for. */
export function createRecoveryCode(): { code: string; key: SecretKey } {
  const secret = randomBytes(SECRET_BYTES);
  const characters = encode(secret) + checkOf(secret);
  const code = characters.replaceAll(/.{4}(?=.)/g, '$&-');
  return { code, key: keyOf(secret) };
}

/**
 * The key of a code, in any case, with or without its hyphens, I and L read as 1 and O as 0.
 *
 * @throws INVALID_INPUT for an invalid or mistyped code; the message never holds it.
 */
export function recoveryKeyOf(code: string): SecretKey {
  const characters =
    typeof code === 'string'
      ? code.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1')
      : '';
  const secret =
    characters.length === SECRET_CHARACTERS + CHECK_CHARACTERS
      ? decode(characters.slice(0, SECRET_CHARACTERS))
      : null;
  if (secret && checkOf(secret) === characters.slice(SECRET_CHARACTERS)) return keyOf(secret);
  throw invalidInput(
    'This is no recovery code, or a character of it is wrong: it has nine groups of four letters and digits. Compare it with what was printed.',
  );
}

function keyOf(secret: Buffer): SecretKey {
  const bytes = hkdfSync('sha256', secret, '', 'proxyvault recovery key v1', KEY_BYTES);
  secret.fill(0);
  return SecretKey.from(Buffer.from(bytes));
}

function checkOf(secret: Buffer): string {
  return encode(createHash('sha256').update(secret).digest().subarray(0, 5)).slice(0, CHECK_CHARACTERS);
}

/** Five bits a character; the length must be a multiple of five bytes. */
function encode(bytes: Buffer): string {
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  let text = '';
  for (let left = (bytes.length * 8) / 5; left > 0; left--) {
    text = ALPHABET.charAt(Number(bits & 31n)) + text;
    bits >>= 5n;
  }
  return text;
}

function decode(text: string): Buffer | null {
  let bits = 0n;
  for (const character of text) {
    const value = ALPHABET.indexOf(character);
    if (value === -1) return null;
    bits = (bits << 5n) | BigInt(value);
  }
  return Buffer.from(bits.toString(16).padStart(SECRET_BYTES * 2, '0'), 'hex');
}
