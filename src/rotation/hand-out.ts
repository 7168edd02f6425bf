import type { Driver } from '../database/drivers/driver.ts';
import type { RotationReason } from '../model/rotation.ts';
import { type Decision, type Inputs, isCandidate } from './decide.ts';
import type { Follower } from './follow.ts';
import type { PoolEvents } from './pool-events.ts';
import type { PoolIndex } from './pool-index.ts';
import type { Sticky, StickyKey } from './sticky.ts';
import type { Store } from './store.ts';
import type { Turns } from './turns.ts';
import type { WriteBehind } from './write-behind.ts';

/** What a hand-out changes. */
interface Memory {
  driver: Driver<'sync'>;
  follower: Follower;
  sticky: Sticky;
  turns: Turns;
  store: Store;
  behind: WriteBehind;
  /** Called when a session, domain or interval has another proxy. */
  onRotated: (event: PoolEvents['rotated']) => void;
}

/** Hands out what was decided: turns move, keys get their proxies, counts grow. */
export class HandOuts {
  readonly #driver: Driver<'sync'>;
  readonly #follower: Follower;
  readonly #sticky: Sticky;
  readonly #turns: Turns;
  readonly #store: Store;
  readonly #behind: WriteBehind;
  readonly #onRotated: (event: PoolEvents['rotated']) => void;
  #last = -1;
  #lastId = '';

  constructor({ driver, follower, sticky, turns, store, behind, onRotated }: Memory) {
    this.#driver = driver;
    this.#follower = follower;
    this.#sticky = sticky;
    this.#turns = turns;
    this.#store = store;
    this.#behind = behind;
    this.#onRotated = onRotated;
  }

  /** The slot that was handed out last; -1 before the first, and if another proxy has the slot by now. */
  last({ columns }: PoolIndex): number {
    return columns.id(this.#last) === this.#lastId ? this.#last : -1;
  }

  /** Every proxy may have another slot. */
  moveTo(index: PoolIndex): void {
    this.#turns.moveTo(index);
    this.#behind.moveTo(index);
    this.#last = index.slotOf(this.#lastId);
  }

  /** Takes note that the proxy is handed out that was decided on, and stores what changes by it. */
  give(decision: Decision, inputs: Inputs): void {
    const { now, pool, availability, wanted } = inputs;
    const { index } = pool;
    const { slot, key, mapping, by, sticks } = decision;
    this.#watchTransaction(decision);
    if (by === 'strategy') this.#takeTurn(decision, inputs);
    if (key !== null && mapping !== null && by === 'mapping') {
      mapping.lastUsed = now;
      this.#behind.used(key, mapping, now);
    } else if (key !== null && sticks && by !== 'rule') this.#keep(key, decision, inputs);
    index.measures.handedOut(slot, now);
    this.#behind.handedOut(index, slot);
    availability.handedOut(slot, wanted.domain);
    const id = index.columns.id(slot);
    if (pool.settings.history.events === 'all')
      this.#behind.happened({ from: this.#lastId === '' ? null : this.#lastId, to: id, reason: 'scheduled' });
    this.#last = slot;
    this.#lastId = id;
  }

  #takeTurn(decision: Decision, { now, pool, rotate }: Inputs): void {
    const { view, turn: from, slot, until } = decision;
    const proxyId = pool.index.columns.id(slot);
    if (until === null) {
      this.#behind.moved(view, this.#turns.moveOn(view, from, { proxyId, slot, since: now, until }));
      return;
    }
    const to = { proxyId, slot, since: now, until };
    const isOut = from !== null && !isCandidate(decision, pool.index.slotOf(from.proxyId));
    const reason = reasonOf({ isFirst: from === null, isOut, isManual: rotate });
    this.#store.beginInterval(view, from, to, reason);
    this.#tellRotated(from, to, reason);
    this.#turns.begin(view, to, this.#follower.epoch);
  }

  /** Gives a key its proxy. */
  #keep(key: StickyKey, decision: Decision, { now, pool, rotate, wanted }: Inputs): void {
    const { mapping: from, slot } = decision;
    const { index, settings } = pool;
    const isOut = from !== null && !isCandidate(decision, index.slotOf(from.proxyId));
    const newTtlMs = (key.kind === 'session' ? wanted.sessionTtlMs : undefined) ?? settings.stickyTtlMs;
    const to = {
      name: from?.name ?? key.name,
      proxyId: index.columns.id(slot),
      ttlMs: from === null ? newTtlMs : from.ttlMs,
      lastUsed: now,
    };
    const reason = reasonOf({ isFirst: from === null, isOut, isManual: rotate });
    this.#store.keep(key, { from, to, reason });
    this.#tellRotated(from, to, reason);
    this.#sticky.set(key, to, this.#follower.epoch);
    // A wildcard is the mapping of other domains too, which are remembered one by one.
    if (from !== null) this.#follower.expectChange();
  }

  #tellRotated(
    from: { proxyId: string } | null,
    { proxyId: to }: { proxyId: string },
    reason: RotationReason,
  ): void {
    if (from !== null && from.proxyId !== to) this.#onRotated({ from: from.proxyId, to, reason });
  }

  /** What is remembered of a caller's transaction that is rolled back must be forgotten. */
  #watchTransaction({ key }: Decision): void {
    const { scope } = this.#driver;
    if (scope === null) return;
    this.#driver.afterTransaction(() => {
      if (!scope.isUndone) return;
      // A turn without an interval is stored outside of it.
      if (this.#store.isNew) this.#turns.forget();
      else this.#turns.forgetIntervals();
      if (key !== null) this.#sticky.forget(key);
    });
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
