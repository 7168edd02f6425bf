import { View } from './view.ts';

/** So many views of one Set are kept. */
const MOST_VIEWS = 256;
/** To look at so many slots takes less time than a choice. */
const LOOKED_AT = 16;
/** A Set is read again after so many uses for each step that this takes: then it adds little to the time of a choice. */
const USES = 4;

/** The slots of the pool, as they are now. */
interface Slots {
  readonly capacity: number;
  /** No slot from here on was ever used. */
  readonly end: number;
  /** Another number after each change of the pool. */
  readonly generation: number;
}

/** What is kept of a Set. */
interface Kept {
  /** How many ids it had. */
  size: number;
  /** At the end of what it had: gives what is added. */
  added: IterableIterator<string>;
  generation: number;
  views: Map<View, { view: View; uses: number }>;
}

/**
 * Views without the proxies of a caller's Set of ids. They are kept for the next time, as long as the same Set is given and the pool
 * does not change. Who adds ids to a Set, one after another, has only these taken out.
 */
export class ViewsWithout {
  readonly #slots: Slots;
  readonly #slotOf: (id: string) => number;
  readonly #kept = new WeakMap<ReadonlySet<string>, Kept>();

  /** @param slotOf gives -1 for an id that no proxy has. */
  constructor(slots: Slots, slotOf: (id: string) => number) {
    this.#slots = slots;
    this.#slotOf = slotOf;
  }

  get(view: View, ids: ReadonlySet<string>): View {
    if (view.size === 0) return view;
    const { views } = this.#upToDate(ids);
    const known = views.get(view);
    // A Set may have changed and have as many ids as before: so it is read again, now and then.
    const steps = Math.max(known?.view.size ?? 0, ids.size, this.#slots.end / LOOKED_AT);
    if (known !== undefined && known.uses++ < USES * steps) return known.view;
    const { capacity, end } = this.#slots;
    const isOut = new Uint8Array(end);
    for (const id of ids) isOut[this.#slotOf(id)] = 1;
    const rest = new View(capacity, end, (slot) => view.has(slot) && isOut[slot] === 0);
    if (views.size >= MOST_VIEWS) views.clear();
    views.set(view, { view: rest, uses: 0 });
    return rest;
  }

  /** Forgets the views without a Set; says whether one had been used before. */
  forget(ids: ReadonlySet<string>): boolean {
    const views = [...(this.#kept.get(ids)?.views.values() ?? [])];
    this.#kept.delete(ids);
    return views.some(({ uses }) => uses > 0);
  }

  #upToDate(ids: ReadonlySet<string>): Kept {
    const kept = this.#kept.get(ids);
    const isOfNow = kept !== undefined && kept.generation === this.#slots.generation;
    if (isOfNow && (kept.size === ids.size || this.#takeOut(ids, kept))) return kept;
    const { size } = ids;
    const made = { size, added: atEndOf(ids), generation: this.#slots.generation, views: new Map() };
    this.#kept.set(ids, made);
    return made;
  }

  /** Takes out what the Set has got since; says whether that is all that has changed. */
  #takeOut(ids: ReadonlySet<string>, kept: Kept): boolean {
    const added = [...kept.added];
    // As many more as were added: so none has gone.
    if (ids.size - kept.size !== added.length) return false;
    for (const id of added) {
      const slot = this.#slotOf(id);
      if (slot !== -1) for (const { view } of kept.views.values()) view.update(slot, false);
    }
    kept.size = ids.size;
    kept.added = atEndOf(ids);
    return true;
  }
}

/** Gives the ids that are added to a Set from now on, until it is asked in vain: an iterator of a Set follows its changes. */
function atEndOf(ids: ReadonlySet<string>): IterableIterator<string> {
  const iterator = ids.values();
  for (let n = 0; n < ids.size; n++) iterator.next();
  return iterator;
}
