import type { Session, Steps } from '../database/drivers/driver.ts';
import { HandOutsRepository } from '../database/repositories/hand-outs.repository.ts';
import { RotationEventsRepository } from '../database/repositories/rotation-events.repository.ts';
import { RotationTurnsRepository } from '../database/repositories/rotation-turns.repository.ts';
import { SessionProxiesRepository } from '../database/repositories/session-proxies.repository.ts';
import { StickySessionRepository } from '../database/repositories/sticky-session.repository.ts';
import { ProxyVaultError } from '../errors.ts';
import type { RotationReason } from '../model/rotation.ts';
import type { PoolIndex } from './pool-index.ts';
import type { Mapping, StickyKey } from './sticky.ts';
import type { Turn } from './turns.ts';

/** What waits is stored after this time, in milliseconds. */
const DELAY = 200;
/** What a full batch has left is stored after this time, in which the event loop has its turn. Milliseconds. */
const REST_DELAY = 20;
/** After each failure the time doubles, up to this. */
const LONGEST_DELAY = 3200;
/** So long what waits may hold up the program while another process writes; then it waits for the next time. Milliseconds. */
const SHORT_WAIT = 5;
/** So many proxies are stored at once, in a few milliseconds; the rest waits for the next time. */
const AT_ONCE = 1000;
/** So many hand-outs of one proxy do not wait for the timer, which a long loop of choices keeps from its turn. */
const MANY = 2 ** 16;

/** What the database does not have yet of a proxy or a mapping. Times are milliseconds since the epoch. */
interface Uses {
  count: number;
  lastUsed: number;
}

/** A key's new proxy. */
interface Placement {
  /** What it had. */
  from: Mapping | null;
  /** What it has from now on. */
  to: Mapping;
  reason: RotationReason;
}

/**
 * The only writer of the engine. What a caller relies on is committed before the call returns: mappings, and turns with an
 * interval. How often proxies and mappings were used, and where round-robin is, waits up to 200 ms and is stored together.
 */
export class Store {
  readonly #session: Session<'sync'>;
  /** Runs a write of the engine. */
  readonly #unnoticed: <T>(write: () => T) => T;
  readonly #sessions: SessionProxiesRepository;
  readonly #domains: StickySessionRepository;
  readonly #turns: RotationTurnsRepository;
  readonly #events: RotationEventsRepository;
  readonly #handOuts: HandOutsRepository;
  /** Slots with hand-outs that are not stored, each once. */
  #dirty: number[] = [];
  #index: PoolIndex | null = null;
  readonly #uses = { session: new Map<string, Uses>(), domain: new Map<string, Uses>() };
  readonly #positions = new Map<string, Turn>();
  #timer: NodeJS.Timeout | null = null;
  /** While something waits, the engine stores it before it is closed. */
  #takeBack: (() => void) | null = null;
  #hasStored = false;
  readonly #flushAfterTransaction = (): void => this.flush(AT_ONCE, SHORT_WAIT);

  constructor(session: Session<'sync'>, unnoticed: <T>(write: () => T) => T) {
    this.#session = session;
    this.#unnoticed = unnoticed;
    this.#sessions = new SessionProxiesRepository(session);
    this.#domains = new StickySessionRepository(session);
    this.#turns = new RotationTurnsRepository(session);
    this.#events = new RotationEventsRepository(session);
    this.#handOuts = new HandOutsRepository(session);
  }

