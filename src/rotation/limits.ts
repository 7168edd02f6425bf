import type { LimitSettings } from '../model/pool-options.ts';
import { DueQueue } from './due-queue.ts';
import { grown } from './index/grown.ts';
import { SlotSet } from './index/slot-set.ts';
import { BUSY, type Outs, PAUSING, RESTING } from './outs.ts';

/** So many that wait are looked at one by one; of more the first is found sooner in the queue. */
const FEW = 64;

/** What limits a proxy. Times are milliseconds. */
interface Limit extends LimitSettings {
  /** So many hand-outs, then the proxy rests. */
  maxRequestsPerProxy: number | null;
}

/** What a proxy waits for: the end of a pause or of a rest, or of a pause for one domain. */
interface Wait {
  slot: number;
  due: number;
  for: typeof PAUSING | typeof RESTING | string;
}

const NOBODY: ReadonlyMap<number, Wait> = new Map();

/** The slots that pause for one domain, and until when. */
interface DomainPauses {
  set: SlotSet;
  waits: Map<number, Wait>;
}

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
  readonly #queue = new DueQueue<Wait>();
  readonly #pauses = new Map<number, Wait>();
  readonly #rests = new Map<number, Wait>();
  readonly #domains = new Map<string, DomainPauses>();

  constructor(outs: Outs, limit: Limit, capacity: number, allowance: (slot: number) => number) {
    this.#outs = outs;
    this.#limit = limit;
    this.#allowance = allowance;
    this.#held = new Uint32Array(capacity);
  }

  get nextDue(): number {
    return this.#queue.nextDue;
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
    this.#pauses.delete(slot);
    this.#rests.delete(slot);
    for (const { set, waits } of this.#domains.values()) if (waits.delete(slot)) set.delete(slot);
    this.#outs.set(slot, BUSY | PAUSING | RESTING, false);
  }

  /** How many leases a proxy has. */
  held(slot: number): number {
    return this.#held[slot] as number;
  }

  /** The slots that pause for a domain; null if no slot does. */
  pausingFor(domain: string): SlotSet | null {
    return this.#domains.size === 0 ? null : (this.#domains.get(domain)?.set ?? null);
  }

  /** When a proxy that pauses or rests comes back; null if it does neither. */
  returnOf(slot: number, domain?: string): number | null {
    const ofDomain = domain === undefined ? undefined : this.#domains.get(domain)?.waits.get(slot);
    const waits = [this.#pauses.get(slot), this.#rests.get(slot), ofDomain];
    const last = Math.max(...waits.map((wait) => wait?.due ?? 0));
    return last === 0 ? null : last;
  }

  /** Looks at slots that pause or rest, also for a domain, and maybe at others; `look` is that of `searchHeap`. */
  search(domain: string | undefined, look: (slot: number) => number): void {
    const ofDomain = domain === undefined ? undefined : this.#domains.get(domain)?.waits;
    const all = [this.#pauses, this.#rests, ofDomain ?? NOBODY];
    if (all.reduce((sum, { size }) => sum + size, 0) > FEW) this.#queue.search(({ slot }) => look(slot));
    else for (const waits of all) for (const slot of waits.keys()) look(slot);
  }

  /** A proxy was handed out. */
  handedOut(slot: number, domain: string | undefined, now: number): void {
    const { minIntervalMs, minDomainIntervalMs, maxRequestsPerProxy } = this.#limit;
    if (minIntervalMs !== null) this.#wait({ slot, due: now + minIntervalMs, for: PAUSING });
    if (minDomainIntervalMs !== null && domain !== undefined)
      this.#wait({ slot, due: now + minDomainIntervalMs, for: domain });
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
    for (let wait = this.#queue.take(now); wait !== undefined; wait = this.#queue.take(now)) this.#end(wait);
  }

  /** The same limits after slots have got other numbers: `to` gives -1 for a slot that is gone. */
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
    }
    for (const { thing: wait } of this.#queue) {
      const slot = this.#waitsFor(wait.for).get(wait.slot) === wait ? to(wait.slot) : -1;
      if (slot !== -1) moved.#wait({ ...wait, slot });
    }
    return moved;
  }

  #most(slot: number): number {
    return Math.min(this.#limit.maxConcurrentPerProxy ?? Number.POSITIVE_INFINITY, this.#allowance(slot));
  }

  #wait(wait: Wait): void {
    this.#waitsFor(wait.for).set(wait.slot, wait);
    this.#queue.add(wait.due, wait);
    if (typeof wait.for === 'string') this.#domains.get(wait.for)?.set.add(wait.slot);
    else this.#outs.set(wait.slot, wait.for, true);
  }

  #end(wait: Wait): void {
    const waits =
      typeof wait.for === 'string' ? this.#domains.get(wait.for)?.waits : this.#waitsFor(wait.for);
    // It waits for longer by now, or another proxy has its slot.
    if (waits?.get(wait.slot) !== wait) return;
    waits.delete(wait.slot);
    if (wait.for === RESTING && this.#requests !== null) this.#requests[wait.slot] = 0;
    if (typeof wait.for !== 'string') this.#outs.set(wait.slot, wait.for, false);
    else {
      this.#domains.get(wait.for)?.set.delete(wait.slot);
      this.#outs.hasReady = true;
      if (waits.size === 0) this.#domains.delete(wait.for);
    }
  }

  #waitsFor(what: Wait['for']): Map<number, Wait> {
    if (what === PAUSING) return this.#pauses;
    if (what === RESTING) return this.#rests;
    let ofDomain = this.#domains.get(what as string);
    if (ofDomain === undefined) {
      ofDomain = { set: new SlotSet(), waits: new Map() };
      this.#domains.set(what as string, ofDomain);
    }
    return ofDomain.waits;
  }

  #count(slot: number, most: number, now: number): void {
    this.#requests ??= new Uint32Array(this.#held.length);
    const requests = (this.#requests[slot] as number) + 1;
    this.#requests[slot] = requests;
    if (requests >= most) this.#wait({ slot, due: now + this.#limit.restMs, for: RESTING });
  }
}
