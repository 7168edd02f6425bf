import { type Row, type Session, type SqlValue, type Steps, step } from '../database/drivers/driver.ts';
import {
  type ChangedRow,
  type ChangePlace,
  PoolChangesRepository,
} from '../database/repositories/pool-changes.repository.ts';
import { ProxyRepository } from '../database/repositories/proxy.repository.ts';
import { toCooldown } from '../database/repositories/proxy-cooldowns.repository.ts';
import { reportInvalidRow, skipMalformed } from '../database/repositories/skipped-rows.ts';
import type { Cooldown } from '../model/cooldown.ts';
import type { StrategySettings } from '../model/strategy-settings.ts';
import { InOrder, isWellFormed } from './in-order.ts';
import { toIndexed } from './indexed-row.ts';
import { type IndexedProxy, PoolIndex } from './pool-index.ts';

const PAGE = 5000;
const NO_COOLDOWNS: readonly Cooldown[] = [];

/** Those that the configuration has, by proxy. */
type Weights = StrategySettings['weights'];

/** Who must know which proxies of an index change. */
export interface SlotWatcher {
  /** A proxy was put in, or has changed. */
  put(slot: number, proxy: IndexedProxy, isNew: boolean): void;
  /** The proxy of a slot is gone; another one may get the slot. */
  gone(slot: number): void;
}

/** A whole pool. `ailing` are those that have cooldowns, also those that have ended. */
interface Loaded {
  index: PoolIndex;
  ailing: ReadonlyMap<number, IndexedProxy>;
}

/** Reads proxies, with their tags and cooldowns, from the tables into an index. */
export class PoolReader {
  readonly #session: Session<'sync'>;
  readonly #watcher: SlotWatcher;
  readonly #proxies: ProxyRepository;
  readonly #changes: PoolChangesRepository;
  /** A malformed cooldown is reported, and does not put its proxy out. */
  readonly #cooldownIn: (row: Row) => Cooldown | undefined;

  constructor(session: Session<'sync'>, watcher: SlotWatcher) {
    this.#session = session;
    this.#watcher = watcher;
    this.#proxies = new ProxyRepository(session);
    this.#changes = new PoolChangesRepository(session);
    this.#cooldownIn = skipMalformed(session, toCooldown);
  }

  /** Reads the whole pool, page by page. */
  *load(weights: Weights): Steps<'sync', Loaded> {
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
        const proxy = this.#put(index, changed, weights, now);
        if (proxy !== null && proxy.cooldowns.length > 0) ailing.set(index.slotOf(proxy.id), proxy);
      }
      if (rows.length < PAGE) break;
      const last = rows.findLastIndex(({ id }) => isWellFormed(id));
      skip = last === -1 ? skip + rows.length : rows.length - 1 - last;
      after = last === -1 ? after : String(rows[last]?.id);
    }
    return { index, ailing };
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

  /** Reads what has changed since a revision. */
  *catchUp(index: PoolIndex, since: number, weights: Weights): Steps<'sync', void> {
    const now = this.#session.clock();
    for (let after = since; ; ) {
      const gone = yield* step(this.#changes.deletedSince(after, PAGE));
      for (const { id } of gone) this.#remove(index, String(id));
      const last = gone.at(-1);
      if (last === undefined || gone.length < PAGE) break;
      after = last.revision;
    }
    for (let after: ChangePlace | undefined; ; ) {
      const changed = yield* step(this.#changes.changedSince(since, PAGE, after));
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
    weights: Weights,
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
