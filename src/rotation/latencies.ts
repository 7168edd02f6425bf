import type { PoolStats } from './pool-stats.ts';

/** So many buckets for each doubling: the answer is at most 5 % off. */
const PER_DOUBLING = 8;
/** Up to 2^22 ms, about an hour. */
const BUCKETS = 22 * PER_DOUBLING;

/** Counts latencies, so that percentiles of them can be told. */
export class Latencies {
  readonly #counts = new Uint32Array(BUCKETS + 1);
  #count = 0;

  add(milliseconds: number): void {
    const bucket = Math.floor(Math.log2(Math.max(1, milliseconds)) * PER_DOUBLING);
    const place = Math.min(bucket, BUCKETS);
    this.#counts[place] = (this.#counts[place] as number) + 1;
    this.#count++;
  }

  /** Null if nothing was measured. */
  get percentiles(): PoolStats['latencyMs'] {
    if (this.#count === 0) return null;
    return { p50: this.#at(0.5), p90: this.#at(0.9), p99: this.#at(0.99) };
  }

  #at(share: number): number {
    let left = Math.ceil(share * this.#count);
    let bucket = 0;
    for (; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket] as number;
      if (left <= 0) break;
    }
    return Math.round(2 ** ((bucket + 0.5) / PER_DOUBLING));
  }
}
