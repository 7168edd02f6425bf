import { assertId, assertWhole } from '../../model/validation.ts';
import type { Mode, Result } from '../drivers/driver.ts';
import { storedFrom } from '../timestamps.ts';
import { Repository } from './repository.ts';

/** How often proxies were handed out, and when for the last time. */
export class HandOutsRepository<M extends Mode = 'sync'> extends Repository<M> {
  /** Begins to count the hand-outs of a proxy, from its requests until now; says whether they were not counted yet. */
  begin(id: string): Result<M, boolean> {
    return this.db.run(
      `UPDATE proxies SET hand_outs = total_requests WHERE id = :id AND hand_outs IS NULL`,
      { id: assertId(id) },
      (changed) => changed > 0,
    );
  }

  /** How often a proxy was handed out; its requests, if that is not counted yet, and 0 if there is no such proxy. */
  count(id: string): Result<M, number> {
    return this.db.one(
      `SELECT coalesce(hand_outs, total_requests) AS n FROM proxies WHERE id = :id`,
      { id: assertId(id) },
      (row) => Number(row?.n ?? 0),
    );
  }

  /** Adds hand-outs of a proxy; says whether there is such a proxy. The last one is never earlier than one that is stored. */
  record(id: string, count: number, lastUsed: Date | string): Result<M, boolean> {
    return this.db.run(
      `UPDATE proxies SET
         hand_outs = coalesce(hand_outs, total_requests) + :count,
         last_used_at = CASE WHEN last_used_at > :last_used THEN last_used_at ELSE :last_used END
       WHERE id = :id`,
      {
        id: assertId(id),
        count: assertWhole(count, 'count', 1),
        last_used: storedFrom(lastUsed, 'lastUsed'),
      },
      (changed) => changed > 0,
    );
  }
}
