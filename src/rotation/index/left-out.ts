import { ChangeLog } from './change-log.ts';

/** Slots that are to be left out of views, and which of them came or went last. */
export interface LeftOut {
  readonly log: ChangeLog;
  has(slot: number): boolean;
}

/** The slots of the pool, as they are now. */
export interface Slots {
  readonly capacity: number;
  /** No slot from here on was ever used. */
  readonly end: number;
  readonly log: ChangeLog;
  /** How often a slot has got a proxy. */
  readonly added: number;
  readonly columns: { id(slot: number): string };
}

/** So many changes of a Set are remembered for the views without it. */
const REMEMBERED = 256;

/**
 * The slots of a caller's Set of ids. It follows the pool, and what is added to the Set; after other changes of the Set it must be made
 * again.
 */
export class IdsLeftOut implements LeftOut {
  readonly log = new ChangeLog(REMEMBERED);
  readonly #slots: Slots;
  readonly #slotOf: (id: string) => number;
  readonly #bits: Uint32Array;
  readonly #capacity: number;
  /** How many ids the Set had. */
  #size: number;
  /** At the end of what the Set had: gives what is added. */
  #rest: IterableIterator<string>;
  /** How many changes of the pool it has taken note of. */
  #seen: number;
  #added: number;

  /** @param slotOf gives -1 for an id that no proxy has. */
  constructor(ids: ReadonlySet<string>, slots: Slots, slotOf: (id: string) => number) {
    this.#slots = slots;
    this.#slotOf = slotOf;
    this.#capacity = slots.capacity;
    this.#bits = new Uint32Array((slots.capacity + 31) >>> 5);
    this.#size = ids.size;
    this.#rest = atEndOf(ids);
    this.#seen = slots.log.count;
    this.#added = slots.added;
    for (const id of ids) this.#set(slotOf(id), true);
  }

  has(slot: number): boolean {
    return (((this.#bits[slot >>> 5] ?? 0) >>> (slot & 31)) & 1) === 1;
  }

  /** Takes note of what has changed; says whether it could. */
  follow(ids: ReadonlySet<string>): boolean {
    if (this.#capacity !== this.#slots.capacity) return false;
    return this.#followPool(ids) && (this.#size === ids.size || this.#followSet(ids));
  }

  #followPool(ids: ReadonlySet<string>): boolean {
    const { log, added, end } = this.#slots;
    if (this.#added !== added) {
      if (!log.isNear(this.#seen, end)) return false;
      for (let n = this.#seen; n < log.count; n++)
        this.#set(log.at(n), ids.has(this.#slots.columns.id(log.at(n))));
    }
    // As long as no slot gets another proxy, the same slots have these ids.
    this.#added = added;
    this.#seen = log.count;
    return true;
  }

  #followSet(ids: ReadonlySet<string>): boolean {
    const added = [...this.#rest];
    // As many more as were added: so no id has gone.
    if (ids.size - this.#size !== added.length) return false;
    for (const id of added) {
      const slot = this.#slotOf(id);
      this.#set(slot, true);
      if (slot !== -1) this.log.add(slot);
    }
    this.#size = ids.size;
    this.#rest = atEndOf(ids);
    return true;
  }

  #set(slot: number, isIn: boolean): void {
    if (slot === -1 || this.has(slot) === isIn) return;
    this.#bits[slot >>> 5] = (this.#bits[slot >>> 5] as number) ^ (1 << (slot & 31));
  }
}

/** Gives the ids that are added to a Set from now on, until it is asked in vain: an iterator of a Set follows its changes. */
function atEndOf(ids: ReadonlySet<string>): IterableIterator<string> {
  const iterator = ids.values();
  for (let n = 0; n < ids.size; n++) iterator.next();
  return iterator;
}
