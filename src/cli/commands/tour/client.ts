import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { connect as secure } from 'node:tls';

import { connect } from '../../../upstream/index.ts';
import { TEST_CERTIFICATE } from './loopback/certificate.ts';

/** How a client of the tour asks. */
export interface Ask {
  url: string;
  /** Default: as an HTTP proxy. */
  by?: 'http' | 'socks5' | undefined;
  /** Says which proxy is wanted, such as `session-cart-17`. */
  username?: string | undefined;
  /** The gateway, or one of its ports. */
  port: number;
}

/** What a client was answered. */
export interface Answer {
  status: number;
  /** The lease of a tunnel, by which the client can report what only it sees. */
  lease: string | null;
}

/** Asks a website through the gateway by HTTP or SOCKS5, in a connection of its own. */
export async function ask({ url, by = 'http', username = '', port }: Ask): Promise<Answer> {
  const { protocol, hostname, pathname, search } = new URL(url);
  const isSecure = protocol === 'https:';
  if (by === 'http' && !isSecure) {
    const headers = { Host: hostname, ...login(username) };
    return {
      status: await statusOf({ host: '127.0.0.1', port, path: url, headers, agent: false }),
      lease: null,
    };
  }
  const target = { host: hostname, port: isSecure ? 443 : 80 };
  const { socket, lease } = await tunnel(target, by, username, port);
  const stream = isSecure ? secure({ socket, servername: hostname, ca: TEST_CERTIFICATE }) : socket;
  const path = `${pathname}${search}`;
  const status = await statusOf({ createConnection: () => stream, path, headers: { Host: hostname } });
  stream.destroy();
  return { status, lease };
}

interface Tunnel {
  socket: Socket;
  lease: string | null;
}

/** Opens a tunnel through the gateway. @throws if the gateway opens no tunnel. */
export async function tunnel(
  target: { host: string; port: number },
  by: 'http' | 'socks5',
  username: string,
  port: number,
): Promise<Tunnel> {
  if (by === 'socks5') {
    const proxy = { protocol: by, host: '127.0.0.1', port, username, password: username && 'x' };
    return { socket: await connect(proxy, target), lease: null };
  }
  const authority = `${target.host}:${target.port}`;
  const headers = { Host: authority, ...login(username) };
  const request = httpRequest({ host: '127.0.0.1', port, method: 'CONNECT', path: authority, headers }).end();
  const [{ statusCode, headers: answer }, socket] = (await once(request, 'connect')) as [
    IncomingMessage,
    Socket,
  ];
  if (statusCode === 200) return { socket, lease: String(answer['x-proxyvault-lease'] ?? '') || null };
  socket.destroy();
  throw new Error(`The gateway answered ${statusCode}.`);
}

async function statusOf(options: RequestOptions): Promise<number> {
  const request = httpRequest(options).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  await buffer(response);
  return response.statusCode ?? 0;
}

function login(username: string): Record<string, string> {
  if (username === '') return {};
  return { 'Proxy-Authorization': `Basic ${Buffer.from(`${username}:x`).toString('base64')}` };
}
