import type { Cooldown } from '../model/cooldown.ts';
import type { StrategySettings } from '../model/strategy-settings.ts';
import { Absences } from './absences.ts';
import type { Elapsed } from './elapsed.ts';
import type { HealthChange } from './health/circuit.ts';
import type { DomainChange } from './health/domain-watch.ts';
import { Health } from './health/health.ts';
import { Limits } from './limits.ts';
import { COOLING, Outs } from './outs.ts';
import type { IndexedProxy, PoolIndex } from './pool-index.ts';

/** Who must know what happens to proxies and domains. */
interface AvailabilityListeners {
  onDomain: (change: DomainChange) => void;
  /** A proxy whose login was rejected has another one. */
  onLogin: (slot: number) => void;
}

/** The clocks of two readings may differ so much, in milliseconds. */
const SAME_TIME = 1000;

/** Knows which proxies of an index must not be handed out now: by their health and by the limits. */
export class Availability {
  readonly health: Health;
  readonly #elapsed: Elapsed;
  readonly #onLogin: (slot: number) => void;
  #settings: StrategySettings;
  #index: PoolIndex;
  #outs: Outs;
  #limits: Limits;
  #absences: Absences;
  /** When each cooldown ends as the database has it, by proxy, scope and source: our own time may differ from it, as the clock does. */
  readonly #stored = new Map<string, string | null>();

