import { Agent, createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { Duplex } from 'node:stream';

import type { Handling } from './handling.ts';
import { connectTo, onThisMachine, placeOf } from './route.ts';

/** Headers between a client and this proxy alone. */
const OWN = /^(?:proxy-.*|connection|keep-alive)$/i;

/** Speaks the protocol of HTTP proxies: CONNECT, requests in absolute form, upgrades in plain. */
export function httpUpstream(handling: Handling): (stream: Duplex) => void {
  // What nobody uses is closed after a while.
  const agent = new Agent({ keepAlive: true, timeout: 3_000 });
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
  server.on('request', (request, response) => {
    const username = admit(handling, request, request.socket, response);
    if (username !== null) void forward(handling, agent, request, response, username);
  });
  server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const username = admit(handling, request, socket);
    if (username !== null) void tunnel(handling, request, socket, head, username);
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const username = admit(handling, request, socket);
    if (username !== null) void upgrade(handling, request, socket, head, username);
  });
  server.on('clientError', (_, socket: Duplex) => socket.destroy());
  return (stream) => server.emit('connection', stream);
}

/** The username of a client that gets an answer; null for one that got another, or none. */
function admit(
  handling: Handling,
  request: IncomingMessage,
  socket: Duplex,
  response?: ServerResponse,
): string | null {
  const { login, seen } = handling;
  if (handling.interferes(socket)) return null;
  const [, encoded = ''] = /^Basic (\S+)$/i.exec(request.headers['proxy-authorization'] ?? '') ?? [];
  const given = Buffer.from(encoded, 'base64').toString();
  if (login !== null && given !== `${login.username}:${login.password}`) {
    seen.rejectedLogins++;
    refuse(socket, response, 407, { 'Proxy-Authenticate': 'Basic realm="tour"' });
    return null;
  }
  const refusal = handling.refusal();
  if (refusal === null) return given.split(':')[0] ?? '';
  const { status = 503, retryAfter } = refusal;
  refuse(socket, response, status, retryAfter === undefined ? {} : { 'Retry-After': retryAfter });
  return null;
}

function refuse(
  socket: Duplex,
  response: ServerResponse | undefined,
  status: number,
  headers: Record<string, string> = {},
): void {
  if (response !== undefined) {
    response.writeHead(status, { ...headers, 'Content-Length': 0 }).end();
    return;
  }
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} Refused\r\n${more.join('')}Content-Length: 0\r\n\r\n`);
}

async function tunnel(
  handling: Handling,
  { url = '' }: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  username: string,
): Promise<void> {
  const { host, port } = placeOf(url, 443);
  const target = await connectTo(handling.resolve, host, port);
  if (target === null) return refuse(socket, undefined, 502);
  handling.count('tunnels', url, username);
  socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
  if (head.length > 0) socket.unshift(head);
  return handling.relay(socket, target);
}

async function upgrade(
  handling: Handling,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  username: string,
): Promise<void> {
  const url = URL.parse(request.url ?? '');
  const { host, port } = placeOf(url?.host ?? '', 80);
  const target = url === null ? null : await connectTo(handling.resolve, host, port);
  if (url === null || target === null) return refuse(socket, undefined, 502);
  handling.count('requests', `${host}:${port}`, username);
  target.write(`${request.method} ${url.pathname}${url.search} HTTP/1.1\r\n`);
  for (const [name, value] of pairs(request.rawHeaders))
    if (!/^proxy-/i.test(name)) target.write(`${name}: ${value}\r\n`);
  target.write('\r\n');
  if (head.length > 0) socket.unshift(head);
  return handling.relay(socket, target);
}

async function forward(
  handling: Handling,
  agent: Agent,
  request: IncomingMessage,
  response: ServerResponse,
  username: string,
): Promise<void> {
  const url = URL.parse(request.url ?? '');
  const { host, port } = placeOf(url?.host ?? '', 80);
  const place = onThisMachine(handling.resolve, host, port);
  if (url?.protocol !== 'http:' || place === null) return refuse(request.socket, response, 502);
  handling.count('requests', `${host}:${port}`, username);
  const headers = pairs(request.rawHeaders).filter(([name]) => !OWN.test(name));
  const onward = send({
    host: place.host,
    port: place.port,
    agent,
    method: request.method,
    path: `${url.pathname}${url.search}`,
    headers: headers.flat(),
  });
  onward.on('response', (answer) => {
    const kept = pairs(answer.rawHeaders).filter(([name]) => !OWN.test(name));
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, kept.flat());
    // The client may answer to the headers before there is a body.
    response.flushHeaders();
    handling.answer(request.socket, answer, response);
  });
  onward.on('error', () =>
    response.headersSent ? response.destroy() : refuse(request.socket, response, 502),
  );
  response.on('close', () => onward.destroy());
  request.pipe(onward);
}

function pairs(rawHeaders: readonly string[]): [string, string][] {
  return rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? '']] : []));
}
