import type { Session } from '../database/drivers/driver.ts';
import {
  type RotationTurn,
  RotationTurnsRepository,
} from '../database/repositories/rotation-turns.repository.ts';
import { reportInvalidRow } from '../database/repositories/skipped-rows.ts';
import type { PoolIndex } from './pool-index.ts';

/** Where the turn of a filter is, and the proxy that an interval keeps. Times are milliseconds since the epoch. */
export interface Turn {
  /** The proxy that was handed out last. It may be gone. */
  proxyId: string;
  /** Its slot, or the one before the place that it would have. */
  slot: number;
  since: number;
  /** When its interval ends; null if there is no interval. */
  until: number | null;
}

/** So many filters are remembered; then they are read again, as the database has them. */
const MOST = 10_000;

/** The turns of this process, each begun where the database says that the last one was. */
export class Turns {
  readonly #session: Session<'sync'>;
  readonly #stored: RotationTurnsRepository;
  readonly #turns = new Map<string, { turn: Turn | null; epoch: number }>();

  constructor(session: Session<'sync'>) {
    this.#session = session;
    this.#stored = new RotationTurnsRepository(session);
  }

  /** The turn of a filter. One with an interval is the turn of all processes: it is read again in a new epoch. */
  get(view: string, index: PoolIndex, epoch: number): Turn | null {
    const known = this.#turns.get(view);
    if (known !== undefined && (known.epoch === epoch || known.turn?.until === null)) return known.turn;
    const turn = this.read(view, index);
    this.#remember(view, turn, epoch);
    return turn;
  }

  /** An interval begins. */
  begin(view: string, turn: Turn, epoch: number): void {
    this.#remember(view, turn, epoch);
  }

  /** A turn without an interval moves on from the one that `get` gave; gives the object that it is, which is changed in place. */
  moveOn(view: string, from: Turn | null, to: Turn): Turn {
    if (from === null) {
      this.#remember(view, to, 0);
      return to;
    }
    from.proxyId = to.proxyId;
    from.slot = to.slot;
    from.since = to.since;
    from.until = to.until;
    return from;
  }

  /** Finds the slots of the turns in another index. What is stored of them may be older. */
  moveTo(index: PoolIndex): void {
    for (const { turn } of this.#turns.values()) if (turn) turn.slot = index.placeOf(turn.proxyId);
  }

  /** Every turn is read again. */
  forget(): void {
    this.#turns.clear();
  }

  /** Every turn with an interval is read again; the others are where this process has them. */
  forgetIntervals(): void {
    for (const [view, { turn }] of this.#turns) if (turn?.until != null) this.#turns.delete(view);
  }

  /** As the database has it now. A malformed one is reported and left out: the next hand-out writes it again. */
  read(view: string, index: PoolIndex): Turn | null {
    const stored = this.#soundOf(view);
    if (stored === null) return null;
    const { proxyId, since, until } = stored;
    return {
      proxyId,
      slot: index.placeOf(proxyId),
      since: Date.parse(since),
      until: until === null ? null : Date.parse(until),
    };
  }

  #soundOf(view: string): RotationTurn | null {
    try {
      return this.#stored.get(view);
    } catch (error) {
      reportInvalidRow(this.#session, error);
      return null;
    }
  }

  #remember(view: string, turn: Turn | null, epoch: number): void {
    if (this.#turns.size === MOST && !this.#turns.has(view)) this.#turns.clear();
    this.#turns.set(view, { turn, epoch });
  }
}

/** A turn as it is stored. */
export function storedTurn({ proxyId, since, until }: Turn): {
  proxyId: string;
  since: Date;
  until: Date | null;
} {
  return { proxyId, since: new Date(since), until: until === null ? null : new Date(until) };
}
