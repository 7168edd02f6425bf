import { ChangeLog } from './change-log.ts';

/** So many changes of a set are remembered. */
const REMEMBERED = 256;

/** Slots that are out for one domain or session. */
export class SlotSet {
  readonly log = new ChangeLog(REMEMBERED);
  readonly #slots = new Set<number>();

  get size(): number {
    return this.#slots.size;
  }

  has(slot: number): boolean {
    return this.#slots.has(slot);
  }

  add(slot: number): void {
    if (this.#slots.has(slot)) return;
    this.#slots.add(slot);
    this.log.add(slot);
  }

  delete(slot: number): void {
    if (this.#slots.delete(slot)) this.log.add(slot);
  }

  [Symbol.iterator](): IterableIterator<number> {
    return this.#slots.values();
  }
}
