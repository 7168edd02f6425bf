import { type Session, type Steps, step } from '../database/drivers/driver.ts';
import { PoolChangesRepository } from '../database/repositories/pool-changes.repository.ts';
import { RotationConfigRepository } from '../database/repositories/rotation-config.repository.ts';
import { RotationRulesRepository } from '../database/repositories/rotation-rules.repository.ts';
import type { ProxyVaultError } from '../errors.ts';
import { type StrategySettings, settingsOf } from '../model/strategy-settings.ts';
import type { PoolState } from './decide.ts';
import type { IndexedProxy, PoolIndex } from './pool-index.ts';
import { PoolReader, type SlotWatcher } from './pool-reader.ts';
import { compileRules } from './rules/compile.ts';
import { compileSchedule } from './schedule.ts';
import { plainWayOf } from './way.ts';

/** Whether others have written is asked at most so often, in milliseconds. */
const ASKED_EVERY = 250;
/** No count of changes is this one, so that what has changed is read. */
const EXPECTED = -1;

/** Who must know what changes in the index. */
export interface IndexWatcher extends SlotWatcher {
  /** Every proxy has another slot. `ailing` are those that have cooldowns, also those that have ended. */
  reloaded(index: PoolIndex, settings: StrategySettings, ailing: ReadonlyMap<number, IndexedProxy>): void;
  configured(settings: StrategySettings): void;
}

/** Where in the history of changes the memory is. */
interface Seen {
  proxies: number;
  rules: number;
  config: number;
}

/**
 * Keeps the pool in memory equal to the database. What this process writes is seen at the next choice; what others write within
 * a quarter of a second, at a cost of what changed. Inside a transaction nothing is read: it may be rolled back.
 */
export class Follower {
  /** Another number once somebody has written what the engine did not write itself. */
  epoch = 0;
  readonly #session: Session<'sync'>;
  readonly #changes: PoolChangesRepository;
  readonly #rules: RotationRulesRepository;
  readonly #config: RotationConfigRepository;
  readonly #reader: PoolReader;
  readonly #watcher: IndexWatcher;
  #state: PoolState | null = null;
  /** Whether the next choice must read the whole pool, since what is known may not be what is stored. */
  #isForgotten = true;
  #seen: Seen = { proxies: 0, rules: -1, config: -1 };
  #ownChanges = EXPECTED;
  #version = -1;
  #askedAt = Number.NEGATIVE_INFINITY;
  #monotonicAt = Number.NEGATIVE_INFINITY;
  #calls = 0;

  constructor(session: Session<'sync'>, watcher: IndexWatcher) {
    this.#session = session;
    this.#watcher = watcher;
    this.#reader = new PoolReader(session, watcher);
    this.#changes = new PoolChangesRepository(session);
    this.#rules = new RotationRulesRepository(session);
    this.#config = new RotationConfigRepository(session);
  }

