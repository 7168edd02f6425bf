/**
 * The least of numbers that only grow, over blocks. A block may keep a value that is too small: it is corrected when it is met.
 * So a number that grows costs nothing here, whatever number of trees it is in.
 */
export class LeastTree {
  readonly #leaves: number;
  /** The root at 1, the children of n at 2n and 2n + 1. */
  readonly #least: Float64Array;

  /** @param values the least of each block; Infinity for an empty one. */
  constructor(values: Float64Array) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(1, values.length)));
    this.#least = new Float64Array(2 * this.#leaves).fill(Number.POSITIVE_INFINITY);
    this.#least.set(values, this.#leaves);
    for (let node = this.#leaves - 1; node >= 1; node--) this.#take(node);
  }

  /** A lower bound of the least; Infinity if every block is empty. */
  get bound(): number {
    return this.#least[1] as number;
  }

  valueOf(block: number): number {
    return this.#least[this.#leaves + block] as number;
  }

  set(block: number, value: number): void {
    let node = this.#leaves + block;
    this.#least[node] = value;
    for (node >>= 1; node >= 1; node >>= 1) this.#take(node);
  }

  /** Takes a lower number into account, if it is one. */
  lower(block: number, value: number): void {
    for (let node = this.#leaves + block; node >= 1 && value < (this.#least[node] as number); node >>= 1)
      this.#least[node] = value;
  }

  /** The first block that has the bound. */
  first(): number {
    let node = 1;
    while (node < this.#leaves) {
      node *= 2;
      if ((this.#least[node + 1] as number) < (this.#least[node] as number)) node++;
    }
    return node - this.#leaves;
  }

  #take(node: number): void {
    const [left, right] = [this.#least[2 * node] as number, this.#least[2 * node + 1] as number];
    this.#least[node] = Math.min(left, right);
  }
}
