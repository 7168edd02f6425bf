import type { ChangeLog } from './change-log.ts';
import type { Columns } from './columns.ts';
import { codeOf, type Filter, keyOf } from './filter.ts';
import { View } from './view.ts';

/** A filter and what fits it. */
export interface FilteredView {
  filter: Filter;
  /** The filter as a text. */
  key: string;
  /** The same, for the turn of intervals. */
  intervalKey: string;
  /** Whether a slot is usable and fits, out or not. */
  fits: (slot: number) => boolean;
  /** The slots that fit and are not out. */
  view: View;
}

/** The slots of the pool, and what changes in them. */
interface Pool {
  readonly columns: Columns;
  readonly log: ChangeLog;
  /** No slot from here on was ever used. */
  readonly end: number;
  readonly capacity: number;
}

/** So many filters are kept as views, the ones used last. A view of a million slots takes 0.2 MB, with weights 0.5 MB. */
const MOST_VIEWS = 256;

/** The views of the filters that were used last. One is made when it is first asked for, and follows the pool when it is asked for again. */
export class FilteredViews {
  readonly #pool: Pool;
  readonly #log: ChangeLog;
  readonly #views = new Map<string, FilteredView>();
  /** The same by a number, for filters that have one: to put a text together takes longer than the rest. */
  readonly #byCode = new Map<number, FilteredView>();

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#log = pool.log;
  }

  find(filter: Filter): FilteredView {
    const found = this.#known(filter);
    if (found.view.seen !== this.#log.count) this.#follow(found);
    return found;
  }

  /** A slot is about to be freed. Views that are further from now are made again. */
  leave(slot: number): void {
    const { end } = this.#pool;
    const log = this.#log;
    for (const { view } of this.#views.values()) if (log.isNear(view.seen, end)) view.update(slot, false);
  }

  /** The columns have new words, so that what fits a filter is found in another way. */
  askAgain(): void {
    for (const each of this.#views.values()) each.fits = this.#fits(each.filter);
  }

  /** They have room for fewer slots than there are now. */
  clear(): void {
    this.#views.clear();
    this.#byCode.clear();
  }

  #known(filter: Filter): FilteredView {
    const code = codeOf(filter);
    const quick = code === -1 ? undefined : this.#byCode.get(code);
    if (quick !== undefined) return quick;
    const key = keyOf(filter);
    const found = this.#views.get(key) ?? this.#add(filter, key);
    // The order of a Map is that of use, if what is used is put at its end.
    this.#views.delete(key);
    this.#views.set(key, found);
    if (code !== -1) this.#byCode.set(code, found);
    return found;
  }

  #add(filter: Filter, key: string): FilteredView {
    if (this.#views.size >= MOST_VIEWS) {
      const [oldest = ''] = this.#views.keys();
      this.#views.delete(oldest);
      // Those that are in use are found again.
      this.#byCode.clear();
    }
    const fits = this.#fits(filter);
    const view = new View(this.#pool.capacity, this.#pool.end, this.#ready(fits));
    view.seen = this.#log.count;
    return { filter, key, intervalKey: `interval ${key}`, fits, view };
  }

  /** Brings a view up to date. */
  #follow({ view, fits }: FilteredView): void {
    const { columns, end } = this.#pool;
    const log = this.#log;
    if (log.isNear(view.seen, end))
      for (let n = view.seen; n < log.count; n++) {
        const slot = log.at(n);
        view.update(slot, !columns.isOut(slot) && fits(slot));
      }
    else view.refill(end, this.#ready(fits));
    view.seen = log.count;
  }

  #ready(fits: (slot: number) => boolean): (slot: number) => boolean {
    const { columns } = this.#pool;
    return (slot) => !columns.isOut(slot) && fits(slot);
  }

  #fits(filter: Filter): (slot: number) => boolean {
    const { columns } = this.#pool;
    const [first, second, ...more] = columns.questions(filter);
    if (first === undefined) return (slot) => columns.isUsable(slot);
    if (second === undefined) return (slot) => columns.isUsable(slot) && first.passes(slot);
    const questions = [first, second, ...more];
    return (slot) => columns.isUsable(slot) && questions.every(({ passes }) => passes(slot));
  }
}
