import type { Session } from '../database/drivers/driver.ts';
import type { FailureKind } from '../model/outcomes.ts';
import { assertFunction, assertId, assertOptions, assertWhole, invalidInput } from '../model/validation.ts';
import type { Check } from './choosing.ts';
import { decide } from './decide.ts';
import { type Explanation, explain } from './explain.ts';
import type { Lease } from './lease.ts';
import { noProxyError } from './no-proxy.ts';
import { kindIn, type OutcomeReport } from './outcome.ts';
import type { CoolOptions } from './pool-care.ts';
import type { PoolEventName, PoolListener } from './pool-events.ts';
import type { ChosenProxy } from './pool-index.ts';
import { type PoolOptions, PoolParts } from './pool-parts.ts';
import { countsOf, type PoolStats } from './pool-stats.ts';
import type { ProxyReport } from './report.ts';
import { type AcquireRequest, type LeaseRequest, type PoolRequest, wantedBy } from './request.ts';
import type { RuleTrace } from './rules/trace.ts';
import { excludedBy, stepsOf } from './steps.ts';

/**
 * Hands out proxies, and learns how they did. It chooses in memory, and follows what this process and others change in the
 * database. Each process takes its own turns, and begins at another place.
 *
 * `acquire` gives a lease: the pool then knows which proxies are in use, and how each request went. `choose` gives a proxy and asks
 * nothing.
 *
 * `vault.pool` is one. Who opens a database without a vault makes one with `new Pool(db)`. What it has not stored yet is stored when the
 * database is closed.
 */
export class Pool {
  readonly #parts: PoolParts;

  constructor(session: Session<'sync'>, { random = Math.random, ...options }: PoolOptions = {}) {
    const draw = random === Math.random ? random : checked(random);
    this.#parts = new PoolParts(session, { ...options, random: draw });
  }

  /**
   * A lease of the proxy to use now, chosen as `choose` does, and within the limits of the configuration. If no proxy is ready, but one
   * may come, it waits up to `waitMs`; those who want the same are served in the order of their arrival.
   *
   * Report the lease with `succeed`, `fail` or `report`. One that nobody reports expires after `leaseMs`, and then holds nothing up.
   *
   * @throws NO_PROXY if no proxy may come, if none came in time, or if too many wait: `details` say how many each reason excluded, and
   *   `readyAt` when the next could be ready. The reason of `signal` if it is aborted. Else as `choose`.
   * @example
   * using lease = await vault.pool.acquire({ url: 'https://shop.example/cart', session: 'cart-17', waitMs: 5_000 });
   * const { url } = lease.reveal();
   * lease.succeed({ latencyMs: 120 });
   */
  acquire(request?: AcquireRequest): Promise<Lease> {
    return this.#parts.acquiring.soon(request);
  }

  /**
   * As `acquire`, and never waits.
   *
   * @param check as that of `choose`.
   * @throws as `acquire`.
   * @example
   * using lease = vault.pool.tryAcquire({ country: 'DE' });
   * lease.fail({ kind: 'timeout' });
   */
  tryAcquire(request?: LeaseRequest, check?: Check): Lease {
    if (check !== undefined) assertFunction(check, 'check');
    const lease = this.#parts.acquiring.now(request, check);
    this.#parts.afterChange();
    return lease;
  }

  /**
   * The proxy to use now: what a rule says, else what the session or domain keeps, else what the strategy chooses among the active
   * proxies that fit and are not out. It counts as handed out. A new session or domain keeps it: that is committed before this returns.
   *
   * In a transaction it does not see what that has changed.
   *
   * @param check called with the proxy before it is handed out. If it throws, so does this, and nothing was handed out. If others may
   *   have written meanwhile, and in a transaction, this may choose again and call it again.
   * @throws NO_PROXY if no proxy fits or a rule blocks the request: `details` say how many each filter excluded. Do not connect
   *   without a proxy. INVALID_INPUT for an invalid request. INVALID_ROW for a malformed enabled rule, which might be the one that
   *   blocks, a malformed configuration, or a malformed mapping of the session or domain; other malformed rows are left out and told
   *   to the database's `onInvalidRow`.
   * @example
   * const proxy = vault.pool.choose({ url: 'https://www.shop.example/cart', session: 'cart-17', country: 'DE' });
   * const another = vault.pool.choose({ country: 'DE', exclude: [proxy.id] }); // after a failure
   */
  choose(request?: PoolRequest, check?: Check): ChosenProxy {
    return this.#choose(request, false, check);
  }

