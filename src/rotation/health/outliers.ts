import type { HealthSettings } from '../../model/pool-options.ts';

/** A slot whose success rate is far below the mean. */
export interface Outlier {
  slot: number;
  rate: number;
  mean: number;
}

/** The low half of a counter is how many outcomes there were, the high half how many were successes. */
const TOTAL = 0xffff;
const SUCCESS = 0x1_0001;
const FAILURE = 1;

/** A smaller distance from the mean is noise, however small the deviation is: with 1,000 equal proxies 1.9 σ are nothing. */
const LEAST_DISTANCE = 0.05;
/** Nor does a distance count that chance gives one of 700 equal proxies: three standard errors of its own share. */
const STANDARD_ERRORS = 3;

/**
 * Success rates since they were last compared, and Envoy's rule for outliers (outlier detection, "success rate"): of the hosts with
 * enough requests, if there are enough, those go out whose rate is below mean − factor × standard deviation. Unlike Envoy we keep
 * what a slot has until it has enough: in a big pool no proxy gets 100 requests in 10 seconds.
 */
export class Outliers {
  #counters = new Uint32Array(0);
  /** Slots that have enough outcomes. */
  #ready: number[] = [];
  /** When rates were last compared; first, when a slot had enough. */
  #since: number | null = null;
  #settings: HealthSettings;

  constructor(settings: HealthSettings) {
    this.#settings = settings;
  }

  configure(settings: HealthSettings): void {
    const { outliers, outlierRequests } = this.#settings;
    this.#settings = settings;
    if (settings.outliers === outliers && settings.outlierRequests === outlierRequests) return;
    if (!settings.outliers) this.#counters.fill(0);
    this.#findReady();
  }

  grow(capacity: number): void {
    if (capacity <= this.#counters.length) return;
    const counters = new Uint32Array(capacity);
    counters.set(this.#counters);
    this.#counters = counters;
  }

  count(slot: number, isSuccess: boolean, now: number): void {
    if (!this.#settings.outliers || slot >= this.#counters.length) return;
    const counter = this.#counters[slot] as number;
    const total = (counter & TOTAL) + 1;
    if (total > TOTAL) return;
    this.#counters[slot] = counter + (isSuccess ? SUCCESS : FAILURE);
    if (total !== this.#settings.outlierRequests) return;
    this.#ready.push(slot);
    this.#since ??= now;
  }

  clear(slot: number): void {
    const counter = this.#counters[slot];
    if (counter === undefined || counter === 0) return;
    this.#counters[slot] = 0;
    if ((counter & TOTAL) >= this.#settings.outlierRequests) {
      this.#ready.splice(this.#ready.indexOf(slot), 1);
    }
  }

  /** When rates are to be compared next; Infinity as long as too few slots can be. */
  get nextDue(): number {
    if (this.#ready.length < this.#settings.outlierHosts) return Number.POSITIVE_INFINITY;
    return this.#since === null ? 0 : this.#since + this.#settings.outlierIntervalMs;
  }

  /** Compares the slots that have enough outcomes, and counts them from zero again. Gives the outliers, the worst first. */
  compare(now: number): Outlier[] {
    const slots = this.#ready;
    this.#ready = [];
    this.#since = now;
    const counters = slots.map((slot) => this.#counters[slot] as number);
    for (const slot of slots) this.#counters[slot] = 0;
    const totals = counters.map((counter) => counter & TOTAL);
    const rates = counters.map((counter, i) => (counter >>> 16) / (totals[i] as number));
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
    const edge = mean - this.#settings.outlierDeviations * Math.sqrt(variance);
    return slots
      .map((slot, i) => ({ slot, rate: rates[i] as number, mean, total: totals[i] as number }))
      .filter(({ rate, total }) => {
        const chance = STANDARD_ERRORS * Math.sqrt((mean * (1 - mean)) / total);
        return rate < edge && mean - rate >= Math.max(LEAST_DISTANCE, chance);
      })
      .sort((a, b) => a.rate - b.rate || a.slot - b.slot)
      .map(({ slot, rate }) => ({ slot, rate, mean }));
  }

  moveTo(capacity: number, to: (slot: number) => number): void {
    const from = this.#counters;
    this.#counters = new Uint32Array(capacity);
    for (let slot = 0; slot < from.length; slot++) {
      const counter = from[slot] as number;
      if (counter === 0) continue;
      const place = to(slot);
      if (place !== -1) this.#counters[place] = counter;
    }
    this.#findReady();
  }

  #findReady(): void {
    const { outlierRequests } = this.#settings;
    this.#ready = [];
    for (let slot = 0; slot < this.#counters.length; slot++) {
      if (((this.#counters[slot] as number) & TOTAL) >= outlierRequests) this.#ready.push(slot);
    }
  }
}
