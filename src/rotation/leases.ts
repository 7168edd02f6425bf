import { randomBytes } from 'node:crypto';

import type { ChosenProxy } from './pool-index.ts';

/** So many milliseconds are in one bucket of the wheel. */
const TICK = 64;
/** A power of two: one turn of the wheel takes four minutes. */
const BUCKETS = 4096;

/** What is known of a lease. Times are those of `Elapsed`. */
export interface Held {
  /** Its place in the table, and how often the place was used before: together they make its id. */
  readonly place: number;
  readonly round: number;
  slot: number;
  readonly proxy: ChosenProxy;
  readonly domain: string | undefined;
  readonly session: string | undefined;
  readonly sessionTtlMs: number | undefined;
  /** Whether the database has it too. */
  readonly isStored: boolean;
  readonly since: number;
  /** How long it lasts from its beginning, and each time that it is renewed. */
  readonly length: number;
  expires: number;
  state: 'held' | 'reported' | 'expired';
  /** Its neighbours in its bucket. */
  before: Held | null;
  after: Held | null;
}

/**
 * The leases of this process. A wheel of buckets says which expire next: to begin, to renew and to end one costs the same whatever their
 * number (G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels", 1987).
 */
export class Leases {
  /** The beginning of each id, so that no other process has the same. */
  readonly #prefix = `lease-${randomBytes(6).toString('hex')}`;
  readonly #places: (Held | null)[] = [];
  readonly #rounds: number[] = [];
  readonly #free: number[] = [];
  readonly #buckets = new Array<Held | null>(BUCKETS).fill(null);
  /** All ticks before this one are done. */
  #tick = Number.NaN;
  #count = 0;
  /** No lease expires before this time; Infinity if there are no leases. */
  nextDue = Number.POSITIVE_INFINITY;

  get count(): number {
    return this.#count;
  }

  /** Begins a lease. */
  begin(
    use: Pick<Held, 'slot' | 'proxy' | 'domain' | 'session' | 'sessionTtlMs' | 'isStored'>,
    now: number,
    expires: number,
  ): Held {
    const place = this.#free.pop() ?? this.#places.length;
    const round = this.#rounds[place] ?? 0;
    const { slot, proxy, domain, session, sessionTtlMs, isStored } = use;
    const held: Held = {
      place,
      round,
      slot,
      proxy,
      domain,
      session,
      sessionTtlMs,
      isStored,
      since: now,
      length: expires - now,
      expires,
      state: 'held',
      before: null,
      after: null,
    };
    this.#places[place] = held;
    this.#rounds[place] = round;
    if (this.#count++ === 0) this.#tick = Math.floor(now / TICK);
    this.#link(held);
    if (expires < this.nextDue) this.nextDue = expires;
    return held;
  }

  idOf({ place, round }: Held): string {
    return `${this.#prefix}-${place.toString(36)}-${round.toString(36)}`;
  }

  /** The lease with an id, while it is held; null for any other text. */
  find(id: string): Held | null {
    const [, , place = ''] = id.split('-');
    const held = this.#places[Number.parseInt(place, 36)] ?? null;
    return held !== null && this.idOf(held) === id ? held : null;
  }

  renew(held: Held, expires: number): void {
    this.#unlink(held);
    held.expires = expires;
    this.#link(held);
    if (expires < this.nextDue) this.nextDue = expires;
  }

  end(held: Held, state: 'reported' | 'expired'): void {
    held.state = state;
    this.#unlink(held);
    this.#places[held.place] = null;
    this.#rounds[held.place] = held.round + 1;
    this.#free.push(held.place);
    this.#count--;
  }

  /** Ends those that have expired; gives each to `each`. */
  expire(now: number, each: (held: Held) => void): void {
    if (now < this.nextDue) return;
    const last = Math.floor(now / TICK);
    // One turn of the wheel meets every bucket.
    const from = Math.max(this.#tick, last - BUCKETS + 1);
    const expired: Held[] = [];
    for (let tick = from; tick <= last; tick++)
      for (let held = this.#bucket(tick); held !== null; held = held.after)
        if (held.expires <= now) expired.push(held);
    this.#tick = last;
    for (const held of expired) this.end(held, 'expired');
    this.nextDue = this.#findNextDue();
    for (const held of expired) each(held);
  }

  /** All of them, in no order. */
  *[Symbol.iterator](): Generator<Held, void, undefined> {
    for (const held of this.#places) if (held !== null) yield held;
  }

  #findNextDue(): number {
    if (this.#count === 0) return Number.POSITIVE_INFINITY;
    for (let tick = this.#tick; tick < this.#tick + BUCKETS; tick++) {
      let next = Number.POSITIVE_INFINITY;
      for (let held = this.#bucket(tick); held !== null; held = held.after)
        if (held.expires < (tick + 1) * TICK) next = Math.min(next, held.expires);
      if (next !== Number.POSITIVE_INFINITY) return next;
    }
    // All of them last longer than a turn of the wheel.
    return (this.#tick + BUCKETS) * TICK;
  }

  #bucket(tick: number): Held | null {
    return this.#buckets[tick & (BUCKETS - 1)] as Held | null;
  }

  #link(held: Held): void {
    const place = this.#placeOf(held);
    const first = this.#buckets[place] as Held | null;
    held.before = null;
    held.after = first;
    if (first !== null) first.before = held;
    this.#buckets[place] = held;
  }

  #unlink(held: Held): void {
    const { before, after } = held;
    if (before !== null) before.after = after;
    else this.#buckets[this.#placeOf(held)] = after;
    if (after !== null) after.before = before;
    held.before = null;
    held.after = null;
  }

  #placeOf({ expires }: Held): number {
    return Math.floor(expires / TICK) & (BUCKETS - 1);
  }
}
