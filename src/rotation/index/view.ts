import type { Buckets } from './buckets.ts';
import { LeastTree } from './least-tree.ts';
import { Rendezvous } from './rendezvous.ts';
import { SumTree } from './sum-tree.ts';

/** A number of each slot. */
type Numbers = (slot: number) => number;

/** So many slots are drawn in the hope of a member; then one is looked for. */
const DRAWS = 16;
/** A block of a tree has 2^8 slots. */
const BLOCK_BITS = 8;
const WORDS = 2 ** BLOCK_BITS / 32;
/** The trees of weights and hand-outs have smaller blocks, since each member of a block is read: 2^6 slots. */
const PART_BITS = 6;
const PART_WORDS = 2 ** PART_BITS / 32;
const ONLY_EXCLUDED = -2;

/** The weights of the members, in a tree. */
interface Weights {
  tree: SumTree;
  of: Float32Array;
  /** No member is heavier. */
  most: number;
  /** The blocks that the tree does not have as they are now, each once. */
  changed: number[];
  isChanged: Uint8Array;
}

/**
 * The slots of the proxies that fit a filter: one bit each, and trees over blocks of them. A pick costs O(log n), in a pool of any
 * size and whatever share of it fits.
 */
export class View {
  readonly #bits: Uint32Array;
  /** No member is at or after this slot. */
  #end = 0;
  #counts: SumTree;
  /** How many changes of the pool it has taken note of. */
  seen = 0;
  /** Made when the first weighted choice needs it. */
  #weights: Weights | null = null;
  #least: { tree: LeastTree; of: Numbers } | null = null;
  #rendezvous: Rendezvous | null = null;

  /**
   * @param capacity for how many slots it has room.
   * @param fits whether a slot belongs to it, asked of each one before `end`.
   */
  constructor(capacity: number, end: number, fits: (slot: number) => boolean) {
    const blocks = (Math.max(1, capacity) + 2 ** BLOCK_BITS - 1) >>> BLOCK_BITS;
    this.#bits = new Uint32Array(blocks * WORDS);
    this.#counts = this.#fill(end, fits);
  }

  /** Begins again, as if it were new. */
  refill(end: number, fits: (slot: number) => boolean): void {
    this.#bits.fill(0);
    this.#counts = this.#fill(end, fits);
    this.#weights = null;
    this.#least = null;
    this.#rendezvous = null;
  }

  #fill(end: number, fits: (slot: number) => boolean): SumTree {
    this.#end = end;
    const counts = new Float64Array(this.#bits.length / WORDS);
    for (let slot = 0; slot < end; slot++) {
      if (!fits(slot)) continue;
      this.#bits[slot >>> 5] = (this.#bits[slot >>> 5] as number) | (1 << (slot & 31));
      counts[slot >>> BLOCK_BITS] = (counts[slot >>> BLOCK_BITS] as number) + 1;
    }
    return new SumTree(counts);
  }

  /** How many slots it has. */
  get size(): number {
    return this.#counts.total;
  }

