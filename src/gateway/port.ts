import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

import { ProxyVaultError } from '../errors.ts';
import type { Clients } from './clients.ts';
import { serveConnect } from './connect-request.ts';
import type { Desk } from './desk.ts';
import { isTakenUp } from './framing.ts';
import { headerWithoutUpgrade } from './header-without-upgrade.ts';
import { OneByOne } from './one-by-one.ts';
import { PlainRequest } from './plain-request.ts';
import { refusal, refuseRaw } from './replies.ts';
import { SocksRequest } from './socks-request.ts';
import { serveUpgrade } from './upgrade-request.ts';
import { Visit } from './visit.ts';

/** What a malformed request is answered, by the code of Node's error. */
const MALFORMED: Readonly<Record<string, readonly [status: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The header of the request is too long.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The header of the request did not come in time.'],
};
/** What the answer that a client waits for need not be given up for: it was not read for a while, or said more after its last request. */
const HARMLESS: ReadonlySet<string> = new Set(['ERR_HTTP_REQUEST_TIMEOUT', 'HPE_CLOSED_CONNECTION']);
const NOT_FREE = refusal(
  400,
  'INVALID_INPUT',
  'A request before it on the same connection has no answer yet.',
);
const BAD_REQUEST = [400, 'This is not a well-formed HTTP request.'] as const;

/** One port on which clients come, with HTTP or SOCKS: the first byte says which. */
export class Port {
  readonly #desk: Desk;
  readonly #clients: Clients;
  readonly #onFault: (error: unknown) => void;
  readonly #server: Server;
  readonly #serveHttp: (client: Socket) => void;
  /** The plain requests of each client. */
  readonly #plain = new WeakMap<Socket, OneByOne>();

