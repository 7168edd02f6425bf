import type { Driver, Mode, Result, Session } from '../drivers/driver.ts';
import { toStored } from '../timestamps.ts';
import type { ProxyConfig } from '../types.ts';
import { assertId, assertWhole, notFound } from '../validation.ts';
import { toProxy } from './proxy-record.ts';

/** What rotation asks of the active proxies. Each question but `at` and `count` costs the same in a larger pool. */
export class ActiveProxyRepository<M extends Mode = 'sync'> {
  readonly #db: Driver<M>;
  readonly #session: Session<M>;

  constructor(session: Session<M>) {
    this.#db = session.driver;
    this.#session = session;
  }

  /** The active proxy that comes after an id in the order of ids, beginning again at the end; null if none is active. */
  after(id: string): Result<M, ProxyConfig | null> {
    return this.#db.first(
      `SELECT * FROM proxies WHERE id = coalesce(
         (SELECT min(id) FROM proxies WHERE status = 'active' AND id > :id),
         (SELECT min(id) FROM proxies WHERE status = 'active'))`,
      { id: assertId(id) },
      toProxy,
    );
  }

  /** The active proxy with this many others before it in the order of ids. */
  at(offset: number): Result<M, ProxyConfig | null> {
    return this.#db.first(
      `SELECT * FROM proxies WHERE id = (SELECT id FROM proxies WHERE status = 'active' ORDER BY id LIMIT 1 OFFSET :offset)`,
      { offset: assertWhole(offset, 'offset', 0) },
      toProxy,
    );
  }

  /** The active proxy with the fewest requests; of equal ones the one handed out longest ago. */
  leastUsed(): Result<M, ProxyConfig | null> {
    return this.#db.first(
      `SELECT * FROM proxies WHERE status = 'active' ORDER BY total_requests, last_used_at, id LIMIT 1`,
      {},
      toProxy,
    );
  }

  /** The active proxy with the lowest mean latency; unknown latency last. */
  fastest(): Result<M, ProxyConfig | null> {
    return this.#db.first(
      `SELECT * FROM proxies WHERE status = 'active' ORDER BY latency IS NULL, latency, id LIMIT 1`,
      {},
      toProxy,
    );
  }

  /** How many are active. */
  count(): Result<M, number> {
    return this.#db.one(`SELECT count(*) AS n FROM proxies WHERE status = 'active'`, {}, (row) =>
      Number(row?.n),
    );
  }

  /** Notes that a proxy was handed out now, whatever its status. @throws NOT_FOUND. */
  markUsed(id: string): Result<M, void> {
    return this.#db.run(
      `UPDATE proxies SET last_used_at = :now WHERE id = :id`,
      { id: assertId(id), now: toStored(this.#session.clock()) },
      (changed) => {
        if (changed === 0) throw notFound('proxy', id);
      },
    );
  }
}
