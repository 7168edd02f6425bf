import { ROTATION_STRATEGIES } from '../model/rotation.ts';
import { invalidInput } from '../model/validation.ts';
import { remembered } from '../rotation/remembered.ts';
import {
  ANYBODY,
  type ClientIdentity,
  IDENTITY_WORDS,
  type IdentityPair,
  type IdentityWord,
  identityOf,
  identityWord,
} from './identity.ts';

/** The most characters of an identity in one text: each value is shorter. */
const LONGEST = 2048;

/** What a text of words may be, for messages. */
const FORMS = `Give ${IDENTITY_WORDS.join(', ')}, each with a value and in any order, as in country-de-session-abc-ttl-30m; write a "-" of a value as %2D.`;

/**
 * The identity that a username says, such as `country-de-session-abc-ttl-30m-protocol-socks5-tag-paid`; words may come in any order
 * and case. An empty username says nothing.
 *
 * @throws INVALID_INPUT, which says what is allowed and never repeats a part of the username.
 */
export const identityOfUsername: (text: string) => ClientIdentity = remembered((text) =>
  identityOfWords(text, '-'),
);

/**
 * The identity that a text of words and values says.
 *
 * @param separators the characters that end a word or a value.
 */
export function identityOfWords(text: string, separators: '-' | '-,'): ClientIdentity {
  if (text === '') return ANYBODY;
  if (text.length > LONGEST)
    throw invalidInput(`The identity is longer than ${LONGEST} characters. ${FORMS}`);
  return identityOf(pairsOf(text.split(separators === '-' ? '-' : /[-,]/)));
}

function pairsOf(parts: readonly string[]): IdentityPair[] {
  const pairs: IdentityPair[] = [];
  let at = 0;
  while (at < parts.length) {
    const word = identityWord(parts[at] ?? '');
    if (word === null) throw invalidInput(`The identity has an unknown word as part ${at + 1}. ${FORMS}`);
    const length = lengthOfValue(word, parts, at + 1);
    const value = parts.slice(at + 1, at + 1 + length).join('-');
    if (value === '') throw invalidInput(`The identity has no value for ${word}. ${FORMS}`);
    pairs.push([word, value]);
    at += 1 + length;
  }
  return pairs;
}

/** How many parts a value has: names of strategies have a `-`, and no name begins another. */
function lengthOfValue(word: IdentityWord, parts: readonly string[], start: number): number {
  if (word !== 'strategy') return 1;
  const isName = (count: number) =>
    ROTATION_STRATEGIES.some(
      (name) =>
        name ===
        parts
          .slice(start, start + count)
          .join('-')
          .toLowerCase(),
    );
  return isName(2) ? 2 : 1;
}
