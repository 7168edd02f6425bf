import type { Socket } from 'node:net';

import { GRACE_MS } from './leaving-client.ts';

/** So many bytes of a client that waits are kept; then it is read no more, and its end is not seen. */
const MOST_EARLY = 65_536;

/**
 * A client that waits for its tunnel. It is read all the while, since only so its end is seen: one that leaves needs no proxy. What it sends
 * early is kept for the target.
 */
export class WaitingClient {
  readonly #socket: Socket;
  readonly #gone: () => void;
  #early: Buffer[] = [];
  #size = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param head what was read of it already.
   * @param gone called once when it closes its connection; or its half, if it waits for longer after that than it may.
   */
  constructor(socket: Socket, head: Buffer, gone: () => void) {
    this.#socket = socket;
    this.#gone = gone;
    this.#early.push(head);
    this.#size = head.length;
    if (socket.destroyed) gone();
    else {
      socket.on('data', this.#onData).once('end', this.#onEnd).once('close', this.#onGone);
      // While its login was checked nobody listened.
      if (socket.readableEnded) this.#onEnd();
      else socket.resume();
    }
  }

  /** Ends the watch. The client is read no more. @returns what it has sent early. */
  take(): Buffer {
    clearTimeout(this.#timer);
    this.#socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onGone).pause();
    const early = Buffer.concat(this.#early);
    this.#early = [];
    return early;
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#early.push(bytes);
    this.#size += bytes.length;
    if (this.#size >= MOST_EARLY) this.#socket.pause();
  };

  /** Whoever has asked for something may end its half and want the answer. One that has closed its connection looks the same. */
  readonly #onEnd = (): void => {
    if (this.#size === 0) this.#onGone();
    else this.#timer = setTimeout(this.#onGone, GRACE_MS);
  };

  readonly #onGone = (): void => {
    this.take();
    this.#gone();
  };
}
