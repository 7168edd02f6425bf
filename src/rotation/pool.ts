import type { Session } from '../database/drivers/driver.ts';
import { ProxyRepository } from '../database/repositories/proxy.repository.ts';
import { type Steps, step } from '../database/drivers/driver.ts';
import { RotationEventsRepository } from '../database/repositories/rotation-events.repository.ts';
import { assertOptions } from '../model/validation.ts';
import { type Decision, decide, type Inputs } from './decide.ts';
import { type Explanation, explain } from './explain.ts';
import { Follower } from './follow.ts';
import { refusalError } from './no-proxy.ts';
import type { ChosenProxy } from './pool-index.ts';
import { type PoolRequest, wantedBy } from './request.ts';
import type { RuleTrace } from './rules/trace.ts';
import { Sticky } from './sticky.ts';
import { Store } from './store.ts';
import { type Turn, Turns } from './turns.ts';

/** How the use of a proxy went. */
export interface ProxyReport {
  success: boolean;
  latencyMs?: number | undefined;
}

/**
 * Hands out proxies, and learns how they did. It chooses in memory, and follows what this process and others change in the
 * database. Each process takes its own turns, and begins at another place.
 */
export class Pool {
  readonly #session: Session<'sync'>;
  readonly #random: () => number;
  readonly #follower: Follower;
  readonly #sticky: Sticky;
  readonly #turns: Turns;
  readonly #store: Store;
  readonly #proxies: ProxyRepository;
  readonly #events: RotationEventsRepository;
  #last = -1;

  constructor(session: Session<'sync'>, { random = Math.random }: { random?: (() => number) | undefined } = {}) {
    this.#session = session;
    this.#random = random;
    this.#sticky = new Sticky(session);
    this.#turns = new Turns(session);
    this.#follower = new Follower(session, () => this.#reloaded());
    this.#store = new Store(session, this.#sticky, (write) => this.#follower.unnoticed(write));
    this.#proxies = new ProxyRepository(session);
    this.#events = new RotationEventsRepository(session);
  }

  /**
   * The proxy to use now: what a rule says, else what the session or domain keeps, else what the strategy chooses among the active
   * proxies that fit. It counts as handed out. A new session or domain keeps it: that is committed before this returns.
   *
   * In a transaction it does not see what that has changed.
   *
   * @throws NO_PROXY if no proxy fits or a rule blocks the request: `details` say how many each filter excluded. Do not connect
   *   without a proxy. INVALID_INPUT for an invalid request. INVALID_ROW for a malformed enabled rule, which might be the one that
   *   blocks, or a malformed configuration; other malformed rows are left out and told to the database's `onInvalidRow`.
   * @example
   * const proxy = vault.pool.choose({ url: 'https://www.shop.example/cart', session: 'cart-17', country: 'DE' });
   * const another = vault.pool.choose({ country: 'DE', exclude: [proxy.id] }); // after a failure
   */
  choose(request?: PoolRequest): ChosenProxy {
    return this.#choose(request, false);
  }

  /**
   * As `choose`, and another proxy than the one that the session, domain or interval keeps, if there is one. Without a request it
   * ends the interval.
   *
   * @throws as `choose`.
   * @example
   * const { id } = vault.pool.rotate({ session: 'cart-17' }); // the session keeps this one from now on
   */
  rotate(request?: PoolRequest): ChosenProxy {
    return this.#choose(request, true);
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
    const inputs = this.#inputs(request, false);
    const trace: RuleTrace[] = [];
    return explain(decide(inputs, trace), inputs, trace);
  }

  #choose(request: PoolRequest | undefined, rotate: boolean): ChosenProxy {
    const inputs = this.#inputs(request, rotate);
    const decision = decide(inputs);
    if (decision.refusal !== null) throw refusalError(decision, inputs);
    const slot = this.#handOut(decision, inputs);
    return inputs.index.chosen(slot);
  }
}
