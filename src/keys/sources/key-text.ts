import { ProxyVaultError } from '../../errors.ts';
import { KEY_BYTES } from '../secret-key.ts';

const HOW_TO_MAKE = 'make one with `openssl rand -base64 32`';

/**
 * The keys of a text: each 32 bytes in base64 or hexadecimal, between them white space or commas, and lines that begin
 * with `#` are comments. The first key is the one in use, those after it only decrypt.
 *
 * @throws KEY_INVALID, which names `where` and what is wrong, and never holds the text.
 */
export function decodeKeys(text: string, where: string): Buffer[] {
  const words = text
    .replaceAll(/^[ \t]*#.*$/gm, '')
    .split(/[\s,]+/)
    .filter((word) => word !== '');
  const keys = words.map(decodeKey);
  const problem = problemOf(words, keys);
  const sound = keys.filter((key) => key !== null);
  if (problem === null) return sound;
  for (const key of sound) key.fill(0);
  throw new ProxyVaultError(
    'KEY_INVALID',
    `${where} does not hold a key: ${problem}. A key is ${KEY_BYTES} bytes in base64 (44 characters) or hexadecimal (64 digits). Correct it, or restore it from its backup; nothing was generated in its place.`,
    { details: { malformed: true } },
  );
}

/** What is wrong with bytes that are to be the key in use, if they are visibly no random ones; else null. */
export function placeholderProblem(bytes: Uint8Array): string | null {
  const what = repetitionIn(bytes);
  return what === null ? null : `it ${what}: ${HOW_TO_MAKE}`;
}

function repetitionIn(bytes: Uint8Array): string | null {
  if (bytes.some((byte) => byte !== bytes[0])) return null;
  const what = bytes[0] === 0 ? 'all zeros' : `the same byte ${bytes.length} times`;
  return `is ${what}, which is a placeholder`;
}

/** The key in use must be random; of an older one, zeros never encrypted anything, and what another byte did must be read. */
function placeholderAmong(keys: readonly Buffer[]): string | null {
  const at = keys.findIndex((key, index) => (index === 0 || key[0] === 0) && repetitionIn(key) !== null);
  const key = keys[at];
  if (key === undefined) return null;
  if (keys.length === 1) return placeholderProblem(key);
  const advice = at === 0 ? HOW_TO_MAKE : 'put the older key there, or remove it';
  return `key ${at + 1} of ${keys.length} ${repetitionIn(key)}: ${advice}`;
}

function decodeKey(text: string): Buffer | null {
  if (/^[\da-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === KEY_BYTES && bytes.toString('base64') === text) return bytes;
  bytes.fill(0);
  return null;
}

function problemOf(words: readonly string[], keys: readonly (Buffer | null)[]): string | null {
  if (words.length === 0) return 'it is empty';
  const malformed = words.find((_, index) => keys[index] === null);
  if (malformed === undefined) return placeholderAmong(keys.filter((key) => key !== null));
  const joined = words.length > 1 ? decodeKey(words.join('')) : null;
  if (joined !== null) {
    joined.fill(0);
    return 'it has white space, a line break or a comma inside: write it as one word';
  }
  const problem = wordProblem(malformed);
  return words.length === 1
    ? `it ${problem}`
    : `key ${words.indexOf(malformed) + 1} of ${words.length} ${problem}`;
}

/** Why a word is no key, in words that reveal nothing but its form. */
function wordProblem(word: string): string {
  if (/["'`\u2018-\u201f]/.test(word)) return 'is in quotation marks: remove them';
  if (/^\w+[=:]./.test(word) && !/^[A-Za-z\d+/]+=+$/.test(word))
    return 'has a name or a prefix before the key: remove it';
  if (/^0x[\da-f]+$/i.test(word)) return 'begins with 0x: remove that';
  if (/^[\da-f]+$/i.test(word)) return hexadecimalProblem(word.length);
  if (/^[\w+/-]+=*$/.test(word)) return base64Problem(word);
  return 'has a character that neither base64 nor hexadecimal has';
}

function hexadecimalProblem(digits: number): string {
  if (digits % 2 === 1) return `has ${digits} hexadecimal digits, an odd number: a part of it is missing`;
  return `has ${digits} hexadecimal digits, so it is ${digits / 2} bytes long and not ${KEY_BYTES}`;
}

function base64Problem(word: string): string {
  if (/[-_]/.test(word)) return 'is base64url: write `+` for `-` and `/` for `_`';
  const characters = word.replace(/=+$/, '').length;
  const bytes = Math.floor((characters * 6) / 8);
  if (bytes !== KEY_BYTES) return `is ${bytes} bytes long in base64, and not ${KEY_BYTES}`;
  if (word.length !== characters + 1)
    return `is badly padded base64: it must end with one \`=\`, and has ${word.length - characters || 'none'}`;
  return 'is damaged base64: its last character before the `=` is wrong';
}