  /** A proxy was handed out, of which `measures` knows already. */
  handedOut(index: PoolIndex, slot: number): void {
    this.#index = index;
    const unsaved = index.measures.unsaved(slot);
    if (unsaved % MANY === 0 && this.#session.driver.scope === null) this.#tryToFlush();
    if (unsaved !== 1) return;
    this.#dirty.push(slot);
    this.#schedule();
  }

  /** Every proxy may have another slot: what waits is counted there, as the database does not have it. */
  moveTo(index: PoolIndex): void {
    const before = this.#index;
    const slots = before === null ? [] : [...new Set(this.#dirty)];
    this.#dirty = [];
    for (const slot of slots) {
      const { columns, measures } = before as PoolIndex;
      const to = index.slotOf(columns.id(slot));
      if (to === -1 || measures.unsaved(slot) === 0) continue;
      index.measures.carry(to, measures.unsaved(slot), measures.lastUsed(slot));
      this.#dirty.push(to);
    }
    this.#index = index;
  }

  /** A mapping was used. */
  used({ kind }: StickyKey, { name }: Mapping, now: number): void {
    const uses = this.#uses[kind].get(name);
    if (uses === undefined) this.#uses[kind].set(name, { count: 1, lastUsed: now });
    else {
      uses.count++;
      uses.lastUsed = now;
    }
    this.#schedule();
  }

  /** Round-robin has moved on. */
  moved(view: string, turn: Turn): void {
    this.#positions.set(view, turn);
    this.#schedule();
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

  /** Whether the database does not have all hand-outs of a proxy yet. */
  isUnsaved(id: string): boolean {
    const slot = this.#index?.slotOf(id) ?? -1;
    return slot !== -1 && this.#index?.measures.unsaved(slot) !== 0;
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

  /**
   * Stores what waits, of at most so many proxies. In a caller's transaction it does so after the end of that: a rollback would undo it.
   *
   * @param waitMs how long to wait for the lock of another process; the busy timeout unless given.
   * @throws what the database throws; then it still waits.
   */
  flush(most = Number.MAX_SAFE_INTEGER, waitMs?: number): void {
    const { driver } = this.#session;
    if (!this.#isWaiting) return;
    if (driver.scope === null) this.#storeWaiting(most, waitMs);
    else driver.afterTransaction(this.#flushAfterTransaction);
  }

  #storeWaiting(most = Number.MAX_SAFE_INTEGER, waitMs?: number): void {
    const rest = Math.max(0, this.#dirty.length - most);
    // A slot that was given to another proxy may be there twice.
    const slots = [...new Set(this.#dirty.slice(rest))];
    this.#transaction(() => this.#flush(slots), waitMs);
    for (const slot of slots) (this.#index as PoolIndex).measures.saved(slot);
    this.#dirty.length = rest;
    this.#positions.clear();
    this.#uses.session.clear();
    this.#uses.domain.clear();
  }

  /** Stores what waits. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#endWait();
    this.flush();
  }

  #transaction<T>(steps: () => Steps<'sync', T>, waitMs?: number): T {
    return this.#unnoticed(() => this.#session.driver.transaction(steps, { waitMs }));
  }

  *#handOut<T>(handOut: () => T, isAlone: boolean): Steps<'sync', T> {
    yield this.#session.driver.lock('hand-out');
    const result = handOut();
    if (!this.isNew) return result;
    if (isAlone) this.#storeWaiting();
    else this.flush();
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
    yield this.#turns.set({ view, ...stored(to) });
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

  *#flush(slots: readonly number[]): Steps<'sync', void> {
    for (const slot of slots) {
      const { columns, measures } = this.#index as PoolIndex;
      const count = measures.unsaved(slot);
      if (count > 0) yield this.#handOuts.record(columns.id(slot), count, new Date(measures.lastUsed(slot)));
    }
    for (const [view, turn] of this.#positions) yield this.#turns.set({ view, ...stored(turn) });
    for (const [session, { count, lastUsed }] of this.#uses.session)
      yield this.#sessions.touch(session, count, new Date(lastUsed));
    for (const [domain, { count, lastUsed }] of this.#uses.domain)
      yield this.#domains.touch(domain, count, new Date(lastUsed));
  }

  /** The timer keeps the process alive, so that a program that ends by itself loses nothing. */
  #schedule(delay = DELAY): NodeJS.Timeout {
    this.#timer ??= setTimeout(() => this.#flushInBackground(delay), delay);
    this.#takeBack ??= this.#session.engine.beforeClose(() => this.close());
    return this.#timer;
  }

  #flushInBackground(delay: number): void {
    this.#endWait();
    const failure = this.#tryToFlush();
    if (failure === 'CLOSED' || !this.#isWaiting) return;
    const later = Math.min(Math.max(DELAY, 2 * delay), LONGEST_DELAY);
    const timer = this.#schedule(failure === null ? REST_DELAY : later);
    // Another process soon lets the lock go. A full disk may last, and no program should wait for that at its end.
    if (failure !== null && failure !== 'BUSY') timer.unref();
  }

  /** Stores what waits, or leaves it for the next time; then gives the code of the error. */
  #tryToFlush(): string | null {
    try {
      this.flush(AT_ONCE, SHORT_WAIT);
      return null;
    } catch (error) {
      return codeOf(error);
    }
  }

  #endWait(): void {
    this.#timer = null;
    this.#takeBack?.();
    this.#takeBack = null;
  }

  get #isWaiting(): boolean {
    const { session, domain } = this.#uses;
    return this.#dirty.length + this.#positions.size + session.size + domain.size > 0;
  }
}

function codeOf(error: unknown): string {
  return error instanceof ProxyVaultError ? error.code : 'unknown';
}

function stored({ proxyId, since, until }: Turn): { proxyId: string; since: Date; until: Date | null } {
  return { proxyId, since: new Date(since), until: until === null ? null : new Date(until) };
}
