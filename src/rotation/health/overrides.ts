import type { Breaker } from './breaker.ts';

/**
 * The proxies that may be used though they cool, when most of the pool does (Envoy: panic threshold). A login that was rejected stays
 * out, and so does what a person has put out.
 */
export class Overrides {
  readonly #breaker: Breaker;
  #slots: readonly number[] = [];
  #version = -1;

  constructor(breaker: Breaker) {
    this.#breaker = breaker;
  }

  /** The soonest back first; empty unless at least `percent` of the active proxies cool. */
  slots(activeCount: number, percent: number): readonly number[] {
    const { engine, person, engineOut, version } = this.#breaker;
    if (engineOut === 0 || engineOut * 100 < percent * activeCount) return [];
    if (version === this.#version) return this.#slots;
    this.#version = version;
    this.#slots = [...engine.whole.values()]
      .filter(
        ({ slot, state, until }) =>
          state === 'cooling' && until !== null && person.whole.get(slot)?.state !== 'cooling',
      )
      .sort((a, b) => (a.until ?? 0) - (b.until ?? 0) || a.slot - b.slot)
      .map(({ slot }) => slot);
    return this.#slots;
  }
}