  /**
   * As `choose`, and another proxy than the one that the session, domain or interval keeps, if there is one. Without a request it
   * ends the interval.
   *
   * @param check as that of `choose`.
   * @throws as `choose`.
   * @example
   * const { id } = vault.pool.rotate({ session: 'cart-17' }); // the session keeps this one from now on
   */
  rotate(request?: PoolRequest, check?: Check): ChosenProxy {
    return this.#choose(request, true, check);
  }

  /**
   * What `choose` would answer now, and why: how each rule was judged, how many candidates each filter left, what the strategy says, and
   * who comes next. It hands out nothing.
   *
   * @throws INVALID_INPUT, INVALID_ROW as `choose`; no proxy is no error, but a `refusal`.
   * @example
   * const { proxy, reason, steps } = vault.pool.explain({ country: 'DE' });
   * console.log(proxy?.id ?? 'nobody', reason);
   * for (const { filter, left } of steps) console.log(filter, left);
   */
  explain(request?: PoolRequest): Explanation {
    const wanted = wantedBy(request);
    this.#parts.advance();
    const inputs = this.#parts.choosing.inputs(wanted);
    const trace: RuleTrace[] = [];
    return explain(decide(inputs, trace), inputs, trace);
  }

  /**
   * Records the outcome of a request through a proxy that has no lease. It is committed before this returns. After some failures in a
   * row the proxy is out for a time, for everything or for `domain`; with `failureThreshold` set, its status is `failed` until it works again.
   *
   * @throws NOT_FOUND; INVALID_INPUT for a malformed field.
   * @example
   * vault.pool.report(id, { success: true, latencyMs: 230 });
   * vault.pool.report(id, { status: 429, domain: 'shop.example', retryAfterMs: 30_000 });
   */
  report(id: string, report: ProxyReport): void {
    this.#parts.reports.take(id, report);
  }

  /**
   * Reports a lease by its id, as `lease.report` does: for another part of the program than the one that acquired it, and, if it was
   * acquired with `stored`, for another process. It takes the `ticket` of a lease too.
   *
   * @throws NOT_FOUND for a lease that was reported before, or has expired and was not stored, and for a ticket that is older than a day;
   *   INVALID_INPUT.
   * @example
   * vault.pool.reportLease(lease.id, { status: 200, latencyMs: 120 });
   */
  reportLease(id: string, report: OutcomeReport): void {
    this.#parts.ready();
    this.#parts.leasing.reportById(assertId(id), report);
  }

