import { isIPv6 } from 'node:net';

import { parsePort } from '../network/host.ts';
import { type Piece, toAddress } from './address.ts';
import { schemeOf } from './protocol.ts';
import { Refused } from './refused.ts';
import { readTail } from './tail.ts';
import type { ListedProxy } from './types.ts';

/** A line of columns; without `protocol` if no column names one. */
export type Columns = Omit<ListedProxy, 'protocol'> & { scheme?: string; note?: string };

const ANONYMITY = /^(?:elite|anonymous|transparent|high|noa|anm|hia)\b/i;

/** What separates the columns of a line, or null: columns begin with a host, whose port stands in a column of its own. */
export function separatorOf(text: string): string | null {
  const separator = /[,;\t ]/.exec(text);
  if (separator === null) return null;
  const first = text.slice(0, separator.index);
  const isHost = !first.includes(':') || first.endsWith(']') || isIPv6(first) || schemeOf(first) !== null;
  return isHost ? separator[0] : null;
}

/** Reads `host port` with what may follow an address, or columns between commas, semicolons or tabs. */
export function readSeparated({ text, at }: Piece, separator: string): Columns {
  if (separator !== ' ') {
    const cells = text.split(separator);
    const isPadded = /^\s/.test(cells[1] ?? '');
    return readCells(isPadded ? cells.map((cell) => cell.trim()) : cells, at);
  }
  const match = /^(\S+) +(\d+)(.*)$/su.exec(text);
  const address = match ? toAddress(match[1] ?? '', parsePort(match[2] ?? '') ?? 0) : null;
  // A word and a number are prose.
  if (!match || !address?.isSure) throw proseOrHost(text, at);
  assertPort(match[2] ?? '', at);
  const tail = match[3] ?? '';
  const { host, port } = address;
  return { host, port, ...readTail({ text: tail, at: at + text.length - tail.length }) };
}

/**
 * Reads the cells of one proxy without a header: host, port, then a login, and a protocol before, between or behind.
 *
 * @throws Refused: ambiguous if there are more cells, since nobody says what they are.
 */
export function readCells(cells: readonly string[], at = 0): Columns {
  const schemes = [0, 2, cells.length - 1].filter((index) => schemeOf((cells[index] ?? '').trim()) !== null);
  const [schemeAt] = schemes;
  const scheme = schemeAt === undefined ? undefined : cells[schemeAt]?.trim();
  const [host = '', port = '', username = '', password = '', ...more] = cells.filter(
    (_, index) => index !== schemeAt,
  );
  const hostText = host.trim();
  const address = toAddress(hostText, 1);
  const isProse = username === '' && address?.isSure === false;
  if (!address || isProse || parsePort(port.trim()) === null) throw wrongCells(hostText, port, at);
  const isLoneColumn = username.trim() !== '' && password.trim() === '';
  if (isLoneColumn || more.some((cell) => cell.trim() !== '') || ANONYMITY.test(password)) {
    throw new Refused(
      'ambiguous',
      'the columns are not just host, port, user and password: a header must name them',
      at,
    );
  }
  const login = username === '' && password === '' ? {} : { username, password };
  return { host: address.host, port: assertPort(port.trim(), at), ...login, ...(scheme ? { scheme } : {}) };
}

function assertPort(text: string, at: number): number {
  const port = parsePort(text);
  if (port === null) throw new Refused('bad-port', 'the port is not a number from 1 to 65535', at);
  return port;
}

function wrongCells(host: string, port: string, at: number): Refused {
  if (toAddress(host, 1) && /^\s*\d+\s*$/.test(port))
    return new Refused('bad-port', 'the port is not a number from 1 to 65535', at);
  if (/^\s*\d+\s*$/.test(port)) return new Refused('bad-host', 'the host is none', at);
  return new Refused('not-a-proxy', 'this is neither a proxy nor a comment', at);
}

/** Words with a port at their end are an address with a wrong host, others are prose. */
function proseOrHost(text: string, at: number): Refused {
  return /:\d+$/.test(text)
    ? new Refused('bad-host', 'the host has a character that no host name has', at)
    : new Refused('not-a-proxy', 'this is neither a proxy nor a comment', at);
}
