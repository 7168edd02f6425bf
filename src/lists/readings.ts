import { parsePort } from '../network/host.ts';
import { type Address, endOfHost, type Piece, readAddress, requireAddress, toAddress } from './address.ts';
import { Refused } from './refused.ts';
import { readTail, type Tail } from './tail.ts';
import { LINE_FORMS, type LineForm } from './types.ts';
import { decodePercent } from './url.ts';

/** One way to read a line. */
export interface Reading extends Address, Tail {
  form: LineForm | 'host:port';
  username?: string;
  password?: string;
}

export interface ReadingOptions {
  /** Behind a scheme: what stands before the @ is percent-decoded, and read before what stands behind it. */
  isUrl?: boolean;
  form?: LineForm | undefined;
}

type Reader = (line: Piece, isUrl: boolean) => Reading | null;

const READERS: Record<LineForm, Reader> = {
  'user:pass@host:port': readLoginFirst,
  'host:port@user:pass': readAddressFirst,
  'host:port:user:pass': readColons,
  'user:pass:host:port': readColonsReversed,
};

/**
 * Reads a line, without its scheme, in every form that has a login, and gives the only one that holds, or null. A reading
 * with an address that is surely one goes before those with a host of one word.
 *
 * @throws Refused (ambiguous), with the forms named, if several hold.
 */
export function readForms(line: Piece, { isUrl = false, form }: ReadingOptions): Reading | null {
  if (form !== undefined) return READERS[form](line, isUrl);
  const held = LINE_FORMS.map((each) => READERS[each](line, isUrl)).filter((reading) => reading !== null);
  // RFC 3986, section 3.2.1: in a URL the login stands before the @.
  const readings = isUrl && held[0]?.form === 'user:pass@host:port' ? held.filter(isNotAddressFirst) : held;
  const sure = readings.filter(({ isSure }) => isSure);
  const [only, ...others] = sure.length > 0 ? sure : readings;
  if (only === undefined) return null;
  if (others.length > 0) throw ambiguous([only, ...others], line.at);
  if (only.form === 'user:pass:host:port' && !only.isSure) {
    throw new Refused(
      'not-a-proxy',
      'this may be user:pass:host:port with a host of one word: name that form with --format',
      line.at,
    );
  }
  return only;
}

/** Reads `host:port` and what may follow it. @throws Refused, with what is wrong. */
export function readPlain(line: Piece): Reading {
  const { address, tail } = splitTail(line);
  const read = readAddress(address.text);
  return read ? { form: 'host:port', ...read, ...readTail(tail) } : explain(line);
}

function readLoginFirst({ text, at }: Piece, isUrl: boolean): Reading | null {
  const split = text.lastIndexOf('@');
  if (split === -1) return null;
  const { address, tail } = splitTail({ text: text.slice(split + 1), at: at + split + 1 });
  const read = readAddress(address.text);
  if (!read) return null;
  const login = readLogin({ text: text.slice(0, split), at }, isUrl ? decodePercent : undefined);
  return { form: 'user:pass@host:port', ...read, ...login, ...readTail(tail) };
}

function readAddressFirst({ text, at }: Piece): Reading | null {
  const split = text.indexOf('@');
  const read = split === -1 ? null : readAddress(text.slice(0, split));
  if (!read) return null;
  const login = readLogin({ text: text.slice(split + 1), at: at + split + 1 });
  return { form: 'host:port@user:pass', ...read, ...login };
}

/** Everything behind the third colon is the password. */
function readColons(line: Piece): Reading | null {
  const { text, at } = line;
  const end = text.startsWith('[') ? text.indexOf(']') + 1 : text.indexOf(':');
  if (end <= 0 || text[end] !== ':') return null;
  const portEnd = text.indexOf(':', end + 1);
  if (portEnd === -1 || text.indexOf(':', portEnd + 1) === -1) return null;
  const read = readAddress(text.slice(0, portEnd));
  if (!read) return null;
  const login = readLogin({ text: text.slice(portEnd + 1), at: at + portEnd + 1 });
  return { form: 'host:port:user:pass', ...read, ...login };
}

/** The username ends at the first colon, the host begins behind the last but one. */
function readColonsReversed({ text, at }: Piece): Reading | null {
  const portAt = text.lastIndexOf(':');
  const port = portAt === -1 ? null : parsePort(text.slice(portAt + 1));
  if (port === null) return null;
  const hostAt =
    text[portAt - 1] === ']' ? text.lastIndexOf('[', portAt) : text.lastIndexOf(':', portAt - 1) + 1;
  const userEnd = text.indexOf(':');
  if (userEnd >= hostAt - 1 || text[hostAt - 1] !== ':') return null;
  const read = toAddress(text.slice(hostAt, portAt), port);
  if (!read || hasWrongPort(text, userEnd)) return null;
  const login = readLogin({ text: text.slice(0, hostAt - 1), at });
  return { form: 'user:pass:host:port', ...read, ...login };
}

/** Whether the line begins with an address whose port is a number, but none from 1 to 65535: a slip, and no login. */
function hasWrongPort(text: string, hostEnd: number): boolean {
  const [digits = ''] = /^\d*/.exec(text.slice(hostEnd + 1)) ?? [];
  const isNumber = digits !== '' && text[hostEnd + 1 + digits.length] === ':';
  return isNumber && parsePort(digits) === null && toAddress(text.slice(0, hostEnd), 1)?.isSure === true;
}

function readLogin(
  login: Piece,
  decode = (text: string): string => text,
): { username: string; password: string } {
  const colon = login.text.indexOf(':');
  const username = colon === -1 ? login.text : login.text.slice(0, colon);
  const password = colon === -1 ? '' : login.text.slice(colon + 1);
  if (username === '' && password === '')
    throw new Refused('bad-credentials', 'there is neither a username nor a password', login.at);
  return { username: decode(username), password: decode(password) };
}

/** Where `host:port` ends, and what stands behind it. */
function splitTail({ text, at }: Piece): { address: Piece; tail: Piece } {
  const match = /^(?:\[[^\]]*\]|[^:]*):\d+/.exec(text);
  const end =
    match === null || /^[\p{L}\d.:_]/u.test(text.slice(match[0].length)) ? text.length : match[0].length;
  return { address: { text: text.slice(0, end), at }, tail: { text: text.slice(end), at: at + end } };
}

/** What is wrong with a line that reads in no form. */
function explain(line: Piece): never {
  const split = line.text.lastIndexOf('@');
  const address = { text: line.text.slice(split + 1), at: line.at + split + 1 };
  if (split === 0)
    throw new Refused('bad-credentials', 'there is neither a username nor a password', line.at);
  const path = address.text.search(/[/?#]/);
  const whole = path === -1 ? address : { ...address, text: address.text.slice(0, path) };
  const portEnd = whole.text.indexOf(':', endOfHost(whole) + 1);
  const read = portEnd === -1 ? null : readAddress(whole.text.slice(0, portEnd));
  if (read) {
    const reason = 'a username stands without a password: write host:port:user:pass';
    throw new Refused('bad-credentials', reason, whole.at + portEnd + 1);
  }
  requireAddress(portEnd === -1 ? whole : { ...whole, text: whole.text.slice(0, portEnd) });
  throw new Refused('not-a-proxy', 'this is neither a proxy nor a comment', line.at);
}

function isNotAddressFirst({ form }: Reading): boolean {
  return form !== 'host:port@user:pass';
}

function ambiguous(readings: readonly Reading[], at: number): Refused {
  const forms = readings.map(({ form }) => form).join(' and as ');
  return new Refused('ambiguous', `this reads both as ${forms}: name the form that it is with --format`, at);
}
