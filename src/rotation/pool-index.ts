import type { Cooldown } from '../model/cooldown.ts';
import type { ProxyProtocol } from '../model/proxy.ts';
import { Buckets } from './index/buckets.ts';
import { ChangeLog } from './index/change-log.ts';
import { Columns, type Described } from './index/columns.ts';
import type { Filter } from './index/filter.ts';
import { type FilteredView, FilteredViews } from './index/filtered-views.ts';
import { Ids } from './index/ids.ts';
import { type History, Measures } from './index/measures.ts';
import { Records } from './index/records.ts';
import type { SlotSet } from './index/slot-set.ts';
import type { View } from './index/view.ts';
import { ViewsWithout } from './index/views-without.ts';

/** A proxy as the database has it: what choosing needs of its row. */
export interface IndexedProxy extends Described, History {
  /** Also those that have ended. */
  cooldowns: readonly Cooldown[];
}

/** A proxy that was chosen. It has no login: `vault.reveal(proxy.id)` gives it, and `vault.proxies.findById` the rest. */
export interface ChosenProxy {
  id: string;
  name: string;
  protocol: ProxyProtocol;
  /** IPv4, IPv6 without brackets (RFC 5952), or an ASCII DNS name in lower case. */
  host: string;
  port: number;
  region: string | null;
  /** ISO 3166-1 alpha-2, in capital letters; null if it is not known. */
  country: string | null;
  tags: readonly string[];
  /** Whether the proxy resolves the names of targets; false only for SOCKS proxies whose user asked for it. */
  remoteDns: boolean;
}

/** So many changes are remembered for the views: of a larger pool one is made again after more. */
const REMEMBERED = 2 ** 16;
const NOTHING: readonly SlotSet[] = [];
const LEAST_CAPACITY = 16;
const GROWTH = 1.5;

/**
 * All proxies of the pool in memory. A proxy keeps its slot, a number from 0, until it is deleted; those that were there at the
 * beginning are in the order of their ids.
 */
export class PoolIndex {
  readonly columns: Columns;
  readonly measures: Measures;
  readonly buckets: Buckets;
  /** How often a slot was handed out. */
  readonly handOuts = (slot: number): number => this.measures.handOuts(slot);
  /** Another number after each change of what filters or weights look at; that a slot is out is no such change. */
  generation = 0;
  /** The slots that have changed in any way that a view looks at. */
  readonly log = new ChangeLog(REMEMBERED);
  /** How often a slot has got a proxy. */
  added = 0;
  /** How often a slot was freed. */
  removed = 0;
  readonly #records: Records;
  readonly #ids: Ids;
  readonly #free: number[] = [];
  readonly #views = new FilteredViews(this);
  readonly #without: ViewsWithout;
  #capacity: number;
  #end = 0;
  #activeCount = 0;

