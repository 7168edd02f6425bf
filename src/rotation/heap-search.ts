/**
 * Looks at things in a binary heap, whose first one is due first. `look` gives the time until which it wants to see more: what is due later
 * is passed over, and so is all that is below it in the heap.
 */
export function searchHeap<T extends { readonly due: number }>(
  heap: readonly T[],
  look: (thing: T) => number,
): void {
  const places = heap.length === 0 ? [] : [0];
  let until = Number.POSITIVE_INFINITY;
  // From above, so that what is due soon is met soon.
  for (let n = 0; n < places.length; n++) {
    const place = places[n] as number;
    const thing = heap[place] as T;
    if (thing.due > until) continue;
    until = Math.min(until, look(thing));
    for (let below = 2 * place + 1; below <= 2 * place + 2 && below < heap.length; below++)
      places.push(below);
  }
}
