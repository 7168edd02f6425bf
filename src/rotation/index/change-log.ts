/** To look at so many changes never takes long; more take less time than to look at every slot only up to a share of the slots. */
const FEW = 256;
const FEW_OF_SLOTS = 1 / 16;

/** A log begins this small: a hundred thousand sessions may each have one. */
const FIRST_SIZE = 8;

/** Remembers which slots have changed last, so that whoever follows looks at these only. */
export class ChangeLog {
  #ring: Int32Array;
  readonly #size: number;
  /** How many changes there were in all. */
  count = 0;

  /** @param size how many changes are remembered: a power of two. */
  constructor(size: number) {
    this.#size = size;
    this.#ring = new Int32Array(Math.min(size, FIRST_SIZE));
  }

  add(slot: number): void {
    if (this.count === this.#ring.length && this.count < this.#size) {
      const ring = new Int32Array(this.count * 2);
      ring.set(this.#ring);
      this.#ring = ring;
    }
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
