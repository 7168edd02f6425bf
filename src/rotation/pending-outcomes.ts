import { foldLatency, type LatencySums } from '../database/repositories/outcomes.repository.ts';
import type { Outcome } from './outcome.ts';

const DAY = 86_400_000;

/** What happened to the requests of one proxy on one day since they were stored last. */
export interface Tally {
  slot: number;
  successes: number;
  failures: number;
  /** Failures in a row at the end, or since the beginning if nothing has succeeded. */
  failuresInRow: number;
  latency: LatencySums | null;
  bytes: number;
}

/** Outcomes that wait to be stored, added up by day (UTC) and proxy. */
export class PendingOutcomes {
  readonly #days = new Map<string, Map<number, Tally>>();
  #today = new Map<number, Tally>();
  /** Of the day that is counted now, in milliseconds since the epoch. */
  #dayBegins = Number.POSITIVE_INFINITY;
  #count = 0;

  /** How many outcomes wait. */
  get count(): number {
    return this.#count;
  }

  has(slot: number): boolean {
    for (const tallies of this.#days.values()) if (tallies.has(slot)) return true;
    return false;
  }

  /** The failures in a row of a slot: those that are stored, and then what waits. */
  failuresInRow(slot: number, stored: number): number {
    let failures = stored;
    for (const tallies of this.#days.values()) {
      const tally = tallies.get(slot);
      if (tally !== undefined) failures = tally.failuresInRow + (tally.successes > 0 ? 0 : failures);
    }
    return failures;
  }

  /**
   * @param isCharged whether a failure counts as one of the proxy's in a row.
   * @param now milliseconds since the epoch.
   */
  add(slot: number, { kind, latencyMs, bytes }: Outcome, isCharged: boolean, now: number): void {
    if (!(now >= this.#dayBegins && now < this.#dayBegins + DAY)) this.#turnTo(now);
    let tally = this.#today.get(slot);
    if (tally === undefined) {
      tally = { slot, successes: 0, failures: 0, failuresInRow: 0, latency: null, bytes: 0 };
      this.#today.set(slot, tally);
    }
    this.#count++;
    if (kind === null) {
      tally.successes++;
      tally.failuresInRow = 0;
    } else {
      tally.failures++;
      if (isCharged) tally.failuresInRow++;
    }
    tally.bytes += bytes;
    if (latencyMs !== undefined) tally.latency = foldLatency(tally.latency, latencyMs);
  }

  /** What waits, day by day. */
  *[Symbol.iterator](): Generator<{ day: string; tally: Tally }, void, undefined> {
    for (const [day, tallies] of this.#days) for (const tally of tallies.values()) yield { day, tally };
  }

  clear(): void {
    this.#days.clear();
    this.#dayBegins = Number.POSITIVE_INFINITY;
    this.#count = 0;
  }

  /** The slots that have outcomes; one of several days comes several times. */
  *slots(): Generator<number, void, undefined> {
    for (const tallies of this.#days.values()) yield* tallies.keys();
  }

  /** The proxy of a slot is gone. */
  gone(slot: number): void {
    for (const tallies of this.#days.values()) {
      const tally = tallies.get(slot);
      if (tally === undefined) continue;
      this.#count -= tally.successes + tally.failures;
      tallies.delete(slot);
    }
  }

  /** Slots have other numbers; `to` gives -1 for a proxy that is gone, whose outcomes go with it. */
  moveTo(to: (slot: number) => number): void {
    const before = [...this];
    this.clear();
    for (const { day, tally } of before) {
      const slot = to(tally.slot);
      if (slot === -1) continue;
      this.#count += tally.successes + tally.failures;
      this.#talliesOf(day).set(slot, { ...tally, slot });
    }
  }

  #turnTo(now: number): void {
    this.#dayBegins = Math.floor(now / DAY) * DAY;
    this.#today = this.#talliesOf(new Date(this.#dayBegins).toISOString().slice(0, 10));
  }

  #talliesOf(day: string): Map<number, Tally> {
    const known = this.#days.get(day);
    if (known !== undefined) return known;
    const made = new Map<number, Tally>();
    this.#days.set(day, made);
    return made;
  }
}
