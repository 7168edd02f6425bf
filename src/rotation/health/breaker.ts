import type { CooldownKind, FailureKind } from '../../model/outcomes.ts';
import type { HealthSettings } from '../../model/pool-options.ts';
import { askedTime, backoff } from './backoff.ts';
import { isOfProxy, isOutageKind } from './charged-scope.ts';
import {
  type Circuit,
  changeOf,
  type Failure,
  type HealthChange,
  type Scope,
  type StoredCooldown,
  type Use,
} from './circuit.ts';
import type { CircuitRegister } from './circuit-register.ts';
import { Fruitless, type FruitlessRule } from './fruitless.ts';
import { FIRST_STEP, type Ramp, SECOND_STEP } from './ramp.ts';

/** Who has asked for a wait that ends a tenth later is believed; a smaller difference is the same wait of another request. */
const LATER = 0.1;
/** No number of times is higher: it is stored in 31 bits. */
const MOST_TIMES = 2 ** 31 - 1;

const NEVER = Number.POSITIVE_INFINITY;

export interface BreakerOptions {
  settings: HealthSettings;
  /** So many failures in a row put out what is proven. */
  failures: number;
  /** Whether a user has said how many: then the unproven too may fail so often. */
  isFixed: boolean;
}

/**
 * Circuit breakers of proxies, and of their domains and sessions: closed; out with exponential backoff and jitter; then one request may
 * try; then a slow start.
 */
export class Breaker {
  readonly #circuits: CircuitRegister;
  readonly #ramp: Ramp;
  readonly #random: () => number;
  readonly #fruitless = new Fruitless();
  #options: BreakerOptions;

  constructor(options: BreakerOptions, circuits: CircuitRegister, ramp: Ramp, random: () => number) {
    this.#options = options;
    this.#circuits = circuits;
    this.#ramp = ramp;
    this.#random = random;
  }

  configure(options: BreakerOptions): void {
    this.#options = options;
  }

