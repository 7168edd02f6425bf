import { grown } from './grown.ts';

/** 2^12 buckets: in a pool of a million proxies each has about 250. */
const BUCKET_BITS = 12;
export const BUCKETS = 2 ** BUCKET_BITS;
const NONE = -1;

/** Every proxy in a bucket by the hash of its id, which is the same in every process. */
export class Buckets {
  readonly #first = new Int32Array(BUCKETS).fill(NONE);
  /** The slot after a slot in its bucket. */
  #next: Int32Array;
  #hashes: Uint32Array;

  constructor(capacity: number) {
    this.#next = new Int32Array(capacity);
    this.#hashes = new Uint32Array(capacity);
  }

  grow(capacity: number): void {
    this.#next = grown(this.#next, capacity);
    this.#hashes = grown(this.#hashes, capacity);
  }

  add(slot: number, id: string): void {
    const hash = hashOf(id);
    const bucket = hash >>> (32 - BUCKET_BITS);
    this.#hashes[slot] = hash;
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
    return (this.#hashes[slot] as number) >>> (32 - BUCKET_BITS);
  }

  /** The member of a bucket that has the highest score for a key; -1 if no slot is accepted. */
  best(bucket: number, key: number, accepts: (slot: number) => boolean): number {
    let best = NONE;
    let highest = -1;
    for (let slot = this.#first[bucket] as number; slot !== NONE; slot = this.#next[slot] as number) {
      if (!accepts(slot)) continue;
      const score = mixed(key ^ (this.#hashes[slot] as number));
      if (score < highest) continue;
      highest = score;
      best = slot;
    }
    return best;
  }
}

/** FNV-1a, 32 bits, mixed: http://www.isthe.com/chongo/tech/comp/fnv/ */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193);
  return mixed(hash);
}

/** The last step of MurmurHash3, which spreads every bit over all. Gives 32 bits without a sign. */
export function mixed(number: number): number {
  let hash = number ^ (number >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
