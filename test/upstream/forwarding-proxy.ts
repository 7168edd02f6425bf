import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

import type { ProxyProtocol } from '../../src/model/proxy.ts';
import type { Certificate } from './certificate.ts';
import { ASKED, GRANTED } from './dialogues.ts';
import { fakeServer, type Peer } from './peer.ts';

/** A proxy that does its work, and says what was asked of it. */
export interface Forwarding {
  port: number;
  /** `tunnel` or `plain`, the target, and the login, of each request. */
  asked: string[];
  /** How many connections have come. */
  connections: () => number;
  /** The connections that are open. */
  open: Set<Socket>;
}

export async function forwardingProxy(
  protocol: ProxyProtocol,
  certificate?: Certificate,
): Promise<Forwarding> {
  if (protocol === 'http') return httpProxy(createServer());
  if (protocol === 'https') return httpProxy(createTlsServer({ ...certificate }));
  const asked: string[] = [];
  const open = new Set<Socket>();
  const server = await fakeServer(async (peer: Peer) => {
    open.add(peer.socket);
    void peer.closed.then(() => open.delete(peer.socket));
    const { host, port, username, password } = await ASKED[protocol](peer);
    asked.push(`tunnel ${host}:${port} ${username}:${password}`);
    tunnel(peer.socket, { host, port }, () => peer.write(GRANTED[protocol] as number[]));
  });
  return { port: server.port, asked, connections: () => server.peers.length, open };
}

async function httpProxy(server: ReturnType<typeof createServer>): Promise<Forwarding> {
  const asked: string[] = [];
  const loginOf = ({ headers }: IncomingMessage): string =>
    Buffer.from((headers['proxy-authorization'] ?? '').slice('Basic '.length), 'base64').toString();
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { url = '', method = '' } = request;
    asked.push(`plain ${url} ${loginOf(request)}`);
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = forward(url, { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    asked.push(`tunnel ${request.url} ${loginOf(request)}`);
    const { hostname, port } = new URL(`tcp://${request.url}`);
    const target = { host: hostname.replace(/[[\]]/g, ''), port: Number(port) };
    tunnel(socket, target, () => socket.write(GRANTED.http as string));
  });
  const { connections, open } = await listening(server);
  return { port: (server.address() as AddressInfo).port, asked, connections, open };
}

function tunnel(socket: Socket, target: { host: string; port: number }, granted: () => void): void {
  const onward = connect(target, () => {
    granted();
    onward.pipe(socket).pipe(onward);
  });
  const end = (): void => {
    onward.destroy();
    socket.destroy();
  };
  onward.on('error', end).on('close', end);
  socket.on('error', end).on('close', end);
}

/** A website: gives what it was asked, and the status of its path, such as `/429`. */
export async function website(
  certificate?: Certificate,
): Promise<{ port: number; connections: () => number }> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = (await request.toArray()).join('');
    const { url = '', method, headers } = request;
    const status = Number(/^\/(\d{3})$/.exec(url)?.[1] ?? 200);
    if (url === '/silent') return;
    if (status === 429) response.setHeader('Retry-After', '30');
    if (url === '/redirect') response.setHeader('Location', '/end').writeHead(302);
    else response.writeHead(status);
    const login = headers['proxy-authorization'] ?? null;
    response.end(
      JSON.stringify({ method, url, body, login, host: headers.host, own: headers['x-own'] ?? null }),
    );
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    void answer(request, response);
  const server = certificate ? createTlsServer({ ...certificate }, listener) : createServer(listener);
  const { connections } = await listening(server);
  return { port: (server.address() as AddressInfo).port, connections };
}

async function listening(server: Server): Promise<{ connections: () => number; open: Set<Socket> }> {
  const open = new Set<Socket>();
  let count = 0;
  server.on('connection', (socket: Socket) => {
    count++;
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return { connections: () => count, open };
}
