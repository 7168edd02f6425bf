import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createSecureContext, TLSSocket } from 'node:tls';

import { TEST_CERTIFICATE, TEST_KEY } from './certificate.ts';
import { Listener } from './listener.ts';
import { echoWebSocket } from './web-socket-echo.ts';

export interface TargetOptions {
  kind: 'http' | 'https';
  /** Default 127.0.0.1. */
  host?: '127.0.0.1' | '::1' | undefined;
}

/** What a target answers: what arrived, as JSON. */
export interface Arrived {
  method: string;
  url: string;
  /** Names and values in turn, as they came. */
  rawHeaders: string[];
  bodyLength: number;
  bodySha256: string;
  /** The port of whoever connected: the same one for requests on one connection. */
  remotePort: number;
}

const MOST_BYTES = 65_536;

/**
 * A website on this machine, for the tour and for tests. It answers with {@link Arrived}; `/status/429?retry-after=2` with that
 * status, `/bytes/1000` with so many bytes, `/hang` never. An upgrade becomes a WebSocket that sends each message back.
 */
export class TargetServer implements AsyncDisposable {
  readonly kind: 'http' | 'https';
  /** The next requests are answered with this status, in place of 200. */
  status = 200;
  /** Beside a status that is not 200: the header Retry-After. */
  retryAfter: string | null = null;
  /** How many requests, and upgrades, came. */
  requests = 0;
  readonly #listener: Listener;

  private constructor({ kind, host = '127.0.0.1' }: TargetOptions) {
    this.kind = kind;
    const http = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
    http.on(
      'request',
      (request, response) => void this.#answer(request, response).catch(() => response.destroy()),
    );
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.requests++;
      void echoWebSocket(request, socket, head);
    });
    http.on('clientError', (_, socket: Duplex) => socket.destroy());
    const secureContext = createSecureContext({ cert: TEST_CERTIFICATE, key: TEST_KEY });
    this.#listener = new Listener(host, 0, (raw) => {
      const stream =
        kind === 'https'
          ? new TLSSocket(raw, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] })
          : raw;
      stream.on('error', () => raw.destroy());
      http.emit('connection', stream);
    });
  }

  /** Starts one. */
  static async start(options: TargetOptions): Promise<TargetServer> {
    const server = new TargetServer(options);
    await server.#listener.listen();
    return server;
  }

  get host(): string {
    return this.#listener.host;
  }

  get port(): number {
    return this.#listener.port;
  }

  get url(): string {
    return `${this.kind}://${this.#listener.address}`;
  }

  /** How many connections are open. */
  get open(): number {
    return this.#listener.open;
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++;
    const { method = '', url = '', rawHeaders, socket } = request;
    const { pathname, searchParams } = new URL(url, 'http://target.example');
    const [, what, number] = /^\/(hang|status|bytes)(?:\/(\d+))?$/.exec(pathname) ?? [];
    const body = await buffer(request);
    if (what === 'hang') return;
    if (what === 'bytes') return sendBytes(response, Number(number));
    const status = what === 'status' ? Number(number) : this.status;
    const retryAfter = searchParams.get('retry-after') ?? (status === 200 ? null : this.retryAfter);
    const arrived: Arrived = {
      method,
      url,
      rawHeaders,
      bodyLength: body.length,
      bodySha256: createHash('sha256').update(body).digest('hex'),
      remotePort: socket.remotePort ?? 0,
    };
    const text = `${JSON.stringify(arrived)}\n`;
    response.writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
      ...(retryAfter === null ? {} : { 'Retry-After': retryAfter }),
    });
    response.end(text);
  }
}

/** So many bytes, as fast as the client takes them. */
function sendBytes(response: ServerResponse, count: number): void {
  response.writeHead(200, { 'Content-Length': count });
  let left = count;
  const more = (): void => {
    while (left > 0) {
      const piece = Buffer.alloc(Math.min(left, MOST_BYTES), 'x');
      left -= piece.length;
      if (!response.write(piece)) return;
    }
    response.end();
  };
  response.on('drain', more);
  more();
}