  has(slot: number): boolean {
    return (((this.#bits[slot >>> 5] ?? 0) >>> (slot & 31)) & 1) === 1;
  }

  /** Lets a slot in, or out, and takes note of another weight or number of hand-outs. */
  update(slot: number, fits: boolean): void {
    if (fits && slot >= this.#end) this.#end = slot + 1;
    if (this.has(slot) !== fits) {
      this.#bits[slot >>> 5] = (this.#bits[slot >>> 5] as number) ^ (1 << (slot & 31));
      this.#counts.add(slot >>> BLOCK_BITS, fits ? 1 : -1);
      this.#rendezvous?.update(slot, fits ? 1 : -1);
    }
    if (this.#weights !== null) this.#reweigh(slot, fits, this.#weights);
    // Where one has left, the tree may have too low a number: it is corrected when it is met.
    if (fits && this.#least !== null) this.#least.tree.lower(slot >>> PART_BITS, this.#least.of(slot));
  }

  /** Slots may have other buckets than before. */
  forgetBuckets(): void {
    this.#rendezvous = null;
  }

  /** The slot with this many members before it; `index` is from 0 to `size` - 1. */
  at(index: number): number {
    const { block, rest } = this.#counts.find(index);
    let left = rest;
    let word = block * WORDS;
    for (; ; word++) {
      const count = bitsIn(this.#bits[word] as number);
      if (left < count) break;
      left -= count;
    }
    let bits = this.#bits[word] as number;
    for (; left > 0; left--) bits &= bits - 1;
    return word * 32 + lowestBit(bits);
  }

  /** Any member, each as likely as the others; -1 if it is empty. */
  any(random: () => number): number {
    const { size } = this;
    // Most of the slots are members in most views: to draw a slot is quicker than to count to one.
    for (let draw = 0; draw < DRAWS && 2 * size > this.#end; draw++) {
      const slot = Math.floor(random() * this.#end);
      if (this.has(slot)) return slot;
    }
    return size === 0 ? -1 : this.at(Math.floor(random() * size));
  }

  /** The first member from `slot` on, beginning again at the end; -1 if it is empty. */
  from(slot: number): number {
    if (this.size === 0) return -1;
    const found = slot < this.#bits.length * 32 ? this.#firstFrom(slot) : -1;
    return found === -1 ? this.#firstFrom(0) : found;
  }

  /** A member, each as likely as the share of its weight; -1 if it is empty. */
  weighted(weights: Float32Array, random: () => number): number {
    if (this.size === 0) return -1;
    if (this.#weights?.of !== weights) this.#weights = this.#weigh(weights);
    const { tree, most } = this.#weights;
    // Whatever the tree has of late changes, either way gives each member its share. Rejection sampling is quicker than the tree if many slots are about as heavy as the heaviest one.
    for (let draw = 0; draw < DRAWS && 4 * tree.total > most * this.#end; draw++) {
      const place = random() * this.#end;
      const slot = Math.floor(place);
      if (this.has(slot) && (place - slot) * most < (weights[slot] as number)) return slot;
    }
    this.#weighChanged(this.#weights);
    return this.#atWeight(random() * tree.total, tree, weights);
  }

  /**
   * The member with the lowest number, which may only grow; of equal ones the first. -1 if it has no such member. Null if it gave up, since
   * in so many blocks the lowest number is of an excluded one.
   */
  least(numbers: Numbers, isExcluded: (slot: number) => boolean, most: number): number | null {
    if (this.size === 0) return -1;
    if (this.#least?.of !== numbers)
      this.#least = {
        tree: new LeastTree(this.#perBlock((block) => this.#leastIn(block, numbers))),
        of: numbers,
      };
    const { tree } = this.#least;
    // Blocks without the excluded ones, for now, and what the tree has of them.
    const passed: { block: number; least: number }[] = [];
    let found = -1;
    while (found < 0 && passed.length < most && tree.bound !== Number.POSITIVE_INFINITY) {
      const block = tree.first();
      found = this.#withNumber(block, numbers, tree.bound, isExcluded);
      if (found === ONLY_EXCLUDED) {
        passed.push({ block, least: tree.bound });
        tree.set(block, this.#leastIn(block, numbers, isExcluded));
      } else if (found === -1) tree.set(block, this.#leastIn(block, numbers));
    }
    const hasGivenUp = found < 0 && tree.bound !== Number.POSITIVE_INFINITY;
    for (const { block, least } of passed) tree.set(block, least);
    return hasGivenUp ? null : Math.max(-1, found);
  }

  /** The member that a key has by rendezvous hashing; -1 if those of its bucket are excluded. */
  forKey(key: number, buckets: Buckets, isExcluded: (slot: number) => boolean): number {
    if (this.size === 0) return -1;
    this.#rendezvous ??= new Rendezvous(buckets, this);
    return this.#rendezvous.slotFor(key, (slot) => this.has(slot) && !isExcluded(slot));
  }

  /** Every member, in order. */
  *[Symbol.iterator](): Generator<number, void, undefined> {
    for (let slot = this.#firstFrom(0); slot !== -1; slot = this.#firstFrom(slot + 1)) yield slot;
  }

  #firstFrom(slot: number): number {
    const end = this.#bits.length;
    let word = slot >>> 5;
    if (word >= end) return -1;
    let bits = (this.#bits[word] as number) & (-1 << (slot & 31));
    const blockEnd = Math.min(end, (Math.floor(word / WORDS) + 1) * WORDS);
    while (bits === 0 && ++word < blockEnd) bits = this.#bits[word] as number;
    if (bits !== 0) return word * 32 + lowestBit(bits);
    const block = this.#counts.nextFrom(blockEnd / WORDS);
    if (block === -1) return -1;
    for (word = block * WORDS; this.#bits[word] === 0; ) word++;
    return word * 32 + lowestBit(this.#bits[word] as number);
  }

  #weigh(weights: Float32Array): Weights {
    let most = 0;
    for (const slot of this) most = Math.max(most, weights[slot] as number);
    return {
      tree: new SumTree(this.#perBlock((block) => this.#weightOf(block, weights))),
      of: weights,
      most,
      changed: [],
      isChanged: new Uint8Array(this.#bits.length / PART_WORDS),
    };
  }

  #reweigh(slot: number, fits: boolean, weights: Weights): void {
    const { of, most, changed, isChanged } = weights;
    const block = slot >>> PART_BITS;
    if (isChanged[block] === 0) {
      isChanged[block] = 1;
      changed.push(block);
    }
    // One that was the heaviest may have gone: then choices take a little longer.
    if (fits && (of[slot] as number) > most) weights.most = of[slot] as number;
  }

  /** Takes the changes into the tree. */
  #weighChanged({ tree, of, changed, isChanged }: Weights): void {
    for (const block of changed) {
      isChanged[block] = 0;
      tree.set(block, this.#weightOf(block, of));
    }
    changed.length = 0;
  }

  /** The member in which `target` falls, if the weights are laid end to end. */
  #atWeight(target: number, tree: SumTree, weights: Float32Array): number {
    const { block, rest } = tree.find(target);
    let left = rest;
    let slot = -1;
    for (let word = block * PART_WORDS; word < (block + 1) * PART_WORDS; word++)
      for (let bits = this.#bits[word] as number; bits !== 0; bits &= bits - 1) {
        slot = word * 32 + lowestBit(bits);
        left -= weights[slot] as number;
        if (left < 0) return slot;
      }
    // Rounding: the last one.
    return slot;
  }

  #weightOf(block: number, weights: Float32Array): number {
    let sum = 0;
    for (let word = block * PART_WORDS; word < (block + 1) * PART_WORDS; word++)
      for (let bits = this.#bits[word] as number; bits !== 0; bits &= bits - 1)
        sum += weights[word * 32 + lowestBit(bits)] as number;
    return sum;
  }

  #leastIn(block: number, numbers: Numbers, isExcluded?: (slot: number) => boolean): number {
    let least = Number.POSITIVE_INFINITY;
    for (let word = block * PART_WORDS; word < (block + 1) * PART_WORDS; word++)
      for (let bits = this.#bits[word] as number; bits !== 0; bits &= bits - 1) {
        const slot = word * 32 + lowestBit(bits);
        if (numbers(slot) < least && !isExcluded?.(slot)) least = numbers(slot);
      }
    return least;
  }

  /** The first member of a block with this number; -1 if it has no such member, ONLY_EXCLUDED if all of them are excluded. */
  #withNumber(
    block: number,
    numbers: Numbers,
    number: number,
    isExcluded: (slot: number) => boolean,
  ): number {
    let none = -1;
    for (let word = block * PART_WORDS; word < (block + 1) * PART_WORDS; word++)
      for (let bits = this.#bits[word] as number; bits !== 0; bits &= bits - 1) {
        const slot = word * 32 + lowestBit(bits);
        if (numbers(slot) !== number) continue;
        if (!isExcluded(slot)) return slot;
        none = ONLY_EXCLUDED;
      }
    return none;
  }

  #perBlock(value: (block: number) => number): Float64Array {
    const values = new Float64Array(this.#bits.length / PART_WORDS);
    for (let block = 0; block < values.length; block++) values[block] = value(block);
    return values;
  }
}

/** https://graphics.stanford.edu/~seander/bithacks.html#CountBitsSetParallel */
function bitsIn(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The number of the lowest bit that is set. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
