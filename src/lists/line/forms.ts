import { parsePort } from '../../model/host.ts';
import { LINE_FORMS, type LineForm } from '../options.ts';
import {
  type Address,
  endOfHost,
  type Piece,
  readAddress,
  requireAddress,
  toAddress,
} from '../parts/address.ts';
import { Refused } from '../parts/refused.ts';
import { PROTOCOL } from './annotation.ts';
import { doubtful } from './certain-login.ts';

export interface Reading extends Address {
  form: LineForm | 'host:port';
  /** As the line has it. */
  username: string;
  password: string;
  /** Where the login begins, and where what follows the proxy begins, from 0 in the line. */
  loginAt: number;
  end: number;
}

export interface ReadingOptions {
  /** After a scheme: the login is before the @, if the line can be read so. */
  isUrl: boolean;
  /** The form that the user named: then a blank or a separator is a part of the login. */
  form: LineForm | undefined;
}

type Reader = (text: string, isNamed: boolean) => Reading | null;

const READERS: Record<LineForm, Reader> = {
  'user:pass@host:port': readLoginFirst,
  'host:port@user:pass': readAddressFirst,
  'host:port:user:pass': readColons,
  'user:pass:host:port': readColonsReversed,
};

/** Where a login at the end of a line ends: at a separator, a bracket, a URL or a protocol. */
const LOGIN_END = new RegExp(
  String.raw`[,;|]|[[(<](?=https?:\/\/)|:(?=https?:\/\/)|[[(<][^[\](){}<>]*[\])>]$|[:@](?=${PROTOCOL}$)`,
  'i',
);

/**
 * Reads a line, without its scheme, in every form that has a login. A host of one word counts only if no other reading holds.
 * @throws Refused (ambiguous), with the forms named, if several hold.
 */
export function readForms({ text, at }: Piece, { isUrl, form }: ReadingOptions): Reading | null {
  if (form !== undefined) return READERS[form](text, true);
  const held = LINE_FORMS.map((each) => READERS[each](text, false)).filter((reading) => reading !== null);
  // RFC 3986, section 3.2.1: in a URL the login is before the @.
  const isLoginFirst = isUrl && held[0]?.form === 'user:pass@host:port';
  const readings = isLoginFirst ? held.filter((each) => each.form !== 'host:port@user:pass') : held;
  const sure = readings.filter(({ isSure }) => isSure);
  const [only, ...others] = sure.length > 0 ? sure : readings;
  if (only === undefined) return null;
  if (others.length > 0) {
    const forms = [only, ...others].map((each) => each.form).join(' and as ');
    const reason = `this reads both as ${forms}: name the form that it is with --format`;
    throw new Refused('ambiguous', reason, at);
  }
  if (only.form === 'user:pass:host:port' && !only.isSure)
    throw new Refused(
      'not-a-proxy',
      'this may be user:pass:host:port with a host of one word: name that form with --format',
      at,
    );
  return only;
}

/** Reads `host:port`; what follows it begins at `end`. @throws Refused, with what is wrong. */
export function readPlain(line: Piece): Reading {
  const end = endOfAddress(line.text);
  const read = readAddress(line.text.slice(0, end));
  return read ? { form: 'host:port', ...read, username: '', password: '', loginAt: end, end } : explain(line);
}

function readLoginFirst(text: string): Reading | null {
  const split = text.lastIndexOf('@');
  if (split === -1) return null;
  const end = split + 1 + endOfAddress(text.slice(split + 1));
  const read = readAddress(text.slice(split + 1, end));
  return (
    read && { form: 'user:pass@host:port', ...read, ...splitLogin(text.slice(0, split)), loginAt: 0, end }
  );
}

function readAddressFirst(text: string, isNamed: boolean): Reading | null {
  const split = text.indexOf('@');
  const read = split === -1 ? null : readAddress(text.slice(0, split));
  if (!read) return null;
  const end = endOfLogin(text, split + 1, isNamed);
  const login = splitLogin(text.slice(split + 1, end), isNamed ? /[:@]/ : /:/);
  // A word alone after the @ may be anything.
  if (!isNamed && login.password === '') return null;
  return { form: 'host:port@user:pass', ...read, ...login, loginAt: split + 1, end };
}