  /** Charges a failure to a scope of a proxy, and adds what changed. `handedOutAt` tells which failures are late. */
  charge(
    slot: number,
    scope: Scope,
    failure: Failure,
    cause: string | null,
    { handedOutAt = NEVER, failuresBefore = 0 }: Pick<Use, 'handedOutAt' | 'failuresBefore'>,
    now: number,
    changes: HealthChange[],
  ): void {
    const { settings } = this.#options;
    const asked = failure.kind === 'auth' ? null : askedTime(settings, failure.retryAfterMs);
    const detail = failure.status === undefined ? null : `status ${failure.status}`;
    const circuit = this.#circuits.engine.find(slot, scope) ?? this.#circuits.add(slot, scope, 'engine');
    if (circuit.state === 'cooling') {
      if (circuit.kind === 'auth') return;
      if (failure.kind === 'auth') this.#open(circuit, 'auth', null, detail, now, changes);
      else if (asked !== null) this.#prolong(circuit, failure.kind, asked, detail, now, changes);
      return;
    }
    if (handedOutAt < circuit.since) return;
    if (circuit.state === 'closed' && now - circuit.wellSince >= circuit.lastOut) circuit.times = 0;
    circuit.wellSince = now;
    circuit.cause = cause;
    circuit.row = Math.max(circuit.row, scope === '' ? failuresBefore : 0) + 1;
    if (failure.kind === 'auth') {
      this.#open(circuit, 'auth', null, detail, now, changes);
    } else if (
      asked !== null ||
      failure.kind === 'blocked' ||
      circuit.row >= this.#threshold(circuit, failure.kind)
    ) {
      circuit.isAsked = asked !== null;
      const time = asked ?? backoff(settings, this.#random, failure.kind, circuit.times + 1);
      this.#open(circuit, failure.kind, time, detail, now, changes);
    } else {
      this.#rest(circuit);
    }
  }

  /** Whether a request probes a whole proxy: it was handed out since that went out. Of an outlier one request shows little. */
  isProbe(slot: number, { handedOutAt = NEVER }: Pick<Use, 'handedOutAt'>): boolean {
    const circuit = this.#circuits.engine.whole.get(slot);
    return circuit?.state === 'probing' && circuit.kind !== 'outlier' && handedOutAt >= circuit.since;
  }

  /** Takes note of a failure for a domain before it is charged. Says whether it is one of so many in a row that the proxy must be at fault. */
  isFruitless(
    slot: number,
    domain: string,
    { handedOutAt = NEVER }: Pick<Use, 'handedOutAt'>,
    rule: Omit<FruitlessRule, 'least'>,
  ): boolean {
    const { engine } = this.#circuits;
    for (const circuit of [engine.find(slot, `domain ${domain}`), engine.find(slot, '')])
      if (circuit !== null && (circuit.state === 'cooling' || handedOutAt < circuit.since)) return false;
    return this.#fruitless.failed(slot, domain, { ...rule, least: this.#options.failures });
  }

  /** A target has answered through the proxy, though it did not do what was asked. */
  answered(slot: number): void {
    this.#fruitless.delete(slot);
  }

  /** Puts a whole proxy out, whatever its failures in a row. */
  eject(
    slot: number,
    kind: CooldownKind,
    cause: string | null,
    detail: string | null,
    now: number,
    changes: HealthChange[],
  ): boolean {
    const circuit = this.#circuits.engine.find(slot, '') ?? this.#circuits.add(slot, '', 'engine');
    if (circuit.state === 'cooling') return false;
    if (circuit.state === 'closed' && now - circuit.wellSince >= circuit.lastOut) circuit.times = 0;
    circuit.cause = cause;
    circuit.isAsked = false;
    const time = backoff(this.#options.settings, this.#random, kind, circuit.times + 1);
    this.#open(circuit, kind, time, detail, now, changes);
    return true;
  }

  /** A success counts for a scope. Gives what changed: nearly always nothing. */
  succeeded(slot: number, scope: Scope, handedOutAt: number, now: number): HealthChange | null {
    this.#fruitless.delete(slot);
    const circuit = this.#circuits.engine.find(slot, scope);
    if (circuit === null) return null;
    if (circuit.state === 'cooling' && !isOverridden(circuit, handedOutAt)) return null;
    if (circuit.state !== 'closed') {
      if (handedOutAt < circuit.since) return null;
      return this.#recover(circuit, now, SECOND_STEP);
    }
    circuit.row = 0;
    this.#rest(circuit);
    return null;
  }

  /** Ends what is due by now, and adds what changed. */
  advance(now: number, changes: HealthChange[]): void {
    for (;;) {
      const circuit = this.#circuits.queue.takeDue(now);
      if (circuit === null) return;
      const change = this.#end(circuit, now);
      if (change !== null) changes.push(change);
    }
  }

  /** Takes back that a failing domain has put something out, or counted against it, since `from`. */
  pardon(slot: number, scope: Scope, domain: string, from: number, now: number): HealthChange | null {
    this.#fruitless.delete(slot);
    const circuit = this.#circuits.engine.find(slot, scope);
    if (circuit === null || circuit.cause !== domain) return null;
    if (circuit.state === 'closed') {
      if (circuit.wellSince >= from) circuit.row = 0;
      this.#rest(circuit);
      return null;
    }
    const { kind } = circuit;
    if (circuit.isAsked || circuit.since < from) return null;
    if (!isOutageKind(kind)) return null;
    circuit.times--;
    // One that was being probed has other failures of its own: it may have one request at a time.
    return this.#recover(circuit, now, circuit.wasProbing ? FIRST_STEP : circuit.rampBefore);
  }

  /** Takes a stored cooldown, in the place of what is known of its slot, scope and source. */
  restore(slot: number, cooldown: StoredCooldown, now: number): void {
    const { scope, source, until, since, kind } = cooldown;
    const known = this.#circuits[source].find(slot, scope);
    if (known !== null) this.forget(known);
    const isOver = until !== null && until <= now;
    if (isOver && (source === 'person' || kind === 'blocked')) return;
    const circuit = this.#circuits.add(slot, scope, source);
    const { times, detail } = cooldown;
    Object.assign(circuit, { times, since, until, detail });
    if (scope.startsWith('domain ')) circuit.cause = scope.slice('domain '.length);
    circuit.rampBefore = this.#ramp.step(slot);
    circuit.lastOut = until === null ? 0 : Math.max(0, until - since);
    circuit.wellSince = now;
    this.#circuits.become(circuit, isOver ? 'probing' : 'cooling', kind);
    if (!isOver && until !== null) this.#circuits.queue.set(circuit, until);
    if (scope === '' && source === 'engine') this.#ramp.setStep(slot, FIRST_STEP);
  }

  /** Forgets a circuit. Gives what ended by it, or null if it was in. */
  forget(circuit: Circuit): HealthChange | null {
    const wasIn = circuit.state === 'closed';
    const { slot, scope, source, kind } = circuit;
    // A new login is as unknown as a new proxy.
    if (!wasIn && scope === '' && source === 'engine')
      this.#ramp.setStep(slot, kind === 'auth' ? FIRST_STEP : circuit.rampBefore);
    this.#circuits.delete(circuit);
    if (!this.#circuits.engine.has(slot)) this.#fruitless.delete(slot);
    return wasIn ? null : changeOf(circuit);
  }

  /** Forgets the oldest scopes if there are too many. Adds what ended by it. */
  forgetOldest(changes: HealthChange[]): void {
    for (const circuit of this.#circuits.surplus()) {
      const change = this.forget(circuit);
      if (change !== null) changes.push(change);
    }
  }

  /** The slots have other numbers, -1 for what is gone. */
  moveTo(to: (slot: number) => number): void {
    this.#circuits.moveTo(to);
    this.#fruitless.moveTo(to);
  }

  /** What may be the target's fault is no proof against a proxy that is new. */
  #threshold({ slot, state }: Circuit, kind: FailureKind): number {
    const { failures, isFixed } = this.#options;
    return state === 'probing' || (!isFixed && isOfProxy(kind) && this.#ramp.step(slot) !== 0) ? 1 : failures;
  }

  #open(
    circuit: Circuit,
    kind: CooldownKind,
    time: number | null,
    detail: string | null,
    now: number,
    changes: HealthChange[],
  ): void {
    const { slot, scope } = circuit;
    if (circuit.state !== 'cooling') {
      circuit.times = Math.min(circuit.times + 1, MOST_TIMES);
      circuit.wasProbing = circuit.state === 'probing';
    }
    if (scope === '' && circuit.state === 'closed') {
      circuit.rampBefore = this.#ramp.step(slot);
      this.#ramp.setStep(slot, FIRST_STEP);
    }
    circuit.since = now;
    circuit.until = time === null ? null : now + time;
    circuit.lastOut = time ?? 0;
    circuit.detail = detail;
    circuit.row = 0;
    this.#circuits.become(circuit, 'cooling', kind);
    this.#circuits.queue.set(circuit, circuit.until ?? NEVER);
    changes.push(changeOf(circuit));
  }

  /** Somebody asks for a longer wait while the circuit is open. It has not gone out once more by this. */
  #prolong(
    circuit: Circuit,
    kind: CooldownKind,
    time: number,
    detail: string | null,
    now: number,
    changes: HealthChange[],
  ): void {
    if (circuit.until === null || time <= (1 + LATER) * (circuit.until - now)) return;
    circuit.isAsked = true;
    this.#open(circuit, kind, time, detail, now, changes);
  }

  /** What happens to a circuit at its time. A past that is forgotten is not worth telling. */
  #end(circuit: Circuit, now: number): HealthChange | null {
    if (circuit.state === 'closed') {
      circuit.times = 0;
      this.#rest(circuit);
      return null;
    }
    if (circuit.source === 'person') return this.forget(circuit);
    // The target has said to wait, and the wait is over: there is nothing to probe.
    if (circuit.kind === 'blocked') return this.#recover(circuit, now, circuit.rampBefore);
    this.#circuits.become(circuit, 'probing');
    return changeOf(circuit);
  }

  #recover(circuit: Circuit, now: number, step: number): HealthChange {
    this.#circuits.become(circuit, 'closed');
    if (circuit.scope === '') this.#ramp.setStep(circuit.slot, step);
    circuit.row = 0;
    circuit.wellSince = now;
    const change = changeOf(circuit);
    this.#rest(circuit);
    return change;
  }

  /** A circuit that is in waits for its past to be forgotten; with nothing to remember it goes. */
  #rest(circuit: Circuit): void {
    if (circuit.times > 0) this.#circuits.queue.set(circuit, circuit.wellSince + circuit.lastOut);
    else if (circuit.row === 0) this.forget(circuit);
    else this.#circuits.queue.delete(circuit);
  }
}

/**
 * Whether a success is of a proxy that was handed out though it cooled, because nothing else fitted: it works. Of an outlier one success
 * shows little.
 */
function isOverridden({ kind, since }: Circuit, handedOutAt: number): boolean {
  return Number.isFinite(handedOutAt) && handedOutAt >= since && kind !== 'auth' && kind !== 'outlier';
}
