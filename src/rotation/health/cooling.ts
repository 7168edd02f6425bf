import type { CircuitRegister } from './circuit-register.ts';
import { CooldownQueue } from './cooldown-queue.ts';
import { longer } from './counts.ts';

/** A usable proxy that is out as a whole. It waits until the longest of its cooldowns ends, if that ends by itself. */
interface Item {
  slot: number;
  due: number;
  place: number;
  isByPerson: boolean;
}

/**
 * The usable proxies that cool as a whole, by when they come back. If most of the pool cools, those that the engine has put out may be
 * used before (Envoy: panic threshold). A login that was rejected stays out, and so does what a person has put out.
 */
export class Cooling {
  readonly #circuits: CircuitRegister;
  readonly #items = new Map<number, Item>();
  readonly #queue = new CooldownQueue<Item>();
  /** The slots that are out by the engine, whether or not a person has put them out too. */
  readonly #byEngine = new Set<number>();

  constructor(circuits: CircuitRegister) {
    this.#circuits = circuits;
  }

  /** Takes note of what a slot is now, after each change of its proxy or of its cooldowns. */
  update(slot: number, isUsable: boolean): void {
    const engine = this.#circuits.engine.whole.get(slot) ?? null;
    const person = this.#circuits.person.whole.get(slot) ?? null;
    const longest = isUsable ? longer(engine, person) : null;
    if (longest !== null && engine?.state === 'cooling') this.#byEngine.add(slot);
    else this.#byEngine.delete(slot);
    const known = this.#items.get(slot);
    if (longest === null) {
      if (known === undefined) return;
      this.#items.delete(slot);
      this.#queue.delete(known);
      return;
    }
    const item = known ?? { slot, due: Number.POSITIVE_INFINITY, place: -1, isByPerson: false };
    this.#items.set(slot, item);
    item.isByPerson = person?.state === 'cooling';
    this.#queue.set(item, longest.until ?? Number.POSITIVE_INFINITY);
  }

  /** The slots have other numbers: each must be told again. */
  clear(): void {
    this.#items.clear();
    this.#queue.clear();
    this.#byEngine.clear();
  }

  /** The first to come back of those that may be used before; -1 if it has no such slot, or less than `percent` of `count` cool. */
  override(count: number, percent: number, accepts: (slot: number) => boolean): number {
    const cooling = this.#byEngine.size;
    if (cooling === 0 || cooling * 100 < percent * count) return -1;
    let first = -1;
    let due = Number.POSITIVE_INFINITY;
    this.#queue.search((item) => {
      const isSooner = item.due < due || item.slot < first;
      if (isSooner && !item.isByPerson && accepts(item.slot)) ({ slot: first, due } = item);
      return due;
    });
    return first;
  }

  /** Looks at slots, as `searchHeap` does. */
  search(look: (slot: number) => number): void {
    this.#queue.search(({ slot }) => look(slot));
  }
}
