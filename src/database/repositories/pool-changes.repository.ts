import { assertPageSize, assertWhole } from '../../model/validation.ts';
import {
  type Mode,
  type Params,
  type Result,
  type Row,
  type SqlValue,
  type Steps,
  step,
} from '../drivers/driver.ts';
import { type Kind, oneOf, Table, whole } from './columns.ts';
import { Repository } from './repository.ts';

/** A row that was malformed had what it had, and is gone. */
const ANYTHING: Kind = { is: (value): value is SqlValue => value !== undefined, what: 'anything' };

export const PROXY_TOMBSTONES = new Table('proxy_tombstones', ['revision'], {
  revision: whole(1),
  proxy_id: ANYTHING,
});

export const POOL_REVISIONS = new Table('pool_revisions', ['name'], {
  name: oneOf(['rules', 'config', 'tombstones']),
  revision: whole(),
});

/** How far the pool has changed. */
export interface PoolRevisions {
  /** Of the last change of a proxy. It has not changed if this has not. */
  proxies: number;
  /** Each grows with every change of its table. */
  rules: number;
  config: number;
  /** Tombstones up to here are gone: who has read no further must read the whole pool again. */
  tombstonesFrom: number;
}

/** A row as it is stored, with the tags and cooldowns of the proxy. Nothing of it was checked. */
export interface ChangedRow {
  row: Row;
  tags: SqlValue[];
  cooldowns: Row[];
}

/** A proxy at one of its changes. */
export interface ChangePlace {
  revision: number;
  id: SqlValue;
}

/** What an index of the pool needs of a proxy. */
const COLUMNS = `p.id, p.name, p.protocol, p.host, p.port, p.status, p.region, p.geolocation_json, p.remote_dns, p.weight, p.gateway,
         p.latency, p.success_rate, p.failure_count, p.total_requests, p.hand_outs, p.last_used_at, p.revision`;

const PAGE_OF_CHANGES = `FROM proxies AS p
           WHERE p.revision >= :revision AND (p.revision > :revision OR p.id > :id)
           ORDER BY p.revision, p.id LIMIT :limit`;

/**
 * What changed in the pool since somebody looked, at a cost of what changed: for an index in memory. To follow, read
 * `revisions`, then `deletedSince`, then `changedSince`, in one snapshot and in this order, since an id may be given to another proxy.
 */
export class PoolChangesRepository<M extends Mode = 'sync'> extends Repository<M> {
  /** How far the pool has changed. */
  revisions(): Result<M, PoolRevisions> {
    return this.db.one(
      `SELECT
         (SELECT max(revision) FROM proxies WHERE revision IS NOT NULL) AS proxies,
         (SELECT max(revision) FROM proxy_tombstones) AS tombstones,
         (SELECT revision FROM pool_revisions WHERE name = 'rules') AS rules,
         (SELECT revision FROM pool_revisions WHERE name = 'config') AS config,
         (SELECT revision FROM pool_revisions WHERE name = 'tombstones') AS removed`,
      {},
      (row) => ({
        proxies: Math.max(Number(row?.proxies ?? 0), Number(row?.tombstones ?? 0)),
        rules: Number(row?.rules ?? 0),
        config: Number(row?.config ?? 0),
        tombstonesFrom: Number(row?.removed ?? 0),
      }),
    );
  }