  /** @param expected for how many proxies room is made at once. */
  constructor(expected = 0) {
    this.#capacity = Math.max(LEAST_CAPACITY, expected);
    this.#records = new Records(this.#capacity);
    this.columns = new Columns(this.#records, this.#capacity);
    this.measures = new Measures(this.#records);
    this.buckets = new Buckets(this.#records, this.#capacity);
    this.#ids = new Ids(this.#records, this.columns.addresses, this.#capacity);
    this.#without = new ViewsWithout(this, (id) => this.#ids.find(id));
  }

  /** How many proxies there are, in any status. */
  get size(): number {
    return this.#ids.size;
  }

  /** For how many slots there is room. */
  get capacity(): number {
    return this.#capacity;
  }

  /** How many proxies are active, or failed and returning. */
  get activeCount(): number {
    return this.#activeCount;
  }

  /** No slot from here on was ever used. */
  get end(): number {
    return this.#end;
  }

  /** The slot of a proxy; -1 if there is no such proxy. */
  slotOf(id: string): number {
    return this.#ids.slotOf(id);
  }

  /** The slot of a proxy, or, if it is gone, the one before the place that it would have in the order of ids. */
  placeOf(id: string): number {
    const slot = this.slotOf(id);
    if (slot !== -1) return slot;
    let place = 0;
    while (place < this.#end && this.columns.id(place) < id) place++;
    return place - 1;
  }

  /** Adds a proxy, or takes what it is now. Of a known one this process has measured more than the database has. */
  put(proxy: IndexedProxy, now: number): void {
    const { columns } = this;
    const known = this.#ids.find(proxy.id);
    const slot = known === -1 ? this.#newSlot() : known;
    const words = columns.vocabulary;
    if (known !== -1 && this.isUsable(slot)) this.#activeCount--;
    columns.set(slot, proxy);
    if (this.isUsable(slot)) this.#activeCount++;
    if (known === -1) {
      this.added++;
      this.#ids.add(slot, proxy.id);
      this.buckets.add(slot);
      this.measures.begin(slot, proxy, now);
    } else this.measures.correct(slot, proxy);
    if (columns.vocabulary !== words) this.#views.askAgain();
    this.#changed(slot);
  }

  /** Takes a proxy out, if it is there. */
  remove(id: string): void {
    const slot = this.#ids.find(id);
    if (slot === -1) return;
    // Before its bucket is forgotten.
    this.#views.leave(slot);
    this.removed++;
    if (this.isUsable(slot)) this.#activeCount--;
    this.#ids.remove(slot);
    this.columns.clear(slot);
    this.#changed(slot);
    this.buckets.remove(slot);
    this.#free.push(slot);
  }

  /** Takes a slot out of all views, whatever its status, or lets it in again. */
  setOut(slot: number, isOut: boolean): void {
    if (this.columns.setOut(slot, isOut)) this.log.add(slot);
  }

  isOut(slot: number): boolean {
    return this.columns.isOut(slot);
  }

  /** Says whether a failed proxy is used as if it were active. */
  setReturning(slot: number, isReturning: boolean): void {
    const isUsable = this.isUsable(slot);
    if (!this.columns.setReturning(slot, isReturning)) return;
    this.#activeCount += Number(this.isUsable(slot)) - Number(isUsable);
    this.#changed(slot);
  }

  /** Whether a proxy is active, or failed and returning; it may be out. */
  isUsable(slot: number): boolean {
    return this.columns.isUsable(slot);
  }

  isGateway(slot: number): boolean {
    return this.columns.isGateway(slot);
  }

  /** Whether a request by the proxy has ever succeeded. */
  isProven(slot: number): boolean {
    return this.columns.isProven(slot);
  }

  setProven(slot: number, isProven: boolean): void {
    this.columns.setProven(slot, isProven);
  }

  /** The usable proxies that fit a filter, and the one text of the filter. */
  find(filter: Filter): FilteredView {
    return this.#views.find(filter);
  }

  /** A view without some proxies: those of ids, if any, and those that are out for a domain or session. */
  without(view: View, ids: ReadonlySet<string> | null, scopes: readonly SlotSet[] = NOTHING): View {
    return this.#without.get(view, ids, scopes);
  }

  /** Forgets the views without some proxies; says whether one had been used before. */
  forgetWithout(ids: ReadonlySet<string>): boolean {
    return this.#without.forget(ids);
  }

  /** What a caller is given of a proxy. */
  chosen(slot: number): ChosenProxy {
    const { columns } = this;
    return {
      id: columns.id(slot),
      name: columns.name(slot),
      protocol: columns.protocol(slot),
      host: columns.host(slot),
      port: columns.port(slot),
      region: columns.region(slot),
      country: columns.country(slot),
      tags: columns.tags(slot),
      remoteDns: columns.remoteDns(slot),
    };
  }

  #changed(slot: number): void {
    this.generation++;
    this.log.add(slot);
  }

  #newSlot(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#end === this.#capacity) {
      this.#capacity = Math.ceil(this.#capacity * GROWTH);
      this.#records.grow(this.#capacity);
      this.columns.grow(this.#capacity);
      this.buckets.grow(this.#capacity);
      this.#ids.grow(this.#capacity);
      // They have room for the old capacity only.
      this.#views.clear();
    }
    return this.#end++;
  }
}