  /** The pool as it is now; `now` is milliseconds since the epoch. @throws INVALID_ROW for a malformed enabled rule or configuration. */
  state(now: number): PoolState {
    const state = this.#state;
    const { driver } = this.#session;
    if (
      state !== null &&
      !this.#isForgotten &&
      (driver.scope !== null || (this.#isQuiet && !this.#isDue(now)))
    )
      return state;
    this.#watchTransaction();
    this.refresh(now);
    return this.#state as PoolState;
  }

  /**
   * Reads what has changed, if something has; says whether it had. Also for a transaction of the engine itself that has written
   * nothing yet: what it reads is committed.
   *
   * @throws as `state`.
   */
  refresh(now: number): boolean {
    const { driver, engine } = this.#session;
    // Before the rows are read: who writes meanwhile is seen the next time.
    const version = engine.version();
    const isOutdated = this.#isForgotten || !this.#isQuiet || version !== this.#version;
    if (isOutdated) {
      // If it cannot be read, the next choice must not be made from what was read before.
      this.#askedAt = Number.NEGATIVE_INFINITY;
      const changes = driver.changes;
      this.#state = engine.snapshot(() => this.#read());
      this.#isForgotten = false;
      this.#version = version;
      this.#ownChanges = changes;
      this.epoch++;
    }
    this.#askedAt = now;
    this.#monotonicAt = performance.now();
    return isOutdated;
  }

  /** The proxies as they were read last; null before the first time. */
  get index(): PoolIndex | null {
    return this.#state?.index ?? null;
  }

  /** The configuration as it was read last; null before the first time. */
  get settings(): StrategySettings | null {
    return this.#state?.settings ?? null;
  }

  /** The epoch, if nobody has written since, as far as a choice would know; else null, as in a transaction. */
  get stamp(): number | null {
    const { driver, clock } = this.#session;
    const isKnown = this.#state !== null && !this.#isForgotten && driver.scope === null && this.#isQuiet;
    return isKnown && !this.#isDue(clock()) ? this.epoch : null;
  }

  /** The next choice reads the whole pool. */
  forget(): void {
    this.#isForgotten = true;
  }

  /** The next choice reads what has changed. */
  expectChange(): void {
    this.#ownChanges = EXPECTED;
  }

  /** Runs what the engine writes itself, which needs not be read again, unless `expectChange` is called meanwhile. */
  unnoticed<T>(write: () => T): T {
    const { driver } = this.#session;
    const isQuiet = this.#isQuiet;
    const result = write();
    if (isQuiet && this.#ownChanges !== EXPECTED) this.#ownChanges = driver.changes;
    return result;
  }

  /** Whether this process has written nothing but what the engine wrote itself. */
  get #isQuiet(): boolean {
    return this.#session.driver.changes === this.#ownChanges;
  }

  /** What is read in a caller's transaction is forgotten if that is rolled back: its revisions are given again. */
  #watchTransaction(): void {
    const { scope } = this.#session.driver;
    if (scope === null) return;
    this.#session.driver.afterTransaction(() => {
      if (scope.isUndone) this.#isForgotten = true;
    });
  }

  /** The clock is read already; now and then another one is asked, since that one may be set back, or be a test's. */
  #isDue(now: number): boolean {
    if (now - this.#askedAt >= ASKED_EVERY || now < this.#askedAt) return true;
    return (++this.#calls & 63) === 0 && performance.now() - this.#monotonicAt >= ASKED_EVERY;
  }

  *#read(): Steps<'sync', PoolState> {
    const before = this.#isForgotten ? null : this.#state;
    const revisions = yield* step(this.#changes.revisions());
    const settings =
      before !== null && revisions.config === this.#seen.config
        ? before.settings
        : settingsOf(yield* step(this.#config.get()));
    const isSameClock = before?.settings.timeZone === settings.timeZone;
    const rules =
      before !== null && revisions.rules === this.#seen.rules && isSameClock
        ? before.rules
        : compileRules(yield* step(this.#rules.findEnabled({ onInvalid: refuse })), settings);
    const schedule =
      before?.settings === settings ? before.schedule : compileSchedule(settings.schedule, settings.timeZone);
    // Weights of the configuration are mixed into the columns.
    const isSameWeights = before === null || isSame(before.settings.weights, settings.weights);
    // Revisions go back when an older copy of the database is restored.
    const isBehind = this.#seen.proxies < revisions.tombstonesFrom || revisions.proxies < this.#seen.proxies;
    let index = before?.index;
    if (before !== null && settings !== before.settings) this.#watcher.configured(settings);
    if (index === undefined || isBehind || !isSameWeights) index = yield* this.#reload(settings);
    else if (revisions.proxies !== this.#seen.proxies)
      yield* this.#reader.catchUp(index, this.#seen.proxies, settings.weights);
    this.#seen = revisions;
    this.#state = { index, rules, settings, schedule, plainWay: plainWayOf({ settings, schedule }) };
    return this.#state;
  }

  *#reload(settings: StrategySettings): Steps<'sync', PoolIndex> {
    const { index, ailing } = yield* this.#reader.load(settings.weights);
    this.#watcher.reloaded(index, settings, ailing);
    return index;
  }
}

function isSame(some: ReadonlyMap<string, number>, others: ReadonlyMap<string, number>): boolean {
  return (
    some === others ||
    (some.size === others.size && [...some].every(([id, weight]) => others.get(id) === weight))
  );
}

/** A malformed rule might be the one that blocks: better no proxy than the wrong one. */
function refuse(error: ProxyVaultError): never {
  throw error;
}
