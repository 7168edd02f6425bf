import { type Row, type Session, type SqlValue, type Steps, step } from '../database/drivers/driver.ts';
import {
  type ChangedRow,
  type ChangePlace,
  PoolChangesRepository,
} from '../database/repositories/pool-changes.repository.ts';
import { ProxyRepository } from '../database/repositories/proxy.repository.ts';
import { toCooldown } from '../database/repositories/proxy-cooldowns.repository.ts';
import { RotationConfigRepository } from '../database/repositories/rotation-config.repository.ts';
import { RotationRulesRepository } from '../database/repositories/rotation-rules.repository.ts';
import { reportInvalidRow, skipMalformed } from '../database/repositories/skipped-rows.ts';
import type { ProxyVaultError } from '../errors.ts';
import type { Cooldown } from '../model/cooldown.ts';
import { type StrategySettings, settingsOf } from '../model/strategy-settings.ts';
import type { PoolState } from './decide.ts';
import { InOrder, isWellFormed } from './in-order.ts';
import { toIndexed } from './indexed-row.ts';
import { type IndexedProxy, PoolIndex } from './pool-index.ts';
import { compileRules } from './rules/compile.ts';
import { compileSchedule } from './schedule.ts';
import { plainWayOf } from './way.ts';

/** Whether others have written is asked at most so often, in milliseconds. */
const ASKED_EVERY = 250;
const PAGE = 5000;
/** No count of changes is this one, so that what has changed is read. */
const EXPECTED = -1;

const NO_COOLDOWNS: readonly Cooldown[] = [];

/** Who must know what changes in the index. */
export interface IndexWatcher {
  /** A proxy was put in, or has changed. */
  put(slot: number, proxy: IndexedProxy, isNew: boolean): void;
  /** The proxy of a slot is gone; another one may get the slot. */
  gone(slot: number): void;
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
  readonly #proxies: ProxyRepository;
  readonly #changes: PoolChangesRepository;
  readonly #rules: RotationRulesRepository;
  readonly #config: RotationConfigRepository;
  /** A malformed cooldown is reported, and does not put its proxy out. */
  readonly #cooldownIn: (row: Row) => Cooldown | undefined;
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
    this.#cooldownIn = skipMalformed(session, toCooldown);
    this.#proxies = new ProxyRepository(session);
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
    if (index === undefined || isBehind || !isSameWeights) index = yield* this.#load(settings);
    else if (revisions.proxies !== this.#seen.proxies) yield* this.#catchUp(index, settings.weights);
    this.#seen = revisions;
    this.#state = { index, rules, settings, schedule, plainWay: plainWayOf({ settings, schedule }) };
    return this.#state;
  }

  /** Reads the whole pool, page by page. */
  *#load(settings: StrategySettings): Steps<'sync', PoolIndex> {
    const index = new PoolIndex(yield* step(this.#proxies.count()));
    const now = this.#session.clock();
    const tags = this.#allTags();
    const cooldowns = this.#allCooldowns();
    const ailing = new Map<number, IndexedProxy>();
    for (let after = '', skip = 0; ; ) {
      const rows: Row[] = yield* step<'sync', Row[]>(this.#changes.page(after, PAGE, skip));
      for (const row of rows) {
        const id = row.id ?? '';
        const changed = {
          row,
          tags: tags.hasNone(id) ? [] : (yield* tags.of(id)).map(({ tag }) => tag),
          cooldowns: cooldowns.hasNone(id) ? [] : (yield* cooldowns.of(id)).map((each) => each.row),
        };
        const proxy = this.#put(index, changed, settings.weights, now);
        if (proxy !== null && proxy.cooldowns.length > 0) ailing.set(index.slotOf(proxy.id), proxy);
      }
      if (rows.length < PAGE) break;
      const last = rows.findLastIndex(({ id }) => isWellFormed(id));
      skip = last === -1 ? skip + rows.length : rows.length - 1 - last;
      after = last === -1 ? after : String(rows[last]?.id);
    }
    this.#watcher.reloaded(index, settings, ailing);
    return index;
  }

  #allTags() {
    return new InOrder<{ proxyId: SqlValue; tag: SqlValue }>(
      (after, limit, skip) => this.#changes.tagsPage(after?.proxyId ?? '', after?.tag ?? '', limit, skip),
      ({ proxyId, tag }) => isWellFormed(proxyId) && isWellFormed(tag),
    );
  }

  #allCooldowns() {
    return new InOrder<{ proxyId: SqlValue; row: Row }>(
      (after, limit, skip) => this.#changes.cooldownsPage(after?.row ?? null, limit, skip),
      ({ row }) => isWellFormed(row.proxy_id) && isWellFormed(row.scope) && isWellFormed(row.source),
    );
  }

  *#catchUp(index: PoolIndex, weights: StrategySettings['weights']): Steps<'sync', void> {
    const now = this.#session.clock();
    for (let after = this.#seen.proxies; ; ) {
      const gone = yield* step(this.#changes.deletedSince(after, PAGE));
      for (const { id } of gone) this.#remove(index, String(id));
      const last = gone.at(-1);
      if (last === undefined || gone.length < PAGE) break;
      after = last.revision;
    }
    for (let after: ChangePlace | undefined; ; ) {
      const changed = yield* step(this.#changes.changedSince(this.#seen.proxies, PAGE, after));
      for (const each of changed) {
        const isNew = index.slotOf(String(each.row.id)) === -1;
        const proxy = this.#put(index, each, weights, now);
        if (proxy !== null) this.#watcher.put(index.slotOf(proxy.id), proxy, isNew);
      }
      const last = changed.at(-1);
      if (last === undefined || changed.length < PAGE) break;
      after = { revision: Number(last.row.revision), id: last.row.id ?? '' };
    }
  }

  /** A malformed row is reported and left out: one must not stop the pool. */
  #put(
    index: PoolIndex,
    { row, tags, cooldowns }: ChangedRow,
    weights: StrategySettings['weights'],
    now: number,
  ): IndexedProxy | null {
    try {
      const found =
        cooldowns.length === 0 ? NO_COOLDOWNS : cooldowns.flatMap((each) => this.#cooldownIn(each) ?? []);
      const proxy = toIndexed(row, tags, found, weights);
      index.put(proxy, now);
      return proxy;
    } catch (error) {
      this.#remove(index, String(row.id));
      reportInvalidRow(this.#session, error);
      return null;
    }
  }

  #remove(index: PoolIndex, id: string): void {
    const slot = index.slotOf(id);
    if (slot === -1) return;
    index.remove(id);
    this.#watcher.gone(slot);
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
