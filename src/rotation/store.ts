import type { Session, Steps } from '../database/drivers/driver.ts';
import { HandOutsRepository } from '../database/repositories/hand-outs.repository.ts';
import { RotationEventsRepository } from '../database/repositories/rotation-events.repository.ts';
import { RotationTurnsRepository } from '../database/repositories/rotation-turns.repository.ts';
import { SessionProxiesRepository } from '../database/repositories/session-proxies.repository.ts';
import { StickySessionRepository } from '../database/repositories/sticky-session.repository.ts';
import { ProxyVaultError } from '../errors.ts';
import type { RotationReason } from '../model/rotation.ts';
import type { PoolIndex } from './pool-index.ts';
import type { Mapping, Sticky, StickyKey } from './sticky.ts';
import type { Turn } from './turns.ts';

/** What waits is stored after this time, in milliseconds. */
const DELAY = 200;
/** After each failure the time doubles, up to this. */
const LONGEST_DELAY = 3200;
/** So long what waits may hold up the program while another process writes; then it waits for the next time. Milliseconds. */
const SHORT_WAIT = 5;
/** So many proxies are stored at once, in a few milliseconds; the rest waits for the next time. */
const AT_ONCE = 1000;

/** So many hand-outs of one proxy are counted by its slot, which has no room for many more (22 bits). */
const MOST_BY_SLOT = 2 ** 21;

/** What the database does not have yet of a proxy or a mapping. Times are milliseconds since the epoch. */
interface Uses {
  count: number;
  lastUsed: number;
}

/** A key's new proxy. */
interface Placement {
  /** What the decision was made on. */
  from: Mapping | null;
  /** The id of the proxy. */
  to: string;
  /** Of a new mapping. */
  ttlMs: number;
  reason: RotationReason;
  /** Milliseconds since the epoch. */
  now: number;
}

/** What was before an interval. */
interface Before {
  /** The turn that the decision was made on. */
  from: Turn | null;
  reason: RotationReason;
  /** Reads the turn as it is stored now. */
  read: () => Turn | null;
}

/**
 * The only writer of the engine. What a caller relies on is committed before the call returns: mappings, and turns with an
 * interval. How often proxies and mappings were used, and where round-robin is, waits up to 200 ms and is stored together.
 */
export class Store {
  readonly #session: Session<'sync'>;
  /** Runs a write of the engine. */
  readonly #unnoticed: <T>(write: () => T) => T;
  readonly #sticky: Sticky;
  readonly #sessions: SessionProxiesRepository;
  readonly #domains: StickySessionRepository;
  readonly #turns: RotationTurnsRepository;
  readonly #events: RotationEventsRepository;
  readonly #handOuts: HandOutsRepository;
  /** Slots with hand-outs that are not stored, each once. */
  #dirty: number[] = [];
  #index: PoolIndex | null = null;
  /** Hand-outs by id that are not counted by slot: the index was made again, or they were too many. */
  readonly #left = new Map<string, Uses>();
  readonly #uses = { session: new Map<string, Uses>(), domain: new Map<string, Uses>() };
  readonly #positions = new Map<string, Turn>();
  #timer: NodeJS.Timeout | null = null;
  /** While something waits, the engine stores it before it is closed. */
  #takeBack: (() => void) | null = null;
  #hasStored = false;
  readonly #flushAfterTransaction = (): void => this.flush(AT_ONCE, SHORT_WAIT);

  constructor(session: Session<'sync'>, sticky: Sticky, unnoticed: <T>(write: () => T) => T) {
    this.#session = session;
    this.#sticky = sticky;
    this.#unnoticed = unnoticed;
    this.#sessions = new SessionProxiesRepository(session);
    this.#domains = new StickySessionRepository(session);
    this.#turns = new RotationTurnsRepository(session);
    this.#events = new RotationEventsRepository(session);
    this.#handOuts = new HandOutsRepository(session);
  }

