import { assertId, assertPageSize, assertWhole } from '../../model/validation.ts';
import type { Mode, Result, Row } from '../drivers/driver.ts';
import { fromStored, storedFrom } from '../timestamps.ts';
import { ID, nullable, Table, TIME, whole } from './columns.ts';
import { Repository } from './repository.ts';
import { skipMalformed } from './skipped-rows.ts';

export const SESSION_PROXIES = new Table('session_proxies', ['session'], {
  session: ID,
  proxy_id: ID,
  created_at: TIME,
  last_used: TIME,
  request_count: whole(),
  ttl_ms: nullable(whole(1)),
  // Computed from the others.
  expires_at: nullable(TIME),
});

/** The proxy that a session keeps. Times are ISO 8601. */
export interface SessionProxy {
  session: string;
  proxyId: string;
  /** In milliseconds since the last use; null if it never ends. */
  ttl: number | null;
  requestCount: number;
  createdAt: string;
  lastUsed: string;
}

const IS_LIVE = `coalesce(expires_at, '9999') > :now`;
/** Whether the mapping is live that an upsert finds. */
const HOLDS = `coalesce(session_proxies.expires_at, '9999') > :now`;

/** Which proxy a session keeps. An expired mapping is never given. */
export class SessionProxiesRepository<M extends Mode = 'sync'> extends Repository<M> {
  /** The live mapping of a session, or null. */
  find(session: string): Result<M, SessionProxy | null> {
    return this.db.first(
      `SELECT * FROM session_proxies WHERE session = :session AND ${IS_LIVE}`,
      { session: assertId(session, 'session'), now: this.now() },
      toSession,
    );
  }

  /**
   * Maps a session to a proxy unless it has a live mapping; gives the mapping that holds then. So of several processes one wins,
   * and all know which.
   *
   * @throws CONSTRAINT if there is no such proxy and the session has no live mapping.
   */
  claim({
    session,
    proxyId,
    ttl = null,
  }: {
    session: string;
    proxyId: string;
    ttl?: number | null;
  }): Result<M, SessionProxy> {
    return this.db.one(
      `INSERT INTO session_proxies (session, proxy_id, created_at, last_used, request_count, ttl_ms)
       VALUES (:session, :proxy_id, :now, :now, 1, :ttl)
       ON CONFLICT (session) DO UPDATE SET
         proxy_id = CASE WHEN ${HOLDS} THEN session_proxies.proxy_id ELSE excluded.proxy_id END,
         created_at = CASE WHEN ${HOLDS} THEN session_proxies.created_at ELSE excluded.created_at END,
         last_used = CASE WHEN ${HOLDS} THEN session_proxies.last_used ELSE excluded.last_used END,
         request_count = CASE WHEN ${HOLDS} THEN session_proxies.request_count ELSE excluded.request_count END,
         ttl_ms = CASE WHEN ${HOLDS} THEN session_proxies.ttl_ms ELSE excluded.ttl_ms END
       RETURNING *`,
      {
        session: assertId(session, 'session'),
        proxy_id: assertId(proxyId, 'proxyId'),
        now: this.now(),
        ttl: ttl === null ? null : assertWhole(ttl, 'ttl', 1, Number.MAX_SAFE_INTEGER),
      },
      (row) => toSession(row ?? {}),
    );
  }

  /**
   * Moves a session from one proxy to another unless somebody else has moved it already; gives the mapping that holds then, null if the
   * session has no mapping.
   *
   * @throws CONSTRAINT if there is no proxy `to`.
   */
  move(session: string, from: string, to: string): Result<M, SessionProxy | null> {
    return this.db.first(
      `UPDATE session_proxies SET
         proxy_id = CASE WHEN proxy_id = :from THEN :to ELSE proxy_id END,
         last_used = CASE WHEN proxy_id = :from THEN :now ELSE last_used END
       WHERE session = :session RETURNING *`,
      {
        session: assertId(session, 'session'),
        from: assertId(from, 'from'),
        to: assertId(to, 'to'),
        now: this.now(),
      },
      toSession,
    );
  }

  /** Counts uses, the last of which is never earlier than one that is stored; says whether the session has a mapping. */
  touch(session: string, count: number, lastUsed: Date | string): Result<M, boolean> {
    return this.db.run(
      `UPDATE session_proxies SET
         request_count = request_count + :count,
         last_used = CASE WHEN last_used < :last_used THEN :last_used ELSE last_used END
       WHERE session = :session`,
      {
        session: assertId(session, 'session'),
        count: assertWhole(count, 'count', 0, Number.MAX_SAFE_INTEGER),
        last_used: storedFrom(lastUsed, 'lastUsed'),
      },
      (changed) => changed > 0,
    );
  }

  /** Whether a session is mapped to a proxy, also if the mapping has expired. */
  isMappedTo(session: string, proxyId: string): Result<M, boolean> {
    return this.db.one(
      `SELECT 1 FROM session_proxies WHERE session = :session AND proxy_id = :proxy_id`,
      { session: assertId(session, 'session'), proxy_id: assertId(proxyId, 'proxyId') },
      (row) => row !== undefined,
    );
  }

  /** Removes the mapping of a session; says whether there was one. */
  delete(session: string): Result<M, boolean> {
    return this.db.run(
      `DELETE FROM session_proxies WHERE session = :session`,
      { session: assertId(session, 'session') },
      (changed) => changed > 0,
    );
  }

  /** Removes at most `limit` expired mappings; gives how many went. */
  deleteExpired(limit = Number.MAX_SAFE_INTEGER): Result<M, number> {
    return this.db.run(
      `DELETE FROM session_proxies WHERE session IN (
         SELECT session FROM session_proxies WHERE expires_at <= :now LIMIT :limit)`,
      { now: this.now(), limit: assertWhole(limit, 'limit', 1, Number.MAX_SAFE_INTEGER) },
    );
  }

  /** The first `limit` live mappings after a session, by session. */
  list(limit: number, after = ''): Result<M, SessionProxy[]> {
    return this.db.all(
      `SELECT * FROM session_proxies WHERE session > :after AND ${IS_LIVE} ORDER BY session LIMIT :limit`,
      { after, now: this.now(), limit: assertPageSize(limit) },
      skipMalformed(this.session, toSession),
    );
  }

  /** How many live mappings there are. */
  count(): Result<M, number> {
    return this.db.one(
      `SELECT count(*) AS n FROM session_proxies WHERE ${IS_LIVE}`,
      { now: this.now() },
      (row) => Number(row?.n),
    );
  }
}

/** @throws INVALID_ROW for a row that holds no valid mapping. */
function toSession(row: Row): SessionProxy {
  const { read } = SESSION_PROXIES;
  return {
    session: read.session(row.session, row),
    proxyId: read.proxy_id(row.proxy_id, row),
    ttl: read.ttl_ms(row.ttl_ms, row),
    requestCount: read.request_count(row.request_count, row),
    createdAt: fromStored(read.created_at(row.created_at, row)),
    lastUsed: fromStored(read.last_used(row.last_used, row)),
  };
}