  /** @param onFault called with an error that nobody foresaw. */
  constructor(desk: Desk, clients: Clients, onFault: (error: unknown) => void) {
    this.#desk = desk;
    this.#clients = clients;
    this.#onFault = onFault;
    const { headerMs, idleMs, maxHeaderBytes } = desk.settings;
    const server = createServer({
      insecureHTTPParser: false,
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headerMs,
      connectionsCheckingInterval: Math.min(headerMs, 5_000),
      // The time of a body has no limit; that between two pieces of it has one.
      requestTimeout: 0,
      keepAliveTimeout: idleMs,
      noDelay: true,
      keepAlive: true,
      // A request without one gets an answer of ours.
      requireHostHeader: false,
    });
    // Node leaves out those that are more: their bytes are limited.
    server.maxHeadersCount = 0;
    // A client that has ended its half may wait for its answer.
    Object.assign(server, { httpAllowHalfOpen: true });
    const [serveHttp] = server.listeners('connection') as [(this: Server, client: Socket) => void];
    this.#serveHttp = (client) => serveHttp.call(server, client);
    server.removeAllListeners('connection').on('connection', (client: Socket) => this.#greet(client));
    const plain = (incoming: IncomingMessage, response: ServerResponse): void => {
      const client = incoming.socket;
      const request = new PlainRequest(desk, incoming, response);
      this.#plainOf(client).enter({
        response,
        begin: () => this.#serve(client, request.serve()),
        malformed: (why) => request.malformed(why),
      });
    };
    server
      .on('request', plain)
      .on('checkContinue', plain)
      .on('connect', (incoming, client: Socket, head) => {
        if (this.#isFree(client, 'connect')) this.#serve(client, serveConnect(desk, incoming, client, head));
      })
      .on('upgrade', (incoming, client: Socket, head) => {
        if (!this.#isFree(client, 'upgrade')) return;
        // `shouldUpgradeCallback`, which Node has from 24.9, loses what follows such a request.
        if (isTakenUp(incoming.headers.upgrade))
          this.#serve(client, serveUpgrade(desk, incoming, client, head));
        else this.#read(client, headerWithoutUpgrade(incoming), head);
      })
      .on('clientError', (error: NodeJS.ErrnoException, client: Socket) => this.#malformed(error, client));
    this.#server = server;
  }

  /** @throws CANNOT_LISTEN. */
  listen(host: string, port: number): Promise<AddressInfo> {
    const server = this.#server;
    return new Promise((resolve, reject) => {
      // Once it listens, such as when no more files may be open, an error must not end the process.
      server.on('error', (error: NodeJS.ErrnoException) => reject(cannotListen(host, port, error)));
      server.listen({ host, port, backlog: 4096 }, () => resolve(server.address() as AddressInfo));
    });
  }

  /** Takes no more clients. */
  stop(): void {
    this.#server.close();
  }

  /** Closes connections that wait for another request. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
  }

  /** Looks at the first byte of a client. */
  #greet(client: Socket): void {
    client.on('error', ignore);
    if (!this.#clients.enter(client)) return;
    const tooSlow = (): void => void client.destroy();
    client.setTimeout(this.#desk.settings.headerMs, tooSlow);
    // One that leaves without a byte: its socket would stay, since it may be half open.
    client.once('end', tooSlow);
    client.once('data', (first: Buffer) => {
      client.off('end', tooSlow);
      client.setTimeout(0);
      client.off('timeout', tooSlow);
      if (first[0] === 4 || first[0] === 5) {
        client.resume();
        new SocksRequest(this.#desk, client, first, this.#onFault);
        return;
      }
      this.#read(client, first);
    });
  }

  /** Reads requests of a client, whose first bytes are these. */
  #read(client: Socket, ...first: readonly Buffer[]): void {
    client.pause();
    client.unshift(Buffer.concat(first));
    this.#serveHttp(client);
    client.resume();
  }

  #plainOf(client: Socket): OneByOne {
    const known = this.#plain.get(client);
    if (known !== undefined) return known;
    const plain = new OneByOne(client);
    this.#plain.set(client, plain);
    return plain;
  }

  /** A tunnel takes the whole connection. A client that still waits for an answer on it would get that inside of the tunnel. */
  #isFree(client: Socket, protocol: 'connect' | 'upgrade'): boolean {
    const isFree = this.#plain.get(client)?.isIdle ?? true;
    if (!isFree) {
      new Visit(this.#desk, client, protocol).refused(NOT_FREE);
      client.destroy();
    }
    return isFree;
  }

  /** What came is no request; or the connection broke. */
  #malformed({ code = '' }: NodeJS.ErrnoException, client: Socket): void {
    // It has its answer already, and what more it sends is malformed too.
    if (client.writableEnded) return;
    const [status, message] = MALFORMED[code] ?? BAD_REQUEST;
    const why = refusal(status, 'INVALID_INPUT', message);
    const plain = this.#plain.get(client);
    const isFree = plain?.isIdle ?? true;
    // Whoever ends within a header, or breaks off, has asked for nothing. A body is of a request that has its own end.
    const hasAsked = code in MALFORMED || (code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE');
    if (hasAsked && isFree) new Visit(this.#desk, client, 'http').refused(why);
    // It would be read as a part of the answer that the client waits for.
    if (isFree) refuseRaw(client, why);
    else if (!HARMLESS.has(code) && !(hasAsked && plain?.malformed(why))) client.destroy();
  }

  #serve(client: Socket, work: Promise<void>): void {
    work.catch((error: unknown) => {
      client.destroy();
      this.#onFault(error);
    });
  }
}

function cannotListen(host: string, port: number, error: NodeJS.ErrnoException): ProxyVaultError {
  const why =
    error.code === 'EADDRINUSE'
      ? 'another program uses it. Choose another port, or 0 for a free one'
      : error.code === 'EACCES'
        ? 'the system does not allow it. Choose a port from 1024'
        : error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND'
          ? 'this machine has no such address'
          : `the system said ${error.code}`;
  return new ProxyVaultError('CANNOT_LISTEN', `Cannot listen on ${host}, port ${port}: ${why}.`, {
    cause: error,
    details: { host, port },
  });
}

function ignore(): void {}
