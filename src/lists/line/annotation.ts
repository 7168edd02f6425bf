import { type Geolocation, MAX_ASN } from '../../model/geolocation.ts';
import { Refused } from '../parts/refused.ts';
import { type Scheme, schemesNamed } from '../parts/scheme.ts';

/** What the words after a proxy say. */
export interface Annotation {
  schemes: readonly Scheme[];
  geolocation?: Readonly<Geolocation>;
  /** Whole milliseconds. */
  latency?: number;
  /** Whether there are words that the pool has no place for. */
  isPartly: boolean;
}

const MAX_LENGTH = 256;
const KNOWN = new Map<string, Annotation>();
const MOST_KNOWN = 1000;
/** Of the name of a country. */
const MOST_WORDS = 5;

/** A protocol as lists write it, several in one word included. */
export const PROTOCOL =
  String.raw`(?:https?\s?[/+&]\s?https?|http\(s\)|https?|socks?[\s_-]?v?[45][ah]?(?:\s?[/+&]\s?(?:socks?)?5)?|socks)` +
  String.raw`(?:[\s_-]prox(?:y|ies))?`;
const PROTOCOLS = new RegExp(String.raw`(?<![\p{L}\d])${PROTOCOL}(?![\p{L}\d])`, 'giu');

/** Marks of spys.me and its kin (anonymity, SSL, Google), and the emoji that lists are decorated with. */
const MARK = /^(?:[NAHS]!?|[+-]|(?:\p{Extended_Pictographic}|\uFE0F)+)!?$/u;
const WORD =
  /^(?:noa|anm|hia|elite|anonymous|transparent|distorting|high|low|proxy|ssl|yes|no|ok|success|successful|alive|working|active|online|live|valid|good|fast|slow|residential|datacenter|mobile|isp|rotating|static|google|true|false|\d+(?:\.\d+)?%?|\d{4}-\d\d-\d\d|\d\d?:\d\d(?::\d\d)?)$/i;
const TIME = /^(\d{1,6}(?:\.\d{1,6})?)(ms|s|sec)$/i;
const ASN = /^AS(\d{1,10})$/;
const FLAG = /^([\u{1F1E6}-\u{1F1FF}])([\u{1F1E6}-\u{1F1FF}])$/u;
const FLAG_A = 0x1_f1_e6;

let names: Intl.DisplayNames | undefined;
let countries: ReadonlyMap<string, string> | undefined;

/** Whether a text is a country (ISO 3166-1 alpha-2, or its English name), an anonymity, a protocol or a measurement. */
export function isAnnotation(text: string): boolean {
  try {
    return text.trim() !== '' && readAnnotation(text) !== null;
  } catch {
    return true;
  }
}

/** Whether a protocol is named in a text, outside of a URL. */
export function hasProtocol(text: string): boolean {
  return text.replace(/https?:\/\/\S*/gi, ' ').search(PROTOCOLS) !== -1;
}

/** Whether a text is a country (two upper-case letters or a name that begins with one) or an anonymity. */
export function isPlaceOrKind(text: string): boolean {
  if (/^[A-Z]{2}$/.test(text)) return countryOf(text) !== undefined;
  return (
    /^(?:elite|anonymous|transparent)$/i.test(text) ||
    (/^\p{Lu}/u.test(text) && countryNamed(text) !== undefined)
  );
}

/** Reads words such as `US-H! +`, `| SOCKS5 | Germany | 120ms`; null if one is unknown. @throws Refused for SOCKS without version. */
export function readAnnotation(text: string): Annotation | null {
  // Numbers alone may be other ports, or a login.
  if (text.length > MAX_LENGTH || /^[\s,;|/]*\d[\d\s,;|/]*$/.test(text)) return null;
  const known = KNOWN.get(text);
  if (known) return known;
  const annotation = readParts(text);
  if (annotation === null) return null;
  // Lists repeat the same few annotations. Only such are kept, since other text may be a login.
  if (KNOWN.size >= MOST_KNOWN) KNOWN.clear();
  KNOWN.set(text, annotation);
  return annotation;
}