  constructor(
    index: PoolIndex,
    settings: StrategySettings,
    elapsed: Elapsed,
    random: () => number,
    { onDomain, onLogin }: AvailabilityListeners,
  ) {
    this.#onLogin = onLogin;
    const { health, failureThreshold } = settings;
    this.#index = index;
    this.#settings = settings;
    this.#elapsed = elapsed;
    this.health = new Health({ settings: health, failureThreshold, random, onDomain });
    this.#outs = new Outs(index);
    this.#limits = new Limits(this.#outs, limitOf(settings), index.capacity, (slot) =>
      this.health.allowance(slot),
    );
    this.#absences = this.#absencesNow();
    this.health.grow(index.capacity);
    for (let slot = 0; slot < index.end; slot++) this.#begin(slot);
  }

  /** Why proxies are out, until slots get other numbers. */
  get absences(): Absences {
    return this.#absences;
  }

  /** When something is due next, by the time of `Elapsed`; Infinity if nothing is. */
  get nextDue(): number {
    return Math.min(this.health.nextDue, this.#limits.nextDue);
  }

  /** Whether a proxy has come back since this was last asked. */
  takeReady(): boolean {
    const { hasReady } = this.#outs;
    this.#outs.hasReady = false;
    return hasReady;
  }

  /** Takes what the configuration says now. */
  configure(settings: StrategySettings): void {
    if (settings === this.#settings) return;
    this.#settings = settings;
    this.health.configure(settings.health, settings.failureThreshold);
    this.#limits.configure(limitOf(settings));
  }

  /** Every proxy may have another slot. */
  moveTo(index: PoolIndex): void {
    const before = this.#index;
    const to = (slot: number): number => index.slotOf(before.columns.id(slot));
    this.#index = index;
    this.#outs = new Outs(index);
    this.#outs.hasReady = true;
    this.health.moveTo(index.capacity, to);
    this.#limits = this.#limits.moveTo(this.#outs, index.capacity, to);
    this.#absences = this.#absencesNow();
    for (let slot = 0; slot < index.end; slot++) {
      if (before.slotOf(index.columns.id(slot)) === -1) this.#begin(slot);
      else this.#show(slot);
    }
  }

  /** A proxy was put into the index. */
  put(slot: number, { status, cooldowns }: IndexedProxy, isNew: boolean): void {
    const { capacity } = this.#index;
    this.#outs.grow(capacity);
    this.#limits.grow(capacity);
    this.health.grow(capacity);
    if (isNew) this.#begin(slot);
    this.reconcile(slot, status, cooldowns);
  }

  /** The proxy of a slot is gone. */
  gone(slot: number): void {
    this.health.gone(slot);
    this.#limits.begin(slot);
    this.#outs.set(slot, COOLING, false);
    this.health.show(slot, false);
  }

  /** As `reconcile`, for all: `ailing` are those that have cooldowns in the database. */
  reconcileAll(ailing: ReadonlyMap<number, IndexedProxy>): void {
    for (let slot = 0; slot < this.#index.end; slot++) {
      const proxy = ailing.get(slot);
      if (proxy !== undefined) this.reconcile(slot, proxy.status, proxy.cooldowns);
      else if (this.health.cooldownsOf(slot).length > 0)
        this.reconcile(slot, this.#index.columns.status(slot) ?? 'active', []);
    }
  }

  /** Takes over what the database has of a proxy's cooldowns, which a person or another process may have changed. */
  reconcile(slot: number, status: IndexedProxy['status'], cooldowns: readonly Cooldown[]): void {
    const ofEngine = cooldowns.some(({ scope, source }) => scope === '' && source === 'engine');
    this.#index.setReturning(slot, status === 'failed' && ofEngine);
    for (const known of this.health.cooldownsOf(slot))
      if (!cooldowns.some(({ scope, source }) => scope === known.scope && source === known.source)) {
        this.noteStored(slot, known, undefined);
        if (known.scope === '' && known.source === 'engine' && known.kind === 'auth') {
          this.#index.measures.forgive(slot);
          this.#onLogin(slot);
        }
        this.health.reset(slot, { scope: known.scope, source: known.source });
      }
    for (const cooldown of cooldowns) if (!this.#isKnown(slot, cooldown)) this.#restore(slot, cooldown);
    // The database counts failures until a probe has succeeded; strategies must not wait for that.
    if (this.health.isProbing(slot)) this.#index.measures.forgive(slot);
    this.#show(slot);
  }

  /** Takes note of when the database says that a cooldown ends; undefined if it has ended. */
  noteStored(
    slot: number,
    cooldown: Pick<Cooldown, 'scope' | 'source'>,
    until: string | null | undefined,
  ): void {
    const key = this.#keyOf(slot, cooldown);
    if (until === undefined) this.#stored.delete(key);
    else this.#stored.set(key, until);
  }

  /** A proxy was handed out. */
  handedOut(slot: number, domain: string | undefined): void {
    this.#limits.handedOut(slot, domain, this.#elapsed.now);
  }

  hold(slot: number): void {
    this.#limits.hold(slot);
  }

  release(slot: number): void {
    this.#limits.release(slot);
  }

  /** How many leases a proxy has. */
  held(slot: number): number {
    return this.#limits.held(slot);
  }

  /** What is due by now. */
  advance(now: number): readonly HealthChange[] {
    this.#limits.advance(now);
    if (now < this.health.nextDue) return [];
    const changes = this.health.advance(now, this.#index.activeCount);
    this.show(changes);
    return changes;
  }

  /** Takes out whom the health has put out, and lets back in whom it lets in. */
  show(changes: readonly HealthChange[]): void {
    for (const { slot, scope, state, source } of changes) {
      // With a cooldown of the engine it comes back by itself, also if a person has made it failed: the database has no more than that.
      if (scope === '' && source === 'engine' && state === 'cooling')
        this.#index.setReturning(slot, this.#index.columns.status(slot) === 'failed');
      if (scope === '') this.#show(slot);
      else this.#outs.hasReady = true;
    }
  }

  /** Another number of leases may be allowed now. */
  refresh(slot: number): void {
    this.#limits.refresh(slot);
  }

  /** Whether some proxy may be used before its cooldown ends. */
  mayOverride(): boolean {
    return this.override(() => true) !== -1;
  }

  /** The first to come back of some proxies that may be used before their cooldown ends, since most of the pool cools; -1 if none may. */
  override(accepts: (slot: number) => boolean): number {
    const isFree = (slot: number): boolean =>
      this.#outs.reasons(slot) === COOLING && this.#limits.held(slot) === 0;
    return this.health.override(this.#index.activeCount, (slot) => isFree(slot) && accepts(slot));
  }

  #absencesNow(): Absences {
    const [index, outs, limits] = [this.#index, this.#outs, this.#limits];
    return new Absences({ index, outs, limits, health: this.health, elapsed: this.#elapsed });
  }

  #begin(slot: number): void {
    if (this.#index.columns.status(slot) === null) return;
    this.health.begin(slot, this.#index.isProven(slot));
    this.#limits.begin(slot);
  }

  #keyOf(slot: number, { scope, source }: Pick<Cooldown, 'scope' | 'source'>): string {
    return `${this.#index.columns.id(slot)} ${source} ${scope}`;
  }

  #show(slot: number): void {
    this.#outs.set(slot, COOLING, this.health.isOut(slot));
    this.#limits.refresh(slot);
    this.health.show(slot, this.#index.isUsable(slot));
  }

  #isKnown(slot: number, { scope, source, times, until }: Cooldown): boolean {
    const known = this.health
      .cooldownsOf(slot)
      .find((each) => each.scope === scope && each.source === source);
    if (known === undefined || known.times !== times) return false;
    if (this.#stored.get(this.#keyOf(slot, { scope, source })) === until) return true;
    if (known.until === null || until === null) return known.until === until;
    return Math.abs(this.#elapsed.wallAt(known.until) - Date.parse(until)) < SAME_TIME;
  }

  /** The clock may have been set back since: no cooldown is longer than it was at first. */
  #restore(slot: number, { since, until, ...rest }: Cooldown): void {
    this.noteStored(slot, rest, until);
    const { now, wall } = this.#elapsed;
    const length = until === null ? null : Math.max(0, Date.parse(until) - Date.parse(since));
    const left = length === null ? null : Math.min(length, Date.parse(until as string) - wall);
    const ends = left === null ? null : now + left;
    this.health.restore(
      slot,
      { ...rest, since: ends === null ? now : ends - (length as number), until: ends },
      now,
    );
  }
}

function limitOf({ limits, maxRequestsPerProxy }: StrategySettings): ConstructorParameters<typeof Limits>[1] {
  return { ...limits, maxRequestsPerProxy };
}
