import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, TLSSocket } from 'node:tls';

import { TEST_CERTIFICATE, TEST_KEY } from './certificate.ts';
import { Listener } from './listener.ts';

/** Where a server of the tour listens. */
export interface LoopbackPlace {
  /** Default 127.0.0.1. */
  host?: '127.0.0.1' | '::1' | undefined;
  /** Default 0: the system chooses. */
  port?: number | undefined;
}

/** A server on this machine, for the tour and for tests, with TLS or without it. What it speaks is up to `accept`. */
export abstract class LoopbackServer implements AsyncDisposable {
  protected readonly listener: Listener;

  protected constructor(isSecure: boolean, { host = '127.0.0.1', port = 0 }: LoopbackPlace) {
    const secureContext = isSecure
      ? createSecureContext({ cert: TEST_CERTIFICATE, key: TEST_KEY })
      : undefined;
    this.listener = new Listener(host, port, (raw) => {
      const stream =
        secureContext === undefined
          ? raw
          : new TLSSocket(raw, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] });
      stream.on('error', () => raw.destroy());
      this.accept(stream, raw);
    });
  }

  get host(): string {
    return this.listener.host;
  }

  get port(): number {
    return this.listener.port;
  }

  /** How many connections of clients are open. */
  get open(): number {
    return this.listener.open;
  }

  close(): Promise<void> {
    return this.listener.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A client has connected. `stream` is what it says, without TLS; `raw` is its TCP connection. */
  protected abstract accept(stream: Duplex, raw: Socket): void;
}
