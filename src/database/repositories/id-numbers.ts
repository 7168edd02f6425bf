import { randomInt } from 'node:crypto';

type Values = typeof Uint8Array | typeof Float64Array;

const SMALLEST = 1024;

/**
 * A number for each of many ids, 0 unless it was set. It keeps 64 bits of each id, mixed with a number that nobody can guess, in
 * arrays of numbers: a Map of texts would take 100 bytes and more for each. Two ids of ten million share the bits once in
 * 400,000 runs.
 */
export class IdNumbers {
  readonly #Values: Values;
  readonly #seed = randomInt(2 ** 32);
  #keys = new Uint32Array(2 * SMALLEST);
  #values: Uint8Array | Float64Array;
  #count = 0;

  constructor(Values: Values) {
    this.#Values = Values;
    this.#values = new Values(SMALLEST);
  }

  get(id: string): number {
    const [high, low] = this.#hash(id);
    return this.#values[this.#slotOf(high, low)] ?? 0;
  }

  /** `value` is not 0. */
  set(id: string, value: number): void {
    const [high, low] = this.#hash(id);
    const slot = this.#slotOf(high, low);
    if (this.#values[slot] === 0) this.#count++;
    this.#put(slot, high, low, value);
    if (this.#count * 4 > this.#values.length * 3) this.#grow();
  }

  #put(slot: number, high: number, low: number, value: number): void {
    this.#keys[2 * slot] = high;
    this.#keys[2 * slot + 1] = low;
    this.#values[slot] = value;
  }

  /** The place of a key, or the free one where it would be. */
  #slotOf(high: number, low: number): number {
    const mask = this.#values.length - 1;
    let slot = low & mask;
    while (this.#values[slot] !== 0 && !(this.#keys[2 * slot] === high && this.#keys[2 * slot + 1] === low))
      slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const keys = this.#keys;
    const values = this.#values;
    this.#keys = new Uint32Array(2 * keys.length);
    this.#values = new this.#Values(2 * values.length);
    for (const [old, value] of values.entries()) {
      if (value === 0) continue;
      const high = keys[2 * old] ?? 0;
      const low = keys[2 * old + 1] ?? 0;
      this.#put(this.#slotOf(high, low), high, low, value);
    }
  }

  /** cyrb53 (https://github.com/bryc/code), without its last step that makes 53 bits of the 64. */
  #hash(id: string): [high: number, low: number] {
    let high = 0xdeadbeef ^ this.#seed;
    let low = 0x41c6ce57 ^ this.#seed;
    for (let n = 0; n < id.length; n++) {
      const code = id.charCodeAt(n);
      high = Math.imul(high ^ code, 2654435761);
      low = Math.imul(low ^ code, 1597334677);
    }
    const mixed = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
    low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(mixed ^ (mixed >>> 13), 3266489909);
    return [mixed >>> 0, low >>> 0];
  }
}
