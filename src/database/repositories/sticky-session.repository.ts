import { matchingPatterns, parseDomain } from '../../model/domain.ts';
import { type DomainProxyMapping, mappingSchema, mappingUpdateSchema } from '../../model/sticky.ts';
import { assertId, notFound, parse } from '../../model/validation.ts';
import type { Mode, Result, Row, Stream } from '../drivers/driver.ts';
import { fromStored, storedFrom } from '../timestamps.ts';
import { FLAG, ID, nullable, Table, TIME, whole } from './columns.ts';
import { Repository } from './repository.ts';
import { skipMalformed } from './skipped-rows.ts';

export const STICKY_SESSIONS = new Table('sticky_sessions', ['domain'], {
  domain: ID,
  proxy_id: ID,
  created_at: TIME,
  last_used: TIME,
  request_count: whole(),
  ttl_ms: nullable(whole(1)),
  is_wildcard: FLAG,
  // Computed from the others.
  expires_at: nullable(TIME),
});

/** Finds the live mapping that fits best: an exact one before any wildcard, the longest wildcard before others. */
const BEST = `
  SELECT domain FROM sticky_sessions
  WHERE domain IN (SELECT value FROM json_each(:patterns)) AND coalesce(expires_at, '9999') > :now
  ORDER BY is_wildcard, length(domain) DESC LIMIT 1`;

/**
 * Which proxy a domain sticks to. Every domain is normalised: lower case, no trailing dot, ASCII (UTS 46), and
 * of a URL or `host:port` its host.
 * `ttl` counts from the last use, and an expired mapping is never given.
 */
export class StickySessionRepository<M extends Mode = 'sync'> extends Repository<M> {
  /**
   * Maps a domain, or `*.domain`, to a proxy; replaces a mapping of the same domain.
   *
   * @throws NOT_FOUND if there is no such proxy; INVALID_INPUT for a domain that is none.
   */
  create(mapping: DomainProxyMapping): Result<M, void> {
    const { domain, proxyId, ttl = null, requestCount = 1 } = parse(mappingSchema, mapping, 'sticky session');
    return this.db.run(
      `INSERT INTO sticky_sessions (domain, proxy_id, created_at, last_used, request_count, ttl_ms, is_wildcard)
       SELECT :domain, id, :now, :now, :request_count, :ttl, :is_wildcard FROM proxies WHERE id = :proxy_id
       ON CONFLICT (domain) DO UPDATE SET
         proxy_id = excluded.proxy_id,
         created_at = excluded.created_at,
         last_used = excluded.last_used,
         request_count = excluded.request_count,
         ttl_ms = excluded.ttl_ms,
         is_wildcard = excluded.is_wildcard`,
      {
        domain: domain.pattern,
        proxy_id: proxyId,
        now: this.now(),
        request_count: requestCount,
        ttl,
        is_wildcard: domain.isWildcard ? 1 : 0,
      },
      (changed) => {
        if (changed === 0) throw notFound('proxy', proxyId);
      },
    );
  }

