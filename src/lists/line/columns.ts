import { isIPv6 } from 'node:net';

import { parsePort } from '../../model/host.ts';
import { type Endpoint, type Piece, readAddress, requirePort, toAddress } from '../parts/address.ts';
import { Refused } from '../parts/refused.ts';
import { namesProtocol, type Scheme, schemesNamed } from '../parts/scheme.ts';
import type { ListedProxy } from '../verdicts.ts';
import { countryNamed, isAnnotation, readAnnotation, saidBy } from './annotation.ts';
import { assertCertain, doubtful } from './certain-login.ts';

/** A proxy without its protocol, and the protocols that are named beside it. */
export type Columns = Omit<ListedProxy, 'protocol'> & { schemes: readonly Scheme[]; note?: string };

/** A name of a place, as a column of cities has it. */
const PLACE = /^\p{Lu}\p{Ll}+(?:[ -]\p{Lu}\p{Ll}+)*$/u;

/** What separates the columns of a line; null if the line has no columns. The first two columns are a host and its port. */
export function separatorOf(text: string): string | null {
  const [, first = '', separator] = /^([^\s,;|]+)(\s*[,;|\t]|\s)/.exec(text) ?? [];
  if (separator === undefined) return null;
  const isHost = !first.includes(':') || first.endsWith(']') || isIPv6(first);
  return isHost ? separator.trim() || (separator.includes('\t') ? '\t' : ' ') : null;
}

/** Reads `host port` with what may follow an address, or columns between commas, semicolons, bars or tabs. */
export function readSeparated({ text, at }: Piece, separator: string): Columns {
  if (separator !== ' ') {
    const cells = text.split(separator).map((cell) => cell.trim());
    const read = readCells(cells, at);
    const { username, password = '' } = read;
    // Cells of a text are cut without regard to quotes, comments and other separators.
    if (username !== undefined)
      assertCertain({ form: 'host:port:user:pass', username, password, isUrl: false, tail: '' }, at);
    if (/[,;|]/.test(password)) throw doubtful('a separator is in the password', at);
    return read;
  }
  const [, host = '', port = '', tail = ''] = /^(\S+) +(\d+)(?![\d.])\s*(.*)$/su.exec(text) ?? [];
  const address = toAddress(host, parsePort(port) ?? 0);
  // Words with a port at their end are an address with a wrong host; a word and a number are prose.
  if (!address?.isSure && /:\d+$/.test(text))
    throw new Refused('bad-host', 'the host has a character that no host name has', at);
  if (!address?.isSure) throw new Refused('not-a-proxy', 'this is neither a proxy nor a comment', at);
  requirePort(port, at);
  return readAfter({ host: address.host, port: address.port }, tail === '' ? [] : [tail], at);
}

/**
 * Reads cells without a header: perhaps a protocol, then host and port, then a login or an annotation.
 * @throws Refused: ambiguous if the cells may be something else.
 */
export function readCells(given: readonly string[], at = 0): Columns {
  const filled = given.slice(0, given.findLastIndex((cell) => cell.trim() !== '') + 1);
  const first = schemesNamed((filled[0] ?? '').trim());
  const cells = first ? filled.slice(1) : filled;
  const [hostCell = '', portCell = '', ...rest] = cells;
  const host = hostCell.trim();
  const whole = readAddress(host);
  const { schemes, ...proxy } = whole?.isSure
    ? readAfter({ host: whole.host, port: whole.port }, cells.slice(1), at, false)
    : readAfter(requireEndpoint(host, portCell.trim(), rest.length > 0, at), rest, at);
  return { ...proxy, schemes: [...(first ?? []), ...schemes] };
}

function requireEndpoint(host: string, port: string, hasMore: boolean, at: number): Endpoint {
  const address = toAddress(host, 1);
  const isPort = parsePort(port) !== null;
  if (address && isPort && (hasMore || address.isSure))
    return { host: address.host, port: requirePort(port, at) };
  // One word and a number are prose.
  if (!/^\d+$/.test(port) || (address && isPort))
    throw new Refused('not-a-proxy', 'this is neither a proxy nor a comment', at);
  if (address) throw new Refused('bad-port', 'the port is not a number from 1 to 65535', at);
  throw new Refused('bad-host', 'the host is neither an IP address nor a name', at);
}

function readAfter(endpoint: Endpoint, cells: readonly string[], at: number, mayBeLogin = true): Columns {
  const annotation = readAnnotation(cells.map((cell) => cell.trim()).join(' | '));
  const isCertain = cells.length < 2 || cells.some((cell) => isAnnotation(cell) && !isNumber(cell));
  if (annotation && isCertain && !isWordAndNumber(cells)) return { ...endpoint, ...saidBy(annotation) };
  const schemes = cells.map((cell) => schemesNamed(cell.trim()));
  const [username = '', password = '', ...more] = cells.filter((_, index) => schemes[index] === null);
  if (!mayBeLogin || more.length > 0 || !isLogin(username, password))
    throw new Refused(
      'ambiguous',
      'the columns are not just host, port, user and password: a header must name them, or --format the form',
      at,
    );
  return { ...endpoint, username, password, schemes: schemes.flatMap((named) => named ?? []) };
}

/** A country, a city, an anonymity, a protocol, a URL or another address is no login. */
function isLogin(username: string, password: string): boolean {
  if (username === '' || password === '') return false;
  if (namesProtocol(username) || namesProtocol(password) || `${username}:${password}`.includes('://'))
    return false;
  const isAddress = toAddress(username, 1)?.isSure && parsePort(password) !== null;
  if (isAddress || readAddress(username)?.isSure || readAddress(password)?.isSure) return false;
  const isWord = (cell: string): boolean =>
    !isNumber(cell) &&
    (isAnnotation(cell) || isAnnotation(cell.toUpperCase()) || countryNamed(cell) !== undefined);
  const isPlace = PLACE.test(username) && (PLACE.test(password) || isNumber(password));
  return !isPlace && !isWord(username) && !isWord(password);
}

/** `Jordan,12345` may be a login, or a country and a time; `US,120` is not a login. */
function isWordAndNumber([word = '', number = '', ...more]: readonly string[]): boolean {
  return (
    more.length === 0 &&
    /^\s*\d+\s*$/.test(number) &&
    /\p{L}{2}/u.test(word) &&
    !/^[A-Z]{2}$/.test(word) &&
    !schemesNamed(word)
  );
}

function isNumber(cell: string): boolean {
  return /^\s*\d+(?:\.\d+)?\s*$/.test(cell);
}