  /**
   * Whether a connection through a proxy may last: the proxy is active and not out, for everything, the domain or the session, and the
   * session still has this proxy. Limits do not count.
   *
   * @throws INVALID_INPUT; INVALID_ROW as `choose`.
   * @example
   * if (!vault.pool.mayKeep(lease.proxy.id, { session: 'cart-17' })) console.log('connect again');
   */
  mayKeep(id: string, use: Pick<PoolRequest, 'domain' | 'session'> = {}): boolean {
    assertId(id);
    const { domain, session } = assertOptions(use, ['domain', 'session'], 'fields of a use');
    const wanted = wantedBy({ domain, session });
    const { index } = this.#parts.ready();
    const slot = index.slotOf(id);
    if (slot === -1 || !index.isUsable(slot)) return false;
    if (this.#parts.availability.absences.of(slot, wanted)?.cooldown != null) return false;
    return session === undefined || this.#parts.choosing.keeperOf(session)?.proxyId === id;
  }

  /**
   * Puts a proxy out for a time, for everything or for one domain. That is committed before this returns, and holds in every process.
   *
   * @throws NOT_FOUND; INVALID_INPUT.
   * @example
   * vault.pool.cool(id, { forMs: 600_000, domain: 'shop.example', reason: 'asked for a captcha' });
   */
  cool(id: string, cooling: CoolOptions): void {
    this.#parts.ready();
    this.#parts.care.cool(id, cooling);
  }

  /**
   * Lets proxies back in: ends their cooldowns, whoever began them, and forgets their failures in a row. One that is `failed` is
   * `active` again. One that is `disabled` stays so.
   *
   * @throws NOT_FOUND for an unknown id; then nothing has changed.
   * @example
   * vault.pool.reset([id]);
   */
  reset(ids: Iterable<string>): void {
    this.#parts.ready();
    this.#parts.care.reset(ids);
    this.#parts.afterChange();
  }

  /**
   * What the pool does now: how many proxies are in which state, how many leases there are, how far the database is behind. It looks at
   * every proxy: about 30 ms for a million.
   *
   * @throws INVALID_ROW as `choose`.
   * @example
   * const { states, leases, waiting } = vault.pool.stats();
   * console.log(`${states.ready} ready, ${states.cooling} cooling, ${leases} leases, ${waiting} waiting`);
   */
  stats(): PoolStats {
    const { index, settings } = this.#parts.ready();
    const { lossMs, lossOutcomes, outcomes } = settings.durability;
    const isEvery = outcomes === 'every';
    const { availability, latencies, leasing, acquiring, behind, elapsed } = this.#parts;
    return {
      ...countsOf(index, availability.absences),
      latencyMs: latencies.percentiles,
      leases: leasing.size,
      ended: { ...leasing.counts },
      waiting: acquiring.waiting,
      failingDomains: availability.health.failingDomains().map(({ domain }) => domain),
      store: {
        ...behind.backlog(elapsed.wall),
        lossMs: isEvery ? 0 : lossMs,
        lossOutcomes: isEvery ? 0 : lossOutcomes,
      },
    };
  }

  /**
   * Calls a listener each time that something happens; `PoolEvents` has the names. A listener that throws harms nothing: the process
   * gets a warning.
   *
   * @throws INVALID_INPUT for an unknown event.
   * @example
   * vault.pool.on('cooled', ({ proxyId, kind, until }) => console.log(`${proxyId} is out until ${until}: ${kind}`));
   */
  on<Name extends PoolEventName>(name: Name, listener: PoolListener<Name>): this {
    this.#parts.announcer.on(name, listener);
    return this;
  }

  /**
   * As `on`, for one time.
   *
   * @example
   * vault.pool.once('exhausted', ({ message }) => console.warn(message));
   */
  once<Name extends PoolEventName>(name: Name, listener: PoolListener<Name>): this {
    this.#parts.announcer.once(name, listener);
    return this;
  }

  /**
   * Takes a listener away.
   *
   * @example
   * const listener = ({ proxyId }: { proxyId: string }) => console.log(proxyId);
   * vault.pool.on('cooled', listener).off('cooled', listener);
   */
  off<Name extends PoolEventName>(name: Name, listener: PoolListener<Name>): this {
    this.#parts.announcer.off(name, listener);
    return this;
  }

  /**
   * Stores now what waits to be stored, such as how leases went. Without it that is stored within `durability.lossMs`, and when the vault is
   * closed.
   *
   * @throws what the database throws, such as BUSY; then it still waits.
   * @example
   * vault.pool.flush(); // so that vault.usage has everything
   */
  flush(): void {
    this.#parts.behind.flush();
  }

  /**
   * Stores what waits to be stored; calls of `acquire` that wait are CLOSED. The vault calls it when it is closed.
   *
   * @internal
   */
  close(): void {
    this.#parts.acquiring.close();
    this.#parts.follower.forget();
    this.#parts.behind.close();
  }

  /**
   * What a status says by the configuration: the kind of a failure, or null if it is a good one.
   *
   * @internal
   */
  kindOf(status: number): FailureKind | null {
    assertWhole(status, 'status', 100, 999);
    return kindIn(this.#parts.ready().settings.health.statuses, status);
  }

  /**
   * How many proxies each reason excludes from a request, as `explain` says it: without a look at every candidate.
   *
   * @internal
   */
  excludedFrom(request: PoolRequest): Record<string, number> {
    const wanted = wantedBy(request);
    this.#parts.advance();
    const inputs = this.#parts.choosing.inputs(wanted);
    return excludedBy(stepsOf(decide(inputs), inputs));
  }

  #choose(request: PoolRequest | undefined, rotate: boolean, check?: Check): ChosenProxy {
    const wanted = wantedBy(request);
    if (check !== undefined) assertFunction(check, 'check');
    const { choosing, acquiring } = this.#parts;
    this.#parts.advance();
    const { slot, decision, inputs } = choosing.choose(choosing.inputs(wanted, rotate), check);
    if (slot === -1) throw acquiring.exhausted(noProxyError(decision, inputs));
    return inputs.pool.index.chosen(slot);
  }
}

/** A caller's numbers: one out of range would be looked for in vain. */
function checked(random: () => number): () => number {
  return () => {
    const number = random();
    if (number >= 0 && number < 1) return number;
    throw invalidInput('`random` must give numbers from 0, inclusive, to 1, exclusive.');
  };
}
