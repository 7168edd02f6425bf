import { isIPv4, isIPv6 } from 'node:net';

import type { FailureKind } from '../model/outcomes.ts';
import type { Handshake } from './handshake.ts';
import { addressBytes } from './ip-bytes.ts';
import { proxyFailed } from './proxy-failed.ts';
import { readExactly } from './reading.ts';
import type { Target, Upstream } from './upstream.ts';

const CONNECT = 1;
const NO_LOGIN = 0;
const LOGIN = 2;

/** Why a SOCKS5 proxy did not connect (RFC 1928, 6). */
const REPLIES_5: Readonly<Record<number, readonly [kind: FailureKind, why: string]>> = {
  1: ['status', 'it failed to connect to the target'],
  2: ['blocked', 'its rules do not allow the target'],
  3: ['status', 'it says that the network of the target cannot be reached'],
  4: ['status', 'it says that the target cannot be reached'],
  5: ['status', 'it says that the target refused the connection'],
  6: ['timeout', 'it says that the target did not answer in time'],
  7: ['status', 'it does not make tunnels'],
  8: ['status', 'it does not support this kind of address'],
};

/** Why a SOCKS4 proxy did not connect. */
const REPLIES_4: typeof REPLIES_5 = {
  91: ['status', 'it rejected the request or failed to connect to the target'],
  92: ['auth', 'it could not ask this machine who the user is (identd)'],
  93: ['auth', 'this machine says that the user is another one (identd)'],
};

/** SOCKS4, with the names of SOCKS4a. It has a username, no password and no IPv6. */
export function socks4Handshake(upstream: Upstream, { host, port }: Target): Handshake {
  const { username, password } = upstream;
  if (isIPv6(host)) throw unable(upstream, 'SOCKS4 has no IPv6. Use a proxy of another protocol');
  if (password !== '')
    throw unable(upstream, 'SOCKS4 carries no password. Take the password away, or use its socks5 port');
  if (username.includes('\0')) throw unable(upstream, 'SOCKS4 cannot carry a username with a NUL character');
  const user = utf8(upstream, username);
  const isAddress = isIPv4(host);
  // 0.0.0.1 says that the name comes after the username.
  const address = isAddress ? addressBytes(host) : Buffer.from([0, 0, 0, 1]);
  const name = isAddress ? '' : `${host}\0`;
  const head = [4, CONNECT, port >> 8, port & 0xff, ...address];
  const request = Buffer.concat([Buffer.from(head), user, Buffer.from([0]), Buffer.from(name, 'latin1')]);
  return async (socket) => {
    socket.write(request);
    const [version, code = 0] = await readExactly(socket, 8);
    if (version !== 0 || code < 90 || code > 93)
      throw unable(upstream, 'its answer is not SOCKS4. Check its protocol');
    if (code !== 90) throw refused(upstream, REPLIES_4, code);
  };
}

/** SOCKS5 (RFC 1928), with a login if the proxy asks for one (RFC 1929). */
export function socks5Handshake(upstream: Upstream, { host, port }: Target): Handshake {
  const hasLogin = upstream.username !== '' || upstream.password !== '';
  const login = loginRequest(upstream);
  const methods = hasLogin ? [NO_LOGIN, LOGIN] : [NO_LOGIN];
  const request = Buffer.from([5, CONNECT, 0, ...addressField(host), port >> 8, port & 0xff]);
  return async (socket) => {
    const take = (count: number): Promise<Buffer> => readExactly(socket, count);
    socket.write(Buffer.from([5, methods.length, ...methods]));
    const [version, method = 0xff] = await take(2);
    if (version !== 5) throw garbage(upstream);
    if (!methods.includes(method)) throw noMethod(upstream, method, hasLogin);
    if (method === LOGIN) {
      socket.write(login);
      const [loginVersion, status] = await take(2);
      // Some answer with the version of SOCKS.
      if (loginVersion !== 1 && loginVersion !== 5) throw garbage(upstream);
      if (status !== 0) throw rejectedLogin(upstream);
    }
    socket.write(request);
    // The first two say all of a refusal, and some proxies send no more of it.
    const [replyVersion, code = 0] = await take(2);
    if (replyVersion !== 5) throw garbage(upstream);
    if (code !== 0) throw refused(upstream, REPLIES_5, code);
    const [, kind] = await take(2);
    const length = kind === 1 ? 4 : kind === 4 ? 16 : kind === 3 ? (await take(1))[0] : undefined;
    if (length === undefined) throw garbage(upstream);
    await take(length + 2);
  };
}

function loginRequest(upstream: Upstream): Buffer {
  const user = utf8(upstream, upstream.username);
  const password = utf8(upstream, upstream.password);
  if (user.length > 255 || password.length > 255)
    throw unable(
      upstream,
      'SOCKS5 carries at most 255 bytes of a username and of a password. Use its http port, if it has one',
    );
  return Buffer.concat([Buffer.from([1, user.length]), user, Buffer.from([password.length]), password]);
}

function addressField(host: string): Buffer {
  if (isIPv4(host)) return Buffer.from([1, ...addressBytes(host)]);
  if (isIPv6(host)) return Buffer.from([4, ...addressBytes(host)]);
  return Buffer.concat([Buffer.from([3, host.length]), Buffer.from(host, 'latin1')]);
}

function utf8(upstream: Upstream, text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  throw unable(upstream, 'its login is not well-formed Unicode. Store it again');
}

function refused(upstream: Upstream, replies: typeof REPLIES_5, code: number): Error {
  const [kind, why] = replies[code] ?? ['status', 'it refused without a known reason'];
  return proxyFailed(upstream, kind, 'handshake', `${why} (reply ${code}). Try another proxy.`);
}

function noMethod(upstream: Upstream, method: number, hasLogin: boolean): Error {
  if (method !== 0xff && method !== LOGIN) return garbage(upstream);
  const why = hasLogin
    ? 'it accepts neither a login nor none. Ask its provider how to log in.'
    : 'it wants a login. Store its username and password.';
  return proxyFailed(upstream, 'auth', 'handshake', why);
}

function rejectedLogin(upstream: Upstream): Error {
  return proxyFailed(
    upstream,
    'auth',
    'handshake',
    'it rejected the login. Correct its username and password.',
  );
}

function garbage(upstream: Upstream): Error {
  return unable(upstream, 'its answer is not SOCKS5. Check its protocol');
}

function unable(upstream: Upstream, why: string): Error {
  return proxyFailed(upstream, 'protocol', 'handshake', `${why}.`);
}
