import type { ProxyConfig } from '../../model/proxy.ts';
import { assertFunction, assertId, notFound } from '../../model/validation.ts';
import {
  type Mode,
  type Params,
  type Result,
  type Row,
  type Session,
  type Steps,
  step,
} from '../drivers/driver.ts';
import { toProxy } from './proxy-record.ts';
import { Repository } from './repository.ts';
import { firstReadable } from './skipped-rows.ts';

/** What rotation asks of the active proxies that are not excluded. It costs no more in a larger pool. Malformed rows are left out. */
export class ActiveProxyRepository<M extends Mode = 'sync'> extends Repository<M> {
  readonly #read: (row: Row) => ProxyConfig | undefined;

  constructor(session: Session<M>, { exclude = new Set() }: { exclude?: ReadonlySet<string> } = {}) {
    super(session);
    this.#read = (row) => (exclude.has(String(row.id)) ? undefined : toProxy(row));
  }

  /** The active proxy that comes after an id in the order of ids, beginning again at the end; null if none is active. */
  after(id: string): Result<M, ProxyConfig | null> {
    return this.#first(
      [
        `SELECT * FROM proxies WHERE status = 'active' AND id > :id ORDER BY id LIMIT :limit OFFSET :skip`,
        `SELECT * FROM proxies WHERE status = 'active' AND id <= :id ORDER BY id LIMIT :limit OFFSET :skip`,
      ],
      { id: assertId(id) },
    );
  }

  /**
   * Any active proxy, each as likely as the others; null if none is active.
   */
  sample(random: () => number): Result<M, ProxyConfig | null> {
    assertFunction(random, 'random');
    return this.db.transaction(() => this.#sample(random));
  }

  /** The active proxy with the fewest requests; of equal ones the one handed out longest ago. */
  leastUsed(): Result<M, ProxyConfig | null> {
    return this.#first([
      `SELECT * FROM proxies WHERE status = 'active' ORDER BY total_requests, last_used_at NULLS FIRST, id LIMIT :limit OFFSET :skip`,
    ]);
  }

  /** The active proxy with the lowest mean latency; unknown latency last. */
  fastest(): Result<M, ProxyConfig | null> {
    return this.#first([
      `SELECT * FROM proxies WHERE status = 'active' ORDER BY latency IS NULL, latency, id LIMIT :limit OFFSET :skip`,
    ]);
  }

  /** Notes that a proxy was handed out now, whatever its status, and gives it. @throws NOT_FOUND. */
  markUsed(id: string): Result<M, ProxyConfig> {
    return this.db.one(
      `UPDATE proxies SET last_used_at = :now WHERE id = :id RETURNING *`,
      { id: assertId(id), now: this.now() },
      (row) => {
        if (row === undefined) throw notFound('proxy', id);
        return toProxy(row);
      },
    );
  }

  *#sample(random: () => number): Steps<M, ProxyConfig | null> {
    const active = yield* step(
      this.db.one(`SELECT count(*) AS n FROM proxies WHERE status = 'active'`, {}, (row) => Number(row?.n)),
    );
    const byId = `SELECT * FROM proxies WHERE status = 'active' ORDER BY id LIMIT :limit OFFSET :skip`;
    return yield* step(this.#first([byId, byId], {}, Math.floor(random() * active)));
  }

  #first(queries: readonly string[], params: Params = {}, skip = 0): Result<M, ProxyConfig | null> {
    return firstReadable(this.session, queries, params, this.#read, skip);
  }
}
