import type { SlotSet } from './index/slot-set.ts';
import type { View } from './index/view.ts';
import type { PoolIndex } from './pool-index.ts';

/** So many excluded slots are compared one by one. */
export const FEW = 32;
/** A view with so many members is looked through. */
const SMALL = 2 * FEW;
/** So many draws are tried; nearly always each of them has at least a chance of one in four. */
const DRAWS = 64;
/** So many blocks of the least used ones may have excluded ones at first. */
const BLOCKS = 16;

/** The members of a view that are no candidates. */
export interface Excluded {
  /** About FEW slots. */
  few: readonly number[];
  /** What is drawn and found here is drawn again. */
  many?: readonly SlotSet[];
  /** Gives the view without `many`. It may have to be made, which takes as long as the pool is large. */
  rest?: () => View;
  /** The slot that is excluded because another one is wanted; -1 if any will do. */
  other?: number;
}

const NO_SCOPES: readonly SlotSet[] = [];

/** What a strategy chooses from: the members of a view without those that are excluded. -1 says that there is no such slot. */
export class Candidates {
  readonly #index: PoolIndex;
  readonly #view: View;
  readonly #few: readonly number[];
  readonly #many: readonly SlotSet[];
  readonly #rest: (() => View) | null;
  /** The slot that is excluded because another one is wanted; -1 if any will do. */
  readonly other: number;

  constructor(index: PoolIndex, view: View, { few, many = NO_SCOPES, rest, other = -1 }: Excluded) {
    this.#index = index;
    this.#view = view;
    this.#few = other === -1 ? few : [...few, other];
    this.#many = many;
    this.#rest = many.length === 0 ? null : (rest ?? null);
    this.other = other;
  }

  get isEmpty(): boolean {
    let most = this.#few.length;
    for (const { size } of this.#many) most += size;
    return this.#view.size <= most && this.size === 0;
  }

  /** How many they are. */
  get size(): number {
    if (!this.#isLarge) return this.#members().length;
    const exact = this.#exact;
    if (exact !== null) return exact.size;
    return this.#view.size - new Set(this.#few.filter((slot) => this.#view.has(slot))).size;
  }

  has(slot: number): boolean {
    return this.#view.has(slot) && !this.#isExcluded(slot);
  }

  /** Any, each as likely as the others. */
  any(random: () => number): number {
    if (this.#isWhole) return this.#view.any(random);
    if (this.#isLarge)
      for (let draw = 0; draw < DRAWS; draw++) {
        const slot = this.#view.any(random);
        if (!this.#isExcluded(slot)) return slot;
      }
    const exact = this.#exact;
    if (exact !== null) return exact.any(random);
    const members = this.#members();
    return members[Math.floor(random() * members.length)] ?? -1;
  }

  /** Any, each as likely as the share of its weight. */
  weighted(random: () => number): number {
    const { weight } = this.#index.columns;
    if (this.#isWhole) return this.#view.weighted(weight, random);
    if (this.#isLarge)
      for (let draw = 0; draw < DRAWS; draw++) {
        const slot = this.#view.weighted(weight, random);
        if (!this.#isExcluded(slot)) return slot;
      }
    // The excluded ones may have nearly all of the weight.
    const exact = this.#exact;
    if (exact !== null) return exact.weighted(random);
    const members = this.#members();
    let left = random() * members.reduce((sum, slot) => sum + (weight[slot] as number), 0);
    for (const slot of members) {
      left -= weight[slot] as number;
      if (left < 0) return slot;
    }
    return members.at(-1) ?? -1;
  }

  /** The next one after a slot, beginning again at the end. */
  after(slot: number): number {
    const { size } = this.#view;
    const most = this.#few.length + (this.#rest === null ? 1 : DRAWS);
    let next = slot;
    for (let n = 0; n < most && n < size; n++) {
      next = this.#view.from(next + 1);
      if (!this.#isExcluded(next)) return next;
    }
    return size <= most ? -1 : (this.#exact?.after(slot) ?? -1);
  }

  /** The one that was handed out least often; of equal ones the first. */
  leastUsed(): number {
    const most = this.#rest === null || !this.#isLarge ? Number.POSITIVE_INFINITY : BLOCKS;
    const slot = this.#view.least(this.#index.handOuts, (each) => this.#isExcluded(each), most);
    return slot ?? this.#exact?.leastUsed() ?? -1;
  }

  /** The one that a key has by rendezvous hashing. */
  forKey(key: number): number {
    if (this.isEmpty) return -1;
    // Another hash finds another bucket, if all in one are excluded.
    for (let n = 0; n < DRAWS; n++) {
      const slot = this.#view.forKey(key + n, this.#index.buckets, (each) => this.#isExcluded(each));
      if (slot !== -1) return slot;
    }
    return this.#exact?.forKey(key) ?? this.after(-1);
  }

  /** All of them, in order. */
  *[Symbol.iterator](): Generator<number, void, undefined> {
    for (const slot of this.#view) if (!this.#isExcluded(slot)) yield slot;
  }

  get #isWhole(): boolean {
    return this.#few.length === 0 && this.#many.length === 0;
  }

  /** Fewer members may all be excluded, and are looked through in as little time as draws take. */
  get #isLarge(): boolean {
    return this.#view.size > SMALL;
  }

  /** The same candidates in a view that has none of the many; null if there are not many, or this view can as well be looked through. */
  get #exact(): Candidates | null {
    if (this.#rest === null || !this.#isLarge) return null;
    return new Candidates(this.#index, this.#rest(), { few: this.#few });
  }

  #isExcluded(slot: number): boolean {
    if (this.#few.includes(slot)) return true;
    for (const scope of this.#many) if (scope.has(slot)) return true;
    return false;
  }

  #members(): number[] {
    return [...this];
  }
}
