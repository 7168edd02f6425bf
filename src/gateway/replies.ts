import type { ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

import { ProxyVaultError } from '../errors.ts';
import type { Tried } from './log.ts';

/** Why a client gets no connection. */
export interface Refusal {
  status: number;
  /** A code of `ProxyVaultError`, or what a gateway alone refuses. */
  code: string;
  message: string;
  /** What was tried, if anything was. */
  tried?: readonly Tried[] | undefined;
  /** How many proxies each reason excluded, and when the next one may be ready. */
  excluded?: object | undefined;
  /** Seconds until it makes sense to ask again. */
  retryAfter?: number | undefined;
}

export function refusal(status: number, code: string, message: string): Refusal {
  return { status, code, message };
}

/** What is known of a request that no proxy served. */
export interface Unserved {
  error: unknown;
  tried: readonly Tried[];
  /** How many proxies each reason excludes now. */
  excluded: object;
  /** Whether the client is one of several users, who learn nothing about proxies but their ids. */
  isUser: boolean;
}

/** Why no proxy served a request: 503 if no proxy was ready, 502 if those that were tried have failed. */
export function unserved({ error, tried, excluded, isUser }: Unserved): Refusal {
  const known = error instanceof ProxyVaultError ? error : BROKEN;
  const { code, details } = known;
  const message = isPublic(known, isUser) ? known.message : (PUBLIC[code] ?? PUBLIC.other);
  if (tried.length > 0 || code === 'PROXY_FAILED') {
    const text = tried.length > 1 ? `${tried.length} proxies were tried. The last: ${message}` : message;
    return { status: 502, code, message: text, tried, excluded: code === 'NO_PROXY' ? details : excluded };
  }
  if (code !== 'NO_PROXY') return { status: 503, code, message, retryAfter: code === 'BUSY' ? 1 : undefined };
  const { readyAt } = details;
  const retryAfter =
    typeof readyAt === 'string'
      ? Math.max(1, Math.ceil((Date.parse(readyAt) - Date.now()) / 1000))
      : undefined;
  return { status: 503, code, message, excluded: details, retryAfter };
}

const BROKEN = new ProxyVaultError('PROXY_FAILED', 'The connection to the proxy broke before its answer.');
/** What users are told, and what everybody is told of errors that name files of this machine. */
const PUBLIC: Readonly<Record<string, string>> & { other: string } = {
  PROXY_FAILED: 'The proxy did not connect.',
  NO_PROXY: 'No proxy is ready for this request.',
  INVALID_INPUT: 'No login of these proxies can be used.',
  other: 'The pool cannot be used now.',
};

function isPublic({ code }: ProxyVaultError, isUser: boolean): boolean {
  return code in PUBLIC && !isUser;
}

function bodyOf({ code, message, tried, excluded }: Refusal): string {
  return `${JSON.stringify({ error: { code, message, tried, excluded } })}\n`;
}

function headersOf({ status, code, retryAfter }: Refusal, body: string): Record<string, string> {
  return {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    'X-Proxyvault-Error': code,
    ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
    ...(status === 407 && { 'Proxy-Authenticate': 'Basic realm="proxyvault", charset="UTF-8"' }),
  };
}

/** Answers a plain request. The connection may serve another one. */
export function refuse(response: ServerResponse, refused: Refusal): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = bodyOf(refused);
  response.writeHead(refused.status, headersOf(refused, body));
  response.end(body);
}

/** Makes an answer the last one of its connection, though the client may still send a body: nobody reads the rest of that. */
export function endWith(response: ServerResponse): void {
  response.shouldKeepAlive = false;
  const { socket } = response;
  // Node would close it at once. What comes after that makes the system reset it, and the client could lose its answer.
  if (socket !== null) socket.destroySoon = () => closeAfter(withoutParser(socket));
}

/** What comes from now on is no request. */
function withoutParser(socket: Socket): Socket {
  // Node's parser reads past the stream, unless something listens to the stream.
  return socket.on('data', ignore).removeAllListeners('data');
}

/** Answers on a connection that Node's HTTP server has given away, and closes it. */
export function refuseRaw(socket: Socket, refused: Refusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = bodyOf(refused);
  const lines = Object.entries({ ...headersOf(refused, body), Connection: 'close' });
  const header = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  closeAfter(
    socket,
    `HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status] ?? 'Error'}\r\n${header}\r\n${body}`,
  );
}

/** Sends the last bytes, and closes a connection once the client has read them: a reset might take them from it. */
export function closeAfter(socket: Socket, bytes: string | Uint8Array = ''): void {
  // Whatever the client still sends: it must not keep the connection open.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.end(bytes);
  // A listener, since to resume is of no use to a stream whose listeners of `readable` have just gone.
  socket.on('data', ignore).resume();
  socket.once('end', () => socket.destroy());
}

/** How long a client may take to read them. */
const LINGER_MS = 2000;

function ignore(): void {}
