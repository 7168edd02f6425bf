import {
  HAND_OUTS,
  IN_FLIGHT,
  LAST_USED,
  LATENCY,
  RECORD,
  REPORTED_AT,
  type Records,
  SUCCESS,
  UNSAVED,
} from './records.ts';

/** A request that was not reported counts half as much after this time: its caller may have forgotten it. Milliseconds. */
const IN_FLIGHT_HALF_LIFE = 30_000;
/** A new latency weighs by the time since the last one: a mean over about the last minute. Milliseconds. */
const LATENCY_MEMORY = 60_000;
/** A latency of 0 would leave a proxy cheapest, however much it fails and is in use. Milliseconds. */
const LEAST_LATENCY = 0.1;
/** The least weight of a new latency, for proxies that are used all the time (RFC 6298, section 2). */
const LEAST_WEIGHT = 1 / 8;
/** What is known of failures counts half as much after this time, so that a proxy that failed is tried again. Milliseconds. */
const FAILURE_HALF_LIFE = 600_000;
/** A failing proxy without a latency counts as this slow. Milliseconds. */
const SLOW = 10_000;
/** No count is higher. */
const MOST = 2 ** 32 - 1;
/** More failures in a row change nothing. */
const MOST_FAILURES = 1000;
/** The share of its turns that even the worst proxy gets from a strategy that looks at failures. */
const LEAST_TRUST = 0.02;

/** What is known of a proxy's past. */
export interface History {
  /** Milliseconds; null if it was not measured. */
  latency: number | null;
  /** Lifetime successes in percent. */
  successRate: number;
  /** Failures in a row. */
  failureCount: number;
  handOuts: number;
}

/** Failures in a row are the lowest bits of a number, hand-outs that are not stored the others. */
const FAILURE_BITS = 10;
const MOST_UNSAVED = 2 ** (32 - FAILURE_BITS) - 1;

/** What is measured of each proxy, by slot. Times are milliseconds since the epoch. */
export class Measures {
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  /** A proxy that is new here begins with what the database knows of it. */
  begin(slot: number, history: History, now: number): void {
    this.#records.whole[slot * RECORD + HAND_OUTS] = Math.min(history.handOuts, MOST);
    this.#records.whole[slot * RECORD + UNSAVED] = 0;
    this.#records.floats[slot * RECORD + IN_FLIGHT] = 0;
    this.#records.times[(slot * RECORD) / 2 + LAST_USED] = 0;
    this.#records.floats[slot * RECORD + LATENCY] = history.latency ?? Number.NaN;
    this.#records.floats[slot * RECORD + SUCCESS] = history.successRate / 100;
    this.#records.whole[slot * RECORD + REPORTED_AT] = seconds(now);
    this.#setFailures(slot, history.failureCount);
  }

  /**
   * What the database has now of a proxy that is known here. It knows the failures in a row and hand-outs of other processes; a latency
   * counts if this process has none, or somebody has removed it.
   */
  correct(slot: number, { latency, failureCount, handOuts }: History): void {
    this.#setFailures(slot, failureCount);
    if (latency === null || this.latency(slot) === null)
      this.#records.floats[slot * RECORD + LATENCY] = latency ?? Number.NaN;
    this.counted(slot, handOuts);
  }

  /** How many hand-outs the database has now; those of this process that wait come on top. A count never goes back. */
  counted(slot: number, stored: number): void {
    const count = Math.max(this.handOuts(slot), stored + this.unsaved(slot));
    this.#records.whole[slot * RECORD + HAND_OUTS] = Math.min(MOST, count);
  }

