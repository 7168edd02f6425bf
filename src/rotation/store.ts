import { type Session, type Steps, step } from '../database/drivers/driver.ts';
import { HandOutsRepository } from '../database/repositories/hand-outs.repository.ts';
import { ProxyRepository } from '../database/repositories/proxy.repository.ts';
import { ProxyCooldownsRepository } from '../database/repositories/proxy-cooldowns.repository.ts';
import { RotationEventsRepository } from '../database/repositories/rotation-events.repository.ts';
import { RotationTurnsRepository } from '../database/repositories/rotation-turns.repository.ts';
import { SessionProxiesRepository } from '../database/repositories/session-proxies.repository.ts';
import { StickySessionRepository } from '../database/repositories/sticky-session.repository.ts';
import type { CooldownInput } from '../model/cooldown.ts';
import type { RotationReason } from '../model/rotation.ts';
import type { Mapping, StickyKey } from './sticky.ts';
import { storedTurn, type Turn } from './turns.ts';
import type { WriteBehind } from './write-behind.ts';

/** A key's new proxy. */
interface Placement {
  /** What it had. */
  from: Mapping | null;
  /** What it has from now on. */
  to: Mapping;
  reason: RotationReason;
}

/** What the health of a proxy has become. */
export type HealthWrite =
  | { cooldown: CooldownInput /** Whether the status of the proxy shows it. */; isShown: boolean }
  | { ended: Pick<CooldownInput, 'proxyId' | 'scope' | 'source'> };

/**
 * The writer of the engine: what a caller relies on is committed before the call returns. That is which session and domain has which
 * proxy, turns with an interval, cooldowns and changes of status. What may wait is in `WriteBehind`.
 */
export class Store {
  readonly #session: Session<'sync'>;
  /** Runs a write of the engine. */
  readonly #unnoticed: <T>(write: () => T) => T;
  readonly #behind: WriteBehind;
  readonly #sessions: SessionProxiesRepository;
  readonly #domains: StickySessionRepository;
  readonly #turns: RotationTurnsRepository;
  readonly #events: RotationEventsRepository;
  readonly #handOuts: HandOutsRepository;
  readonly #proxies: ProxyRepository;
  readonly #cooldowns: ProxyCooldownsRepository;
  #hasStored = false;

  constructor(session: Session<'sync'>, unnoticed: <T>(write: () => T) => T, behind: WriteBehind) {
    this.#session = session;
    this.#unnoticed = unnoticed;
    this.#behind = behind;
    this.#sessions = new SessionProxiesRepository(session);
    this.#domains = new StickySessionRepository(session);
    this.#turns = new RotationTurnsRepository(session);
    this.#events = new RotationEventsRepository(session);
    this.#handOuts = new HandOutsRepository(session);
    this.#proxies = new ProxyRepository(session);
    this.#cooldowns = new ProxyCooldownsRepository(session);
  }

  /**
   * Runs a hand-out that must be stored before the caller has its answer. It waits for the lock before anything is taken note of:
   * who gets BUSY may ask again. The first one of a process stores everything, so that a pool that cannot be written says so, and that
   * processes that make one choice each take turns.
   */
  commit<T>(handOut: () => T): T {
    const isAlone = this.#session.driver.scope === null;
    const result = this.#transaction(() => this.#handOut(handOut, isAlone));
    this.#hasStored = true;
    return result;
  }

  /** Whether this process has handed out none yet. */
  get isNew(): boolean {
    return !this.#hasStored;
  }

  /** How often a proxy was handed out, as the database has it now. */
  handOutsOf(id: string): number {
    return this.#handOuts.count(id);
  }

  /** Gives a key its proxy, in a `commit`. */
  keep({ kind }: StickyKey, placement: Placement): void {
    const steps = kind === 'session' ? this.#keepSession(placement) : this.#keepDomain(placement);
    this.#session.driver.sequence(() => steps);
  }

  /** Begins an interval, in a `commit`; `from` is the one before. */
  beginInterval(view: string, from: Turn | null, to: Turn, reason: RotationReason): void {
    this.#session.driver.sequence(() => this.#beginInterval(view, from, to, reason));
  }

