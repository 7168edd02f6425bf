import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import type { Refusal } from './replies.ts';

/** When so many requests of a client wait, no more of it are read. */
const MOST_WAITING = 32;

/** A request that waits for its turn, or has it. */
interface Turn {
  response: ServerResponse;
  begin: () => void;
  /** Tells it that its body is malformed; false if it cannot say so any more. */
  malformed: (why: Refusal) => boolean;
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

  /** What came is malformed: a part of the body of the last request. @returns whether the client is told, which others must not wait for. */
  malformed(why: Refusal): boolean {
    return this.#turns.length === 1 && this.#turns[0]?.malformed(why) === true;
  }

  /** `begin` is called when it is the turn of the request; also if the client has left meanwhile. */
  enter(turn: Turn): void {
    this.#turns.push(turn);
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
