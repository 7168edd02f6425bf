/**
 * Sums of non-negative numbers over blocks, in a binary tree: changing one and finding the block at a share of the total take
 * O(log blocks). Each parent is added up again from its children, so that sums of fractions do not drift.
 */
export class SumTree {
  /** How many leaves there are: a power of two. */
  readonly #leaves: number;
  /** The root at 1, the children of n at 2n and 2n + 1. */
  readonly #sums: Float64Array;

  /** @param values one for each block. */
  constructor(values: Float64Array) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(1, values.length)));
    this.#sums = new Float64Array(2 * this.#leaves);
    this.#sums.set(values, this.#leaves);
    for (let node = this.#leaves - 1; node >= 1; node--) this.#sum(node);
  }

  get total(): number {
    return this.#sums[1] as number;
  }

  valueOf(block: number): number {
    return this.#sums[this.#leaves + block] as number;
  }

  set(block: number, value: number): void {
    let node = this.#leaves + block;
    this.#sums[node] = value;
    for (node >>= 1; node >= 1; node >>= 1) this.#sum(node);
  }

  /** Adds to a block of a tree of whole numbers: their sums are exact anyway. */
  add(block: number, change: number): void {
    for (let node = this.#leaves + block; node >= 1; node >>= 1)
      this.#sums[node] = (this.#sums[node] as number) + change;
  }

  /**
   * The block in which `target` falls, if the values are laid end to end, and how far in. Rounding can make `rest` as large as the
   * block's value; the block is never an empty one, unless all are.
   *
   * @param target from 0, inclusive, to `total`, exclusive.
   */
  find(target: number): { block: number; rest: number } {
    FOUND.rest = target;
    let node = 1;
    while (node < this.#leaves) {
      node *= 2;
      const left = this.#sums[node] as number;
      const isRight = FOUND.rest >= left && (this.#sums[node + 1] as number) > 0;
      if (!isRight) continue;
      FOUND.rest -= left;
      node++;
    }
    FOUND.block = node - this.#leaves;
    return FOUND;
  }

  /** The block that a walk from the root reaches; `isLeft` is asked at each node, with the sums of its two sides. */
  descend(isLeft: (node: number, left: number, right: number) => boolean): number {
    let node = 1;
    while (node < this.#leaves) {
      const [left, right] = [this.#sums[2 * node] as number, this.#sums[2 * node + 1] as number];
      node = 2 * node + (isLeft(node, left, right) ? 0 : 1);
    }
    return node - this.#leaves;
  }

  /** The first block from this one on whose value is not 0; -1 if there is no such block. */
  nextFrom(block: number): number {
    let node = this.#leaves + block;
    if (block >= this.#leaves || (this.#sums[node] as number) > 0) return block >= this.#leaves ? -1 : block;
    // Up, until there is something to the right; then down to the leftmost of it.
    while (node > 1 && ((node & 1) === 1 || this.#sums[node + 1] === 0)) node >>= 1;
    if (node <= 1) return -1;
    for (node++; node < this.#leaves; ) {
      node *= 2;
      if (this.#sums[node] === 0) node++;
    }
    return node - this.#leaves;
  }

  #sum(node: number): void {
    this.#sums[node] = (this.#sums[2 * node] as number) + (this.#sums[2 * node + 1] as number);
  }
}

/** Given back by every `find`, which must not allocate. */
const FOUND = { block: 0, rest: 0 };
