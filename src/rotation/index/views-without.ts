import type { ChangeLog } from './change-log.ts';
import { IdsLeftOut, type LeftOut, type Slots } from './left-out.ts';
import { View } from './view.ts';

/** So many views of one Set that were used last are kept at least, and so many of scopes; twice as many at most. */
const MOST_VIEWS = 256;
/** To look at so many slots takes less time than a choice. */
const LOOKED_AT = 16;
/** A Set is read again after so many uses for each step that this takes: then it adds little to the time of a choice. */
const USES = 4;

type Fits = (slot: number) => boolean;

/** The slots of the pool, and how often one was freed. */
interface Pool extends Slots {
  readonly removed: number;
}

/** A view without some slots. */
interface Rest {
  view: View;
  /** Of each of those that are left out, how many changes it has taken note of. */
  seen: number[];
  removed: number;
}

/** The views without some slots, and those without others too. */
interface Branch {
  rests: WeakMap<View, Rest>;
  more: WeakMap<LeftOut, Branch>;
}

/** The views without a Set, or without scopes alone, that were used last: when the young ones are enough, the old ones are forgotten. */
class Kept {
  #young = new Generation();
  #old = new Generation();

  /** How many they are; one that was old and is young may count twice. */
  get count(): number {
    return this.#young.count + this.#old.count;
  }

  find(view: View, leftOut: readonly LeftOut[]): Rest | undefined {
    const young = this.#young.find(view, leftOut);
    if (young !== undefined) return young;
    const old = this.#old.find(view, leftOut);
    if (old !== undefined) this.add(view, leftOut, old);
    return old;
  }

  add(view: View, leftOut: readonly LeftOut[], rest: Rest): void {
    if (this.#young.count === MOST_VIEWS) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.add(view, leftOut, rest);
  }
}

class Generation {
  count = 0;
  readonly #root = newBranch();

  find(view: View, leftOut: readonly LeftOut[]): Rest | undefined {
    let branch: Branch | undefined = this.#root;
    for (const each of leftOut) branch = branch?.more.get(each);
    return branch?.rests.get(view);
  }

  add(view: View, leftOut: readonly LeftOut[], rest: Rest): void {
    this.count++;
    let branch = this.#root;
    for (const each of leftOut) {
      const next = branch.more.get(each) ?? newBranch();
      branch.more.set(each, next);
      branch = next;
    }
    branch.rests.set(view, rest);
  }
}

/** What is known of a caller's Set. */
interface KnownSet {
  slots: IdsLeftOut;
  kept: Kept;
  /** How often it was used since it was read. */
  uses: number;
}

/**
 * Views without some proxies: those of a caller's Set of ids, or slots that are out for a domain or session. They are kept for the next
 * time, and follow what changes.
 */
export class ViewsWithout {
  readonly #pool: Pool;
  readonly #slotOf: (id: string) => number;
  readonly #sets = new WeakMap<ReadonlySet<string>, KnownSet>();
  readonly #scoped = new Kept();

  /** @param slotOf gives -1 for an id that no proxy has. */
  constructor(pool: Pool, slotOf: (id: string) => number) {
    this.#pool = pool;
    this.#slotOf = slotOf;
  }

  /**
   * @param view one that has just been brought up to date.
   * @param ids null for no ids.
   */
  get(view: View, ids: ReadonlySet<string> | null, scopes: readonly LeftOut[]): View {
    if (view.size === 0) return view;
    const set = ids === null ? null : this.#setOf(ids);
    const leftOut = set === null ? scopes : [set.slots, ...scopes];
    const kept = set?.kept ?? this.#scoped;
    const known = kept.find(view, leftOut);
    if (known !== undefined) return this.#followed(known, view, leftOut);
    const { capacity, end, removed } = this.#pool;
    const made = {
      view: new View(capacity, end, without(view, leftOut)),
      seen: leftOut.map(({ log }) => log.count),
      removed,
    };
    made.view.seen = view.seen;
    kept.add(view, leftOut, made);
    return made.view;
  }

  /** Forgets the views without a Set; says whether it had been used before. */
  forget(ids: ReadonlySet<string>): boolean {
    const set = this.#sets.get(ids);
    this.#sets.delete(ids);
    return set !== undefined && set.uses > 0;
  }

  #setOf(ids: ReadonlySet<string>): KnownSet {
    const known = this.#sets.get(ids);
    if (known?.slots.follow(ids) === true) {
      // A Set may have changed and have as many ids as before: so it is read again, now and then.
      const steps = known.kept.count * Math.max(ids.size, this.#pool.end / LOOKED_AT);
      if (known.uses++ < USES * steps) return known;
    }
    const made = { slots: new IdsLeftOut(ids, this.#pool, this.#slotOf), kept: new Kept(), uses: 0 };
    this.#sets.set(ids, made);
    return made;
  }

  #followed(rest: Rest, from: View, leftOut: readonly LeftOut[]): View {
    const { view, seen } = rest;
    const { log, end, removed } = this.#pool;
    if (rest.removed !== removed) view.forgetBuckets();
    rest.removed = removed;
    if (view.seen === from.seen && leftOut.every((each, place) => each.log.count === seen[place]))
      return view;
    const fits = without(from, leftOut);
    const isNear =
      log.isNear(view.seen, end) &&
      leftOut.every((each, place) => each.log.isNear(seen[place] as number, end));
    if (isNear) {
      update(view, fits, log, view.seen, from.seen);
      for (const [place, each] of leftOut.entries())
        update(view, fits, each.log, seen[place] as number, each.log.count);
    } else view.refill(end, fits);
    rest.seen = leftOut.map((each) => each.log.count);
    view.seen = from.seen;
    return view;
  }
}

/** Takes note of some changes in a view. */
function update(view: View, fits: Fits, log: ChangeLog, from: number, to: number): void {
  for (let n = from; n < to; n++) view.update(log.at(n), fits(log.at(n)));
}

function newBranch(): Branch {
  return { rests: new WeakMap(), more: new WeakMap() };
}

function without(view: View, leftOut: readonly LeftOut[]): Fits {
  const [first, second, ...more] = leftOut;
  if (first === undefined) return (slot) => view.has(slot);
  if (second === undefined) return (slot) => view.has(slot) && !first.has(slot);
  const all = [first, second, ...more];
  return (slot) => view.has(slot) && !all.some((each) => each.has(slot));
}
