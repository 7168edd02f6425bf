import { isIPv4, isIPv6 } from 'node:net';
import { addressBytes } from '../../src/upstream/ip-bytes.ts';
import { RawClient } from './raw-client.ts';

/** How a client comes to a gateway. */
export const INBOUND = ['connect', 'socks5', 'socks4', 'http', 'upgrade'] as const;
export type Inbound = (typeof INBOUND)[number];
/** Those whose client has a tunnel, whatever it sends through it. */
export const TUNNELS = ['connect', 'socks5', 'socks4'] as const;

export interface To {
  host: string;
  port?: number;
}

/** Who asks. */
export interface As {
  username?: string;
  password?: string;
}

/** `host:port`, as CONNECT has it. */
function authorityOf({ host, port = 80 }: To): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** The header of a login; empty without one. */
export function loginHeader({ username, password = '' }: As): string {
  if (username === undefined) return '';
  return `Proxy-Authorization: Basic ${Buffer.from(`${username}:${password}`).toString('base64')}\r\n`;
}

function portBytes(port: number): number[] {
  return [port >> 8, port & 0xff];
}

/** The request of SOCKS5 for a target, after the greeting. */
export function socks5Request({ host, port = 80 }: To): number[] {
  const address = isIPv4(host)
    ? [1, ...addressBytes(host)]
    : isIPv6(host)
      ? [4, ...addressBytes(host)]
      : [3, host.length, ...Buffer.from(host)];
  return [5, 1, 0, ...address, ...portBytes(port)];
}

/** The request of SOCKS4, or 4a for a name. */
export function socks4Request({ host, port = 80 }: To, userid = ''): number[] {
  const user = [...Buffer.from(userid), 0];
  if (isIPv4(host)) return [4, 1, ...portBytes(port), ...addressBytes(host), ...user];
  return [4, 1, ...portBytes(port), 0, 0, 0, 1, ...user, ...Buffer.from(host), 0];
}

/** A login of SOCKS5 (RFC 1929). */
export function socks5Login({ username = '', password = '' }: As): number[] {
  const [name, secret] = [Buffer.from(username), Buffer.from(password)];
  return [1, name.length, ...name, secret.length, ...secret];
}

/** A client whose tunnel is open, or how it was refused: a status of HTTP, or a reply code of SOCKS. */
export interface Tunnelled {
  client: RawClient;
  /** 200, 0 and 90 are success. */
  code: number;
  isOpen: boolean;
  /** Of CONNECT. */
  head: string;
  body: string;
}

/** Asks a gateway for a tunnel. */
export async function tunnel(
  inbound: (typeof TUNNELS)[number],
  port: number,
  to: To,
  as: As = {},
): Promise<Tunnelled> {
  const client = await RawClient.connect(port);
  const opened = { client, head: '', body: '' };
  if (inbound === 'connect') {
    client.write(`CONNECT ${authorityOf(to)} HTTP/1.1\r\nHost: ${authorityOf(to)}\r\n${loginHeader(as)}\r\n`);
    const head = await client.until('\r\n\r\n');
    const code = Number(head.slice(9, 12));
    const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    return { ...opened, code, isOpen: code === 200, head, body: await client.take(length) };
  }
  if (inbound === 'socks4') {
    client.write(socks4Request(to, as.username));
    const code = (await client.take(8)).charCodeAt(1);
    return { ...opened, code, isOpen: code === 90 };
  }
  client.write(as.username === undefined ? [5, 1, 0] : [5, 1, 2]);
  const method = (await client.take(2)).charCodeAt(1);
  if (method === 2) {
    client.write(socks5Login(as));
    const code = (await client.take(2)).charCodeAt(1);
    if (code !== 0) return { ...opened, code: 256 + code, isOpen: false };
  } else if (method !== 0) return { ...opened, code: 256 + method, isOpen: false };
  client.write(socks5Request(to));
  const reply = await client.take(10);
  const code = reply.charCodeAt(1);
  return { ...opened, code, isOpen: code === 0 };
}

/** What a client got that asked for a page, in whatever way it came. */
export interface Got {
  /** The status of the answer; that of the refusal; or the reply of SOCKS. */
  status: number;
  body: string;
  /** The whole answer has come. */
  isWhole: boolean;
  head: string;
}

const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';

/** Asks a target for a page through a gateway, on a connection that ends with it. */
export async function get(
  inbound: Inbound,
  port: number,
  to: To & { path?: string },
  as: As = {},
): Promise<Got> {
  const { path = '/' } = to;
  const host = authorityOf(to);
  let client: RawClient;
  if (inbound === 'http' || inbound === 'upgrade') {
    client = await RawClient.connect(port);
    const more = inbound === 'upgrade' ? UPGRADE : 'Connection: close\r\n';
    client.write(`GET http://${host}${path} HTTP/1.1\r\nHost: ${host}\r\n${loginHeader(as)}${more}\r\n`);
  } else {
    const opened = await tunnel(inbound, port, to, as);
    client = opened.client;
    if (!opened.isOpen) {
      await client.rest();
      client.socket.end();
      return { status: opened.code, body: opened.body, head: opened.head, isWhole: true };
    }
    client.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  }
  const head = await client.until('\r\n\r\n');
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? Number.NaN);
  if (status === 101) {
    client.socket.destroy();
    await client.closed;
    return { status, head, body: '', isWhole: true };
  }
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  const body = await client.rest();
  client.socket.end();
  const isWhole = length !== undefined && body.length === Number(length) && client.error === undefined;
  return { status, head, body, isWhole };
}
