import type { LimitSettings } from '../model/pool-options.ts';
import { DueQueue } from './due-queue.ts';
import { grown } from './index/grown.ts';
import { SlotSet } from './index/slot-set.ts';
import { BUSY, type Outs, PACING, RESTING } from './outs.ts';

/** What limits a proxy. Times are milliseconds. */
interface Limit extends LimitSettings {
  /** So many hand-outs, then the proxy rests. */
  maxRequestsPerProxy: number | null;
}

/** A proxy that comes back: from a pace, from a pace for one domain, or from a rest. */
type Return = { slot: number; reason: typeof PACING | typeof RESTING } | { slot: number; domain: string };

/** Counts how much each proxy does, and takes it out while it is at a limit. Its times are those of `Elapsed`. */
export class Limits {
  readonly #outs: Outs;
  /** How many leases a proxy may have by its health. */
  readonly #allowance: (slot: number) => number;
  #limit: Limit;
  /** How many leases each slot has. */
  #held: Uint32Array;
  /** How many hand-outs each slot has had since it rested; made when the first one is counted. */
  #requests: Uint32Array | null = null;
  readonly #returns = new DueQueue<Return>();
  readonly #domains = new Map<string, SlotSet>();

  constructor(outs: Outs, limit: Limit, capacity: number, allowance: (slot: number) => number) {
    this.#outs = outs;
    this.#limit = limit;
    this.#allowance = allowance;
    this.#held = new Uint32Array(capacity);
  }

  get nextDue(): number {
    return this.#returns.nextDue;
  }

  configure(limit: Limit): void {
    this.#limit = limit;
    for (let slot = 0; slot < this.#held.length; slot++) this.refresh(slot);
    if (limit.maxRequestsPerProxy === null) this.#requests = null;
  }

  grow(capacity: number): void {
    if (capacity <= this.#held.length) return;
    this.#held = grown(this.#held, capacity);
    if (this.#requests !== null) this.#requests = grown(this.#requests, capacity);
  }

  /** Another proxy has the slot. */
  begin(slot: number): void {
    this.#held[slot] = 0;
    if (this.#requests !== null) this.#requests[slot] = 0;
    this.#outs.set(slot, BUSY | PACING | RESTING, false);
    for (const set of this.#domains.values()) set.delete(slot);
  }

  /** How many leases a proxy has. */
  held(slot: number): number {
    return this.#held[slot] as number;
  }

  /** The slots that must wait before they are handed out for a domain again; null if there are no such slots. */
  pacedFor(domain: string): SlotSet | null {
    return this.#domains.size === 0 ? null : (this.#domains.get(domain) ?? null);
  }

  /** A proxy was handed out. */
  handedOut(slot: number, domain: string | undefined, now: number): void {
    const { minIntervalMs, minDomainIntervalMs, maxRequestsPerProxy } = this.#limit;
    if (minIntervalMs !== null) this.#takeOut(slot, PACING, now + minIntervalMs);
    if (minDomainIntervalMs !== null && domain !== undefined)
      this.#paceFor(domain, slot, now + minDomainIntervalMs);
    if (maxRequestsPerProxy !== null) this.#count(slot, maxRequestsPerProxy, now);
  }

  /** A lease of it begins. */
  hold(slot: number): void {
    const held = (this.#held[slot] as number) + 1;
    this.#held[slot] = held;
    if (held >= this.#most(slot)) this.#outs.set(slot, BUSY, true);
  }

  /** A lease of it ends. */
  release(slot: number): void {
    const held = this.#held[slot] as number;
    if (held > 0) this.#held[slot] = held - 1;
    this.refresh(slot);
  }

  /** It may have another number of leases than before. */
  refresh(slot: number): void {
    this.#outs.set(slot, BUSY, (this.#held[slot] as number) >= this.#most(slot));
  }

  /** Lets back in who has waited long enough. */
  advance(now: number): void {
    for (let next = this.#returns.take(now); next !== undefined; next = this.#returns.take(now)) {
      if ('domain' in next) this.#endPace(next);
      else {
        if (next.reason === RESTING && this.#requests !== null) this.#requests[next.slot] = 0;
        this.#outs.set(next.slot, next.reason, false);
      }
    }
  }

  /** When a proxy that paces or rests comes back; null if it does not pace or rest. It looks at all that do. */
  returnOf(slot: number, domain?: string): number | null {
    let last: number | null = null;
    for (const { due, thing } of this.#returns)
      if (thing.slot === slot && (!('domain' in thing) || thing.domain === domain))
        last = Math.max(last ?? 0, due);
    return last;
  }

  /** Slots have other numbers: `to` gives -1 for a slot that is gone. The reasons are in a new `Outs`. */
  moveTo(outs: Outs, capacity: number, to: (slot: number) => number): Limits {
    const moved = new Limits(outs, this.#limit, capacity, this.#allowance);
    if (this.#requests !== null) moved.#requests = new Uint32Array(capacity);
    for (let slot = 0; slot < this.#held.length; slot++) {
      const requests = this.#requests?.[slot] ?? 0;
      if (this.#held[slot] === 0 && requests === 0) continue;
      const place = to(slot);
      if (place === -1) continue;
      moved.#held[place] = this.#held[slot] as number;
      if (moved.#requests !== null) moved.#requests[place] = requests;
      moved.refresh(place);
    }
    for (const { due, thing } of this.#returns) {
      const slot = to(thing.slot);
      if (slot === -1) continue;
      if ('domain' in thing) moved.#paceFor(thing.domain, slot, due);
      else moved.#takeOut(slot, thing.reason, due);
    }
    return moved;
  }

  #most(slot: number): number {
    return Math.min(this.#limit.maxConcurrentPerProxy ?? Number.POSITIVE_INFINITY, this.#allowance(slot));
  }

  #takeOut(slot: number, reason: typeof PACING | typeof RESTING, due: number): void {
    this.#outs.set(slot, reason, true);
    this.#returns.add(due, { slot, reason });
  }

  #paceFor(domain: string, slot: number, due: number): void {
    let set = this.#domains.get(domain);
    if (set === undefined) {
      set = new SlotSet();
      this.#domains.set(domain, set);
    }
    set.add(slot);
    this.#returns.add(due, { slot, domain });
  }

  #endPace({ slot, domain }: { slot: number; domain: string }): void {
    const set = this.#domains.get(domain);
    set?.delete(slot);
    this.#outs.hasReady = true;
    if (set?.size === 0) this.#domains.delete(domain);
  }

  #count(slot: number, most: number, now: number): void {
    this.#requests ??= new Uint32Array(this.#held.length);
    const requests = (this.#requests[slot] as number) + 1;
    this.#requests[slot] = requests;
    if (requests >= most) this.#takeOut(slot, RESTING, now + this.#limit.restMs);
  }
}
