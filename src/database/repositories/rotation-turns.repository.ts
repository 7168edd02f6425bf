import { assertId } from '../../model/validation.ts';
import type { Mode, Result, Row } from '../drivers/driver.ts';
import { fromStored, storedFrom } from '../timestamps.ts';
import { ID, nullable, Table, TEXT, TIME } from './columns.ts';
import { Repository } from './repository.ts';

export const ROTATION_TURNS = new Table('rotation_turns', ['view'], {
  view: TEXT,
  proxy_id: ID,
  since: TIME,
  until: nullable(TIME),
});

/** Whose turn it is among the proxies of one filter. Times are ISO 8601. */
export interface RotationTurn {
  /** The filter; '' leaves everything open. */
  view: string;
  /** The proxy may be gone. */
  proxyId: string;
  since: string;
  /** When an interval ends; null if none was begun. */
  until: string | null;
}

/** Where round-robin is, and which proxy an interval keeps, for each filter. */
export class RotationTurnsRepository<M extends Mode = 'sync'> extends Repository<M> {
  /** The turn of a filter, or null. */
  get(view: string): Result<M, RotationTurn | null> {
    return this.db.first(`SELECT * FROM rotation_turns WHERE view = :view`, { view }, toTurn);
  }

  /** Stores the turn of a filter in place of the one before. */
  set(turn: {
    view: string;
    proxyId: string;
    since: Date | string;
    until?: Date | string | null;
  }): Result<M, void> {
    const { view, proxyId, since, until = null } = turn;
    return this.db.run(
      `INSERT INTO rotation_turns (view, proxy_id, since, until) VALUES (:view, :proxy_id, :since, :until)
       ON CONFLICT (view) DO UPDATE SET
         proxy_id = excluded.proxy_id, since = excluded.since, until = excluded.until`,
      {
        view,
        proxy_id: assertId(proxyId, 'proxyId'),
        since: storedFrom(since, 'since'),
        until: until === null ? null : storedFrom(until, 'until'),
      },
      () => undefined,
    );
  }

  /** Ends every interval that keeps a proxy now; says whether there was one. */
  endIntervals(proxyId: string): Result<M, boolean> {
    return this.db.run(
      `UPDATE rotation_turns SET until = :now WHERE proxy_id = :proxy_id AND until > :now`,
      { proxy_id: assertId(proxyId, 'proxyId'), now: this.now() },
      (changed) => changed > 0,
    );
  }
}

/** @throws INVALID_ROW for a row that holds no valid turn. */
function toTurn(row: Row): RotationTurn {
  const { read } = ROTATION_TURNS;
  return {
    view: read.view(row.view, row),
    proxyId: read.proxy_id(row.proxy_id, row),
    since: fromStored(read.since(row.since, row)),
    until: fromStored(read.until(row.until, row)),
  };
}
