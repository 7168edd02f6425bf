import type { RotationReason } from '../model/rotation.ts';

/** So many events wait at most, about 20 MB; if they cannot be stored, later ones are lost. */
const MOST = 100_000;

/** A hand-out as an event of the history. */
export interface HandOutEvent {
  from: string | null;
  to: string;
  reason: RotationReason;
}

/** Events that wait to be stored, and how many were lost since there were too many. */
export class PendingEvents {
  #waiting: HandOutEvent[] = [];
  #lost = 0;
  /** So many of the lost ones somebody was told of. */
  #told = 0;

  /** How many wait. */
  get count(): number {
    return this.#waiting.length;
  }

  /** How many are lost, in all. */
  get lost(): number {
    return this.#lost;
  }

  /** Says whether it waits now: else it is lost. */
  add(event: HandOutEvent): boolean {
    if (this.#waiting.length < MOST) {
      this.#waiting.push(event);
      return true;
    }
    this.#lost++;
    return false;
  }

  [Symbol.iterator](): Iterator<HandOutEvent> {
    return this.#waiting.values();
  }

  /** Those that wait are stored. */
  clear(): void {
    this.#waiting = [];
  }

  /** Those that wait will not be stored. */
  lose(): void {
    this.#lost += this.#waiting.length;
  }

  /** How many were lost since this was last asked. */
  takeLost(): number {
    const count = this.#lost - this.#told;
    this.#told = this.#lost;
    return count;
  }
}
