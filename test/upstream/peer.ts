import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { onTestFinished } from 'vitest';

import type { Certificate } from './certificate.ts';

/** One connection that a fake server has accepted, at the level of bytes. */
export class Peer {
  readonly socket: Socket;
  /** All that came. */
  received: Buffer = Buffer.alloc(0);
  /** How much of it was taken. */
  #taken = 0;
  readonly closed: Promise<void>;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => void socket.once('close', () => resolve()));
  }

  /** The next so many bytes. Never settles if they do not come. */
  async take(count: number): Promise<Buffer> {
    while (this.received.length < this.#taken + count) await this.#more();
    this.#taken += count;
    return this.received.subarray(this.#taken - count, this.#taken);
  }

  /** The next bytes, up to the end of a text. */
  async until(text: string): Promise<Buffer> {
    for (;;) {
      const at = this.received.indexOf(text, this.#taken);
      if (at !== -1) return this.take(at + text.length - this.#taken);
      await this.#more();
    }
  }

  write(bytes: string | readonly number[] | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? bytes : Buffer.from(bytes));
  }

  /** Each byte as a packet of its own, as far as the system allows. */
  async drip(bytes: string | readonly number[]): Promise<void> {
    for (const byte of Buffer.from(bytes as string)) {
      this.write([byte]);
      await turn();
    }
  }

  #more(): Promise<unknown> {
    return new Promise((resolve) => void this.socket.once('data', resolve));
  }
}

export type Script = (peer: Peer) => unknown;

/** A server on loopback that plays a script on each connection. */
export class FakeServer {
  readonly port: number;
  readonly peers: Peer[];

  constructor(port: number, peers: Peer[]) {
    this.port = port;
    this.peers = peers;
  }

  /** Resolves when each connection that came is closed. */
  async quiet(): Promise<void> {
    await Promise.all(this.peers.map(({ closed }) => closed));
  }
}

/** Starts a fake server; with a certificate it speaks TLS. */
export async function fakeServer(
  script: Script,
  { certificate, host = '127.0.0.1' }: { certificate?: Certificate | undefined; host?: string } = {},
): Promise<FakeServer> {
  const peers: Peer[] = [];
  const accept = (socket: Socket): void => {
    const peer = new Peer(socket);
    peers.push(peer);
    void script(peer);
  };
  const options = { noDelay: true };
  const server: Server = certificate
    ? createTlsServer({ ...options, ...certificate }, accept)
    : createServer(options, accept);
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => void server.listen(0, host, resolve));
  const raw = new Set<Socket>();
  server.on('connection', (socket) => void raw.add(socket));
  onTestFinished(() => {
    server.close();
    for (const socket of raw) socket.destroy();
  });
  return new FakeServer((server.address() as AddressInfo).port, peers);
}

/** A port at which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return port;
}
