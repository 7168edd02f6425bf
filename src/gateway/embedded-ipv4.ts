import { isIPv6 } from 'node:net';

import { addressBytes } from '../upstream/index.ts';

/**
 * The IPv4 addresses that an IPv6 address leads to, or may lead to, on a network that translates or tunnels: ::ffff:127.0.0.1 and
 * 64:ff9b::7f00:1 reach 127.0.0.1.
 *
 * @param address IPv6 in the form of RFC 5952 (as parseHost gives it); any other text has none.
 */
export function embeddedIPv4s(address: string): string[] {
  if (!isIPv6(address) || address.includes('%')) return [];
  const g = groupsOf(address);
  const [g0 = 0, g1 = 0, g2 = 0, g3 = 0, g4 = 0, g5 = 0, g6 = 0, g7 = 0] = g;
  const areZero = (from: number, to: number) => g.slice(from, to).every((group) => group === 0);
  const last = dotted(g6, g7);
  const found: string[] = [];
  // IPv4-compatible and IPv4-mapped (RFC 4291), IPv4-translated (RFC 2765).
  if (areZero(0, 5) && (g5 === 0 || g5 === 0xffff)) found.push(last);
  if (areZero(0, 4) && g4 === 0xffff && g5 === 0) found.push(last);
  // NAT64 (RFC 6052).
  if (g0 === 0x64 && g1 === 0xff9b && areZero(2, 6)) found.push(last);
  // 6to4 (RFC 3056); Teredo (RFC 4380): the server, and the client with its bits turned; ISATAP (RFC 5214).
  if (g0 === 0x2002) found.push(dotted(g1, g2));
  if (g0 === 0x2001 && g1 === 0) found.push(dotted(g2, g3), dotted(g6 ^ 0xffff, g7 ^ 0xffff));
  if ((g4 & 0xfdff) === 0 && g5 === 0x5efe) found.push(last);
  return found;
}

function groupsOf(address: string): number[] {
  const bytes = addressBytes(address);
  return Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at));
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}
