import { assertId, assertPageSize, assertWhole } from '../../model/validation.ts';
import type { Mode, Result, Row } from '../drivers/driver.ts';
import { fromStored, storedFrom } from '../timestamps.ts';
import { ID, nullable, Table, TEXT, TIME } from './columns.ts';
import { Repository } from './repository.ts';
import { skipMalformed } from './skipped-rows.ts';

export const PROXY_LEASES = new Table('proxy_leases', ['id'], {
  id: ID,
  proxy_id: ID,
  domain: nullable(TEXT),
  session: nullable(TEXT),
  acquired_at: TIME,
  expires_at: TIME,
});

/** A proxy that was handed out, and for what. Times are ISO 8601. */
export interface StoredLease {
  id: string;
  proxyId: string;
  domain: string | null;
  session: string | null;
  acquiredAt: string;
  expiresAt: string;
}

/** A lease that is stored. */
export interface NewLease extends Omit<StoredLease, 'acquiredAt' | 'expiresAt'> {
  acquiredAt: Date | string;
  expiresAt: Date | string;
}

/** Leases that another process may report. */
export class ProxyLeasesRepository<M extends Mode = 'sync'> extends Repository<M> {
  /**
   * Stores a lease.
   *
   * @throws CONSTRAINT if there is no such proxy; CONFLICT if there is a lease with this id.
   */
  create({ id, proxyId, domain, session, acquiredAt, expiresAt }: NewLease): Result<M, void> {
    return this.db.run(
      `INSERT INTO proxy_leases (id, proxy_id, domain, session, acquired_at, expires_at)
       VALUES (:id, :proxy_id, :domain, :session, :acquired_at, :expires_at)`,
      {
        id: assertId(id),
        proxy_id: assertId(proxyId, 'proxyId'),
        domain: domain === null ? null : assertId(domain, 'domain'),
        session: session === null ? null : assertId(session, 'session'),
        acquired_at: storedFrom(acquiredAt, 'acquiredAt'),
        expires_at: storedFrom(expiresAt, 'expiresAt'),
      },
      () => undefined,
    );
  }

  /** A lease, or null; also one that has expired. */
  find(id: string): Result<M, StoredLease | null> {
    return this.db.first(`SELECT * FROM proxy_leases WHERE id = :id`, { id: assertId(id) }, toLease);
  }

  /** Removes a lease and gives it, or null: of several processes that report it, one gets it. */
  take(id: string): Result<M, StoredLease | null> {
    return this.db.first(
      `DELETE FROM proxy_leases WHERE id = :id RETURNING *`,
      { id: assertId(id) },
      toLease,
    );
  }

  /** The first `limit` leases that have expired, the oldest first. */
  expired(now: Date | string, limit: number): Result<M, StoredLease[]> {
    return this.db.all(
      `SELECT * FROM proxy_leases WHERE expires_at <= :now ORDER BY expires_at, id LIMIT :limit`,
      { now: storedFrom(now, 'now'), limit: assertPageSize(limit) },
      skipMalformed(this.session, toLease),
    );
  }

  /** Sets when a lease expires; says whether there is such a lease. */
  renew(id: string, expiresAt: Date | string): Result<M, boolean> {
    return this.db.run(
      `UPDATE proxy_leases SET expires_at = :expires_at WHERE id = :id`,
      { id: assertId(id), expires_at: storedFrom(expiresAt, 'expiresAt') },
      (changed) => changed > 0,
    );
  }

  /** Removes at most `limit` leases that expired before a time; gives how many went. */
  deleteExpiredBefore(time: Date | string, limit = Number.MAX_SAFE_INTEGER): Result<M, number> {
    return this.db.run(
      `DELETE FROM proxy_leases WHERE id IN (SELECT id FROM proxy_leases WHERE expires_at < :time LIMIT :limit)`,
      {
        time: storedFrom(time, 'time'),
        limit: assertWhole(limit, 'limit', 1, Number.MAX_SAFE_INTEGER),
      },
    );
  }
}

/** @throws INVALID_ROW for a row that holds no valid lease. */
function toLease(row: Row): StoredLease {
  const { read } = PROXY_LEASES;
  return {
    id: read.id(row.id, row),
    proxyId: read.proxy_id(row.proxy_id, row),
    domain: read.domain(row.domain, row),
    session: read.session(row.session, row),
    acquiredAt: fromStored(read.acquired_at(row.acquired_at, row)),
    expiresAt: fromStored(read.expires_at(row.expires_at, row)),
  };
}
