import type { Session } from '../database/drivers/driver.ts';
import { assertFunction, assertId, assertOptions, invalidInput } from '../model/validation.ts';
import { type Decision, decide, type Inputs } from './decide.ts';
import { type Explanation, explain } from './explain.ts';
import { Follower } from './follow.ts';
import { HandOuts } from './hand-out.ts';
import { noProxyError } from './no-proxy.ts';
import type { ChosenProxy } from './pool-index.ts';
import { type ProxyReport, Reports } from './report.ts';
import { type PoolRequest, type Wanted, wantedBy } from './request.ts';
import type { RuleTrace } from './rules/trace.ts';
import { type Mapping, Sticky, type StickyKey } from './sticky.ts';
import { Store } from './store.ts';
import { type Turn, Turns } from './turns.ts';

/** So many proxies are counted again, for as many processes that make their one choice at the same time. */
const RECOUNTS = 100;

/**
 * Hands out proxies, and learns how they did. It chooses in memory, and follows what this process and others change in the
 * database. Each process takes its own turns, and begins at another place.
 *
 * `vault.pool` is one. Who opens a database without a vault makes one with `new Pool(db)`. What it has not stored yet is stored when the
 * database is closed.
 */
export class Pool {
  readonly #session: Session<'sync'>;
  readonly #random: () => number;
  readonly #follower: Follower;
  readonly #sticky: Sticky;
  readonly #turns: Turns;
  readonly #store: Store;
  readonly #handOuts: HandOuts;
  readonly #reports: Reports;
  #now = 0;
  readonly #mappingOf = (key: StickyKey): Mapping | null =>
    this.#sticky.find(key, this.#now, this.#follower.epoch);
  readonly #turnOf = (view: string): Turn | null => {
    const { index, epoch } = this.#follower;
    return index === null ? null : this.#turns.get(view, index, epoch);
  };

  /** @param random gives numbers from 0, inclusive, to 1, exclusive; for tests. */
  constructor(
    session: Session<'sync'>,
    { random = Math.random }: { random?: (() => number) | undefined } = {},
  ) {
    this.#session = session;
    this.#random = random === Math.random ? random : checked(random);
    this.#sticky = new Sticky(session);
    this.#turns = new Turns(session);
    this.#follower = new Follower(session, { onReload: (index) => this.#handOuts.moveTo(index) });
    this.#store = new Store(session, (write) => this.#follower.unnoticed(write));
    this.#handOuts = new HandOuts({
      driver: session.driver,
      follower: this.#follower,
      sticky: this.#sticky,
      turns: this.#turns,
      store: this.#store,
    });
    this.#reports = new Reports(session);
  }

  /**
   * The proxy to use now: what a rule says, else what the session or domain keeps, else what the strategy chooses among the active
   * proxies that fit. It counts as handed out. A new session or domain keeps it: that is committed before this returns.
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
  choose(request?: PoolRequest, check?: (proxy: ChosenProxy) => void): ChosenProxy {
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
  rotate(request?: PoolRequest, check?: (proxy: ChosenProxy) => void): ChosenProxy {
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
    const inputs = this.#inputs(wantedBy(request), false);
    const trace: RuleTrace[] = [];
    return explain(decide(inputs, trace), inputs, trace);
  }

  /**
   * Records the outcome of a request. With `failureThreshold` set, that many failures in a row make a proxy `failed`, which
   * takes it out; a success makes it `active` again.
   *
   * @throws NOT_FOUND; INVALID_INPUT for a latency that is not a number of milliseconds.
   * @example
   * vault.pool.report(id, { success: true, latencyMs: 230 });
   */
  report(id: string, report: ProxyReport): void {
    const { success, latencyMs } = assertOptions(report, ['success', 'latencyMs'], 'fields of a report');
    const { driver } = this.#session;
    const { scope } = driver;
    const isUnsaved = this.#store.isUnsaved(assertId(id));
    const hasChanged = this.#follower.unnoticed(() =>
      driver.transaction(() => this.#reports.record(id, { success, latencyMs }, isUnsaved)),
    );
    if (hasChanged) this.#follower.expectChange();
    // What a caller's transaction undoes has not happened.
    driver.afterTransaction(() => {
      if (!scope?.isUndone) this.#learn(id, success, latencyMs);
    });
  }

  /**
   * Stores what waits to be stored. The vault calls it when it is closed.
   *
   * @internal
   */
  close(): void {
    this.#follower.forget();
    this.#store.close();
  }

  #learn(id: string, success: boolean, latencyMs: number | undefined): void {
    const { index } = this.#follower;
    const slot = index?.slotOf(id) ?? -1;
    // Plain JavaScript may give null for a latency that was not measured, as the database takes it.
    if (slot !== -1) index?.measures.reported(slot, success, latencyMs ?? undefined, this.#session.clock());
  }

  #choose(
    request: PoolRequest | undefined,
    rotate: boolean,
    check?: (proxy: ChosenProxy) => void,
  ): ChosenProxy {
    const wanted = wantedBy(request);
    if (check !== undefined) assertFunction(check, 'check');
    // What others have rotated to until now is to be left too.
    if (rotate) this.#follower.expectChange();
    const inputs = this.#inputs(wanted, rotate);
    const decision = decide(inputs);
    const { epoch } = this.#follower;
    const hasCheckWritten = this.#assertTaken(decision, inputs, check);
    // It may have asked the pool too, which has read changes: another proxy may have the slot by now.
    const isOutdated = this.#follower.epoch !== epoch;
    if (!this.#store.isNew && !isCommitted(decision) && !isOutdated)
      return this.#handOuts.give(decision, inputs);
    const isCallers = this.#session.driver.scope !== null;
    return this.#store.commit(() =>
      this.#hasOthersWritten(isCallers) || hasCheckWritten || isOutdated
        ? this.#chooseAgain(decision, inputs, check)
        : this.#handOuts.give(decision, inputs),
    );
  }

  /**
   * Says whether the caller's check has written something, which may have been a choice too.
   *
   * @throws NO_PROXY, and what the caller's check throws.
   */
  #assertTaken(decision: Decision, inputs: Inputs, check?: (proxy: ChosenProxy) => void): boolean {
    if (decision.refusal !== null) throw noProxyError(decision, inputs);
    const { driver } = this.#session;
    const { changes } = driver;
    check?.(inputs.pool.index.chosen(decision.slot));
    return driver.changes !== changes;
  }

  /** Whether somebody may have written since the decision, which has waited for the lock. */
  #hasOthersWritten(isCallers: boolean): boolean {
    // In a caller's transaction the pool is not read, but mappings and intervals are.
    return isCallers || this.#follower.refresh(this.#now);
  }

  #chooseAgain(
    before: Decision,
    { wanted, rotate }: Inputs,
    check?: (proxy: ChosenProxy) => void,
  ): ChosenProxy {
    const { isNew } = this.#store;
    // A process that makes one choice takes its turn after those that had the lock before it.
    if (isNew) this.#turns.forget();
    const inputs = this.#inputs(wanted, rotate);
    let decision = decide(inputs);
    // Who waited to rotate is content with what somebody else has rotated to.
    if (rotate && isRotated(before, decision)) inputs.rotate = false;
    if (rotate !== inputs.rotate) decision = decide(inputs);
    for (let n = 0; isNew && n < RECOUNTS && this.#isRecounted(decision, inputs); n++)
      decision = decide(inputs);
    // What it writes is no write of the engine, in whose transaction it is.
    if (this.#assertTaken(decision, inputs, check)) this.#follower.expectChange();
    return this.#handOuts.give(decision, inputs);
  }

  /** Whether others have handed out the chosen proxy since the pool was read. */
  #isRecounted({ slot }: Decision, { pool }: Inputs): boolean {
    const { columns, measures } = pool.index;
    if (slot === -1) return false;
    const before = measures.handOuts(slot);
    measures.counted(slot, this.#store.handOutsOf(columns.id(slot)));
    return measures.handOuts(slot) !== before;
  }

  #inputs(wanted: Wanted, rotate: boolean): Inputs {
    this.#now = this.#session.clock();
    // A savepoint may have been rolled back, and what was stored in it with it.
    if (this.#session.driver.scope !== null) this.#follower.epoch++;
    const pool = this.#follower.state(this.#now);
    return {
      pool,
      wanted,
      mappingOf: this.#mappingOf,
      turnOf: this.#turnOf,
      last: this.#handOuts.last(pool.index),
      rotate,
      now: this.#now,
      random: this.#random,
    };
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

/** Whether more than a count and a turn of this process is stored: what a caller relies on. */
function isCommitted({ until, key, sticks, by }: Decision): boolean {
  return until !== null || (key !== null && sticks && by !== 'mapping' && by !== 'rule');
}

/** Whether the session, domain or interval has another proxy than before. */
function isRotated(before: Decision, { mapping, turn, way }: Decision): boolean {
  if (mapping !== null) return mapping.proxyId !== before.mapping?.proxyId;
  if (!way.isTimed || turn === null) return false;
  return turn.proxyId !== before.turn?.proxyId || turn.since !== before.turn.since;
}