  /** Stores what the health of proxies has become, in one transaction; says whether a status has changed. */
  health(writes: readonly HealthWrite[], waitMs?: number): boolean {
    return this.#transaction(() => this.healthSteps(writes), waitMs);
  }

  #transaction<T>(steps: () => Steps<'sync', T>, waitMs?: number): T {
    return this.#unnoticed(() => this.#session.driver.transaction(steps, { waitMs }));
  }

  *#handOut<T>(handOut: () => T, isAlone: boolean): Steps<'sync', T> {
    yield this.#session.driver.lock('hand-out');
    const result = handOut();
    if (!this.isNew) return result;
    if (isAlone) this.#behind.storeNow();
    else this.#behind.flush();
    return result;
  }

  *#keepSession({ from, to, reason }: Placement): Steps<'sync', void> {
    if (from === null) yield this.#sessions.claim({ session: to.name, proxyId: to.proxyId, ttl: to.ttlMs });
    else {
      yield this.#sessions.move(to.name, from.proxyId, to.proxyId);
      yield* this.#moved(from, to, reason);
    }
  }

  *#keepDomain({ from, to, reason }: Placement): Steps<'sync', void> {
    const { name: domain, proxyId, ttlMs: ttl, lastUsed } = to;
    if (from === null) yield this.#domains.create({ domain, proxyId, ttl });
    else {
      yield this.#domains.update(domain, { proxyId, lastUsed: new Date(lastUsed) });
      yield* this.#moved(from, to, reason);
    }
  }

  *#beginInterval(view: string, from: Turn | null, to: Turn, reason: RotationReason): Steps<'sync', void> {
    yield this.#turns.set({ view, ...storedTurn(to) });
    yield* this.#moved(from, to, reason);
  }

  /** The only proxy that fits moves to itself, which is no change. */
  *#moved(
    from: { proxyId: string } | null,
    { proxyId }: { proxyId: string },
    reason: RotationReason,
  ): Steps<'sync', void> {
    if (from?.proxyId === proxyId) return;
    yield this.#events.append({ previousProxyId: from?.proxyId ?? null, newProxyId: proxyId, reason });
  }

  /** As `health`, in a transaction. */
  *healthSteps(writes: readonly HealthWrite[]): Steps<'sync', boolean> {
    let isChanged = false;
    for (const write of writes) {
      if ('cooldown' in write) isChanged = (yield* this.#putOut(write.cooldown, write.isShown)) || isChanged;
      else isChanged = (yield* this.#letIn(write.ended)) || isChanged;
    }
    return isChanged;
  }

  /** Puts a proxy out. One that was deleted meanwhile is left as it is. */
  *#putOut(cooldown: CooldownInput, isShown: boolean): Steps<'sync', boolean> {
    const proxy = yield* step(this.#proxies.findById(cooldown.proxyId));
    if (proxy === null) return false;
    yield this.#cooldowns.set(cooldown);
    if (cooldown.scope !== '') return false;
    const reason = cooldown.source === 'person' ? 'manual' : 'failure';
    yield this.#events.append({ previousProxyId: cooldown.proxyId, newProxyId: null, reason });
    if (!isShown || proxy.status !== 'active') return false;
    yield this.#proxies.update(cooldown.proxyId, { status: 'failed' });
    return true;
  }

  /** Its failures in a row are forgotten. A proxy that has failed is active again, also if the configuration has changed since. */
  *#letIn({
    proxyId,
    scope,
    source,
  }: Pick<CooldownInput, 'proxyId' | 'scope' | 'source'>): Steps<'sync', boolean> {
    const removed = yield* step(this.#cooldowns.remove(proxyId, { scope, source }));
    if (removed === 0 || scope !== '' || source !== 'engine') return false;
    const proxy = yield* step(this.#proxies.findById(proxyId));
    if (proxy === null) return false;
    const isFailed = proxy.status === 'failed';
    if (isFailed || proxy.failureCount > 0)
      yield this.#proxies.update(proxyId, { failureCount: 0, status: isFailed ? 'active' : proxy.status });
    return isFailed;
  }
}
