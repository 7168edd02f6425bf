import { type Result, type SqlValue, type Steps, step } from '../database/drivers/driver.ts';

/** A row that belongs to a proxy. */
interface OfProxy {
  proxyId: SqlValue;
}

const PAGE = 5000;

/** Gives the rows of one proxy after another, in the order of ids, from a table that is read in this order, page by page. */
export class InOrder<T extends OfProxy> {
  readonly #read: (after: T | null, limit: number, skip: number) => Result<'sync', T[]>;
  readonly #isPlace: (row: T) => boolean;
  #page: T[] = [];
  #after: T | null = null;
  #skip = 0;
  #place = 0;
  #isEnd = false;

  /**
   * @param read gives the first `limit` rows after one, or after nothing, and `skip` more.
   * @param isPlace whether a page can begin after a row: see `isWellFormed`.
   */
  constructor(
    read: (after: T | null, limit: number, skip: number) => Result<'sync', T[]>,
    isPlace: (row: T) => boolean,
  ) {
    this.#read = read;
    this.#isPlace = isPlace;
  }

  /** Whether it is known without reading that a proxy has no rows. */
  hasNone(id: SqlValue): boolean {
    const next = this.#page[this.#place];
    return next === undefined ? this.#isEnd : comesAfter(String(next.proxyId), String(id));
  }

  /** The rows of a proxy; it comes after all that were asked for before. */
  *of(id: SqlValue): Steps<'sync', T[]> {
    const found: T[] = [];
    for (;;) {
      const next = this.#page[this.#place];
      if (next === undefined) {
        if (this.#isEnd) return found;
        yield* this.#readNext();
        continue;
      }
      if (next.proxyId === null || id === null || comesAfter(String(next.proxyId), String(id))) return found;
      if (next.proxyId === id) found.push(next);
      this.#place++;
    }
  }

  *#readNext(): Steps<'sync', void> {
    const page = this.#page;
    const last = page.findLastIndex(this.#isPlace);
    this.#skip = last === -1 ? this.#skip + page.length : page.length - 1 - last;
    this.#after = page[last] ?? this.#after;
    this.#page = yield* step<'sync', T[]>(this.#read(this.#after, PAGE, this.#skip));
    this.#place = 0;
    this.#isEnd = this.#page.length < PAGE;
  }
}

/** Whether a page can begin after it. A text that is not valid UTF-8 is read as another one, which sorts elsewhere. */
export function isWellFormed(value: SqlValue | undefined): boolean {
  return typeof value === 'string' && !value.includes('\u{FFFD}');
}

/** The order of the database is that of the bytes. The UTF-16 of JavaScript differs from it beyond U+D7FF. */
function comesAfter(one: string, other: string): boolean {
  const isSame = !BEYOND.test(one) || !BEYOND.test(other);
  return isSame ? one > other : Buffer.compare(Buffer.from(one), Buffer.from(other)) > 0;
}

const BEYOND = /[\uD800-\uFFFF]/;
