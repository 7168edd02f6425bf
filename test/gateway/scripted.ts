import { type AddressInfo, createServer, type Server } from 'node:net';
import { onTestFinished } from 'vitest';
import { RawClient } from './raw-client.ts';

/** A server on loopback that does with each connection what a script says. */
export class Scripted {
  readonly kind = 'http';
  readonly host = '127.0.0.1';
  readonly port: number;
  /** The connections that it has accepted, in order. */
  readonly peers: RawClient[];

  private constructor(port: number, peers: RawClient[]) {
    this.port = port;
    this.peers = peers;
  }

  /** @param script gets each connection and its number, from 0. */
  static async start(script: (peer: RawClient, n: number) => unknown): Promise<Scripted> {
    const peers: RawClient[] = [];
    const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const peer = new RawClient(socket);
      peers.push(peer);
      // Whoever cuts a script off cuts its waiting too.
      void (async () => script(peer, peers.length - 1))().catch(() => socket.destroy());
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.close();
      for (const { socket } of peers) socket.destroy();
    });
    return new Scripted((server.address() as AddressInfo).port, peers);
  }

  get connections(): number {
    return this.peers.length;
  }
}

/** A request as a server reads it: the header, and a body with a length or in chunks, as it came. */
export interface RawRequest {
  head: string;
  body: string;
}

/** Reads one request; null if the connection ends before. */
export async function readRequest(peer: RawClient): Promise<RawRequest | null> {
  const head = await peer.until('\r\n\r\n');
  if (!head.endsWith('\r\n\r\n')) return null;
  const length = /^content-length: *(\d+)\r/im.exec(head)?.[1];
  if (length !== undefined) return { head, body: await peer.take(Number(length)) };
  if (!/^transfer-encoding: *chunked\r/im.test(head)) return { head, body: '' };
  let body = '';
  for (;;) {
    const line = await peer.until('\r\n');
    const size = Number.parseInt(line, 16);
    if (Number.isNaN(size)) return { head, body };
    if (size === 0) break;
    body += await peer.take(size);
    await peer.take(2);
  }
  // Trailers.
  while ((await peer.until('\r\n')).length > 2);
  return { head, body };
}

/** An HTTP proxy that answers each request itself, as `answer` says, on connections that it keeps. Null closes one. */
export function answering(
  answer: (request: RawRequest, peer: RawClient, n: number) => string | null | Promise<string | null>,
): (peer: RawClient, n: number) => Promise<void> {
  return async (peer, n) => {
    for (;;) {
      const request = await readRequest(peer);
      if (request === null) return void peer.socket.end();
      const text = await answer(request, peer, n);
      if (text === null) return void peer.socket.destroy();
      peer.write(text);
    }
  };
}

/** An answer with a length. */
export function ok(body: string, headers = ''): string {
  return `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}