  /**
   * The mapping that holds for a domain, or null: the exact one, else the longest wildcard. Given `*.domain`, that
   * wildcard itself.
   */
  findByDomain(domain: string): Result<M, DomainProxyMapping | null> {
    return this.db.first(
      `SELECT * FROM sticky_sessions
       WHERE domain IN (SELECT value FROM json_each(:patterns)) AND coalesce(expires_at, '9999') > :now
       ORDER BY is_wildcard, length(domain) DESC LIMIT 1`,
      { patterns: this.#patterns(domain), now: this.now() },
      toMapping,
    );
  }

  /** As `findByDomain`, and counts the use, from which `ttl` counts anew. */
  use(domain: string): Result<M, DomainProxyMapping | null> {
    return this.db.first(
      `UPDATE sticky_sessions SET last_used = :now, request_count = request_count + 1 WHERE domain = (${BEST}) RETURNING *`,
      { patterns: this.#patterns(domain), now: this.now() },
      toMapping,
    );
  }

  /** The live mappings to a proxy, by domain. */
  findByProxy(proxyId: string): Result<M, DomainProxyMapping[]> {
    return this.db.all(
      `SELECT * FROM sticky_sessions WHERE proxy_id = :id AND coalesce(expires_at, '9999') > :now ORDER BY domain`,
      { id: assertId(proxyId, 'proxyId'), now: this.now() },
      skipMalformed(this.session, toMapping),
    );
  }

  /**
   * Changes the fields that are given of the mapping with exactly this domain or wildcard.
   *
   * @throws NOT_FOUND if there is none; CONSTRAINT for a proxy that is none; CONFLICT if a new domain is mapped.
   */
  update(domain: string, updates: Partial<DomainProxyMapping>): Result<M, void> {
    const {
      domain: renamed,
      proxyId,
      ttl,
      requestCount,
      lastUsed,
    } = parse(mappingUpdateSchema, updates, 'sticky session');
    const { pattern } = parseDomain(domain);
    return this.db.run(
      `UPDATE sticky_sessions SET
         domain = coalesce(:renamed, domain),
         is_wildcard = coalesce(:is_wildcard, is_wildcard),
         proxy_id = coalesce(:proxy_id, proxy_id),
         ttl_ms = CASE WHEN :set_ttl = 1 THEN :ttl ELSE ttl_ms END,
         request_count = coalesce(:request_count, request_count),
         last_used = coalesce(:last_used, last_used)
       WHERE domain = :domain`,
      {
        domain: pattern,
        renamed: renamed?.pattern ?? null,
        is_wildcard: renamed === undefined ? null : renamed.isWildcard ? 1 : 0,
        proxy_id: proxyId ?? null,
        set_ttl: ttl === undefined ? 0 : 1,
        ttl: ttl ?? null,
        request_count: requestCount ?? null,
        last_used: lastUsed === undefined ? null : storedFrom(lastUsed, 'lastUsed'),
      },
      (changed) => {
        if (changed === 0) throw notFound('sticky session for', pattern);
      },
    );
  }

  /** Removes the mapping with exactly this domain or wildcard; says whether there was one. */
  delete(domain: string): Result<M, boolean> {
    const { pattern } = parseDomain(domain);
    return this.db.run(
      `DELETE FROM sticky_sessions WHERE domain = :pattern`,
      { pattern },
      (changed) => changed > 0,
    );
  }

  /** Removes expired mappings, at a cost that grows with their number alone; gives it. */
  deleteExpired(): Result<M, number> {
    return this.db.run(`DELETE FROM sticky_sessions WHERE expires_at <= :now`, { now: this.now() });
  }

  /** All live mappings, by domain. */
  getAll(): Result<M, DomainProxyMapping[]> {
    return this.db.all(
      `SELECT * FROM sticky_sessions WHERE coalesce(expires_at, '9999') > :now ORDER BY domain`,
      { now: this.now() },
      skipMalformed(this.session, toMapping),
    );
  }

  /** Streams all live mappings, by domain. */
  iterate(): Stream<M, DomainProxyMapping> {
    return this.db.iterate(
      `SELECT * FROM sticky_sessions WHERE coalesce(expires_at, '9999') > :now ORDER BY domain`,
      { now: this.now() },
      skipMalformed(this.session, toMapping),
    );
  }

  /** How many live mappings there are. */
  count(): Result<M, number> {
    return this.db.one(
      `SELECT count(*) AS n FROM sticky_sessions WHERE coalesce(expires_at, '9999') > :now`,
      { now: this.now() },
      (row) => Number(row?.n),
    );
  }

  #patterns(domain: string): string {
    const { pattern, isWildcard } = parseDomain(domain);
    return JSON.stringify(isWildcard ? [pattern] : matchingPatterns(pattern));
  }
}

/** @throws INVALID_ROW for a row that holds no valid mapping. */
function toMapping(row: Row): DomainProxyMapping {
  const table = STICKY_SESSIONS;
  const is = table.columns;
  const { created_at: created, last_used: lastUsed } = row;
  return {
    domain: is.domain.is(row.domain) ? row.domain : table.refuse(row, 'domain'),
    proxyId: is.proxy_id.is(row.proxy_id) ? row.proxy_id : table.refuse(row, 'proxy_id'),
    ttl: is.ttl_ms.is(row.ttl_ms) ? row.ttl_ms : table.refuse(row, 'ttl_ms'),
    isWildcard: (FLAG.is(row.is_wildcard) ? row.is_wildcard : table.refuse(row, 'is_wildcard')) === 1,
    requestCount: is.request_count.is(row.request_count)
      ? row.request_count
      : table.refuse(row, 'request_count'),
    createdAt: fromStored(TIME.is(created) ? created : table.refuse(row, 'created_at')),
    lastUsed: fromStored(TIME.is(lastUsed) ? lastUsed : table.refuse(row, 'last_used')),
  };
}
