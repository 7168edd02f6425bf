import { parseHost, parsePort } from '../network/host.ts';
import { Refused } from './refused.ts';
import type { LineVerdict, ListedProtocol, ListedProxy, ParseOptions } from './types.ts';

/** What the schemes stand for. Where names are resolved (the `a` and the `h`) is for the one who connects. */
const SCHEMES: Readonly<Record<string, { protocol: ListedProtocol; note?: string }>> = {
  http: { protocol: 'http' },
  https: { protocol: 'https' },
  socks4: { protocol: 'socks4' },
  socks4a: { protocol: 'socks4', note: 'socks4a is kept as socks4' },
  socks5: { protocol: 'socks5' },
  socks5h: { protocol: 'socks5', note: 'socks5h is kept as socks5' },
};

const MAX_CREDENTIAL = 1024;
/** RFC 1929, section 2: the lengths are one byte. */
const MAX_SOCKS5_BYTES = 255;

/** A piece of the line, and where it begins (from 0). */
interface Piece {
  text: string;
  at: number;
}

/**
 * Reads one line: `host:port`, `host:port:user:pass`, `user:pass@host:port`, or `scheme://[user:pass@]host:port`.
 * Nothing is guessed: what reads two ways is refused. Cost is linear in the length.
 */
export function parseProxyLine(line: string, options: ParseOptions = {}): LineVerdict {
  const text = line.replace(/^\uFEFF/, '').trim();
  if (text === '') return { kind: 'blank' };
  if (/^(?:#|;|\/\/)/.test(text)) return { kind: 'comment' };
  try {
    const { proxy, notes } = read({ text, at: line.indexOf(text) }, options.protocol ?? 'http');
    assertCredentials(proxy);
    return { kind: 'proxy', proxy, notes };
  } catch (error) {
    if (error instanceof Refused)
      return { kind: 'refused', code: error.code, reason: error.message, column: error.at + 1 };
    throw error;
  }
}

interface Reading {
  proxy: ListedProxy;
  notes: string[];
}

function read(line: Piece, protocol: ListedProtocol): Reading {
  const scheme = /^([a-z][a-z\d+.-]*):\/\//i.exec(line.text);
  if (scheme) return readUrl(line, scheme[1] ?? '');
  const split = line.text.lastIndexOf('@');
  if (split !== -1) {
    const userinfo = slice(line, 0, split);
    const proxy = { protocol, ...readAddress(slice(line, split + 1)), ...readUserinfo(userinfo) };
    return { proxy, notes: [] };
  }
  return { proxy: { protocol, ...readColons(line) }, notes: [] };
}

/** RFC 3986, section 3, but for userinfo: passwords have raw `/`, `?`, `#` and `@`, so it ends at the last `@`. */
function readUrl(line: Piece, scheme: string): Reading {
  const known = SCHEMES[scheme.toLowerCase()];
  if (!known) {
    const names = Object.keys(SCHEMES).join(', ');
    throw new Refused('unknown-scheme', `the scheme is none of ${names}`, line.at);
  }
  const rest = slice(line, scheme.length + 3);
  const split = rest.text.lastIndexOf('@');
  const address = slice(rest, split + 1);
  const end = address.text.search(/[/?#]/);
  const tail = end === -1 ? '' : address.text.slice(end);
  if (tail !== '' && tail !== '/') {
    throw new Refused(
      'trailing-text',
      'there is a path, query or fragment behind the port',
      address.at + end,
    );
  }
  const userinfo = split === -1 ? {} : readUserinfo(slice(rest, 0, split), decodePercent);
  const proxy = {
    protocol: known.protocol,
    ...readAddress(end === -1 ? address : slice(address, 0, end)),
    ...userinfo,
  };
  return { proxy, notes: known.note ? [known.note] : [] };
}

/** `host:port`, or `host:port:user:pass` with everything behind the third colon the password. */
function readColons(line: Piece): Omit<ListedProxy, 'protocol'> {
  const hostEnd = endOfHost(line);
  const first = slice(line, 0, hostEnd);
  const rest = slice(line, hostEnd + 1);
  const portEnd = rest.text.indexOf(':');
  if (hostEnd === line.text.length || portEnd === -1) return readAddress(line);

  const login = slice(rest, portEnd + 1);
  const colon = login.text.indexOf(':');
  const reversed = readsReversed(login);
  if (parsePort(rest.text.slice(0, portEnd)) === null && reversed) {
    throw new Refused(
      'not-a-proxy',
      'this reads as user:pass:host:port, which is not supported: write user:pass@host:port',
      line.at,
    );
  }
  const address = readAddress(slice(line, 0, hostEnd + 1 + portEnd));
  if (colon === -1)
    throw new Refused(
      'bad-credentials',
      'a username stands without a password: write host:port:user:pass',
      login.at,
    );
  if (reversed && !first.text.startsWith('[')) {
    throw new Refused(
      'ambiguous',
      'this reads both as host:port:user:pass and as user:pass:host:port: write user:pass@host:port',
      line.at,
    );
  }
  return { ...address, username: login.text.slice(0, colon), password: login.text.slice(colon + 1) };
}

/** Whether what stands where user and password should is an address itself: a dotted host and a port. */
function readsReversed(login: Piece): boolean {
  const colon = login.text.lastIndexOf(':');
  if (colon === -1 || parsePort(login.text.slice(colon + 1)) === null) return false;
  const host = login.text.slice(0, colon);
  return (
    (host.includes('.') || host.startsWith('[')) &&
    !('error' in parseHost(host)) &&
    (host.startsWith('[') || !host.includes(':'))
  );
}

function readAddress(address: Piece): { host: string; port: number } {
  if (address.text === '') throw new Refused('not-a-proxy', 'there is no host', address.at);
  const hostEnd = endOfHost(address);
  const parsed = parseHost(address.text.slice(0, hostEnd));
  const hasPort = hostEnd < address.text.length;
  if (!hasPort && 'error' in parsed)
    throw new Refused('not-a-proxy', 'this is neither a proxy nor a comment', address.at);
  if ('error' in parsed) throw new Refused('bad-host', parsed.error, address.at);
  if (!hasPort)
    throw new Refused('missing-port', 'there is no port, and none is assumed', address.at + hostEnd);
  const port = parsePort(address.text.slice(hostEnd + 1));
  if (port === null)
    throw new Refused('bad-port', 'the port is not a number from 1 to 65535', address.at + hostEnd + 1);
  return { host: parsed.host, port };
}

/** Where the host ends: behind the bracket of IPv6, else before the first colon. */
function endOfHost({ text, at }: Piece): number {
  if (text.startsWith('[')) {
    const bracket = text.indexOf(']');
    if (bracket === -1) throw new Refused('bad-host', 'the bracket of an IPv6 address is not closed', at);
    const next = text[bracket + 1];
    if (next !== undefined && next !== ':')
      throw new Refused('bad-host', 'behind the IPv6 address comes no colon', at + bracket + 1);
    return bracket + 1;
  }
  // Only an IPv6 address has two colons side by side, or this many hexadecimal groups.
  if (/^[\da-f:.]*::[\da-f:.]*$/i.test(text) || /^(?:[\da-f]{1,4}:){7,8}[\da-f]{1,5}$/i.test(text)) {
    throw new Refused(
      'ambiguous',
      'an IPv6 address needs brackets, since its port cannot be told from it: [2001:db8::1]:8080',
      at,
    );
  }
  const colon = text.indexOf(':');
  return colon === -1 ? text.length : colon;
}

function readUserinfo(
  userinfo: Piece,
  decode = (text: string): string => text,
): { username: string; password: string } {
  const colon = userinfo.text.indexOf(':');
  const username = colon === -1 ? userinfo.text : userinfo.text.slice(0, colon);
  const password = colon === -1 ? '' : userinfo.text.slice(colon + 1);
  if (username === '' && password === '') {
    throw new Refused('bad-credentials', 'before the @ stands neither username nor password', userinfo.at);
  }
  return { username: decode(username), password: decode(password) };
}

/** RFC 3986, section 2.1; what is no escape, or not UTF-8, stays as it stands. */
function decodePercent(text: string): string {
  return text.replace(/(?:%[\da-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}

function assertCredentials({ protocol, username = '', password = '' }: ListedProxy): void {
  for (const [name, text] of [
    ['username', username],
    ['password', password],
  ] as const) {
    if (text.length > MAX_CREDENTIAL)
      throw new Refused('bad-credentials', `the ${name} is longer than ${MAX_CREDENTIAL} characters`, 0);
    if (/\p{Cc}/u.test(text)) throw new Refused('bad-credentials', `the ${name} has a control character`, 0);
    if (!text.isWellFormed())
      throw new Refused('bad-credentials', `the ${name} is not well-formed Unicode`, 0);
    if (protocol === 'socks5' && Buffer.byteLength(text) > MAX_SOCKS5_BYTES) {
      throw new Refused(
        'bad-credentials',
        `the ${name} is longer than the ${MAX_SOCKS5_BYTES} bytes of SOCKS5`,
        0,
      );
    }
  }
}

function slice({ text, at }: Piece, from: number, to?: number): Piece {
  return { text: text.slice(from, to), at: at + from };
}
