import { Refused } from '../parts/refused.ts';
import { requireSchemes, type Scheme, schemeOf, schemesNamed } from '../parts/scheme.ts';
import { Fields, type Member } from './fields.ts';
import { isKnown, plainText, readFlag } from './values.ts';

/** What `type` means in some lists: how anonymous a proxy is, or whose address it has. */
const KIND =
  /\b(?:elite|anonymous|anon|transparent|distorting|high|medium|low|noa|anm|hia|datacenter|data center|dc|residential|resi|isp|mobile|cellular|hosting|business|sticky|backconnect|gateway|static|rotating|dynamic|dedicated|shared|private|public|premium|free|ipv[46]|lte|[345]g)\b/gi;
const SEVERAL = /[,;|/&+\s]+/;
const MOST = 8;

/**
 * The protocols that the members of a record name, if any: by a word, a list of words, or flags such as `socks5: true`.
 * @throws Refused for an unknown protocol, and for members that disagree.
 */
export function recordSchemes(fields: Fields): Scheme[] {
  const named = namedSchemes(fields);
  const flagged = flaggedSchemes(fields, named.length > 0);
  const schemes = named.length > 0 ? named : flagged;
  if (named.length > 0 && flagged.length > 0 && !flagged.some((flag) => includes(named, flag)))
    throw new Refused('ambiguous', 'the members of the record name different protocols');
  return readFlag(fields.get('tls')) === true ? schemes.map(withTls) : schemes;
}

/** Clash and Mihomo write an HTTPS proxy as `type: http` with `tls: true`. */
export function withTls(scheme: Scheme): Scheme {
  if (scheme.protocol === 'https') return scheme;
  if (scheme.protocol === 'http') return schemeOf('https') ?? scheme;
  throw new Refused('unknown-scheme', `${scheme.protocol} inside TLS is not supported`);
}

function namedSchemes(fields: Fields): Scheme[] {
  let found: Scheme[] | undefined;
  let unknown: { member: Member; error: unknown } | undefined;
  for (const member of fields.known) {
    if (member.meaning.field !== 'protocol') continue;
    try {
      const schemes = schemesIn(member.value);
      if (schemes.length === 0) fields.unread.push(member);
      else if (found === undefined) found = schemes;
      else if (!isSame(found, schemes))
        throw new Refused('ambiguous', 'two members of the record name different protocols');
    } catch (error) {
      if (error instanceof Refused && error.code === 'ambiguous') throw error;
      if (/^mode$/i.test(member.name)) fields.unread.push(member);
      else unknown ??= { member, error };
    }
  }
  if (unknown === undefined) return found ?? [];
  if (found === undefined) throw unknown.error;
  // Another member names the protocol, so that this one says something else.
  fields.unread.push(unknown.member);
  return found;
}

/** The protocols in a word, a list of words or of records with a `type`, or flags by protocol; an empty list for a kind of proxy. */
function schemesIn(value: unknown): Scheme[] {
  if (typeof value === 'string') return schemesInWord(value);
  if (Array.isArray(value)) return unique(value.slice(0, MOST).flatMap(schemesInItem));
  if (typeof value === 'object' && value !== null)
    return flaggedSchemes(new Fields(Object.entries(value)), false);
  throw notAWord();
}

function notAWord(): Refused {
  const reason = 'the protocol is not a word, and what a number means depends on the tool';
  return new Refused('unknown-scheme', reason);
}

function schemesInItem(item: unknown): Scheme[] {
  if (typeof item === 'string') return schemesInWord(item);
  if (typeof item !== 'object' || item === null) throw notAWord();
  const fields = new Fields(Object.entries(item));
  const name = fields.get('protocol') ?? fields.get('name');
  if (typeof name !== 'string') throw notAWord();
  return schemesInWord(name);
}

function schemesInWord(text: string): Scheme[] {
  const plain = text.trim();
  const known = schemesNamed(plain);
  if (known) return [...known];
  const rest = plain.length > 64 ? plain : plain.replace(KIND, ' ').trim();
  if (rest === '' || !isKnown(plain) || (rest !== plain && !/https?|socks/i.test(rest))) return [];
  const words = rest.split(SEVERAL).filter((word) => word !== '');
  if (schemesNamed(rest) || words.length < 2 || words.length > MOST) return [...requireSchemes(rest)];
  const schemes = words.flatMap((word) => requireSchemes(word));
  const isTunnel = includes(schemes, { protocol: 'http' }) && includes(schemes, { protocol: 'https' });
  if (!isTunnel) return unique(schemes);
  const others = schemes.filter(({ protocol }) => !protocol.startsWith('http'));
  return unique([...requireSchemes('http/https'), ...others]);
}

/**
 * The protocols whose flags are set. `https` and `ssl` say that the proxy tunnels HTTPS (CONNECT), and, without another protocol,
 * that it is an HTTP proxy.
 */
function flaggedSchemes(fields: Fields, isNamed: boolean): Scheme[] {
  const schemes: Scheme[] = [];
  for (const name of ['socks4', 'socks5'] as const)
    if (isSet(fields, name)) schemes.push(...requireSchemes(name));
  const version = fields.get('socks');
  if (version !== undefined && !(isNamed && readFlag(version) === true)) schemes.push(...socksOf(version));
  if (isNamed) return unique(schemes);
  const isHttps = isSet(fields, 'https');
  if (isSet(fields, 'http')) schemes.unshift(...requireSchemes(isHttps ? 'http/https' : 'http'));
  else if (isHttps && fields.has('http'))
    throw new Refused(
      'ambiguous',
      'https without http is either TLS to the proxy or CONNECT: name the protocol',
    );
  else if (isHttps && schemes.length === 0) schemes.push(...requireSchemes('http/https'));
  return unique(schemes);
}

function isSet(fields: Fields, name: 'http' | 'https' | 'socks4' | 'socks5'): boolean {
  const member = fields.member(name);
  if (member === undefined) return false;
  const flag = readFlag(member.value);
  if (flag === undefined && isKnown(member.value)) fields.unread.push(member);
  return flag === true;
}

function socksOf(version: unknown): readonly Scheme[] {
  if (readFlag(version) === false) return [];
  return requireSchemes(
    `socks${readFlag(version) === true ? '' : plainText(version).replace(/^v/i, '')}`.slice(0, 16),
  );
}

function includes(schemes: readonly Scheme[], { protocol }: Scheme): boolean {
  return schemes.some((scheme) => scheme.protocol === protocol);
}

function isSame(some: readonly Scheme[], others: readonly Scheme[]): boolean {
  return some.every((scheme) => includes(others, scheme)) && others.every((scheme) => includes(some, scheme));
}

function unique(schemes: readonly Scheme[]): Scheme[] {
  return schemes.filter(
    (scheme, index) => schemes.findIndex(({ protocol }) => protocol === scheme.protocol) === index,
  );
}
