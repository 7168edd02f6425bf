/** So many changes are remembered: after more, who asks counts again. */
const REMEMBERED = 4096;
/** So many filters are remembered. */
const MOST = 256;
/** For each combination of the four reasons. */
const COMBINATIONS = 16;

/** How many of those that fit a filter are out, by the combination of reasons. */
interface Counted {
  counts: Uint32Array;
  /** How many changes it has taken note of. */
  seen: number;
  /** What `fits` looks at had this generation. */
  generation: number;
}

/**
 * Counts for each filter how many are out for which reasons. What was counted once follows the changes: a program that asks for a proxy
 * again and again while all are out costs no look at each of them.
 */
export class OutCounts {
  readonly #slots = new Int32Array(REMEMBERED);
  /** The reasons before and after each change. */
  readonly #changes = new Uint8Array(REMEMBERED);
  #count = 0;
  readonly #known = new Map<string, Counted>();

  /** Other reasons than before keep a slot out. */
  changed(slot: number, before: number, after: number): void {
    const place = this.#count++ % REMEMBERED;
    this.#slots[place] = slot;
    this.#changes[place] = before * COMBINATIONS + after;
  }

  /**
   * How many there are for each combination of reasons; 0 is of no meaning.
   *
   * @param fits which slots are meant; the same for the same filter, until there is another generation.
   * @param reasons those of each slot now.
   */
  of(
    filter: string,
    generation: number,
    fits: (slot: number) => boolean,
    reasons: Uint8Array,
  ): Readonly<Uint32Array> {
    const known = this.#known.get(filter);
    if (known?.generation === generation && this.#count - known.seen <= REMEMBERED) {
      this.#follow(known, fits);
      return known.counts;
    }
    if (known === undefined && this.#known.size === MOST) this.#known.clear();
    const counts = new Uint32Array(COMBINATIONS);
    for (let slot = 0; slot < reasons.length; slot++) {
      const combination = reasons[slot] as number;
      if (combination !== 0 && fits(slot)) counts[combination] = (counts[combination] as number) + 1;
    }
    this.#known.set(filter, { counts, seen: this.#count, generation });
    return counts;
  }

  #follow(known: Counted, fits: (slot: number) => boolean): void {
    const { counts } = known;
    for (; known.seen < this.#count; known.seen++) {
      const place = known.seen % REMEMBERED;
      if (!fits(this.#slots[place] as number)) continue;
      const change = this.#changes[place] as number;
      const [before, after] = [Math.floor(change / COMBINATIONS), change % COMBINATIONS];
      counts[before] = (counts[before] as number) - 1;
      counts[after] = (counts[after] as number) + 1;
    }
  }
}
