import {
  clearLatency,
  foldLatency,
  type LatencySums,
  noLatency,
} from '../database/repositories/latency-sums.ts';
import type { Outcome } from './outcome.ts';

const DAY = 86_400_000;
/** So many tallies are kept to be used again: to make one takes longer than to fill it. */
const KEPT = 4096;

/** What happened to the requests of one proxy on one day since they were stored last. */
export interface Tally {
  slot: number;
  /** `YYYY-MM-DD`, UTC. */
  day: string;
  successes: number;
  failures: number;
  /** Failures in a row at the end, or since the beginning if nothing has succeeded. */
  failuresInRow: number;
  latency: LatencySums;
  /** That of the same proxy before this one; null for its first. */
  before: Tally | null;
}

/** So many outcomes are noted one after another before they are added up. */
const NOTED = 8192;
/** What is noted of an outcome. */
const [SUCCESS, FAILURE, CHARGED] = [0, 1, 2] as const;

/**
 * Outcomes that wait to be stored, added up by day (UTC) and proxy. They are first noted in a row, which costs a request least: to find
 * the tally of one proxy among many takes longer.
 */
export class PendingOutcomes {
  readonly #slots = new Int32Array(NOTED);
  readonly #kinds = new Uint8Array(NOTED);
  /** NaN for none. */
  readonly #latencies = new Float64Array(NOTED);
  #noted = 0;
  /** The first `#used` of them have outcomes. */
  readonly #tallies: Tally[] = [];
  #used = 0;
  /** The last tally of each slot. */
  readonly #last = new Map<number, Tally>();
  #day = '';
  /** In milliseconds since the epoch. */
  #dayBegins = Number.POSITIVE_INFINITY;
  #addedUp = 0;

  /** How many outcomes wait. */
  get count(): number {
    return this.#addedUp + this.#noted;
  }

  has(slot: number): boolean {
    return this.#of(slot).length > 0;
  }

  /** The failures in a row of a slot: those that are stored, and then what waits. */
  failuresInRow(slot: number, stored: number): number {
    let failures = stored;
    for (const tally of this.#of(slot)) failures = tally.failuresInRow + (tally.successes > 0 ? 0 : failures);
    return failures;
  }

  /** The failures in a row that wait are forgotten; they still count as failures. */
  forgive(slot: number): void {
    for (const tally of this.#of(slot)) tally.failuresInRow = 0;
  }

  /**
   * @param isCharged whether a failure counts as one of the proxy's in a row.
   * @param now milliseconds since the epoch.
   */
  add(slot: number, { kind, latencyMs }: Outcome, isCharged: boolean, now: number): void {
    if (!(now >= this.#dayBegins && now < this.#dayBegins + DAY)) this.#turnTo(now);
    const place = this.#noted++;
    this.#slots[place] = slot;
    this.#kinds[place] = kind === null ? SUCCESS : isCharged ? CHARGED : FAILURE;
    this.#latencies[place] = latencyMs ?? Number.NaN;
    if (this.#noted === NOTED) this.#addUp();
  }

  /** What waits. A proxy has one tally for each day. */
  *[Symbol.iterator](): Generator<Tally, void, undefined> {
    this.#addUp();
    for (let place = 0; place < this.#used; place++) {
      const tally = this.#tallies[place] as Tally;
      if (tally.successes + tally.failures > 0) yield tally;
    }
  }

  /** The slots that have outcomes; one of several days comes several times. */
  *slots(): Generator<number, void, undefined> {
    for (const { slot } of this) yield slot;
  }

  clear(): void {
    this.#noted = 0;
    this.#used = 0;
    this.#last.clear();
    this.#addedUp = 0;
    if (this.#tallies.length > KEPT) this.#tallies.length = KEPT;
  }

  /** The proxy of a slot is gone, and its outcomes go with it. */
  gone(slot: number): void {
    for (const tally of this.#of(slot)) this.#drop(tally);
    this.#last.delete(slot);
  }

  /** Slots have other numbers; `to` gives -1 for a proxy that is gone, whose outcomes go with it. */
  moveTo(to: (slot: number) => number): void {
    this.#addUp();
    this.#last.clear();
    for (const tally of this) {
      const slot = to(tally.slot);
      if (slot === -1) {
        this.#drop(tally);
        continue;
      }
      tally.slot = slot;
      tally.before = this.#last.get(slot) ?? null;
      this.#last.set(slot, tally);
    }
  }

  /** The tallies of a slot, day by day. */
  #of(slot: number): readonly Tally[] {
    this.#addUp();
    const tallies: Tally[] = [];
    for (let tally = this.#last.get(slot) ?? null; tally !== null; tally = tally.before)
      tallies.unshift(tally);
    return tallies;
  }

  #drop(tally: Tally): void {
    this.#addedUp -= tally.successes + tally.failures;
    empty(tally);
  }

  /** Adds up what was noted, which is all of the day that is counted now. */
  #addUp(): void {
    for (let place = 0; place < this.#noted; place++) {
      const slot = this.#slots[place] as number;
      const kind = this.#kinds[place];
      const latency = this.#latencies[place] as number;
      const last = this.#last.get(slot);
      const tally = last?.day === this.#day ? last : this.#begin(slot, last ?? null);
      if (kind === SUCCESS) {
        tally.successes++;
        tally.failuresInRow = 0;
      } else {
        tally.failures++;
        if (kind === CHARGED) tally.failuresInRow++;
      }
      if (!Number.isNaN(latency)) foldLatency(tally.latency, latency);
    }
    this.#addedUp += this.#noted;
    this.#noted = 0;
  }

  #begin(slot: number, before: Tally | null): Tally {
    const tally = this.#tallies[this.#used] ?? newTally();
    this.#tallies[this.#used++] = tally;
    empty(tally);
    tally.slot = slot;
    tally.day = this.#day;
    tally.before = before;
    this.#last.set(slot, tally);
    return tally;
  }

  #turnTo(now: number): void {
    this.#addUp();
    this.#dayBegins = Math.floor(now / DAY) * DAY;
    this.#day = new Date(this.#dayBegins).toISOString().slice(0, 10);
  }
}

function newTally(): Tally {
  const latency = noLatency();
  return { slot: -1, day: '', successes: 0, failures: 0, failuresInRow: 0, latency, before: null };
}

function empty(tally: Tally): void {
  tally.successes = 0;
  tally.failures = 0;
  tally.failuresInRow = 0;
  clearLatency(tally.latency);
}
