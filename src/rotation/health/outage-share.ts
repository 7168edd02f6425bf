/** So many outcomes are looked back on, about. */
const MEMORY = 256;
/** Before anything is known, half of the requests are taken to fail, with the weight of so many outcomes. */
const PRIOR = 8;

/** Which share of the requests to all domains has lately failed in a way that may be the domain's fault. */
export class OutageShare {
  #share = 0.5;
  #count = PRIOR;

  get value(): number {
    return this.#share;
  }

  add(isFailure: boolean): void {
    if (this.#count < MEMORY) this.#count++;
    this.#share += ((isFailure ? 1 : 0) - this.#share) / this.#count;
  }
}
