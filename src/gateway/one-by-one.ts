import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** When so many requests of a client wait, no more of it are read. */
const MOST_WAITING = 32;

interface Turn {
  response: ServerResponse;
  begin: () => void;
}

/**
 * The plain requests of one connection. Each begins after the answer to the one before: a client has no more of the pool than it has
 * connections, and the second request never leaves before the first.
 */
export class OneByOne {
  readonly #client: Socket;
  /** The first one is served now. */
  #turns: Turn[] = [];

  constructor(client: Socket) {
    this.#client = client;
    // Those that wait have no connection, and Node tells them nothing.
    client.once('close', () => {
      for (const { begin } of this.#turns.splice(1)) begin();
    });
  }

  get isIdle(): boolean {
    return this.#turns.length === 0;
  }

  /** @param begin called when it is the turn of the request; also if the client has left meanwhile. */
  enter(response: ServerResponse, begin: () => void): void {
    this.#turns.push({ response, begin });
    if (this.#turns.length === 1) this.#begin();
    // A client that leaves is noticed again as soon as it is read or written to.
    else if (this.#turns.length > MOST_WAITING) this.#client.pause();
  }

  #begin(): void {
    const [turn] = this.#turns;
    if (turn === undefined) return;
    turn.response.once('close', () => {
      this.#turns.shift();
      if (this.#turns.length === MOST_WAITING) this.#client.resume();
      this.#begin();
    });
    turn.begin();
  }
}
