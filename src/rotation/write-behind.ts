import type { Session } from '../database/drivers/driver.ts';
import { type DurabilitySettings, POOL_DEFAULTS } from '../model/pool-options.ts';
import { BackgroundFlush, codeOf, SHORT_WAIT } from './background-flush.ts';
import { type Batch, BatchWriter } from './batch-writer.ts';
import type { Outcome } from './outcome.ts';
import { type HandOutEvent, PendingEvents } from './pending-events.ts';
import { PendingOutcomes } from './pending-outcomes.ts';
import { PendingUses } from './pending-uses.ts';
import type { PoolEvents } from './pool-events.ts';
import type { PoolIndex } from './pool-index.ts';
import type { PoolStats } from './pool-stats.ts';
import type { Mapping, StickyKey } from './sticky.ts';
import type { Turn } from './turns.ts';

/** Hand-outs of so many proxies are stored at once, in a few milliseconds; the rest waits for the next time. */
const AT_ONCE = 1000;
/** So many hand-outs of one proxy do not wait for the timer, which a long loop of choices keeps from its turn. */
const MANY = 2 ** 16;
/** So many events do not wait for the timer. */
const EVENTS_AT_ONCE = 10_000;

/** What the engine may lose in a crash, and stores together: how often proxies and mappings were used, outcomes, and turns. */
export class WriteBehind {
  readonly #session: Session<'sync'>;
  readonly #unnoticed: <T>(write: () => T) => T;
  readonly #onLost: (lost: PoolEvents['lost']) => void;
  readonly #batches: BatchWriter;
  #durability: DurabilitySettings = POOL_DEFAULTS.durability;
  /** Slots with hand-outs that are not stored, each once. */
  #dirty: number[] = [];
  #index: PoolIndex | null = null;
  readonly #outcomes = new PendingOutcomes();
  /** When the oldest outcome that waits was reported. */
  #oldest = 0;
  readonly #uses = new PendingUses();
  readonly #positions = new Map<string, Turn>();
  /** The one of them that was put there last: most calls move the same one again. */
  #lastMoved: Turn | null = null;
  readonly #events = new PendingEvents();
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
    this.#batches = new BatchWriter(session);
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
      lostEvents: this.#events.lost,
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
    this.#uses.add(kind, name, now);
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
    if (!this.#events.add(event)) return;
    const most = Math.min(this.#durability.lossOutcomes, EVENTS_AT_ONCE);
    if (this.#events.count % most === 0) this.#keepBound();
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
    const { driver } = this.#session;
    this.#unnoticed(() => driver.transaction(() => this.#batches.write(this.#batchOf(slots)), { waitMs }));
    const { measures } = this.#index ?? {};
    for (const slot of slots) measures?.saved(slot);
    this.#dirty = this.#dirty.slice(0, rest).filter((slot) => measures?.unsaved(slot) !== 0);
    this.#outcomes.clear();
    this.#positions.clear();
    this.#lastMoved = null;
    this.#uses.clear();
    this.#events.clear();
    this.#background.failure = null;
    this.#tellLost(0, 'The database could not be written for long');
  }

  /** Stores what waits. @throws what the database throws; then it is gone. */
  close(): void {
    this.#background.end();
    try {
      this.flush();
    } catch (error) {
      this.#events.lose();
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
    const events = this.#events.takeLost();
    if (outcomes + events === 0) return;
    const message = `${why}: ${outcomes} outcomes and ${events} events of hand-outs are lost.`;
    this.#onLost({ outcomes, events, message });
  }

  /** All that waits, with the hand-outs of some proxies. */
  #batchOf(slots: ReadonlySet<number>): Batch {
    const [index, outcomes, turns] = [this.#index, this.#outcomes, this.#positions];
    return { index, slots, outcomes, turns, uses: this.#uses, events: this.#events };
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
    const used = this.#dirty.length + this.#positions.size + this.#uses.count;
    return used + this.#events.count + this.#outcomes.count > 0 || this.#owed !== null;
  }
}

/** Does both, also if the first throws. */
function inTurn(first: () => void, second: () => void): void {
  try {
    first();
  } finally {
    second();
  }
}
