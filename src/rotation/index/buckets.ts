import { grown } from './grown.ts';
import { mixed } from './hash.ts';
import { HASH, RECORD, type Records } from './records.ts';

/** 2^12 buckets: in a pool of a million proxies each has about 250. */
const BUCKET_BITS = 12;
export const BUCKETS = 2 ** BUCKET_BITS;
const NONE = -1;

/** Every proxy in a bucket by the hash of its id, which is the same in every process. */
export class Buckets {
  readonly #records: Records;
  readonly #first = new Int32Array(BUCKETS).fill(NONE);
  /** The slot after a slot in its bucket. */
  #next: Int32Array;

  constructor(records: Records, capacity: number) {
    this.#records = records;
    this.#next = new Int32Array(capacity);
  }

  grow(capacity: number): void {
    this.#next = grown(this.#next, capacity);
  }

  /** Adds a slot whose hash is known. */
  add(slot: number): void {
    const bucket = this.of(slot);
    this.#next[slot] = this.#first[bucket] as number;
    this.#first[bucket] = slot;
  }

  remove(slot: number): void {
    const bucket = this.of(slot);
    const after = this.#next[slot] as number;
    let before = this.#first[bucket] as number;
    if (before === slot) this.#first[bucket] = after;
    while (before !== NONE && this.#next[before] !== slot) before = this.#next[before] as number;
    if (before !== NONE) this.#next[before] = after;
  }

  /** The bucket of a slot. */
  of(slot: number): number {
    return this.#hash(slot) >>> (32 - BUCKET_BITS);
  }

  /** The member of a bucket that has the highest score for a key; -1 if no slot is accepted. */
  best(bucket: number, key: number, accepts: (slot: number) => boolean): number {
    let best = NONE;
    let highest = -1;
    for (let slot = this.#first[bucket] as number; slot !== NONE; slot = this.#next[slot] as number) {
      if (!accepts(slot)) continue;
      const score = mixed(key ^ this.#hash(slot));
      if (score < highest) continue;
      highest = score;
      best = slot;
    }
    return best;
  }

  #hash(slot: number): number {
    return this.#records.whole[slot * RECORD + HASH] as number;
  }
}
