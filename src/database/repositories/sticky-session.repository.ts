import { matchingPatterns, parseDomain } from '../../model/domain.ts';
import {
  type DomainProxyMapping,
  type DomainProxyMappingUpdate,
  mappingSchema,
  mappingUpdateSchema,
} from '../../model/sticky.ts';
import { assertId, assertWhole, parse } from '../../model/validation.ts';
import type { Mode, Params, Result, Row, Stream } from '../drivers/driver.ts';
import { fromStored, storedFrom } from '../timestamps.ts';
import { FLAG, ID, nullable, Table, TIME, whole } from './columns.ts';
import { changesOf, orNotFound, Repository } from './repository.ts';
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

const IS_LIVE = `coalesce(expires_at, '9999') > :now`;
const SELECT_LIVE = `SELECT * FROM sticky_sessions WHERE ${IS_LIVE} ORDER BY domain`;

/** By the number of patterns, which is the number of labels of the domain. Kept, since a text that is put together again is hashed again. */
const BEST: ReturnType<typeof bestOf>[] = [];

/** The statements that look for one of several patterns: of the live mappings the exact one, else the longest wildcard. */
function bestOf(patterns: number): { find: string; use: string } {
  const names = Array.from({ length: patterns }, (_, index) => `:p${index}`).join(', ');
  const best = `FROM sticky_sessions WHERE domain IN (${names}) AND ${IS_LIVE} ORDER BY is_wildcard, length(domain) DESC LIMIT 1`;
  return {
    find: `SELECT * ${best}`,
    use: `UPDATE sticky_sessions SET last_used = :now, request_count = request_count + 1 WHERE domain = (SELECT domain ${best}) RETURNING *`,
  };
}

/**
 * Which proxy a domain sticks to. Every domain is normalised: lower case, no trailing dot, ASCII (UTS 46), and of a URL or
 * `host:port` its host. `ttl` counts from the last use, and an expired mapping is never given.
 */
export class StickySessionRepository<M extends Mode = 'sync'> extends Repository<M> {
  /**
   * Maps a domain, or `*.domain`, to a proxy; replaces a mapping of the same domain.
   * @throws NOT_FOUND if there is no such proxy; INVALID_INPUT for an invalid domain.
   * @example
   * vault.sticky.create({ domain: '*.shop.example', proxyId: id, ttl: 3_600_000 }); // an hour from the last use
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
      orNotFound('proxy', proxyId),
    );
  }

  /**
   * The mapping that holds for a domain, or null: the exact one, else the longest wildcard. `*.domain` means itself.
   *
   * @example
   * const mapping = vault.sticky.findByDomain('www.shop.example'); // that of '*.shop.example', or null
   */
  findByDomain(domain: string): Result<M, DomainProxyMapping | null> {
    const { sql, params } = this.#best(domain);
    return this.db.first(sql.find, params, toMapping);
  }

  /**
   * As `findByDomain`, and counts the use, from which `ttl` counts again.
   *
   * @example
   * const mapping = vault.sticky.use('https://www.shop.example/cart');
   * console.log(mapping?.proxyId, mapping?.requestCount);
   */
  use(domain: string): Result<M, DomainProxyMapping | null> {
    const { sql, params } = this.#best(domain);
    return this.db.first(sql.use, params, toMapping);
  }

  /**
   * Whether exactly this domain or wildcard is mapped to a proxy, also if the mapping has expired.
   *
   * @example
   * if (!vault.sticky.isMappedTo('*.shop.example', id)) console.log('It was moved or removed.');
   */
  isMappedTo(domain: string, proxyId: string): Result<M, boolean> {
    return this.db.one(
      `SELECT 1 FROM sticky_sessions WHERE domain = :domain AND proxy_id = :proxy_id`,
      { domain: parseDomain(domain).pattern, proxy_id: assertId(proxyId, 'proxyId') },
      (row) => row !== undefined,
    );
  }

  /**
   * Counts uses of the mapping with exactly this domain or wildcard, the last of which is never earlier than one that is stored; says
   * whether there is such a mapping.
   *
   * @example
   * vault.sticky.touch('*.shop.example', 3, new Date());
   */
  touch(domain: string, count: number, lastUsed: Date | string): Result<M, boolean> {
    return this.db.run(
      `UPDATE sticky_sessions SET
         request_count = request_count + :count,
         last_used = CASE WHEN last_used < :last_used THEN :last_used ELSE last_used END
       WHERE domain = :domain`,
      {
        domain: parseDomain(domain).pattern,
        count: assertWhole(count, 'count', 0),
        last_used: storedFrom(lastUsed, 'lastUsed'),
      },
      (changed) => changed > 0,
    );
  }

  /**
   * The live mappings to a proxy, by domain.
   *
   * @example
   * const domains = vault.sticky.findByProxy(id).map(({ domain }) => domain); // ['*.shop.example']
   */
  findByProxy(proxyId: string): Result<M, DomainProxyMapping[]> {
    return this.db.all(
      `SELECT * FROM sticky_sessions WHERE proxy_id = :id AND ${IS_LIVE} ORDER BY domain`,
      { id: assertId(proxyId, 'proxyId'), now: this.now() },
      skipMalformed(this.session, toMapping),
    );
  }

