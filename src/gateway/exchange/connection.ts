import type { Socket } from 'node:net';

import { type Carrier, Exchange, type Limits } from './exchange.ts';
import type { Leaving } from './leaving.ts';

/**
 * A connection to a proxy that serves plain HTTP requests, one after another. `node:http` does the same, and costs as much as all else that
 * a gateway does for a short answer.
 */
export class HttpConnection implements Carrier {
  readonly socket: Socket;
  readonly limits: Limits;
  readonly #onFree: (connection: HttpConnection, keptMs: number) => void;
  #exchange: Exchange | null = null;
  #served = 0;
  #hasEnded = false;

  /** @param onFree called when it may serve another request within so many milliseconds. */
  constructor(
    socket: Socket,
    limits: Limits,
    onFree: (connection: HttpConnection, keptMs: number) => void = ignore,
  ) {
    this.socket = socket;
    this.limits = limits;
    this.#onFree = onFree;
    socket
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('error', ignore)
      .on('close', this.#onClose)
      .on('drain', this.#onDrain)
      .on('timeout', this.#onTimeout)
      .setTimeout(limits.answerMs);
    if (socket.destroyed) this.#hasEnded = true;
    else socket.resume();
  }

  /** Whether it has served more than one request. */
  get isReused(): boolean {
    return this.#served > 1;
  }

  /** Whether no request can be sent on it. */
  get isClosed(): boolean {
    return this.#hasEnded || this.socket.destroyed;
  }

  /** Begins a request; nothing is sent yet. The one before must be over. */
  begin(leaving: Leaving): Exchange {
    const exchange = new Exchange(this, leaving);
    this.#served++;
    if (this.isClosed) exchange.destroy();
    else this.#exchange = exchange;
    return exchange;
  }

  release(keptMs: number): void {
    this.#exchange = null;
    if (keptMs === 0 || this.isClosed) this.destroy();
    else {
      this.socket.resume();
      this.#onFree(this, keptMs);
    }
  }

  destroy(): void {
    this.socket.destroy();
  }

  detach(rest: Buffer): Socket {
    const { socket } = this;
    this.#exchange = null;
    socket
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('error', ignore)
      .off('close', this.#onClose)
      .off('drain', this.#onDrain)
      .off('timeout', this.#onTimeout)
      .setTimeout(0)
      .pause();
    if (rest.length > 0) socket.unshift(rest);
    return socket;
  }

  readonly #onData = (bytes: Buffer): void => {
    // What nobody has asked for could be taken for the answer to the next request.
    if (this.#exchange === null) this.destroy();
    else this.#exchange.onData(bytes);
  };

  readonly #onEnd = (): void => this.#ended(true);

  readonly #onClose = (): void => this.#ended(false);

  #ended(isInOrder: boolean): void {
    this.#hasEnded = true;
    if (this.#exchange === null) this.destroy();
    else this.#exchange.onEnd(isInOrder);
  }

  readonly #onDrain = (): void => this.#exchange?.onDrain();

  readonly #onTimeout = (): void => {
    if (this.#exchange === null) this.destroy();
    else this.#exchange.onTimeout();
  };
}

/** An error of a socket says only that it broke, and its `close` follows. */
function ignore(): void {}
