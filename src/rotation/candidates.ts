import type { View } from './index/view.ts';
import type { PoolIndex } from './pool-index.ts';

/** So many excluded slots are compared one by one. More are taken out of the view. */
export const FEW = 32;
/** So many draws are tried; each of them has at least an even chance. */
const DRAWS = 64;

/** What a strategy chooses from: the members of a view without those that are excluded. -1 says that there is no such slot. */
export class Candidates {
  readonly #index: PoolIndex;
  readonly #view: View;
  readonly #excluded: readonly number[];
  /** The slot that is excluded because another one is wanted; -1 if any will do. */
  readonly other: number;

  /** @param excluded about FEW slots; the view has others left out already. */
  constructor(index: PoolIndex, view: View, excluded: readonly number[] = [], other = -1) {
    this.#index = index;
    this.#view = view;
    this.#excluded = other === -1 ? excluded : [...excluded, other];
    this.other = other;
  }

  get isEmpty(): boolean {
    return this.#view.size <= this.#excluded.length && this.#members().length === 0;
  }

  has(slot: number): boolean {
    return this.#view.has(slot) && !this.#isExcluded(slot);
  }

  /** Any, each as likely as the others. */
  any(random: () => number): number {
    const { size } = this.#view;
    if (this.#excluded.length === 0) return this.#view.any(random);
    if (size > 2 * FEW) {
      for (let draw = 0; draw < DRAWS; draw++) {
        const slot = this.#view.any(random);
        if (!this.#isExcluded(slot)) return slot;
      }
    }
    const members = this.#members();
    return members[Math.floor(random() * members.length)] ?? -1;
  }

  /** Any, each as likely as the share of its weight. */
  weighted(random: () => number): number {
    const { weight } = this.#index.columns;
    if (this.#excluded.length === 0) return this.#view.weighted(weight, random);
    if (this.#view.size > 2 * FEW) {
      for (let draw = 0; draw < DRAWS; draw++) {
        const slot = this.#view.weighted(weight, random);
        if (!this.#isExcluded(slot)) return slot;
      }
    }
    // The excluded ones may have nearly all of the weight.
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
    let next = slot;
    for (let n = 0; n <= this.#excluded.length; n++) {
      next = this.#view.from(next + 1);
      if (next === -1 || !this.#isExcluded(next)) return next;
    }
    return -1;
  }

  /** The one that was handed out least often; of equal ones the first. */
  leastUsed(): number {
    return this.#view.least(this.#index.handOuts, (slot) => this.#isExcluded(slot), this.#excluded);
  }

  /** The one that a key has by rendezvous hashing. */
  forKey(key: number): number {
    if (this.isEmpty) return -1;
    // Another hash finds another bucket, if all in one are excluded.
    for (let n = 0; n < DRAWS; n++) {
      const slot = this.#view.forKey(key + n, this.#index.buckets, (each) => this.#isExcluded(each));
      if (slot !== -1) return slot;
    }
    return this.after(-1);
  }

  /** All of them, in order. */
  *[Symbol.iterator](): Generator<number, void, undefined> {
    for (const slot of this.#view) if (!this.#isExcluded(slot)) yield slot;
  }

  #isExcluded(slot: number): boolean {
    return this.#excluded.includes(slot);
  }

  #members(): number[] {
    return [...this];
  }
}
