import type { Piece } from './address.ts';
import { Refused } from './refused.ts';
import type { ListedGeolocation } from './types.ts';
import { decodePercent } from './url.ts';

/** What stands behind `host:port`. */
export interface Tail {
  name?: string;
  geolocation?: ListedGeolocation;
  note?: string;
}

const MAX_ANNOTATION = 256;
const MAX_NAME = 256;

/** A country (ISO 3166-1), and the marks of spys.me and its kin: anonymity, SSL, Google. */
const MARKS = /^(?:[A-Z]{2}|[NAHS]!?|[+-])!?$/;
const WORDS =
  /^(?:noa|anm|hia|elite|anonymous|transparent|high|low|proxy|https?|socks[45]?[ah]?|ssl|yes|no|ok|success|successful|alive|working|active|online|live|valid|good|fast|slow|\d+(?:\.\d+)?(?:ms|s|sec|%)?)$/i;

/**
 * Reads what follows an address: nothing, a `/`, a `#name` as URLs have, a comment, or an annotation of known words such
 * as `US-H! +` or `=> success`, of which a country is kept.
 *
 * @throws Refused (trailing-text) for anything else: it may be a login.
 */
export function readTail(tail: Piece): Tail {
  if (tail.text === '' || tail.text === '/') return {};
  const fragment = /^\/?#(.*)$/su.exec(tail.text)?.[1];
  if (fragment !== undefined) return readName(fragment);
  if (/^[/?]/.test(tail.text))
    throw new Refused('trailing-text', 'there is a path or query behind the port', tail.at);
  const text = tail.text.trim();
  if (/^(?:#|;|\/\/)/.test(text)) return { note: 'a comment behind the proxy was passed over' };
  if (text.length <= MAX_ANNOTATION && isAnnotation(text)) return readCountry(text);
  throw new Refused(
    'trailing-text',
    'behind the port stands text that is no known annotation: a login is written host:port:user:pass',
    tail.at,
  );
}

function readName(fragment: string): Tail {
  const name = decodePercent(fragment.trim());
  const fits = name !== '' && name.length <= MAX_NAME && !/\p{Cc}/u.test(name) && name.isWellFormed();
  if (fits) return { name };
  return name === '' ? {} : { note: 'a name that is too long or not printable was passed over' };
}

function isAnnotation(text: string): boolean {
  const words = text.split(/[\s|,=>()[\]]+|(?<=[A-Z!])-/u).filter((word) => word !== '');
  return words.every((word) => WORDS.test(word) || MARKS.test(word));
}

function readCountry(text: string): Tail {
  const country = /^[([|]?\s?([A-Z]{2})(?![\p{L}\d])/u.exec(text)?.[1];
  const note = 'an annotation behind the proxy was passed over';
  return country === undefined || country === 'ZZ' ? { note } : { note, geolocation: { country } };
}
