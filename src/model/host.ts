import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { z } from 'zod';

/** A host as it is stored: ASCII, lower case, IPv6 without brackets. */
export interface Host {
  host: string;
  kind: 'ipv4' | 'ipv6' | 'name';
}

/** Why a text is rejected, for a message; never holds the text itself. */
export interface Rejection {
  error: string;
}

/** RFC 1123 labels, and the underscore that providers use in theirs. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** A name that is normal already, as most are, and needs no conversion; Punycode has to be checked. */
const PLAIN_NAME =
  /^(?!.{254}|.*xn--)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Reads a host: IPv4 in dotted decimals, IPv6 (with or without brackets) in the form of RFC 5952, a DNS name, or an
 * internationalised one, which becomes ASCII (UTS 46).
 */
export function parseHost(text: string): Host | Rejection {
  if (text === '') return { error: 'the host is missing' };
  if (text.length > 1024) return { error: 'the host is longer than 253 characters' };
  const bracketed = text.startsWith('[') && text.endsWith(']');
  if (bracketed || text.includes(':')) return parseIPv6(bracketed ? text.slice(1, -1) : text);
  if (/^[\d.]+$/.test(text)) {
    return isIPv4(text)
      ? { host: text, kind: 'ipv4' }
      : { error: 'the host looks like IPv4 and is not four numbers from 0 to 255' };
  }
  return parseName(text);
}

export const hostSchema = z.string().transform((value, context) => {
  const parsed = parseHost(value);
  if (!('error' in parsed)) return parsed.host;
  context.addIssue(parsed.error);
  return z.NEVER;
});

export const MAX_PORT = 65_535;

/** Reads a port, 1 to 65535 in plain decimals; null for any other text. */
export function parsePort(text: string): number | null {
  if (!/^[1-9]\d{0,4}$/.test(text)) return null;
  const port = Number(text);
  return port <= MAX_PORT ? port : null;
}

function parseIPv6(text: string): Host | Rejection {
  // A zone (RFC 4007) names an interface of one machine, so it says nothing in a list.
  if (text.includes('%')) return { error: 'an IPv6 zone has no meaning in a pool' };
  if (!isIPv6(text)) return { error: 'the host is not an IPv6 address' };
  return { host: new URL(`http://[${text}]`).hostname.slice(1, -1), kind: 'ipv6' };
}

function parseName(text: string): Host | Rejection {
  if (PLAIN_NAME.test(text)) return { host: text, kind: 'name' };
  // The conversion would decode percent signs and drop some of these.
  if (/[\p{C}\s%/\\?#@<>^|[\]]/u.test(text))
    return { error: 'the host has a character that no host name has' };
  const ascii = domainToASCII(text).replace(/\.$/, '');
  const labels = ascii.split('.');
  if (ascii === '') return { error: 'the host is not a name' };
  if (ascii.length > 253) return { error: 'the host is longer than 253 characters' };
  if (!labels.every((label) => LABEL.test(label)))
    return { error: 'the host is not a name: a label is empty, too long or has a wrong character' };
  // WHATWG URL: a name that ends in a number is an IPv4 address in one of its odd forms.
  if (/^(?:\d+|0x[\da-f]*)$/.test(labels.at(-1) ?? ''))
    return { error: 'the host ends in a number and is not an IPv4 address' };
  return { host: ascii, kind: 'name' };
}