  /** The first `limit` proxies that changed after a revision, by revision and id; `after` is the last row of the page before. */
  changedSince(revision: number, limit: number, after?: ChangePlace): Result<M, ChangedRow[]> {
    const params = {
      revision: after?.revision ?? revision + 1,
      id: after?.id ?? '',
      limit: assertPageSize(limit),
    };
    return this.db.sequence(() => this.#changedSince(params));
  }

  *#changedSince(params: Params): Steps<M, ChangedRow[]> {
    const changed = yield* step(
      this.db.all(
        `SELECT p.*, t.tag FROM (
           SELECT ${COLUMNS} ${PAGE_OF_CHANGES}) AS p
         LEFT JOIN proxy_tags AS t ON t.proxy_id = p.id
         ORDER BY p.revision, p.id, t.tag`,
        params,
        (row) => row,
        withTags,
      ),
    );
    if (changed.length === 0) return changed;
    const byId = new Map(changed.map((each) => [each.row.id, each]));
    yield this.db.all(
      `SELECT c.* FROM (
         SELECT p.id, p.revision ${PAGE_OF_CHANGES}) AS p
       JOIN proxy_cooldowns AS c ON c.proxy_id = p.id
       ORDER BY p.revision, p.id, c.scope, c.source`,
      params,
      (row) => byId.get(row.proxy_id)?.cooldowns.push(row),
    );
    return changed;
  }

  /** The first `limit` proxies that were deleted after a revision, by the revision of that. */
  deletedSince(revision: number, limit: number): Result<M, ChangePlace[]> {
    return this.db.all(
      `SELECT revision, proxy_id FROM proxy_tombstones WHERE revision > :revision ORDER BY revision LIMIT :limit`,
      { revision, limit: assertPageSize(limit) },
      (row) => ({ revision: Number(row.revision), id: row.proxy_id ?? null }),
    );
  }

  /** The first `limit` proxies after an id and `skip` more, by id, as they are stored: to load the whole pool, page by page. */
  page(afterId: SqlValue, limit: number, skip = 0): Result<M, Row[]> {
    return this.db.all(
      `SELECT ${COLUMNS} FROM proxies AS p WHERE p.id > :after ORDER BY p.id LIMIT :limit OFFSET :skip`,
      { after: afterId, limit: assertPageSize(limit), skip: assertWhole(skip, 'skip', 0) },
      (row) => row,
    );
  }

  /** The first `limit` tags after one of a proxy and `skip` more, by proxy and tag, as they are stored. */
  tagsPage(
    afterProxyId: SqlValue,
    afterTag: SqlValue,
    limit: number,
    skip = 0,
  ): Result<M, { proxyId: SqlValue; tag: SqlValue }[]> {
    return this.db.all(
      `SELECT proxy_id, tag FROM proxy_tags WHERE (proxy_id, tag) > (:proxy_id, :tag)
       ORDER BY proxy_id, tag LIMIT :limit OFFSET :skip`,
      {
        proxy_id: afterProxyId,
        tag: afterTag,
        limit: assertPageSize(limit),
        skip: assertWhole(skip, 'skip', 0),
      },
      (row) => ({ proxyId: row.proxy_id ?? null, tag: row.tag ?? null }),
    );
  }

  /** The first `limit` cooldowns after one and `skip` more, by proxy, scope and source: to load them with the whole pool. */
  cooldownsPage(after: Row | null, limit: number, skip = 0): Result<M, { proxyId: SqlValue; row: Row }[]> {
    return this.db.all(
      `SELECT * FROM proxy_cooldowns WHERE (proxy_id, scope, source) > (:proxy_id, :scope, :source)
       ORDER BY proxy_id, scope, source LIMIT :limit OFFSET :skip`,
      {
        proxy_id: after?.proxy_id ?? '',
        scope: after?.scope ?? '',
        source: after?.source ?? '',
        limit: assertPageSize(limit),
        skip: assertWhole(skip, 'skip', 0),
      },
      (row) => ({ proxyId: row.proxy_id ?? null, row }),
    );
  }
}

/** One entry for the rows of each proxy, of which there is one for each tag. */
function withTags(rows: readonly Row[]): ChangedRow[] {
  const changed: ChangedRow[] = [];
  for (const { tag = null, ...row } of rows) {
    let last = changed.at(-1);
    if (last === undefined || last.row.id !== row.id) {
      last = { row, tags: [], cooldowns: [] };
      changed.push(last);
    }
    if (tag !== null) last.tags.push(tag);
  }
  return changed;
}
