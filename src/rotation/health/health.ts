import type { CooldownKind, CooldownSource } from '../../model/outcomes.ts';
import type { HealthSettings } from '../../model/pool-options.ts';
import type { SlotSet } from '../index/slot-set.ts';
import { Blame } from './blame.ts';
import { Breaker, type BreakerOptions } from './breaker.ts';
import { provenScope } from './charged-scope.ts';
import {
  changeOf,
  type Failure,
  type HealthChange,
  type Scope,
  type StoredCooldown,
  type Use,
} from './circuit.ts';
import { CircuitRegister } from './circuit-register.ts';
import { Cooling } from './cooling.ts';
import { countHealth, type HealthCounts, longer } from './counts.ts';
import { type DomainChange, DomainWatch, type FailingDomain } from './domain-watch.ts';
import { Outliers } from './outliers.ts';
import { FIRST_STEP, Ramp } from './ramp.ts';

/** So many slots of a domain or session are looked at one by one; of more the first to come back is found sooner in the queue. */
const FEW = 64;

const NO_CHANGES: readonly HealthChange[] = Object.freeze([]);

/** What a failure did. `isCharged`: it is held against the whole proxy, and not against a domain, a session or nobody. */
export interface Charge {
  changes: readonly HealthChange[];
  isCharged: boolean;
}

const CHARGED: Charge = Object.freeze({ changes: NO_CHANGES, isCharged: true });
const NOT_CHARGED: Charge = Object.freeze({ changes: NO_CHANGES, isCharged: false });

export interface HealthSetup {
  settings: HealthSettings;
  /** `failureThreshold` of the configuration, which wins over `settings.failures`. */
  failureThreshold: number | null;
  /** From 0 to 1, for the jitter. */
  random: () => number;
  onDomain?: (change: DomainChange) => void;
}

/** Which cooldowns are meant: all those that have what is given. */
export interface WhichCooldowns {
  scope?: Scope;
  kind?: CooldownKind;
  source?: CooldownSource;
}

/**
 * Learns from outcomes which proxies must not be handed out. It knows proxies by their slots, and has no clock: `now` is any monotonic
 * time in milliseconds.
 */
export class Health {
  readonly #ramp = new Ramp();
  readonly #circuits = new CircuitRegister(this.#ramp);
  readonly #breaker: Breaker;
  readonly #watch: DomainWatch;
  readonly #outliers: Outliers;
  readonly #blame: Blame;
  readonly #cooling: Cooling;
  #settings: HealthSettings;

