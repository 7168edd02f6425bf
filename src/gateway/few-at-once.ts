import { ProxyVaultError } from '../errors.ts';

/** Runs a few pieces of work at a time; the others wait in a line of bounded length. */
export class FewAtOnce {
  readonly #most: number;
  readonly #longestLine: number;
  readonly #line: (() => void)[] = [];
  #running = 0;

  constructor(most: number, longestLine: number) {
    this.#most = most;
    this.#longestLine = longestLine;
  }

  /** @throws BUSY if the line is full. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#most) this.#running++;
    else {
      if (this.#line.length >= this.#longestLine)
        throw new ProxyVaultError('BUSY', 'Too many logins wait to be checked. Try again in a few seconds.');
      // Who ends hands its place on.
      await new Promise<void>((resolve) => this.#line.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = this.#line.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
