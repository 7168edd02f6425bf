import { invalidInput } from '../model/validation.ts';
import {
  ANYBODY,
  type ClientIdentity,
  IDENTITY_WORDS,
  type IdentityPair,
  identityOf,
  identityWord,
} from './identity.ts';

const PREFIX = 'x-proxyvault-';
const ALLOWED = IDENTITY_WORDS.map((word) => `X-Proxyvault-${word[0]?.toUpperCase()}${word.slice(1)}`).join(
  ', ',
);

/** Whether a header is for the gateway, and so never leaves it. */
export function isOwnHeader(name: string): boolean {
  return name.toLowerCase().startsWith(PREFIX);
}

/**
 * The identity that the headers `X-Proxyvault-Session` and the like say. Values are written as in a username, with `%` for escapes;
 * `X-Proxyvault-Tag` takes several, with commas between them.
 *
 * @param rawHeaders names and values by turns, as `node:http` gives them.
 * @throws INVALID_INPUT, which says what is allowed and never repeats a value.
 */
export function identityOfHeaders(rawHeaders: readonly string[]): ClientIdentity {
  const pairs: IdentityPair[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (!isOwnHeader(name)) continue;
    const word = identityWord(name.slice(PREFIX.length));
    if (word === null) throw invalidInput(`An X-Proxyvault header is unknown. There are ${ALLOWED}.`);
    const value = textOf(rawHeaders[at + 1] ?? '');
    for (const each of word === 'tag' ? value.split(',') : [value]) pairs.push([word, each.trim()]);
  }
  return pairs.length === 0 ? ANYBODY : identityOf(pairs);
}

/** A header's value, of which `node:http` gives each byte as a character: UTF-8. */
function textOf(value: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(value, 'latin1'));
  } catch {
    throw invalidInput(
      'An X-Proxyvault header is not UTF-8: write other characters as escapes, such as %C3%A9.',
    );
  }
}
