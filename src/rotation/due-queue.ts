import { searchHeap } from './heap-search.ts';

/** Things with a time at which they are due, the first one on top: a binary heap, O(log n) each. */
export class DueQueue<T> {
  readonly #heap: { due: number; thing: T }[] = [];

  /** When the first one is due; Infinity if the queue is empty. */
  get nextDue(): number {
    return this.#heap[0]?.due ?? Number.POSITIVE_INFINITY;
  }

  add(due: number, thing: T): void {
    const heap = this.#heap;
    const added = { due, thing };
    let place = heap.length;
    heap.push(added);
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      const above = heap[parent] as { due: number; thing: T };
      if (above.due <= due) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = added;
  }

  /** Takes the first one if it is due by now; undefined if not. */
  take(now: number): T | undefined {
    const heap = this.#heap;
    const [first] = heap;
    if (first === undefined || first.due > now) return undefined;
    const last = heap.pop() as { due: number; thing: T };
    if (heap.length > 0) this.#sink(last);
    return first.thing;
  }

  clear(): void {
    this.#heap.length = 0;
  }

  /** Looks at things, as `searchHeap` does. */
  search(look: (thing: T) => number): void {
    searchHeap(this.#heap, ({ thing }) => look(thing));
  }

  [Symbol.iterator](): IterableIterator<{ due: number; thing: T }> {
    return this.#heap.values();
  }

  /** Puts one in from the top. */
  #sink(entry: { due: number; thing: T }): void {
    const heap = this.#heap;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if ((heap[child + 1]?.due ?? Number.POSITIVE_INFINITY) < (heap[child] as { due: number }).due) child++;
      const below = heap[child] as { due: number; thing: T };
      if (below.due >= entry.due) break;
      heap[place] = below;
      place = child;
    }
    heap[place] = entry;
  }
}
