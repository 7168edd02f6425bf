import { isIPv6 } from 'node:net';

import { type Host, parseHost, parsePort, type Rejection } from '../../model/host.ts';
import { Refused } from './refused.ts';

/** Symbols, and punctuation but for the dot of Catalan, beyond ASCII. */
const MARK = /(?=[^\0-\x7F])(?:\p{S}|(?!(?<=l)\u00B7(?=l))\p{P})/iu;

/** A piece of the line, and where it begins (from 0). */
export interface Piece {
  text: string;
  at: number;
}

export interface Endpoint {
  host: string;
  port: number;
}

export interface Address extends Endpoint {
  /** An IP address or a dotted name; a single word may be a username too. */
  isSure: boolean;
}

/** Reads `host:port`, IPv6 in brackets; null for any other text. */
export function readAddress(text: string): Address | null {
  const end = text.startsWith('[') ? text.indexOf(']') + 1 : text.indexOf(':');
  if (end <= 0 || text[end] !== ':') return null;
  const port = parsePort(text.slice(end + 1));
  return port === null ? null : toAddress(text.slice(0, end), port);
}

export function toAddress(host: string, port: number): Address | null {
  const parsed = hostOf(host);
  if ('error' in parsed) return null;
  const isSure = parsed.kind !== 'name' || parsed.host.includes('.') || parsed.host === 'localhost';
  return { host: parsed.host, port, isSure };
}

/** A bullet or emoji before a host would be a part of its name. */
function hostOf(text: string): Host | Rejection {
  const parsed = parseHost(text);
  const isConverted = 'host' in parsed && parsed.host !== text;
  return isConverted && MARK.test(text)
    ? { error: 'the host has a character that no host name has' }
    : parsed;
}

/** As `readAddress`. @throws Refused, with what is wrong and where. */
export function requireAddress(address: Piece): Address {
  const read = readAddress(address.text);
  if (read) return read;
  const { text, at } = address;
  if (text === '') throw new Refused('not-a-proxy', 'there is no host', at);
  const end = endOfHost(address);
  const parsed = hostOf(text.slice(0, end));
  if ('error' in parsed) {
    if (end === text.length) throw new Refused('not-a-proxy', 'this is neither a proxy nor a comment', at);
    throw new Refused('bad-host', parsed.error, at);
  }
  if (end === text.length)
    throw new Refused('missing-port', 'there is no port, and none is assumed', at + end);
  throw new Refused('bad-port', 'the port is not a number from 1 to 65535', at + end + 1);
}

/** An IPv6 address without brackets: nobody can tell its port from its last group. @throws Refused (ambiguous). */
export function assertBracketed({ text, at }: Piece): void {
  if (!/^[\da-f]*:[\da-f]*:[\da-f.:]*$/i.test(text)) return;
  if (isIPv6(text) || isIPv6(text.slice(0, text.lastIndexOf(':'))))
    throw new Refused(
      'ambiguous',
      'an IPv6 address needs brackets, since its port cannot be told from it: [2001:db8::1]:8080',
      at,
    );
}

/** A host and a port that are apart. @throws Refused (bad-port, bad-host), with `what` in place of the host. */
export function joinAddress(host: string, port: string, at = 0, what = 'host'): Endpoint {
  const number = requirePort(port, at);
  const address = toAddress(host, number);
  if (address) return { host: address.host, port: number };
  throw new Refused('bad-host', `the ${what} is neither an IP address nor a name`, at);
}

/** @throws Refused (bad-port). */
export function requirePort(text: string, at = 0): number {
  const port = parsePort(text);
  if (port !== null) return port;
  throw new Refused('bad-port', 'the port is not a number from 1 to 65535', at);
}

/** Where the host ends: after the bracket of IPv6, else before the first colon. */
export function endOfHost({ text, at }: Piece): number {
  if (!text.startsWith('[')) {
    const colon = text.indexOf(':');
    return colon === -1 ? text.length : colon;
  }
  const bracket = text.indexOf(']');
  if (bracket === -1) throw new Refused('bad-host', 'the bracket of an IPv6 address is not closed', at);
  const next = text[bracket + 1];
  if (next !== undefined && next !== ':')
    throw new Refused('bad-host', 'behind the IPv6 address comes no colon', at + bracket + 1);
  return bracket + 1;
}
