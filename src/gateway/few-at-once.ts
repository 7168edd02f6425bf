import { ProxyVaultError } from '../errors.ts';

interface Waiting {
  from: string | undefined;
  go: () => void;
}

/** Runs a few pieces of work at a time; the others wait in a line of bounded length, in which nobody has more than a part. */
export class FewAtOnce {
  readonly #most: number;
  readonly #longestLine: number;
  readonly #mostOfOne: number;
  readonly #line: Waiting[] = [];
  #running = 0;

  /** @param mostOfOne so many of one origin may wait. */
  constructor(most: number, longestLine: number, mostOfOne = longestLine) {
    this.#most = most;
    this.#longestLine = longestLine;
    this.#mostOfOne = mostOfOne;
  }

  /**
   * @param from where the work comes from, such as an address; undefined if that does not count.
   * @throws BUSY if the line is full, or has too much of one origin.
   */
  async run<T>(work: () => Promise<T>, from?: string): Promise<T> {
    if (this.#running < this.#most) this.#running++;
    else {
      if (!this.#hasPlaceFor(from))
        throw new ProxyVaultError('BUSY', 'Too many logins wait to be checked. Try again in a few seconds.');
      // Who ends hands its place on.
      await new Promise<void>((go) => this.#line.push({ from, go }));
    }
    try {
      return await work();
    } finally {
      const next = this.#line.shift();
      if (next === undefined) this.#running--;
      else next.go();
    }
  }

  #hasPlaceFor(from: string | undefined): boolean {
    if (this.#line.length >= this.#longestLine) return false;
    return from === undefined || this.#line.filter((each) => each.from === from).length < this.#mostOfOne;
  }
}
