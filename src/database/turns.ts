import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long a job may keep the event loop before others have their turn. */
const SLICE_MS = 5;

/** Gives the event loop its turns during a long job. */
export class Turns {
  #since = performance.now();

  /** A promise to wait for, if the job has had its slice; null if it may go on. */
  next(): Promise<void> | null {
    return performance.now() - this.#since < SLICE_MS ? null : this.#pass();
  }

  async #pass(): Promise<void> {
    await nextTurn();
    this.#since = performance.now();
  }
}