  constructor({ settings, failureThreshold, random, onDomain }: HealthSetup) {
    this.#settings = settings;
    const [circuits, ramp] = [this.#circuits, this.#ramp];
    this.#breaker = new Breaker(optionsOf(settings, failureThreshold), circuits, ramp, random);
    this.#watch = new DomainWatch(settings, onDomain ?? (() => {}));
    this.#outliers = new Outliers(settings);
    const [breaker, watch, outliers] = [this.#breaker, this.#watch, this.#outliers];
    this.#blame = new Blame({ settings, ramp, circuits, breaker, watch, outliers });
    this.#cooling = new Cooling(circuits);
  }

  /** Takes new settings. What is out already comes back when it was told to. */
  configure(settings: HealthSettings, failureThreshold: number | null): void {
    this.#settings = settings;
    this.#breaker.configure(optionsOf(settings, failureThreshold));
    this.#watch.configure(settings);
    this.#outliers.configure(settings);
    this.#blame.configure(settings);
  }

  /** Makes room for the slots below `capacity`. */
  grow(capacity: number): void {
    this.#ramp.grow(capacity);
    this.#outliers.grow(capacity);
  }

  /** A proxy is new in this slot: what was known of the slot is forgotten. */
  begin(slot: number, isProven: boolean): void {
    if (this.#ramp.hasCircuits(slot)) this.reset(slot);
    this.#outliers.clear(slot);
    this.#ramp.setStep(slot, isProven ? 0 : FIRST_STEP);
  }

  /** The proxy of a slot is gone. */
  gone(slot: number): void {
    this.begin(slot, true);
    this.#watch.gone(slot);
  }

  /** A request succeeded. Gives what changed: nearly always nothing. */
  succeeded(use: Use, now: number): readonly HealthChange[] {
    const { slot, domain } = use;
    this.#blame.succeeded(domain, now);
    if (!use.isGateway && !this.#ramp.isOut(slot)) this.#outliers.count(slot, true, now);
    return this.#ramp.isPlain(slot) ? NO_CHANGES : this.#climb(use, now);
  }

  /** A request failed. */
  failed(use: Use, failure: Failure, now: number): Charge {
    const changes: HealthChange[] = [];
    const isCharged = this.#blame.charge(use, failure, now, changes);
    if (changes.length === 0) return isCharged ? CHARGED : NOT_CHARGED;
    return { changes, isCharged };
  }

  /** Whether the whole proxy is out; a domain or session of it may be out besides. */
  isOut(slot: number): boolean {
    return this.#ramp.isOut(slot);
  }

  /** Whether the whole proxy is to be tried once, since its time out is over. */
  isProbing(slot: number): boolean {
    return this.#circuits.engine.whole.get(slot)?.state === 'probing';
  }

  /** Whether anything of the proxy may be out: of most nothing is. */
  mayBeOut(slot: number): boolean {
    return this.#ramp.hasCircuits(slot);
  }

  /** Why and until when the whole proxy, or a scope of it, is out: the cooldown that lasts longest. Null if it is not out. */
  cooldownOf(slot: number, scope: Scope = ''): HealthChange | null {
    if (!this.#ramp.hasCircuits(slot)) return null;
    const { engine, person } = this.#circuits;
    const longest = longer(engine.find(slot, scope), person.find(slot, scope));
    return longest === null ? null : changeOf(longest);
  }

  /** Every cooldown of a slot and of its scopes, also those whose time is over and that a request must try. */
  cooldownsOf(slot: number): readonly HealthChange[] {
    if (!this.#ramp.hasCircuits(slot)) return NO_CHANGES;
    const { engine, person } = this.#circuits;
    return [...engine.of(slot), ...person.of(slot)]
      .filter(({ state }) => state !== 'closed')
      .map((circuit) => changeOf(circuit));
  }

  /** How many leases the proxy may have at a time: 1 if it is unproven or probing, then 2, 4, 8, 16 with each success, then Infinity. */
  allowance(slot: number): number {
    return this.#ramp.allowance(slot);
  }

  /** The slots that are out for a domain or session; null if no slot is. */
  outFor(kind: 'domain' | 'session', name: string): SlotSet | null {
    return this.#circuits.scopesOut.outFor(kind, name);
  }

  /** When {@link advance} has something to do; Infinity if it has not. */
  get nextDue(): number {
    return Math.min(this.#circuits.queue.nextDue, this.#watch.nextDue, this.#outliers.nextDue);
  }

  /** Does what is due by now: ends cooldowns, compares success rates, and looks whether failing domains work again. */
  advance(now: number, activeCount: number): readonly HealthChange[] {
    if (this.nextDue > now) return NO_CHANGES;
    const changes: HealthChange[] = [];
    this.#watch.advance(now);
    this.#breaker.advance(now, changes);
    if (this.#outliers.nextDue <= now) this.#ejectOutliers(now, activeCount, changes);
    return changes;
  }

  /** Takes a stored cooldown, in the place of what is known of that slot, scope and source. If its time is over, the engine's begins as probing. */
  restore(slot: number, cooldown: StoredCooldown, now: number): void {
    this.#breaker.restore(slot, cooldown, now);
  }

  /** Forgets cooldowns of a slot, and failures in a row. Gives what ended by it. */
  reset(slot: number, which: WhichCooldowns = {}): readonly HealthChange[] {
    if (!this.#ramp.hasCircuits(slot)) return NO_CHANGES;
    const changes: HealthChange[] = [];
    for (const source of ['engine', 'person'] as const) {
      if (which.source !== undefined && which.source !== source) continue;
      for (const circuit of [...this.#circuits[source].of(slot)]) {
        if (which.scope !== undefined && which.scope !== circuit.scope) continue;
        if (which.kind !== undefined && (circuit.state === 'closed' || which.kind !== circuit.kind)) continue;
        const change = this.#breaker.forget(circuit);
        if (change !== null) changes.push(change);
      }
    }
    return changes;
  }

  /** The slots have been numbered in another way. `to` gives the new number, or -1 for what is gone. Each must be told to `show` again. */
  moveTo(capacity: number, to: (slot: number) => number): void {
    this.#ramp.moveTo(capacity, to);
    this.#outliers.moveTo(capacity, to);
    this.#breaker.moveTo(to);
    this.#cooling.clear();
    this.#watch.moveTo(to);
  }

  /** How many are out, and how. It costs as much as there are proxies with failures. */
  counts(): HealthCounts {
    return countHealth(this.#circuits, this.#ramp);
  }

  /** Takes note of whether a proxy may be used when it is not out. It must be told after each change of the proxy or of its cooldowns. */
  show(slot: number, isUsable: boolean): void {
    this.#cooling.update(slot, isUsable);
  }

  /** If at least `overridePercent` of the active proxies cool: the first to come back of those that may be used all the same. Else -1. */
  override(activeCount: number, accepts: (slot: number) => boolean): number {
    return this.#cooling.override(activeCount, this.#settings.overridePercent, accepts);
  }

  /**
   * Looks at slots that cool until a known time, altogether or in one of some scopes, and maybe at others. `look` gives the time until which
   * it wants to see more: whoever comes back later may be passed over.
   */
  search(scopes: readonly SlotSet[], look: (slot: number) => number): void {
    this.#cooling.search(look);
    if (scopes.reduce((sum, { size }) => sum + size, 0) > FEW)
      this.#circuits.queue.search(({ slot }) => look(slot));
    else for (const scope of scopes) for (const slot of scope) look(slot);
  }

  isFailingDomain(domain: string): boolean {
    return this.#watch.isFailing(domain);
  }

  failingDomains(): FailingDomain[] {
    return this.#watch.failing();
  }

  /** A success of a proxy that is not plain: it climbs its ramp, or comes back. */
  #climb(use: Use, now: number): readonly HealthChange[] {
    const { slot, handedOutAt = Number.POSITIVE_INFINITY } = use;
    if (!this.#ramp.hasCircuits(slot)) {
      this.#ramp.climb(slot);
      return NO_CHANGES;
    }
    const whole = this.#circuits.engine.find(slot, '');
    if (whole === null || whole.state === 'closed') this.#ramp.climb(slot);
    const ofWhole = this.#breaker.succeeded(slot, '', handedOutAt, now);
    const scope = provenScope(use);
    const ofScope = scope === null ? null : this.#breaker.succeeded(slot, scope, handedOutAt, now);
    if (ofWhole === null && ofScope === null) return NO_CHANGES;
    return [ofWhole, ofScope].filter((change) => change !== null);
  }

  #ejectOutliers(now: number, activeCount: number, changes: HealthChange[]): void {
    // Envoy too puts out one at least, whatever max_ejection_percent says.
    const most = Math.max(1, Math.floor((activeCount * this.#settings.outlierPercent) / 100));
    for (const { slot, rate, mean } of this.#outliers.compare(now)) {
      if (this.#circuits.outliersOut >= most) return;
      if (this.isOut(slot)) continue;
      const detail = `success rate ${Math.round(rate * 100)} %, mean ${Math.round(mean * 100)} %`;
      this.#breaker.eject(slot, 'outlier', null, detail, now, changes);
    }
  }
}

function optionsOf(settings: HealthSettings, failureThreshold: number | null): BreakerOptions {
  return { settings, failures: failureThreshold ?? settings.failures, isFixed: failureThreshold !== null };
}