  handedOut(slot: number, now: number): void {
    this.#records.whole[slot * RECORD + HAND_OUTS] = Math.min(this.handOuts(slot) + 1, MOST);
    this.#records.floats[slot * RECORD + IN_FLIGHT] = this.inFlight(slot, now) + 1;
    this.#records.times[(slot * RECORD) / 2 + LAST_USED] = now;
    if (this.unsaved(slot) === MOST_UNSAVED) return;
    this.#records.whole[slot * RECORD + UNSAVED] =
      (this.#records.whole[slot * RECORD + UNSAVED] as number) + 2 ** FAILURE_BITS;
  }

  /** Takes over hand-outs that the database does not have, of a proxy that has begun with what the database has. */
  carry(slot: number, unsaved: number, lastUsed: number): void {
    this.#records.whole[slot * RECORD + HAND_OUTS] = Math.min(this.handOuts(slot) + unsaved, MOST);
    this.#records.whole[slot * RECORD + UNSAVED] = (unsaved << FAILURE_BITS) | this.failures(slot);
    this.#records.times[(slot * RECORD) / 2 + LAST_USED] = lastUsed;
  }

  /** How often it was handed out. */
  handOuts(slot: number): number {
    return this.#records.whole[slot * RECORD + HAND_OUTS] as number;
  }

  /** Hand-outs that the database does not have yet. */
  unsaved(slot: number): number {
    return (this.#records.whole[slot * RECORD + UNSAVED] as number) >>> FAILURE_BITS;
  }

  saved(slot: number): void {
    this.#records.whole[slot * RECORD + UNSAVED] = this.failures(slot);
  }

  /** When it was handed out last by this process; 0 for never. */
  lastUsed(slot: number): number {
    return this.#records.times[(slot * RECORD) / 2 + LAST_USED] as number;
  }

  reported(slot: number, success: boolean, latencyMs: number | undefined, now: number): void {
    const elapsed = this.#sinceReport(slot, now);
    const weight = Math.max(LEAST_WEIGHT, 1 - Math.exp(-elapsed / LATENCY_MEMORY));
    if (latencyMs !== undefined) {
      const mean = this.latency(slot);
      this.#records.floats[slot * RECORD + LATENCY] =
        mean === null ? latencyMs : mean + weight * (latencyMs - mean);
    }
    const known = this.#success(slot, now);
    this.#records.floats[slot * RECORD + SUCCESS] = known + LEAST_WEIGHT * ((success ? 1 : 0) - known);
    this.#setFailures(slot, success ? 0 : this.failures(slot) + 1);
    this.#records.whole[slot * RECORD + REPORTED_AT] = seconds(now);
    // What is left is noted as it was at the last hand-out, from which it fades.
    const left = Math.max(0, this.inFlight(slot, now) - 1);
    // Where everything has faded, there is nothing to divide by.
    this.#records.floats[slot * RECORD + IN_FLIGHT] =
      left === 0 ? 0 : left / fadedBy(now - this.lastUsed(slot), IN_FLIGHT_HALF_LIFE);
  }

  latency(slot: number): number | null {
    const latency = this.#records.floats[slot * RECORD + LATENCY] as number;
    return Number.isNaN(latency) ? null : latency;
  }

  /** Recent successes in percent. */
  successRate(slot: number, now: number): number {
    return 100 * this.#success(slot, now);
  }

  failures(slot: number): number {
    return (this.#records.whole[slot * RECORD + UNSAVED] as number) & (2 ** FAILURE_BITS - 1);
  }

  /** The failures in a row that the database does not have yet, or no longer, are counted. */
  correctFailures(slot: number, failures: number): void {
    this.#setFailures(slot, failures);
  }

  /** Its failures in a row are forgotten. */
  forgive(slot: number): void {
    this.#setFailures(slot, 0);
  }

  /** How many requests have not been reported, each fading with time. */
  inFlight(slot: number, now: number): number {
    const count = this.#records.floats[slot * RECORD + IN_FLIGHT] as number;
    return count === 0 ? 0 : count * fadedBy(now - this.lastUsed(slot), IN_FLIGHT_HALF_LIFE);
  }

  /**
   * What a request by this proxy is likely to cost: latency × (requests in flight + 1), doubled for each failure in a row. An unmeasured
   * proxy costs nothing while it is not in use, so that it is tried, and as much as a slow one while its first request is under way.
   */
  cost(slot: number, now: number): number {
    const failures = this.failures(slot);
    const inFlight = this.inFlight(slot, now);
    const latency = Math.max(this.#records.floats[slot * RECORD + LATENCY] as number, LEAST_LATENCY);
    if (!Number.isNaN(latency))
      return failures === 0 ? latency * (inFlight + 1) : latency * (inFlight + 1) * 2 ** failures;
    // Half a request: one that was not reported for 30 s.
    return failures === 0 && inFlight <= 0.5 ? 0 : SLOW * (inFlight + 1) * 2 ** failures;
  }

  /**
   * How far a proxy is trusted, from LEAST_TRUST to 1: its recent share of successes, halved for each failure in a row. What is known
   * fades, so that it is tried again.
   */
  trust(slot: number, now: number): number {
    const failures = this.failures(slot);
    const share = this.#success(slot, now);
    if (failures === 0) return Math.max(LEAST_TRUST, share);
    const faded = failures * fadedBy(this.#sinceReport(slot, now), FAILURE_HALF_LIFE);
    return Math.max(LEAST_TRUST, share * 2 ** -faded);
  }

  #setFailures(slot: number, failures: number): void {
    const unsaved = this.unsaved(slot) << FAILURE_BITS;
    this.#records.whole[slot * RECORD + UNSAVED] = unsaved | Math.min(failures, MOST_FAILURES);
  }

  #success(slot: number, now: number): number {
    const share = this.#records.floats[slot * RECORD + SUCCESS] as number;
    return share === 1 ? 1 : 1 - (1 - share) * fadedBy(this.#sinceReport(slot, now), FAILURE_HALF_LIFE);
  }

  #sinceReport(slot: number, now: number): number {
    return now - 1000 * (this.#records.whole[slot * RECORD + REPORTED_AT] as number);
  }
}

/** Whole seconds since the epoch, which fit in 32 bits until 2106. */
function seconds(now: number): number {
  return Math.max(0, Math.floor(now / 1000));
}

/** 2^(-elapsed / halfLife). A clock may go back: then nothing fades. */
function fadedBy(elapsed: number, halfLife: number): number {
  const halvings = elapsed / halfLife;
  if (halvings <= 0) return 1;
  // Of a short time the tangent is near enough, and takes less time.
  return halvings < 0.01 ? 1 - Math.LN2 * halvings : 2 ** -halvings;
}
