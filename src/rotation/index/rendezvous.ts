import { BUCKETS, type Buckets } from './buckets.ts';
import { mixed } from './hash.ts';
import { SumTree } from './sum-tree.ts';

/**
 * Rendezvous hashing over some proxies: every key has its proxy, each proxy has about the same number of keys, and few keys move if
 * the pool changes. A proxy's keys go to the others, and the others give some to a new one.
 *
 * Comparing every proxy for every key would be O(n). So the key first walks down a tree of buckets: at each node it takes the
 * side with the higher score, weighted by how many proxies that side has; in the bucket it compares them all.
 * Weighted scores: Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005.
 */
export class Rendezvous {
  readonly #buckets: Buckets;
  readonly #counts: SumTree;

  /** @param members the slots that may be given. */
  constructor(buckets: Buckets, members: Iterable<number>) {
    const counts = new Float64Array(BUCKETS);
    for (const slot of members) {
      const bucket = buckets.of(slot);
      counts[bucket] = (counts[bucket] as number) + 1;
    }
    this.#buckets = buckets;
    this.#counts = new SumTree(counts);
  }

  /** Takes note of a slot that came or went. */
  update(slot: number, change: 1 | -1): void {
    this.#counts.add(this.#buckets.of(slot), change);
  }

  /** The slot of a key, which is a hash; -1 if no slot of its bucket is accepted. */
  slotFor(key: number, accepts: (slot: number) => boolean): number {
    const bucket = this.#counts.descend((node, left, right) => {
      if (left === 0 || right === 0) return right === 0;
      return score(key, 2 * node, left) > score(key, 2 * node + 1, right);
    });
    return this.#buckets.best(bucket, key, accepts);
  }
}

/** Higher for a weightier side: the one with the higher score is this side as often as its share of the weight. */
function score(key: number, node: number, weight: number): number {
  const uniform = (mixed(key ^ mixed(node)) + 0.5) / 2 ** 32;
  return -weight / Math.log(uniform);
}
