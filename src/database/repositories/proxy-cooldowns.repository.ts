import {
  type Cooldown,
  type CooldownInput,
  type CooldownScope,
  cooldownSchema,
  isScope,
} from '../../model/cooldown.ts';
import { COOLDOWN_KINDS, COOLDOWN_SOURCES, type CooldownSource } from '../../model/outcomes.ts';
import { assertId, assertOptions, assertPageSize, assertWhole, parse } from '../../model/validation.ts';
import type { Mode, Result, Row } from '../drivers/driver.ts';
import { fromStored, storedFrom } from '../timestamps.ts';
import { ID, type Kind, nullable, oneOf, Table, TEXT, TIME, whole } from './columns.ts';
import { Conditions } from './conditions.ts';
import { Repository } from './repository.ts';
import { skipMalformed } from './skipped-rows.ts';

const SCOPE: Kind<CooldownScope> = {
  is: (value): value is CooldownScope => typeof value === 'string' && isScope(value),
  what: 'empty, "domain NAME" or "session NAME"',
};

export const PROXY_COOLDOWNS = new Table('proxy_cooldowns', ['proxy_id', 'scope', 'source'], {
  proxy_id: ID,
  scope: SCOPE,
  source: oneOf(COOLDOWN_SOURCES),
  kind: oneOf(COOLDOWN_KINDS),
  times: whole(),
  since: TIME,
  until: nullable(TIME),
  detail: nullable(TEXT),
});

/** A cooldown's place among all of them. */
type CooldownKey = Pick<Cooldown, 'proxyId' | 'scope' | 'source'>;

/** Which cooldowns are listed; an absent field leaves it open. */
export interface CooldownListing {
  /** This scope alone. */
  scope?: CooldownScope | undefined;
  /** Those that have not ended at this time. */
  at?: Date | string | undefined;
  /** 1 to 10,000; 100 unless given. */
  limit?: number | undefined;
  /** The last one of the page before. */
  after?: CooldownKey | undefined;
}

/** Before every cooldown. */
const FIRST: CooldownKey = { proxyId: '', scope: '', source: 'engine' };

/** Until when, and why, proxies are out. Each change of them is a change of the proxy, which other processes follow. */
export class ProxyCooldownsRepository<M extends Mode = 'sync'> extends Repository<M> {
  /**
   * Stores a cooldown in place of the one that its source has for this scope of the proxy.
   *
   * @throws CONSTRAINT if there is no such proxy; INVALID_INPUT.
   */
  set(cooldown: CooldownInput): Result<M, void> {
    const { proxyId, scope, source, kind, times, since, until, detail } = parse(
      cooldownSchema,
      cooldown,
      'cooldown',
    );
    return this.db.run(
      `INSERT INTO proxy_cooldowns (proxy_id, scope, source, kind, times, since, until, detail)
       VALUES (:proxy_id, :scope, :source, :kind, :times, :since, :until, :detail)
       ON CONFLICT (proxy_id, scope, source) DO UPDATE SET
         kind = excluded.kind, times = excluded.times, since = excluded.since, until = excluded.until, detail = excluded.detail`,
      {
        proxy_id: proxyId,
        scope,
        source,
        kind,
        times,
        since: storedFrom(since, 'since'),
        until: until === null ? null : storedFrom(until, 'until'),
        detail,
      },
      () => undefined,
    );
  }

  /** Removes the cooldowns of a proxy, or those of one scope or source of it; gives how many there were. */
  remove(
    proxyId: string,
    which: { scope?: CooldownScope | undefined; source?: CooldownSource | undefined } = {},
  ): Result<M, number> {
    const { scope, source } = assertOptions(which, ['scope', 'source'], 'cooldowns to remove');
    const conditions = new Conditions();
    conditions.add('proxy_id = :proxy_id', { proxy_id: assertId(proxyId, 'proxyId') });
    if (scope !== undefined) conditions.add('scope = :scope', { scope: assertId(scope, 'scope') });
    if (source !== undefined) conditions.add('source = :source', { source: assertId(source, 'source') });
    return this.db.run(`DELETE FROM proxy_cooldowns ${conditions.where}`, conditions.params);
  }

  /** The cooldowns of a proxy, by scope and source; also those that have ended. */
  find(proxyId: string): Result<M, Cooldown[]> {
    return this.db.all(
      `SELECT * FROM proxy_cooldowns WHERE proxy_id = :proxy_id ORDER BY scope, source`,
      { proxy_id: assertId(proxyId, 'proxyId') },
      skipMalformed(this.session, toCooldown),
    );
  }

  /** One page of cooldowns, by proxy, scope and source. A page that is not full may be followed by others if rows are malformed. */
  list(listing: CooldownListing = {}): Result<M, Cooldown[]> {
    const {
      scope,
      at,
      limit = 100,
      after = FIRST,
    } = assertOptions(listing, ['scope', 'at', 'limit', 'after'], 'options of a list of cooldowns');
    const conditions = new Conditions();
    conditions.add('(proxy_id, scope, source) > (:proxy_id, :after_scope, :source)', {
      proxy_id: assertId(after.proxyId, 'proxyId'),
      after_scope: assertId(after.scope, 'scope'),
      source: assertId(after.source, 'source'),
    });
    if (scope !== undefined) conditions.add('scope = :scope', { scope: assertId(scope, 'scope') });
    if (at !== undefined) conditions.add(`coalesce(until, '9999') > :at`, { at: storedFrom(at, 'at') });
    return this.db.all(
      `SELECT * FROM proxy_cooldowns ${conditions.where} ORDER BY proxy_id, scope, source LIMIT :limit`,
      { ...conditions.params, limit: assertPageSize(limit) },
      skipMalformed(this.session, toCooldown),
    );
  }

  /** Removes at most `limit` cooldowns that ended before a time; gives how many went. */
  deleteExpiredBefore(time: Date | string, limit = Number.MAX_SAFE_INTEGER): Result<M, number> {
    return this.db.run(
      `DELETE FROM proxy_cooldowns WHERE (proxy_id, scope, source) IN (
         SELECT proxy_id, scope, source FROM proxy_cooldowns WHERE until < :time LIMIT :limit)`,
      {
        time: storedFrom(time, 'time'),
        limit: assertWhole(limit, 'limit', 1, Number.MAX_SAFE_INTEGER),
      },
    );
  }
}

/** @throws INVALID_ROW for a row that holds no valid cooldown. */
export function toCooldown(row: Row): Cooldown {
  const { read } = PROXY_COOLDOWNS;
  return {
    proxyId: read.proxy_id(row.proxy_id, row),
    scope: read.scope(row.scope, row),
    source: read.source(row.source, row),
    kind: read.kind(row.kind, row),
    times: read.times(row.times, row),
    since: fromStored(read.since(row.since, row)),
    until: fromStored(read.until(row.until, row)),
    detail: read.detail(row.detail, row),
  };
}
