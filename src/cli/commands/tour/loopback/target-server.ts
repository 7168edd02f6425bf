import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';

import { type LoopbackPlace, LoopbackServer } from './loopback-server.ts';
import { echoWebSocket } from './web-socket-echo.ts';

export interface TargetOptions extends Pick<LoopbackPlace, 'host'> {
  kind: 'http' | 'https';
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
export class TargetServer extends LoopbackServer {
  readonly kind: 'http' | 'https';
  /** The next requests are answered with this status, in place of 200. */
  status = 200;
  /** Beside a status that is not 200: the header Retry-After. */
  retryAfter: string | null = null;
  /** How many requests, and upgrades, came. */
  requests = 0;
  readonly #http: Server;

  private constructor({ kind, host }: TargetOptions) {
    super(kind === 'https', { host });
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
    this.#http = http;
  }

  /** Starts one. */
  static async start(options: TargetOptions): Promise<TargetServer> {
    const server = new TargetServer(options);
    await server.listener.listen();
    return server;
  }

  get url(): string {
    return `${this.kind}://${this.listener.address}`;
  }

  protected override accept(stream: Duplex): void {
    this.#http.emit('connection', stream);
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