  /** A proxy was handed out, of which `measures` knows already. */
  handedOut(index: PoolIndex, slot: number): void {
    if (index !== this.#index) this.#changeIndex(index);
    const unsaved = index.measures.unsaved(slot);
    if (unsaved === MOST_BY_SLOT) this.#setAside(slot);
    if (unsaved !== 1) return;
    this.#dirty.push(slot);
    this.#schedule();
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
   * Runs the first hand-out of this process and commits it at once, so that a pool that cannot be written says so, and that
   * processes that make one choice each take turns. It waits for the lock before anything is taken note of: who gets BUSY may ask again.
   */
  first<T>(handOut: () => T): T {
    const isAlone = this.#session.driver.scope === null;
    const result = this.#commit(() => this.#firstHandOut(handOut, isAlone));
    this.#hasStored = true;
    return result;
  }

  /** Whether this process has handed out none yet. */
  get isNew(): boolean {
    return !this.#hasStored;
  }

  /**
   * Gives a key its proxy, and commits it. Another process may have been first: then what that one chose holds, if `accepts` it.
   *
   * @returns the mapping that holds now.
   */
  keep(key: StickyKey, placement: Placement, accepts: (mapping: Mapping) => boolean): Mapping {
    return this.#commit(() => this.#keep(key, placement, accepts));
  }

  /** Begins an interval, and commits it. Another process may have begun one: then that one holds, if `accepts` it. */
  beginInterval(view: string, turn: Turn, before: Before, accepts: (turn: Turn) => boolean): Turn {
    return this.#commit(() => this.#beginInterval(view, turn, before, accepts));
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
    this.#commit(() => this.#flush(slots), waitMs);
    for (const slot of slots) (this.#index as PoolIndex).measures.saved(slot);
    this.#dirty.length = rest;
    this.#left.clear();
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

  #commit<T>(steps: () => Steps<'sync', T>, waitMs?: number): T {
    return this.#unnoticed(() => this.#session.driver.transaction(steps, { waitMs }));
  }

  *#firstHandOut<T>(handOut: () => T, isAlone: boolean): Steps<'sync', T> {
    yield this.#session.driver.lock('rotation turn');
    const result = handOut();
    if (isAlone) this.#storeWaiting();
    else this.flush();
    return result;
  }

  *#keep(
    key: StickyKey,
    { from, to, ttlMs, reason, now }: Placement,
    accepts: (mapping: Mapping) => boolean,
  ): Steps<'sync', Mapping> {
    yield this.#session.driver.lock('sticky session');
    const holding = this.#sticky.read(key);
    if (holding !== null && holding.proxyId !== from?.proxyId && accepts(holding)) return holding;
    const mapping = {
      name: holding?.name ?? key.name,
      proxyId: to,
      ttlMs: holding === null ? ttlMs : holding.ttlMs,
      lastUsed: now,
    };
    if (key.kind === 'session')
      yield holding === null
        ? this.#sessions.claim({ session: key.name, proxyId: to, ttl: ttlMs })
        : this.#sessions.move(key.name, holding.proxyId, to);
    else if (holding === null) yield this.#domains.create({ domain: key.name, proxyId: to, ttl: ttlMs });
    else yield this.#domains.update(holding.name, { proxyId: to, lastUsed: new Date(now) });
    if (holding !== null)
      yield this.#events.append({ previousProxyId: holding.proxyId, newProxyId: to, reason });
    return mapping;
  }

  *#beginInterval(
    view: string,
    turn: Turn,
    { from, reason, read }: Before,
    accepts: (turn: Turn) => boolean,
  ): Steps<'sync', Turn> {
    yield this.#session.driver.lock('rotation turn');
    const holding = read();
    if (holding !== null && holding.since !== from?.since && accepts(holding)) return holding;
    yield this.#turns.set({ view, ...stored(turn) });
    if (holding?.proxyId !== turn.proxyId)
      yield this.#events.append({
        previousProxyId: holding?.proxyId ?? null,
        newProxyId: turn.proxyId,
        reason,
      });
    return turn;
  }

  *#flush(slots: readonly number[]): Steps<'sync', void> {
    for (const slot of slots) {
      const { columns, measures } = this.#index as PoolIndex;
      const count = measures.unsaved(slot);
      if (count > 0) yield this.#handOuts.record(columns.id(slot), count, new Date(measures.lastUsed(slot)));
    }
    for (const [id, { count, lastUsed }] of this.#left)
      yield this.#handOuts.record(id, count, new Date(lastUsed));
    for (const [view, turn] of this.#positions) yield this.#turns.set({ view, ...stored(turn) });
    for (const [session, { count, lastUsed }] of this.#uses.session)
      yield this.#sessions.touch(session, count, new Date(lastUsed));
    for (const [domain, { count, lastUsed }] of this.#uses.domain)
      yield this.#domains.touch(domain, count, new Date(lastUsed));
  }

  /** Every slot has changed: what waits is kept by id. */
  #changeIndex(index: PoolIndex): void {
    for (const slot of new Set(this.#dirty)) this.#setAside(slot);
    this.#dirty = [];
    this.#index = index;
  }

  /** What waits of one slot is kept by id. */
  #setAside(slot: number): void {
    const { columns, measures } = this.#index as PoolIndex;
    const known = this.#left.get(columns.id(slot))?.count ?? 0;
    const count = known + measures.unsaved(slot);
    this.#left.set(columns.id(slot), { count, lastUsed: measures.lastUsed(slot) });
    measures.saved(slot);
  }

  /** The timer keeps the process alive, so that a program that ends by itself loses nothing. */
  #schedule(delay = DELAY): NodeJS.Timeout {
    this.#timer ??= setTimeout(() => this.#flushInBackground(delay), delay);
    this.#takeBack ??= this.#session.engine.beforeClose(() => this.close());
    return this.#timer;
  }

  #flushInBackground(delay: number): void {
    this.#endWait();
    let failure: string | null = null;
    try {
      this.flush(AT_ONCE, SHORT_WAIT);
    } catch (error) {
      failure = codeOf(error);
      // Anything else waits for the next time.
      if (failure === 'CLOSED') return;
    }
    if (!this.#isWaiting) return;
    const timer = this.#schedule(failure === null ? DELAY : Math.min(2 * delay, LONGEST_DELAY));
    // Another process soon lets the lock go. A full disk may last, and no program should wait for that at its end.
    if (failure !== null && failure !== 'BUSY') timer.unref();
  }

  #endWait(): void {
    this.#timer = null;
    this.#takeBack?.();
    this.#takeBack = null;
  }

  get #isWaiting(): boolean {
    const { session, domain } = this.#uses;
    return this.#dirty.length + this.#left.size + this.#positions.size + session.size + domain.size > 0;
  }
}

function codeOf(error: unknown): string {
  return error instanceof ProxyVaultError ? error.code : 'unknown';
}

function stored({ proxyId, since, until }: Turn): { proxyId: string; since: Date; until: Date | null } {
  return { proxyId, since: new Date(since), until: until === null ? null : new Date(until) };
}