  /**
   * Changes the fields that are given of the mapping with exactly this domain or wildcard. A mapping that was read may be given
   * back whole, with changes: its `isWildcard` and `createdAt` are then ignored. Otherwise such a field is INVALID_INPUT, by name.
   *
   * @throws NOT_FOUND if there is no such mapping; CONSTRAINT for an unknown proxy; CONFLICT if the new domain is mapped;
   *   INVALID_INPUT.
   * @example
   * for (const { domain } of vault.sticky.getAll()) vault.sticky.update(domain, { ttl: 600_000 });
   */
  update(domain: string, updates: DomainProxyMappingUpdate): Result<M, void> {
    const changes = parse(mappingUpdateSchema, updates, 'sticky session');
    const { domain: renamed, proxyId, ttl, requestCount, lastUsed } = changes;
    const { pattern } = parseDomain(domain);
    return this.db.run(
      `UPDATE sticky_sessions SET
         domain = coalesce(:domain, domain),
         is_wildcard = coalesce(:is_wildcard, is_wildcard),
         proxy_id = coalesce(:proxy_id, proxy_id),
         ttl_ms = CASE WHEN :set_ttl_ms = 1 THEN :ttl_ms ELSE ttl_ms END,
         request_count = coalesce(:request_count, request_count),
         last_used = coalesce(:last_used, last_used)
       WHERE domain = :pattern`,
      {
        ...changesOf(
          {
            domain: renamed?.pattern,
            is_wildcard: renamed?.isWildcard,
            proxy_id: proxyId,
            request_count: requestCount,
            last_used: lastUsed === undefined ? undefined : storedFrom(lastUsed, 'lastUsed'),
          },
          { ttl_ms: ttl },
        ),
        pattern,
      },
      orNotFound('sticky session for', pattern),
    );
  }

  /**
   * Removes the mapping with exactly this domain or wildcard; says whether there was one.
   *
   * @example
   * vault.sticky.delete('*.shop.example'); // false if it was not mapped
   */
  delete(domain: string): Result<M, boolean> {
    const { pattern } = parseDomain(domain);
    return this.db.run(
      `DELETE FROM sticky_sessions WHERE domain = :pattern`,
      { pattern },
      (changed) => changed > 0,
    );
  }

  /**
   * Removes expired mappings, at a cost that grows with their number alone; gives it.
   *
   * @example
   * const gone = vault.sticky.deleteExpired(); // 12
   */
  deleteExpired(): Result<M, number> {
    return this.db.run(`DELETE FROM sticky_sessions WHERE expires_at <= :now`, { now: this.now() });
  }

  /**
   * All live mappings, by domain.
   *
   * @example
   * for (const { domain, proxyId } of vault.sticky.getAll()) console.log(domain, proxyId);
   */
  getAll(): Result<M, DomainProxyMapping[]> {
    return this.db.all(SELECT_LIVE, { now: this.now() }, skipMalformed(this.session, toMapping));
  }

  /**
   * Streams all live mappings, by domain.
   *
   * @example
   * for (const { domain, lastUsed } of vault.sticky.iterate()) console.log(domain, lastUsed);
   */
  iterate(): Stream<M, DomainProxyMapping> {
    return this.db.iterate(SELECT_LIVE, { now: this.now() }, skipMalformed(this.session, toMapping));
  }

  /**
   * How many live mappings there are.
   *
   * @example
   * const domains = vault.sticky.count();
   */
  count(): Result<M, number> {
    return this.db.one(
      `SELECT count(*) AS n FROM sticky_sessions WHERE ${IS_LIVE}`,
      { now: this.now() },
      (row) => Number(row?.n),
    );
  }

  #best(domain: string): { sql: ReturnType<typeof bestOf>; params: Params } {
    const { pattern, isWildcard } = parseDomain(domain);
    const patterns = isWildcard ? [pattern] : matchingPatterns(pattern);
    const params: Record<string, string> = { now: this.now() };
    for (const [index, each] of patterns.entries()) params[`p${index}`] = each;
    const sql = BEST[patterns.length] ?? bestOf(patterns.length);
    BEST[patterns.length] = sql;
    return { sql, params };
  }
}

/** @throws INVALID_ROW for a row that holds no valid mapping. */
function toMapping(row: Row): DomainProxyMapping {
  const { read } = STICKY_SESSIONS;
  return {
    domain: read.domain(row.domain, row),
    proxyId: read.proxy_id(row.proxy_id, row),
    ttl: read.ttl_ms(row.ttl_ms, row),
    isWildcard: read.is_wildcard(row.is_wildcard, row) === 1,
    requestCount: read.request_count(row.request_count, row),
    createdAt: fromStored(read.created_at(row.created_at, row)),
    lastUsed: fromStored(read.last_used(row.last_used, row)),
  };
}