/** What an annotation says of a proxy, as a copy that the caller may change. */
export function saidBy({ isPartly, ...said }: Annotation): Omit<Annotation, 'isPartly'> & { note?: string } {
  if (said.geolocation) said.geolocation = { ...said.geolocation };
  return isPartly ? { ...said, note: 'a part of the annotation after the proxy was ignored' } : said;
}

function readParts(text: string): Annotation | null {
  const schemes: Scheme[] = [];
  const rest = text
    .replace(PROTOCOLS, (word) => {
      schemes.push(...requireVersion(word));
      return ' ';
    })
    .replace(/(\d)\s+(?=(?:ms|sec|s)(?![\p{L}\d]))/giu, '$1');
  const said: Omit<Annotation, 'schemes'> = { isPartly: false };
  // After other words, NO is the opposite of YES.
  if (/^[\s|([]*NO(?![\p{L}\d])/u.test(rest)) said.geolocation = { country: 'NO' };
  for (const part of rest.split(/[|,;=>()[\]/]+/)) {
    const words = part.split(/\s+|(?<=[A-Z!])-/u).filter((word) => word !== '');
    for (let at = 0; at < words.length; ) {
      const named = readCountryName(words, at, said);
      if (named === 0 && !readWord(words[at] ?? '', said)) return null;
      at += Math.max(named, 1);
    }
  }
  return { schemes, ...said };
}

/** How many of the words, from one of them on, are the name of a country. */
function readCountryName(words: readonly string[], at: number, said: Omit<Annotation, 'schemes'>): number {
  if (!/^\p{L}{2}/u.test(words[at] ?? '')) return 0;
  for (let count = Math.min(MOST_WORDS, words.length - at); count > 0; count--) {
    const country = countryNamed(words.slice(at, at + count).join(' '));
    if (country !== undefined) {
      said.geolocation = { country, ...said.geolocation };
      return count;
    }
  }
  return 0;
}

function requireVersion(word: string): readonly Scheme[] {
  const schemes = schemesNamed(word);
  if (schemes) return schemes;
  throw new Refused('unknown-scheme', 'SOCKS has two versions: write socks4 or socks5');
}

function readWord(word: string, said: Omit<Annotation, 'schemes'>): boolean {
  const [, time, unit = ''] = TIME.exec(word) ?? [];
  if (time !== undefined) {
    said.latency ??= Math.round(Number(time) * (unit.toLowerCase() === 'ms' ? 1 : 1000));
    return true;
  }
  const asn = Number(ASN.exec(word)?.[1]);
  if (asn >= 1 && asn <= MAX_ASN) {
    said.geolocation = { ...said.geolocation, asn };
    return true;
  }
  const flag = codeOfFlag(word);
  if (flag === undefined && (WORD.test(word) || MARK.test(word))) {
    said.isPartly = true;
    return true;
  }
  const code = flag ?? word.replace(/!$/, '');
  if (!/^[A-Z]{2}$/.test(code)) return false;
  const country = countryOf(code);
  if (country === undefined) said.isPartly = true;
  else said.geolocation = { country, ...said.geolocation };
  return true;
}

/** The country of two letters in upper case; an old code (UK, SU) becomes that of today. */
function countryOf(code: string): string | undefined {
  names ??= new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
  return code === 'ZZ' || names.of(code) === undefined ? undefined : new Intl.Locale(`und-${code}`).region;
}

/** The code of a country from its English name, in any case. */
export function countryNamed(name: string): string | undefined {
  countries ??= namesOfCountries();
  return countries.get(name.toLowerCase());
}

function namesOfCountries(): ReadonlyMap<string, string> {
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  const codes = letters.flatMap((first) => letters.map((second) => first + second));
  const countries = codes.filter((code) => countryOf(code) === code);
  return new Map(countries.map((code) => [names?.of(code)?.toLowerCase() ?? '', code]));
}

function codeOfFlag(word: string): string | undefined {
  const [, first, second] = FLAG.exec(word) ?? [];
  if (first === undefined || second === undefined) return undefined;
  return String.fromCharCode(...[first, second].map((part) => (part.codePointAt(0) ?? 0) - FLAG_A + 65));
}
