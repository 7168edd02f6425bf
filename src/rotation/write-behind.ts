import type { Session, Steps } from '../database/drivers/driver.ts';
import { OutcomesRepository, type ProxyOutcomes } from '../database/repositories/outcomes.repository.ts';
import { RotationEventsRepository } from '../database/repositories/rotation-events.repository.ts';
import { RotationTurnsRepository } from '../database/repositories/rotation-turns.repository.ts';
import { SessionProxiesRepository } from '../database/repositories/session-proxies.repository.ts';
import { StickySessionRepository } from '../database/repositories/sticky-session.repository.ts';
import { type DurabilitySettings, POOL_DEFAULTS } from '../model/pool-options.ts';
import type { RotationReason } from '../model/rotation.ts';
import { BackgroundFlush, codeOf, SHORT_WAIT } from './background-flush.ts';
import type { Outcome } from './outcome.ts';
import { PendingOutcomes } from './pending-outcomes.ts';
import type { PoolEvents } from './pool-events.ts';
import type { PoolIndex } from './pool-index.ts';
import type { PoolStats } from './pool-stats.ts';
import type { Mapping, StickyKey } from './sticky.ts';
import { storedTurn, type Turn } from './turns.ts';

/** Hand-outs of so many proxies are stored at once, in a few milliseconds; the rest waits for the next time. */
const AT_ONCE = 1000;
/** So many hand-outs of one proxy do not wait for the timer, which a long loop of choices keeps from its turn. */
const MANY = 2 ** 16;
/** So many events wait at most, about 20 MB; if they cannot be stored, later ones are lost. */
const MOST_EVENTS = 100_000;

/** So many events do not wait for the timer. */
const EVENTS_AT_ONCE = 10_000;

/** What the database does not have yet of a mapping. Times are milliseconds since the epoch. */
interface Uses {
  count: number;
  lastUsed: number;
}

/** A hand-out as an event of the history. */
interface HandOutEvent {
  from: string | null;
  to: string;
  reason: RotationReason;
}

/** What the engine may lose in a crash, and stores together: how often proxies and mappings were used, outcomes, and turns. */
export class WriteBehind {
  readonly #session: Session<'sync'>;
  readonly #unnoticed: <T>(write: () => T) => T;
  readonly #onLost: (lost: PoolEvents['lost']) => void;
  readonly #sessions: SessionProxiesRepository;
  readonly #domains: StickySessionRepository;
  readonly #turns: RotationTurnsRepository;
  readonly #events: RotationEventsRepository;
  readonly #stored: OutcomesRepository;
  #durability: DurabilitySettings = POOL_DEFAULTS.durability;
  /** Slots with hand-outs that are not stored, each once. */
  #dirty: number[] = [];
  #index: PoolIndex | null = null;
  readonly #outcomes = new PendingOutcomes();
  /** When the oldest outcome that waits was reported. */
  #oldest = 0;
  readonly #uses = { session: new Map<string, Uses>(), domain: new Map<string, Uses>() };
  readonly #positions = new Map<string, Turn>();
  /** The one of them that was put there last: most calls move the same one again. */
  #lastMoved: Turn | null = null;
  #handOutEvents: HandOutEvent[] = [];
  #lostEvents = 0;
  /** So many of them listeners were told of. */
  #toldLost = 0;
  /** What could not be committed, and is tried again. */
  #owed: ((waitMs: number | undefined) => void) | null = null;
  readonly #background: BackgroundFlush;
  readonly #flushAfterTransaction = (): void => this.flush(AT_ONCE, SHORT_WAIT);