/** Everything after the third colon is the password. */
function readColons(text: string, isNamed: boolean): Reading | null {
  const hostEnd = text.startsWith('[') ? text.indexOf(']') + 1 : text.indexOf(':');
  if (hostEnd <= 0 || text[hostEnd] !== ':') return null;
  // If the form is named, another separator may replace the later colons.
  const portEnd = isNamed ? indexOf(text, /[:;|,\t ]/, hostEnd + 1) : text.indexOf(':', hostEnd + 1);
  const colon = portEnd === -1 ? -1 : text.indexOf(text[portEnd] ?? ':', portEnd + 1);
  if (colon === -1) return null;
  const read = readAddress(text.slice(0, portEnd));
  if (!read) return null;
  const end = endOfLogin(text, colon + 1, isNamed);
  const login = { username: text.slice(portEnd + 1, colon), password: text.slice(colon + 1, end) };
  return { form: 'host:port:user:pass', ...read, ...login, loginAt: portEnd + 1, end };
}

/** The username ends at the first colon, the host begins after the last but one. */
function readColonsReversed(text: string): Reading | null {
  const end = text.length - (/[,;/]+$/.exec(text.slice(-8))?.[0].length ?? 0);
  const portAt = text.lastIndexOf(':', end);
  const port = portAt === -1 ? null : parsePort(text.slice(portAt + 1, end));
  if (port === null) return null;
  const hostAt =
    text[portAt - 1] === ']' ? text.lastIndexOf('[', portAt) : text.lastIndexOf(':', portAt - 1) + 1;
  const userEnd = text.indexOf(':');
  if (userEnd >= hostAt - 1 || text[hostAt - 1] !== ':') return null;
  const read = toAddress(text.slice(hostAt, portAt), port);
  if (!read || hasWrongPort(text, userEnd)) return null;
  return { form: 'user:pass:host:port', ...read, ...splitLogin(text.slice(0, hostAt - 1)), loginAt: 0, end };
}

/** Whether the line begins with an address whose port is a number out of range: a slip, and no login. */
function hasWrongPort(text: string, hostEnd: number): boolean {
  const [digits = ''] = /^\d*/.exec(text.slice(hostEnd + 1)) ?? [];
  const isNumber = digits !== '' && text[hostEnd + 1 + digits.length] === ':';
  return isNumber && parsePort(digits) === null && toAddress(text.slice(0, hostEnd), 1)?.isSure === true;
}

function splitLogin(login: string, separator = /:/): { username: string; password: string } {
  const colon = login.search(separator);
  return colon === -1
    ? { username: login, password: '' }
    : { username: login.slice(0, colon), password: login.slice(colon + 1) };
}

function endOfLogin(text: string, from: number, isNamed: boolean): number {
  // A login never holds a URL, whatever the user says.
  const found = indexOf(text, isNamed ? /[\s,;|:[(<]+(?=https?:\/\/)/i : LOGIN_END, from);
  return found === -1 ? text.length : found;
}

function indexOf(text: string, pattern: RegExp, from: number): number {
  const found = text.slice(from).search(pattern);
  return found === -1 ? -1 : from + found;
}

function endOfAddress(text: string): number {
  const match = /^(?:\[[^\]]*\]|[^:]*):\d+/.exec(text);
  return match === null || /^[\p{L}\d._]/u.test(text.slice(match[0].length)) ? text.length : match[0].length;
}

/** What is wrong with a line that reads in no form. */
function explain(line: Piece): never {
  const split = line.text.lastIndexOf('@');
  const address = { text: line.text.slice(split + 1), at: line.at + split + 1 };
  if (split === 0)
    throw new Refused('bad-credentials', 'there is neither a username nor a password', line.at);
  if (/\s/.test(line.text.slice(0, Math.max(split, 0)).trim()))
    throw doubtful('a blank is in the login', line.at);
  const path = address.text.search(/[/?#]/);
  const whole = path === -1 ? address : { ...address, text: address.text.slice(0, path) };
  const portEnd = whole.text.indexOf(':', endOfHost(whole) + 1);
  requireAddress(portEnd === -1 ? whole : { ...whole, text: whole.text.slice(0, portEnd) });
  throw new Refused('not-a-proxy', 'this is neither a proxy nor a comment', line.at);
}
