import { type Session, type Steps, step } from '../database/drivers/driver.ts';
import { ProxyRepository } from '../database/repositories/proxy.repository.ts';
import { RotationConfigRepository } from '../database/repositories/rotation-config.repository.ts';
import { RotationEventsRepository } from '../database/repositories/rotation-events.repository.ts';
import { RotationTurnsRepository } from '../database/repositories/rotation-turns.repository.ts';
import { ProxyVaultError } from '../errors.ts';
import type { RotationReason } from '../model/rotation.ts';
import { settingsOf } from '../model/strategy-settings.ts';
import { assertFunction, assertOptions } from '../model/validation.ts';
import { type Decision, decide, type Inputs } from './decide.ts';
import { type Explanation, explain } from './explain.ts';
import { Follower } from './follow.ts';
import { noProxyError } from './no-proxy.ts';
import type { ChosenProxy, PoolIndex } from './pool-index.ts';
import { type PoolRequest, type Wanted, wantedBy } from './request.ts';
import type { RuleTrace } from './rules/trace.ts';
import { type Mapping, Sticky, type StickyKey } from './sticky.ts';
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
  readonly #proxies: ProxyRepository;
  readonly #config: RotationConfigRepository;
  readonly #events: RotationEventsRepository;
  readonly #storedTurns: RotationTurnsRepository;
  #last = -1;
  #lastId = '';
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
    this.#random = random;
    this.#sticky = new Sticky(session);
    this.#turns = new Turns(session);
    this.#follower = new Follower(session, (index) => this.#reloaded(index));
    this.#store = new Store(session, this.#sticky, (write) => this.#follower.unnoticed(write));
    this.#proxies = new ProxyRepository(session);
    this.#config = new RotationConfigRepository(session);
    this.#events = new RotationEventsRepository(session);
    this.#storedTurns = new RotationTurnsRepository(session);
  }

  /**
   * The proxy to use now: what a rule says, else what the session or domain keeps, else what the strategy chooses among the active
   * proxies that fit. It counts as handed out. A new session or domain keeps it: that is committed before this returns.
   *
   * In a transaction it does not see what that has changed.
   *
   * @param check called with the proxy before it is handed out. If it throws, so does this, and nothing was handed out.
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
    const hasChanged = this.#follower.unnoticed(() =>
      driver.transaction(() => this.#report(id, success, latencyMs)),
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
    if (slot !== -1) index?.measures.reported(slot, success, latencyMs, this.#session.clock());
  }

  #choose(
    request: PoolRequest | undefined,
    rotate: boolean,
    check?: (proxy: ChosenProxy) => void,
  ): ChosenProxy {
    const wanted = wantedBy(request);
    if (check !== undefined) assertFunction(check, 'check');
    try {
      return this.#chooseOnce(wanted, rotate, check);
    } catch (error) {
      // Another process has deleted the proxy since the pool was read. In a transaction it is not read again.
      if (!isGone(error) || this.#session.driver.scope !== null) throw error;
      this.#follower.expectChange();
      return this.#chooseOnce(wanted, rotate, check);
    }
  }

  #chooseOnce(wanted: Wanted, rotate: boolean, check?: (proxy: ChosenProxy) => void): ChosenProxy {
    const inputs = this.#inputs(wanted, rotate);
    const decision = decide(inputs);
    if (decision.refusal !== null) throw noProxyError(decision, inputs);
    check?.(inputs.pool.index.chosen(decision.slot));
    const handOut = (): number => this.#handOut(decision, inputs);
    return inputs.pool.index.chosen(this.#store.isNew ? this.#store.first(handOut) : handOut());
  }

  #inputs(wanted: Wanted, rotate: boolean): Inputs {
    this.#now = this.#session.clock();
    const pool = this.#follower.state(this.#now);
    return {
      pool,
      wanted,
      mappingOf: this.#mappingOf,
      turnOf: this.#turnOf,
      // Another proxy may have its slot by now.
      last: pool.index.columns.id(this.#last) === this.#lastId ? this.#last : -1,
      rotate,
      now: this.#now,
      random: this.#random,
    };
  }

  /** Takes note of what was decided, and stores it. Another process may have decided for the same key or interval: gives what holds. */
  #handOut(decision: Decision, inputs: Inputs): number {
    const { now, pool } = inputs;
    const { index } = pool;
    const { key, mapping, by } = decision;
    this.#watchTransaction(decision);
    let { slot } = decision;
    if (by === 'strategy') slot = this.#takeTurn(decision, inputs);
    if (key !== null && mapping !== null && by === 'mapping') {
      mapping.lastUsed = now;
      this.#store.used(key, mapping, now);
    } else if (key !== null && decision.sticks && by !== 'rule')
      slot = this.#keep(key, slot, decision, inputs);
    index.measures.handedOut(slot, now);
    this.#store.handedOut(index, slot);
    this.#last = slot;
    this.#lastId = index.columns.id(slot);
    return slot;
  }

  #takeTurn({ view, turn, slot, until, candidates, way }: Decision, inputs: Inputs): number {
    const { now, pool } = inputs;
    const { index } = pool;
    const { epoch } = this.#follower;
    const proxyId = index.columns.id(slot);
    if (until === null) {
      // What a session or domain moves to ends no interval.
      if (way.isTimed) return slot;
      this.#store.moved(view, this.#turns.advance(view, { proxyId, slot, since: now, until }, epoch));
      return slot;
    }
    const isCandidate = (id: string): boolean => candidates.has(index.slotOf(id));
    const isOut = turn !== null && !isCandidate(turn.proxyId);
    const reason = reasonOf({ isFirst: turn === null, isOut, isManual: inputs.rotate });
    const begun = this.#store.beginInterval(
      view,
      { proxyId, slot, since: now, until },
      { from: turn, reason, read: () => this.#turns.read(view, index) },
      (other) => other.until !== null && other.until > now && isCandidate(other.proxyId),
    );
    this.#turns.advance(view, begun, epoch);
    return begun.slot;
  }

  /** Gives a key its proxy, and the slot that it has then. */
  #keep(key: StickyKey, slot: number, { mapping, candidates }: Decision, inputs: Inputs): number {
    const { now, pool } = inputs;
    const { index, settings } = pool;
    const isOut = mapping !== null && !candidates.has(index.slotOf(mapping.proxyId));
    const placement = {
      from: mapping,
      to: index.columns.id(slot),
      ttlMs: settings.stickyTtlMs,
      reason: reasonOf({ isFirst: mapping === null, isOut, isManual: inputs.rotate }),
      now,
    };
    const kept = this.#store.keep(key, placement, ({ proxyId }) => candidates.has(index.slotOf(proxyId)));
    this.#sticky.set(key, kept, this.#follower.epoch);
    // A wildcard is the mapping of other domains too, which are remembered one by one.
    if (mapping !== null) this.#follower.expectChange();
    return index.slotOf(kept.proxyId);
  }

  /** What is remembered of a caller's transaction that is rolled back must be forgotten. */
  #watchTransaction({ key }: Decision): void {
    const { scope } = this.#session.driver;
    if (scope === null) return;
    this.#session.driver.afterTransaction(() => {
      if (!scope.isUndone) return;
      this.#turns.forget();
      if (key !== null) this.#sticky.forget(key);
    });
  }

  /** Every proxy may have another slot. */
  #reloaded(index: PoolIndex): void {
    this.#turns.moveTo(index);
    this.#last = index.slotOf(this.#lastId);
  }

  /** Says whether something was changed that choosing looks at. */
  *#report(id: string, success: boolean, latencyMs: number | undefined): Steps<'sync', boolean> {
    yield this.#proxies.updateStats(id, success, latencyMs);
    const proxy = yield* step(this.#proxies.findById(id));
    const { failureThreshold, rotateOnFailure } = settingsOf(yield* step(this.#config.get()));
    if (success) {
      if (proxy?.status === 'failed') yield this.#proxies.update(id, { status: 'active' });
      return proxy?.status === 'failed';
    }
    const hasEnded = rotateOnFailure && (yield* step(this.#storedTurns.endIntervals(id)));
    const isFailing = failureThreshold !== null && (proxy?.failureCount ?? 0) >= failureThreshold;
    if (proxy?.status !== 'active' || !isFailing) return hasEnded;
    yield this.#proxies.update(id, { status: 'failed' });
    yield this.#events.append({ previousProxyId: id, newProxyId: null, reason: 'failure' });
    return true;
  }
}

function reasonOf({
  isFirst,
  isOut,
  isManual,
}: {
  isFirst: boolean;
  isOut: boolean;
  isManual: boolean;
}): RotationReason {
  if (isFirst) return 'startup';
  if (isManual) return 'manual';
  return isOut ? 'failure' : 'scheduled';
}

/** What the database says to a mapping to a proxy that it does not have. */
function isGone(error: unknown): boolean {
  return error instanceof ProxyVaultError && (error.code === 'CONSTRAINT' || error.code === 'NOT_FOUND');
}
