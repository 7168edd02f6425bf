import { grown } from './grown.ts';

/** A request that was not reported counts half as much after this time: its caller may have forgotten it. Milliseconds. */
const IN_FLIGHT_HALF_LIFE = 30_000;
/** A new latency weighs by the time since the last one: a mean over about the last minute. Milliseconds. */
const LATENCY_MEMORY = 60_000;
/** The least weight of a new latency, for proxies that are used all the time (RFC 6298, section 2). */
const LEAST_WEIGHT = 1 / 8;
/** What is known of failures counts half as much after this time, so that a proxy that failed is tried again. Milliseconds. */
const FAILURE_HALF_LIFE = 600_000;
/** A failing proxy without a latency counts as this slow. Milliseconds. */
const SLOW = 10_000;
/** The share of its turns that even the worst proxy gets from a strategy that looks at failures. */
export const LEAST_TRUST = 0.02;

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

/** What is measured of each proxy, by slot, in columns. Times are milliseconds since the epoch. */
export class Measures {
  /** How often each was handed out. */
  handOuts: Float64Array;
  /** NaN until measured. */
  #latency: Float32Array;
  /** From 0 to 1. */
  #success: Float32Array;
  /** In a row. */
  #failures: Uint16Array;
  #reportedAt: Float64Array;
  /** Hand-outs that the database does not have yet. */
  unsaved: Uint32Array;
  /** When each was handed out last by this process; 0 for never. */
  lastUsed: Float64Array;
  #inFlight: Float32Array;
  #inFlightAt: Float64Array;

  constructor(capacity: number) {
    this.handOuts = new Float64Array(capacity);
    this.#latency = new Float32Array(capacity);
    this.#success = new Float32Array(capacity);
    this.#failures = new Uint16Array(capacity);
    this.#reportedAt = new Float64Array(capacity);
    this.unsaved = new Uint32Array(capacity);
    this.lastUsed = new Float64Array(capacity);
    this.#inFlight = new Float32Array(capacity);
    this.#inFlightAt = new Float64Array(capacity);
  }

  grow(capacity: number): void {
    this.handOuts = grown(this.handOuts, capacity);
    this.#latency = grown(this.#latency, capacity);
    this.#success = grown(this.#success, capacity);
    this.#failures = grown(this.#failures, capacity);
    this.#reportedAt = grown(this.#reportedAt, capacity);
    this.unsaved = grown(this.unsaved, capacity);
    this.lastUsed = grown(this.lastUsed, capacity);
    this.#inFlight = grown(this.#inFlight, capacity);
    this.#inFlightAt = grown(this.#inFlightAt, capacity);
  }

  /** A proxy that is new here begins with what the database knows of it. */
  begin(slot: number, { latency, successRate, failureCount, handOuts }: History, now: number): void {
    this.handOuts[slot] = handOuts;
    this.#latency[slot] = latency ?? Number.NaN;
    this.#success[slot] = successRate / 100;
    this.#failures[slot] = Math.min(failureCount, 65_535);
    this.#reportedAt[slot] = now;
    this.unsaved[slot] = 0;
    this.lastUsed[slot] = 0;
    this.#inFlight[slot] = 0;
    this.#inFlightAt[slot] = now;
  }

  /** A change that somebody else stored, such as a reset. What is in flight stays. */
  correct(slot: number, { latency, successRate, failureCount }: History, now: number): void {
    this.#latency[slot] = latency ?? Number.NaN;
    this.#success[slot] = successRate / 100;
    this.#failures[slot] = Math.min(failureCount, 65_535);
    this.#reportedAt[slot] = now;
  }

  handedOut(slot: number, now: number): void {
    this.handOuts[slot] = (this.handOuts[slot] as number) + 1;
    this.lastUsed[slot] = now;
    this.#inFlight[slot] = this.inFlight(slot, now) + 1;
    this.#inFlightAt[slot] = now;
  }

  reported(slot: number, success: boolean, latencyMs: number | undefined, now: number): void {
    const elapsed = Math.max(0, now - (this.#reportedAt[slot] as number));
    const weight = Math.max(LEAST_WEIGHT, 1 - Math.exp(-elapsed / LATENCY_MEMORY));
    if (latencyMs !== undefined) {
      const mean = this.latency(slot);
      this.#latency[slot] = mean === null ? latencyMs : mean + weight * (latencyMs - mean);
    }
    const known = this.#successAt(slot, now);
    this.#success[slot] = known + LEAST_WEIGHT * ((success ? 1 : 0) - known);
    this.#failures[slot] = success ? 0 : Math.min(65_535, (this.#failures[slot] as number) + 1);
    this.#reportedAt[slot] = now;
    this.#inFlight[slot] = Math.max(0, this.inFlight(slot, now) - 1);
    this.#inFlightAt[slot] = now;
  }

  latency(slot: number): number | null {
    const latency = this.#latency[slot] as number;
    return Number.isNaN(latency) ? null : latency;
  }

  /** Recent successes in percent. */
  successRate(slot: number, now: number): number {
    return 100 * this.#successAt(slot, now);
  }

  failures(slot: number): number {
    return this.#failures[slot] as number;
  }

  /** How many requests have not been reported, each fading with time. */
  inFlight(slot: number, now: number): number {
    const count = this.#inFlight[slot] as number;
    return count === 0 ? 0 : count * fadedBy(now - (this.#inFlightAt[slot] as number), IN_FLIGHT_HALF_LIFE);
  }

  /**
   * What a request by this proxy is likely to cost: latency × (requests in flight + 1), doubled for each failure in a row. An unmeasured
   * proxy costs nothing while it is not in use, so that it is tried, and as much as a slow one while its first request is under way.
   */
  cost(slot: number, now: number): number {
    const failures = this.#failures[slot] as number;
    const inFlight = this.inFlight(slot, now);
    const latency = this.#latency[slot] as number;
    if (!Number.isNaN(latency)) return failures === 0 ? latency * (inFlight + 1) : latency * (inFlight + 1) * 2 ** failures;
    // Half a request: one that was not reported for 30 s.
    return failures === 0 && inFlight <= 0.5 ? 0 : SLOW * (inFlight + 1) * 2 ** failures;
  }

  /**
   * How far a proxy is trusted, from LEAST_TRUST to 1: its recent share of successes, halved for each failure in a row. What is known
   * fades, so that it is tried again.
   */
  trust(slot: number, now: number): number {
    const failures = this.#failures[slot] as number;
    const share = this.#successAt(slot, now);
    if (failures === 0) return Math.max(LEAST_TRUST, share);
    const faded = failures * fadedBy(now - (this.#reportedAt[slot] as number), FAILURE_HALF_LIFE);
    return Math.max(LEAST_TRUST, share * 2 ** -faded);
  }

  #successAt(slot: number, now: number): number {
    const share = this.#success[slot] as number;
    if (share === 1) return 1;
    return 1 - (1 - share) * fadedBy(now - (this.#reportedAt[slot] as number), FAILURE_HALF_LIFE);
  }
}

/** A clock may go back: then nothing fades. */
function fadedBy(elapsed: number, halfLife: number): number {
  return elapsed <= 0 ? 1 : 2 ** (-elapsed / halfLife);
}
