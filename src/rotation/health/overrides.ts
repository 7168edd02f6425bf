import type { Breaker } from './breaker.ts';

/** The slots whose proxies may be used when they are not out. */
export interface ActiveSlots {
  count: number;
  has: (slot: number) => boolean;
  /** Another number once they are others. */
  generation: number;
}

/**
 * The proxies that may be used though they cool, when most of the pool does (Envoy: panic threshold). A login that was rejected stays
 * out, and so does what a person has put out.
 */
export class Overrides {
  readonly #breaker: Breaker;
  #slots: readonly number[] = [];
  #cooling = 0;
  #version = -1;
  #generation = -1;

  constructor(breaker: Breaker) {
    this.#breaker = breaker;
  }

  /** The soonest back first; empty unless at least `percent` of the active proxies cool. */
  slots({ count, generation, has }: ActiveSlots, percent: number): readonly number[] {
    const { engine, person, engineOut, version } = this.#breaker;
    if (engineOut === 0 || engineOut * 100 < percent * count) return [];
    if (version !== this.#version || generation !== this.#generation) {
      this.#version = version;
      this.#generation = generation;
      // One that is disabled may cool too.
      const cooling = [...engine.whole.values()].filter(
        ({ slot, state }) => state === 'cooling' && has(slot),
      );
      this.#cooling = cooling.length;
      this.#slots = cooling
        .filter(({ slot, until }) => until !== null && person.whole.get(slot)?.state !== 'cooling')
        .sort((a, b) => (a.until ?? 0) - (b.until ?? 0) || a.slot - b.slot)
        .map(({ slot }) => slot);
    }
    return this.#cooling * 100 < percent * count ? [] : this.#slots;
  }
}
