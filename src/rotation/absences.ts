import type { Elapsed } from './elapsed.ts';
import { Exclusion } from './exclusion.ts';
import type { HealthChange, Scope } from './health/circuit.ts';
import type { Health } from './health/health.ts';
import type { SlotSet } from './index/slot-set.ts';
import type { View } from './index/view.ts';
import type { Limits } from './limits.ts';
import { BUSY, COOLING, type OutState, type Outs, PAUSING } from './outs.ts';
import type { PoolIndex } from './pool-index.ts';
import type { Wanted } from './request.ts';

/** Why a proxy is out, and when it comes back, as a time of `Elapsed`. */
export interface Absence {
  state: OutState;
  /** Null if only a report, a person or a new login can say. */
  until: number | null;
  /** Of a proxy that cools, for everything or for what is asked. */
  cooldown: HealthChange | null;
}

/** Those that fit a filter. */
interface Fitting {
  /** Another text for another filter. */
  filter: string;
  /** Whether a slot fits, out or not. */
  fits: (slot: number) => boolean;
  /** Those that are not out for every request. */
  members: View;
}

const NO_SCOPES: readonly SlotSet[] = [];
const NO_IDS: readonly string[] = [];

/** What keeps proxies from requests. */
interface Causes {
  index: PoolIndex;
  outs: Outs;
  limits: Limits;
  health: Health;
  elapsed: Elapsed;
}

/** Says why proxies are not ready for a request, and when they come back. It changes nothing. */
export class Absences {
  readonly #index: PoolIndex;
  readonly #outs: Outs;
  readonly #limits: Limits;
  readonly #health: Health;
  readonly #elapsed: Elapsed;

  constructor({ index, outs, limits, health, elapsed }: Causes) {
    this.#index = index;
    this.#outs = outs;
    this.#limits = limits;
    this.#health = health;
    this.#elapsed = elapsed;
  }

  /** The slots that are out for the domain or session of a request only. */
  scopesFor(wanted: Wanted): readonly SlotSet[] {
    const cooling = this.#coolingFor(wanted);
    const pausing = wanted.domain === undefined ? null : this.#limits.pausingFor(wanted.domain);
    return pausing === null ? cooling : [...cooling, pausing];
  }

  /** The slots that cool for the domain or session of a request. */
  #coolingFor({ domain, session }: Wanted): readonly SlotSet[] {
    const byDomain = domain === undefined ? null : this.#health.outFor('domain', domain);
    const bySession = session === undefined ? null : this.#health.outFor('session', session);
    if (byDomain === null && bySession === null) return NO_SCOPES;
    return [byDomain, bySession].filter((set) => set !== null);
  }

  /** Why a proxy is out for every request; null if it is not. */
  stateOf(slot: number): OutState | null {
    return this.#outs.state(slot);
  }

  /** Whether a proxy is only at a limit, and so will soon be back. */
  isAtLimit(slot: number, wanted: Wanted): boolean {
    const reasons = this.#outs.reasons(slot);
    if ((reasons & ~(BUSY | PAUSING)) !== 0 || this.#cooldownFor(slot, wanted) !== null) return false;
    const { domain } = wanted;
    return reasons !== 0 || (domain !== undefined && this.#limits.pausingFor(domain)?.has(slot) === true);
  }

  /** The slots that are not ready for a request, or for any. One may come twice. */
  *slots(wanted: Wanted): Generator<number, void, undefined> {
    yield* this.#outs;
    for (const scope of this.scopesFor(wanted)) yield* scope;
  }

  /** How many of those that fit a filter are in each state in which they are not ready. */
  count({ filter, fits, members }: Fitting, wanted: Wanted): Readonly<Record<OutState, number>> {
    const counts = this.#outs.count(filter, fits);
    const [cooling, scopes] = [this.#coolingFor(wanted), this.scopesFor(wanted)];
    if (scopes.length === 0) return counts;
    const outOf = (sets: readonly SlotSet[]): number =>
      members.size - new Exclusion(this.#index, NO_IDS, NO_IDS, sets).candidates(members).size;
    const coolingCount = outOf(cooling);
    counts.cooling += coolingCount;
    counts.pausing += outOf(scopes) - coolingCount;
    return counts;
  }

  /** Whether a proxy that is not ready comes back without a person or a new login. */
  comesBack(slot: number, wanted: Wanted): boolean {
    const absence = slot === -1 ? null : this.of(slot, wanted);
    return absence !== null && (absence.cooldown === null || absence.until !== null);
  }

  /** When the first of some proxies comes back, by the time of `Elapsed`; null if no time is known. */
  soonest(accepts: (slot: number) => boolean, wanted: Wanted): number | null {
    let first = Number.POSITIVE_INFINITY;
    const scopes = this.scopesFor(wanted);
    const isAbsent = (slot: number): boolean =>
      this.#outs.reasons(slot) !== 0 || scopes.some((scope) => scope.has(slot));
    // Whoever comes back comes no sooner than any of its reasons ends.
    const look = (slot: number): number => {
      if (isAbsent(slot) && accepts(slot)) first = Math.min(first, this.of(slot, wanted)?.until ?? first);
      return first;
    };
    const cooling = this.#coolingFor(wanted);
    this.#health.search(cooling, look);
    // Those that cool were looked at, and there may be many whose pause ends before.
    this.#limits.search(wanted.domain, (slot) => {
      const isCooling =
        (this.#outs.reasons(slot) & COOLING) !== 0 || cooling.some((scope) => scope.has(slot));
      if (!isCooling && accepts(slot))
        first = Math.min(first, this.#limits.returnOf(slot, wanted.domain) ?? first);
      return first;
    });
    return first === Number.POSITIVE_INFINITY ? null : first;
  }

  /** A time of `Elapsed` as ISO 8601 UTC. */
  timeOf(time: number | null): string | null {
    return time === null ? null : new Date(this.#elapsed.wallAt(time)).toISOString();
  }

  /**
   * Why a proxy is not ready for a request; null if it is ready. `until` is when the last of all known reasons ends.
   */
  of(slot: number, wanted: Pick<Wanted, 'domain' | 'session'>): Absence | null {
    const { domain } = wanted;
    const cooldown = this.#cooldownFor(slot, wanted);
    const isPausing = domain !== undefined && this.#limits.pausingFor(domain)?.has(slot) === true;
    const state = this.#outs.state(slot) ?? (cooldown !== null ? 'cooling' : isPausing ? 'pausing' : null);
    if (state === null) return null;
    if (cooldown !== null && cooldown.until === null) return { state, until: null, cooldown };
    const ends = Math.max(cooldown?.until ?? 0, this.#limits.returnOf(slot, domain) ?? 0);
    return { state, until: ends === 0 ? null : ends, cooldown };
  }

  /** The cooldown that keeps a proxy from a request for longest; null if none does. */
  #cooldownFor(slot: number, { domain, session }: Pick<Wanted, 'domain' | 'session'>): HealthChange | null {
    if (!this.#health.mayBeOut(slot)) return null;
    let last = this.#health.cooldownOf(slot);
    const scopes: Scope[] = [];
    if (domain !== undefined) scopes.push(`domain ${domain}`);
    if (session !== undefined) scopes.push(`session ${session}`);
    for (const scope of scopes) {
      const other = this.#health.cooldownOf(slot, scope);
      if (endOf(other) > endOf(last)) last = other;
    }
    return last;
  }
}

/** When a cooldown ends: never if only a person or a new login ends it. */
function endOf(cooldown: HealthChange | null): number {
  return cooldown === null ? Number.NEGATIVE_INFINITY : (cooldown.until ?? Number.POSITIVE_INFINITY);
}