  /**
   * @param unnoticed runs a write of the engine.
   * @param onStored called when all is stored in the background.
   * @param onLost called when something is gone that could not be stored.
   */
  constructor(
    session: Session<'sync'>,
    unnoticed: <T>(write: () => T) => T,
    onStored: (now: number) => void = () => {},
    onLost: (lost: PoolEvents['lost']) => void = () => {},
  ) {
    this.#session = session;
    this.#onLost = onLost;
    this.#unnoticed = unnoticed;
    this.#sessions = new SessionProxiesRepository(session);
    this.#domains = new StickySessionRepository(session);
    this.#turns = new RotationTurnsRepository(session);
    this.#events = new RotationEventsRepository(session);
    this.#stored = new OutcomesRepository(session);
    this.#background = new BackgroundFlush({
      flush: (waitMs) => this.flush(AT_ONCE, waitMs),
      isWaiting: () => this.#isWaiting,
      delay: () => this.#durability.lossMs,
      beforeClose: (close) => session.engine.beforeClose(close),
      close: () => this.close(),
      onStored: () => onStored(session.clock()),
    });
  }

  configure(durability: DurabilitySettings): void {
    this.#durability = durability;
  }

  /** How far the database is behind; `now` is milliseconds since the epoch. */
  backlog(now: number): Omit<PoolStats['store'], 'lossMs' | 'lossOutcomes'> {
    const { count } = this.#outcomes;
    return {
      outcomes: count,
      ageMs: count === 0 ? 0 : Math.max(0, now - this.#oldest),
      error: this.#background.failure,
      lostEvents: this.#lostEvents,
    };
  }

  /** A proxy was handed out, of which `measures` knows already. */
  handedOut(index: PoolIndex, slot: number): void {
    this.#index = index;
    const unsaved = index.measures.unsaved(slot);
    if (unsaved % MANY === 0 && this.#session.driver.scope === null) this.#background.attempt();
    if (unsaved !== 1) return;
    this.#dirty.push(slot);
    this.#background.schedule();
  }

  /**
   * A request has an outcome. When it returns, no more outcomes wait than the configuration allows, unless the database cannot be
   * written.
   *
   * @param isCharged whether a failure counts as one of the proxy's in a row.
   * @param now milliseconds since the epoch.
   */
  reported(index: PoolIndex, slot: number, outcome: Outcome, isCharged: boolean, now: number): void {
    this.#index = index;
    if (this.#outcomes.count === 0) this.#oldest = now;
    this.#outcomes.add(slot, outcome, isCharged, now);
    const { outcomes, lossMs, lossOutcomes } = this.#durability;
    if (outcomes === 'every') this.#storeAtOnce();
    else if (this.#outcomes.count >= lossOutcomes || now - this.#oldest >= lossMs) this.#keepBound();
    if (this.#isWaiting) this.#background.schedule();
  }

  /** A proxy was read again: what waits comes on top of what the database has. */
  corrected(slot: number): void {
    const { measures } = this.#index ?? {};
    if (measures === undefined || !this.#outcomes.has(slot)) return;
    measures.correctFailures(slot, this.#outcomes.failuresInRow(slot, measures.failures(slot)));
  }

  /** The failures in a row of a proxy are forgotten, also those that wait. */
  forgive(slot: number): void {
    this.#outcomes.forgive(slot);
  }

  /** Every proxy may have another slot: what waits is counted there, as the database does not have it. */
  moveTo(index: PoolIndex): void {
    const before = this.#index;
    this.#index = index;
    if (before === null) return;
    const slots = [...new Set(this.#dirty)];
    this.#dirty = [];
    const { columns, measures } = before;
    for (const slot of slots) {
      const to = index.slotOf(columns.id(slot));
      if (to === -1 || measures.unsaved(slot) === 0) continue;
      index.measures.carry(to, measures.unsaved(slot), measures.lastUsed(slot));
      this.#dirty.push(to);
    }
    this.#outcomes.moveTo((slot) => index.slotOf(columns.id(slot)));
    for (const slot of new Set(this.#outcomes.slots())) this.corrected(slot);
  }

  /** The proxy of a slot is gone, and what happened to it. */
  gone(slot: number): void {
    this.#outcomes.gone(slot);
  }

  /** A mapping was used. */
  used({ kind }: StickyKey, { name }: Mapping, now: number): void {
    const uses = this.#uses[kind].get(name);
    if (uses === undefined) this.#uses[kind].set(name, { count: 1, lastUsed: now });
    else {
      uses.count++;
      uses.lastUsed = now;
    }
    this.#background.schedule();
  }

  /** Round-robin has moved on. */
  moved(view: string, turn: Turn): void {
    if (turn === this.#lastMoved) return;
    this.#lastMoved = turn;
    this.#positions.set(view, turn);
    this.#background.schedule();
  }

  /** A hand-out is an event, if the configuration says so. */
  happened(event: HandOutEvent): void {
    if (this.#handOutEvents.length >= MOST_EVENTS) {
      this.#lostEvents++;
      return;
    }
    this.#handOutEvents.push(event);
    const most = Math.min(this.#durability.lossOutcomes, EVENTS_AT_ONCE);
    if (this.#handOutEvents.length % most === 0) this.#keepBound();
    if (this.#isWaiting) this.#background.schedule();
  }

  /** Something could not be committed. It is tried again with what waits, until it can be. */
  owe(store: (waitMs: number | undefined) => void): void {
    this.#owed = store;
    this.#background.schedule();
  }

  /** Whether the database does not have all hand-outs of a proxy yet. */
  hasHandOuts(id: string): boolean {
    const slot = this.#index?.slotOf(id) ?? -1;
    return slot !== -1 && this.#index?.measures.unsaved(slot) !== 0;
  }

  /** Whether the database does not have all outcomes of a proxy yet. */
  hasOutcomes(id: string): boolean {
    const slot = this.#index?.slotOf(id) ?? -1;
    return slot !== -1 && this.#outcomes.has(slot);
  }

  /**
   * Stores what waits, with the hand-outs of at most so many proxies and of those that have outcomes. In a caller's transaction it does so after the end of that: a
   * rollback would undo it.
   *
   * @param waitMs how long to wait for the lock of another process; the busy timeout unless given.
   * @throws what the database throws; then it still waits.
   */
  flush(most = Number.MAX_SAFE_INTEGER, waitMs?: number): void {
    const { driver } = this.#session;
    if (!this.#isWaiting) return;
    if (driver.scope === null)
      inTurn(
        () => this.#pay(waitMs),
        () => this.storeNow(most, waitMs),
      );
    else driver.afterTransaction(this.#flushAfterTransaction);
  }

  /** As `flush`, also in a transaction, which must be one of the engine. */
  storeNow(most = Number.MAX_SAFE_INTEGER, waitMs?: number): void {
    const rest = Math.max(0, this.#dirty.length - most);
    // A slot that was given to another proxy may be there twice. An outcome must not be counted in the place of a hand-out that waits.
    const slots = new Set([...this.#dirty.slice(rest), ...this.#outcomes.slots()]);
    this.#unnoticed(() => this.#session.driver.transaction(() => this.#flush(slots), { waitMs }));
    const { measures } = this.#index ?? {};
    for (const slot of slots) measures?.saved(slot);
    this.#dirty = this.#dirty.slice(0, rest).filter((slot) => measures?.unsaved(slot) !== 0);
    this.#outcomes.clear();
    this.#positions.clear();
    this.#lastMoved = null;
    this.#uses.session.clear();
    this.#uses.domain.clear();
    this.#handOutEvents = [];
    this.#background.failure = null;
    this.#tellLost(0, 'The database could not be written for long');
  }

  /** Stores what waits. @throws what the database throws; then it is gone. */
  close(): void {
    this.#background.end();
    try {
      this.flush();
    } catch (error) {
      this.#lostEvents += this.#handOutEvents.length;
      this.#tellLost(
        this.#outcomes.count,
        `The pool was closed, and the database cannot be written: ${codeOf(error)}`,
      );
      throw error;
    }
  }

  /** Tries again what could not be committed. */
  #pay(waitMs: number | undefined): void {
    this.#owed?.(waitMs);
    this.#owed = null;
  }

  #tellLost(outcomes: number, why: string): void {
    const events = this.#lostEvents - this.#toldLost;
    if (outcomes + events === 0) return;
    this.#toldLost = this.#lostEvents;
    const message = `${why}: ${outcomes} outcomes and ${events} events of hand-outs are lost.`;
    this.#onLost({ outcomes, events, message });
  }

  *#flush(slots: ReadonlySet<number>): Steps<'sync', void> {
    const outcomes = this.#outcomesOf(slots);
    if (outcomes.length > 0) yield this.#stored.recordMany(outcomes);
    for (const [view, turn] of this.#positions) yield this.#turns.set({ view, ...storedTurn(turn) });
    for (const [session, { count, lastUsed }] of this.#uses.session)
      yield this.#sessions.touch(session, count, new Date(lastUsed));
    for (const [domain, { count, lastUsed }] of this.#uses.domain)
      yield this.#domains.touch(domain, count, new Date(lastUsed));
    for (const { from, to, reason } of this.#handOutEvents)
      yield this.#events.append({ previousProxyId: from, newProxyId: to, reason });
  }

  /** The hand-outs of some proxies, and all outcomes. */
  #outcomesOf(slots: ReadonlySet<number>): ProxyOutcomes[] {
    if (this.#index === null) return [];
    const { columns, measures } = this.#index;
    const outcomes: ProxyOutcomes[] = [];
    for (const slot of slots) {
      const handOuts = measures.unsaved(slot);
      if (handOuts === 0) continue;
      const lastUsed = new Date(measures.lastUsed(slot));
      const { id: proxyId, day } = { id: columns.id(slot), day: lastUsed.toISOString().slice(0, 10) };
      outcomes.push({ ...NO_OUTCOMES, proxyId, day, handOuts, lastUsed });
    }
    for (const { slot, day, successes, failures, failuresInRow, latency } of this.#outcomes)
      outcomes.push({
        proxyId: columns.id(slot),
        day,
        handOuts: 0,
        lastUsed: null,
        successes,
        failures,
        failuresInRow,
        hasSuccess: successes > 0,
        latency: latency.count === 0 ? null : latency,
      });
    return outcomes;
  }

  /** @throws what the database throws; then it is stored later. */
  #storeAtOnce(): void {
    try {
      this.flush(0);
    } catch (error) {
      this.#background.failure = codeOf(error);
      this.#background.schedule();
      throw error;
    }
  }

  /** The bound holds at once, whatever the event loop does. After a failure it waits for the timer, so as not to hold up each call. */
  #keepBound(): void {
    if (this.#background.failure !== null) return;
    if (this.#session.driver.scope === null) this.#background.attempt((waitMs) => this.flush(0, waitMs));
    else this.flush();
  }

  get #isWaiting(): boolean {
    const { session, domain } = this.#uses;
    const events = this.#handOutEvents.length;
    const uses = session.size + domain.size;
    const counted = this.#dirty.length + this.#positions.size + uses + events + this.#outcomes.count;
    return counted > 0 || this.#owed !== null;
  }
}

const NO_OUTCOMES = {
  handOuts: 0,
  lastUsed: null,
  successes: 0,
  failures: 0,
  failuresInRow: 0,
  hasSuccess: false,
  latency: null,
} as const;

/** Does both, also if the first throws. */
function inTurn(first: () => void, second: () => void): void {
  try {
    first();
  } finally {
    second();
  }
}
