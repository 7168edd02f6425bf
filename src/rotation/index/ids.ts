import type { Addresses } from './addresses.ts';
import { hashOf } from './hash.ts';
import { HASH, NEXT_ID, RECORD, type Records } from './records.ts';

const NONE = -1;
/** So many answers are kept; then they are forgotten, and found again. */
const MOST = 10_000;

/** Finds the slot of an id: a hash table with a list for each value. A Map of a million ids would take 30 MB more. */
export class Ids {
  readonly #records: Records;
  readonly #addresses: Addresses;
  /** The first slot of each list; their number is a power of two. */
  #first: Int32Array;
  /** The slots of ids that were asked for: the engine keeps the hash of a text, which takes us longer than the rest. */
  readonly #known = new Map<string, number>();
  #size = 0;

  constructor(records: Records, addresses: Addresses, capacity: number) {
    this.#records = records;
    this.#addresses = addresses;
    this.#first = listsFor(capacity);
  }

  get size(): number {
    return this.#size;
  }

  grow(capacity: number): void {
    const before = this.#first;
    const { slots } = this.#records;
    this.#first = listsFor(capacity);
    for (const first of before)
      for (let slot = first; slot !== NONE; ) {
        const next = slots[slot * RECORD + NEXT_ID] as number;
        this.#link(slot);
        slot = next;
      }
  }

  /** -1 if no slot has this id. */
  slotOf(id: string): number {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const slot = this.find(id);
    if (slot === NONE) return NONE;
    if (this.#known.size === MOST) this.#known.clear();
    this.#known.set(id, slot);
    return slot;
  }

  /** As `slotOf`, for ids that will hardly be asked for again. */
  find(id: string): number {
    const { slots, whole } = this.#records;
    const hash = hashOf(id);
    let slot = this.#first[hash & (this.#first.length - 1)] as number;
    while (slot !== NONE) {
      if (whole[slot * RECORD + HASH] === hash && this.#addresses.id(slot) === id) return slot;
      slot = slots[slot * RECORD + NEXT_ID] as number;
    }
    return NONE;
  }

  /** A slot has got an id, which no other has. */
  add(slot: number, id: string): void {
    this.#records.whole[slot * RECORD + HASH] = hashOf(id);
    this.#link(slot);
    this.#size++;
  }

  /** Before its id is cleared. */
  remove(slot: number): void {
    this.#known.delete(this.#addresses.id(slot));
    const { slots } = this.#records;
    const list = this.#listOf(slot);
    const after = slots[slot * RECORD + NEXT_ID] as number;
    this.#size--;
    let before = this.#first[list] as number;
    if (before === slot) {
      this.#first[list] = after;
      return;
    }
    while (slots[before * RECORD + NEXT_ID] !== slot) before = slots[before * RECORD + NEXT_ID] as number;
    slots[before * RECORD + NEXT_ID] = after;
  }

  #link(slot: number): void {
    const list = this.#listOf(slot);
    this.#records.slots[slot * RECORD + NEXT_ID] = this.#first[list] as number;
    this.#first[list] = slot;
  }

  #listOf(slot: number): number {
    return (this.#records.whole[slot * RECORD + HASH] as number) & (this.#first.length - 1);
  }
}

function listsFor(capacity: number): Int32Array {
  return new Int32Array(2 ** Math.ceil(Math.log2(capacity))).fill(NONE);
}
