import { grown } from './index/grown.ts';
import { OutCounts } from './out-counts.ts';
import type { PoolIndex } from './pool-index.ts';

/** Why a proxy is out, each a bit. */
export const BUSY = 1;
export const PAUSING = 2;
export const RESTING = 4;
export const COOLING = 8;

/** What each reason is called, the first one being the one that counts. */
const OUT_REASONS = [
  { bit: COOLING, state: 'cooling' },
  { bit: RESTING, state: 'resting' },
  { bit: BUSY, state: 'busy' },
  { bit: PAUSING, state: 'pausing' },
] as const;
export type OutState = (typeof OUT_REASONS)[number]['state'];

/** For which reasons each proxy is out. It is out as long as there is one. */
export class Outs {
  #index: PoolIndex;
  #reasons: Uint8Array;
  readonly #counts = new OutCounts();
  /** Whether a proxy has come back since this was last set to false. */
  hasReady = false;

  constructor(index: PoolIndex) {
    this.#index = index;
    this.#reasons = new Uint8Array(index.capacity);
  }

  grow(capacity: number): void {
    if (capacity > this.#reasons.length) this.#reasons = grown(this.#reasons, capacity);
  }

  set(slot: number, reason: number, isOut: boolean): void {
    const before = this.#reasons[slot] as number;
    const after = isOut ? before | reason : before & ~reason;
    if (after === before) return;
    this.#reasons[slot] = after;
    this.#counts.changed(slot, before, after);
    if (before !== 0 && after !== 0) return;
    this.#index.setOut(slot, isOut);
    if (!isOut) this.hasReady = true;
  }

  /** The bits of all reasons; 0 if it is not out. */
  reasons(slot: number): number {
    return this.#reasons[slot] as number;
  }

  /** Every slot that is out. */
  *[Symbol.iterator](): Generator<number, void, undefined> {
    // Most slots are not: eight of them are looked at together.
    const eights = new BigUint64Array(this.#reasons.buffer, 0, this.#reasons.length >>> 3);
    for (let eight = 0; eight < eights.length; eight++) {
      if (eights[eight] === 0n) continue;
      for (let slot = 8 * eight; slot < 8 * eight + 8; slot++) if (this.#reasons[slot] !== 0) yield slot;
    }
    for (let slot = 8 * eights.length; slot < this.#reasons.length; slot++)
      if (this.#reasons[slot] !== 0) yield slot;
  }

  /** The reason that counts; null if it is not out. */
  state(slot: number): OutState | null {
    return stateOf(this.reasons(slot));
  }

  /** How many of those that fit a filter are out, by the reason that counts. */
  count(filter: string, fits: (slot: number) => boolean): Record<OutState, number> {
    const counts = { cooling: 0, resting: 0, busy: 0, pausing: 0 };
    const byReasons = this.#counts.of(filter, this.#index.generation, fits, this.#reasons);
    for (const [reasons, count] of byReasons.entries()) {
      const state = stateOf(reasons);
      if (state !== null) counts[state] += count;
    }
    return counts;
  }
}

function stateOf(reasons: number): OutState | null {
  return OUT_REASONS.find(({ bit }) => (reasons & bit) !== 0)?.state ?? null;
}
