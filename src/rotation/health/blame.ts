import type { HealthSettings } from '../../model/pool-options.ts';
import { askedTime } from './backoff.ts';
import type { Breaker } from './breaker.ts';
import { chargedScope, isOutageKind } from './charged-scope.ts';
import type { Failure, HealthChange, Scope, Use } from './circuit.ts';
import type { CircuitRegister } from './circuit-register.ts';
import type { DomainWatch } from './domain-watch.ts';
import { DOMAINS_OF_THE_PROXY } from './fruitless.ts';
import { OutageShare } from './outage-share.ts';
import type { Outliers } from './outliers.ts';
import { FIRST_STEP, type Ramp } from './ramp.ts';

/** If no more of all requests fail in a way that may be the domain's fault, a probe that fails in such a way says something of the proxy. */
const RARE = 0.1;

/** What it asks who is at fault, and what it charges. */
interface BlameParts {
  settings: HealthSettings;
  ramp: Ramp;
  circuits: CircuitRegister;
  breaker: Breaker;
  watch: DomainWatch;
  outliers: Outliers;
}

/** Says who is at fault when a request fails: the proxy, the domain, the proxy for that domain or session, or nobody. */
export class Blame {
  readonly #ramp: Ramp;
  readonly #circuits: CircuitRegister;
  readonly #breaker: Breaker;
  readonly #watch: DomainWatch;
  readonly #outliers: Outliers;
  readonly #outages = new OutageShare();
  #settings: HealthSettings;
  /** When anything has succeeded last. */
  #lastSuccess = Number.NEGATIVE_INFINITY;

  constructor({ settings, ramp, circuits, breaker, watch, outliers }: BlameParts) {
    this.#settings = settings;
    this.#ramp = ramp;
    this.#circuits = circuits;
    this.#breaker = breaker;
    this.#watch = watch;
    this.#outliers = outliers;
  }

  configure(settings: HealthSettings): void {
    this.#settings = settings;
  }

  /** A request has succeeded, which speaks for its domain. */
  succeeded(domain: string | null, now: number): void {
    this.#lastSuccess = now;
    if (domain === null) return;
    this.#outages.add(false);
    if (!this.#watch.isIdle) this.#watch.succeeded(domain, now);
  }

  /** Charges a failure to what is at fault, and adds what changed. Gives whether that is the whole proxy. */
  charge(use: Use, failure: Failure, now: number, changes: HealthChange[]): boolean {
    const { slot, domain, isGateway } = use;
    const { kind } = failure;
    const scope = chargedScope(use, kind);
    const isAsked = askedTime(this.#settings, failure.retryAfterMs) !== null;
    if (domain !== null && kind === 'blocked') {
      // The target has answered.
      this.#watch.succeeded(domain, now);
      this.#breaker.answered(slot);
    }
    if (domain !== null && isOutageKind(kind) && this.#isOutage(domain, use, scope ?? '', now, changes)) {
      // The domain fails, and nobody is punished for it; but a time that it asks for is obeyed.
      if (scope !== null && isAsked) this.#breaker.charge(slot, scope, failure, domain, use, now, changes);
      return false;
    }
    if (!isGateway && kind !== 'blocked' && !this.#ramp.isOut(slot)) this.#outliers.count(slot, false, now);
    if (scope === null) return false;
    const mayBeOfProxy = scope === `domain ${domain}` && isOutageKind(kind) && !isAsked;
    // Where nothing works, a failure shows nothing of the proxy: a crawler meets many domains that are dead.
    const isWorking = (each: string): boolean => this.#watch.isWorking(each, now);
    const outageShare = this.#outages.value;
    const isFruitless =
      mayBeOfProxy && this.#breaker.isFruitless(slot, domain as string, use, { isWorking, outageShare });
    const before = changes.length;
    this.#breaker.charge(slot, scope, failure, domain, use, now, changes);
    if (mayBeOfProxy) {
      const isTelling = isFruitless || outageShare < RARE || isWorking(domain as string);
      const detail = this.#evidence(use, { isTelling, isFruitless, hasGoneOut: changes.length > before });
      if (detail !== null) this.#breaker.eject(slot, kind, domain, detail, now, changes);
    }
    this.#breaker.forgetOldest(changes);
    return scope === '';
  }

  /** What shows that a failure for a domain is the fault of the whole proxy; null if nothing does. */
  #evidence(
    use: Use,
    { isTelling, isFruitless, hasGoneOut }: { isTelling: boolean; isFruitless: boolean; hasGoneOut: boolean },
  ): string | null {
    if (hasGoneOut && this.#circuits.badDomains(use.slot) >= DOMAINS_OF_THE_PROXY)
      return `out for ${DOMAINS_OF_THE_PROXY} domains`;
    if (isFruitless) return `failed for ${DOMAINS_OF_THE_PROXY} domains in a row`;
    return isTelling && this.#breaker.isProbe(use.slot, use) ? 'failed again' : null;
  }

  /** Whether a failure is of a domain that fails for everybody. If this failure shows it, what it has done to proxies is taken back. */
  #isOutage(domain: string, use: Use, scope: Scope, now: number, changes: HealthChange[]): boolean {
    this.#outages.add(true);
    const { slot, handedOutAt = Number.POSITIVE_INFINITY } = use;
    if (this.#watch.hasFailedSince(domain, handedOutAt)) return true;
    const from = now - this.#settings.domainWindowMs;
    // Who has not worked yet, or is being probed, may fail everywhere. It shows nothing of the domain, if others work.
    const isProven = this.#ramp.step(slot) !== FIRST_STEP || this.#lastSuccess <= from;
    const suspects = this.#watch.failed(domain, { slot, scope, at: now, isProven });
    if (suspects === null) return this.#watch.isFailing(domain);
    const pardon = (pardoned: number, itsScope: Scope) => {
      const change = this.#breaker.pardon(pardoned, itsScope, domain, from, now);
      if (change !== null) changes.push(change);
    };
    for (const suspect of suspects) {
      pardon(suspect.slot, suspect.scope);
      if (suspect.scope !== '') pardon(suspect.slot, '');
    }
    // The watch may have forgotten some.
    for (const out of [...(this.#circuits.scopesOut.outFor('domain', domain) ?? [])]) {
      pardon(out, `domain ${domain}`);
      pardon(out, '');
    }
    return true;
  }
}
