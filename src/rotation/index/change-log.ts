/** To look at so many changes never takes long; more take less time than to look at every slot only up to a share of the slots. */
const FEW = 256;
const FEW_OF_SLOTS = 1 / 16;

/** Remembers which slots have changed last, so that whoever follows looks at these only. */
export class ChangeLog {
  readonly #ring: Int32Array;
  /** How many changes there were in all. */
  count = 0;

  /** @param size how many changes are remembered: a power of two. */
  constructor(size: number) {
    this.#ring = new Int32Array(size);
  }

  add(slot: number): void {
    this.#ring[this.count & (this.#ring.length - 1)] = slot;
    this.count++;
  }

  /** Whether all changes after the first `seen` are remembered. */
  has(seen: number): boolean {
    return this.count - seen <= this.#ring.length;
  }

  /**
   * Whether it is possible, and takes less time than to look at every slot, to look at each change after the first `seen`.
   *
   * @param end how many slots there are.
   */
  isNear(seen: number, end: number): boolean {
    return this.has(seen) && this.count - seen <= Math.max(FEW, end * FEW_OF_SLOTS);
  }

  /** The slot of the change with this number, the first of which is 0. */
  at(number: number): number {
    return this.#ring[number & (this.#ring.length - 1)] as number;
  }
}
