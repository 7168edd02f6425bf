import { searchHeap } from '../heap-search.ts';

interface Waiting {
  due: number;
  place: number;
}

/** A binary heap, the soonest first. Each item knows its place, so that one that has ended early leaves at once. */
export class CooldownQueue<Item extends Waiting> {
  readonly #heap: Item[] = [];

  /** When the first is due; Infinity if nothing waits. */
  get nextDue(): number {
    return this.#heap[0]?.due ?? Number.POSITIVE_INFINITY;
  }

  /** Lets an item wait until `due`, whether or not it waits already; Infinity takes it out. */
  set(item: Item, due: number): void {
    if (due === Number.POSITIVE_INFINITY) {
      this.delete(item);
      return;
    }
    item.due = due;
    if (item.place === -1) {
      item.place = this.#heap.length;
      this.#heap.push(item);
    }
    this.#rise(item);
    this.#sink(item);
  }

  delete(item: Item): void {
    item.due = Number.POSITIVE_INFINITY;
    const { place } = item;
    if (place === -1) return;
    item.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  /** Takes out the first item if it is due by now. */
  takeDue(now: number): Item | null {
    const first = this.#heap[0];
    if (first === undefined || first.due > now) return null;
    this.delete(first);
    return first;
  }

  clear(): void {
    this.#heap.length = 0;
  }

  /** Looks at items, as `searchHeap` does. */
  search(look: (item: Item) => number): void {
    searchHeap(this.#heap, look);
  }

  #put(item: Item, place: number): void {
    this.#heap[place] = item;
    item.place = place;
  }

  #rise(item: Item): void {
    let { place } = item;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#heap[above] as Item;
      if (parent.due <= item.due) break;
      this.#put(parent, place);
      place = above;
    }
    this.#put(item, place);
  }

  #sink(item: Item): void {
    let { place } = item;
    for (;;) {
      let below = 2 * place + 1;
      let child = this.#heap[below];
      if (child === undefined) break;
      const right = this.#heap[below + 1];
      if (right !== undefined && right.due < child.due) {
        child = right;
        below++;
      }
      if (child.due >= item.due) break;
      this.#put(child, place);
      place = below;
    }
    this.#put(item, place);
  }
}
