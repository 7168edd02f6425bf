import { type ProxyAddress, tagSchema } from '../../model/proxy.ts';
import {
  assertId,
  assertIterable,
  assertPageSize,
  invalidInput,
  LARGEST_PAGE,
  parse,
} from '../../model/validation.ts';
import { type Mode, type Result, type Row, type Steps, step } from '../drivers/driver.ts';
import { ID, Table, TEXT } from './columns.ts';
import { toAddress } from './credential-record.ts';
import { Repository } from './repository.ts';
import { assertAfter, skipMalformed } from './skipped-rows.ts';

export const PROXY_TAGS = new Table('proxy_tags', ['proxy_id', 'tag'], {
  proxy_id: ID,
  tag: ID,
  import_id: TEXT,
});

/** As many proxies as one statement tags. With more it is no faster. */
export const TAGGED_AT_ONCE = 32;
const TAGGED = Array.from({ length: TAGGED_AT_ONCE }, (_, n) => `id${n}`);

const TAG_MANY = `
  INSERT INTO proxy_tags (proxy_id, tag, import_id)
  SELECT id, :tag, :import_id FROM proxies WHERE id IN (${TAGGED.map((name) => `:${name}`).join(', ')})
  ON CONFLICT (proxy_id, tag) DO UPDATE SET import_id = excluded.import_id`;

/** A proxy that left the list of a tag. */
export interface LeavingProxy extends ProxyAddress {
  id: string;
  /** It has another tag, so it loses this one and stays in the pool. */
  stays: boolean;
}

/** How many proxies left the list of a tag, and how many of them have no other tag, so that they would be removed. */
export interface LeavingCount {
  leaving: number;
  removed: number;
}

/** Which proxies belong to which list. A proxy may have any number of tags. */
export class ProxyTagsRepository<M extends Mode = 'sync'> extends Repository<M> {
  /**
   * Tags a proxy, noting which import found it; gives how many rows changed.
   * @throws INVALID_INPUT for a tag that is empty, not printable or over 128 characters; CONSTRAINT if there is no such proxy.
   * @example
   * vault.tags.add(id, 'mine', 'by hand'); // 1
   */
  add(proxyId: string, tag: string, importId: string): Result<M, number> {
    return this.db.transaction(() => this.#add(proxyId, tag, importId));
  }

  /**
   * As `add`, in a transaction that holds the lock `tags`.
   *
   * @example
   * vault.database.transaction(() => {
   *   vault.database.driver.lock('tags');
   *   for (const { id } of vault.proxies.findByRegion('EU')) vault.tags.addLocked(id, 'europe', 'by hand');
   * });
   */
  addLocked(proxyId: string, tag: string, importId: string): Result<M, number> {
    return this.db.run(
      `INSERT INTO proxy_tags (proxy_id, tag, import_id) VALUES (:id, :tag, :import_id)
       ON CONFLICT (proxy_id, tag) DO UPDATE SET import_id = excluded.import_id`,
      { id: assertId(proxyId, 'proxyId'), tag: assertTag(tag), import_id: assertId(importId, 'importId') },
    );
  }

  /**
   * As `addLocked`, of many proxies by few statements; those that do not exist are left out.
   *
   * @throws INVALID_INPUT as `add`.
   * @example
   * vault.database.transaction(() => {
   *   vault.database.driver.lock('tags');
   *   vault.tags.addManyLocked(vault.proxies.findByRegion('EU').map(({ id }) => id), 'europe', 'by hand');
   * });
   */
  addManyLocked(proxyIds: Iterable<string>, tag: string, importId: string): Result<M, number> {
    const ids = [...new Set(assertIterable(proxyIds, 'proxyIds'))].map((id) => assertId(id, 'proxyId'));
    const shared = { tag: assertTag(tag), import_id: assertId(importId, 'importId') };
    return this.db.sequence(() => this.#addMany(ids, shared));
  }

  /**
   * Takes a tag from a proxy, which stays in the pool; says whether it had it.
   *
   * @throws INVALID_INPUT as `add`.
   * @example
   * vault.tags.remove(id, 'trial');
   */
  remove(proxyId: string, tag: string): Result<M, boolean> {
    return this.db.run(
      `DELETE FROM proxy_tags WHERE proxy_id = :id AND tag = :tag`,
      { id: assertId(proxyId, 'proxyId'), tag: assertTag(tag) },
      (changed) => changed > 0,
    );
  }

  /**
   * The tags of a proxy, in order.
   *
   * @example
   * const tags = vault.tags.findByProxy(id); // ['europe', 'mine']
   */
  findByProxy(proxyId: string): Result<M, string[]> {
    return this.db.all(
      `SELECT * FROM proxy_tags WHERE proxy_id = :id ORDER BY tag`,
      { id: assertId(proxyId, 'proxyId') },
      skipMalformed(this.session, (row) => PROXY_TAGS.read.tag(row.tag, row)),
    );
  }

  /**
   * The tags of many proxies by one statement, such as those of a page: by id, each list in order, and empty for a proxy that
   * has no tag or does not exist.
   *
   * @throws INVALID_INPUT for more than 10,000 ids.
   * @example
   * const page = vault.proxies.list({ limit: 50 });
   * const tags = vault.tags.findByProxies(page.items.map(({ id }) => id));
   * for (const { id, name } of page.items) console.log(name, tags.get(id));
   */
  findByProxies(proxyIds: Iterable<string>): Result<M, Map<string, string[]>> {
    const ids = [...new Set(assertIterable(proxyIds, 'proxyIds'))].map((id) => assertId(id, 'proxyId'));
    if (ids.length > LARGEST_PAGE) throw invalidInput(`proxyIds must be at most ${LARGEST_PAGE} ids.`);
    // Powers of two, so that there are few statements to prepare. An id that is given twice changes nothing.
    const size = 2 ** Math.ceil(Math.log2(Math.max(1, ids.length)));
    const params: Record<string, string> = {};
    for (let n = 0; n < size; n++) params[`p${n}`] = ids[n] ?? ids[0] ?? '';
    const names = Object.keys(params).map((name) => `:${name}`);
    const { read } = PROXY_TAGS;
    return this.db.all(
      `SELECT proxy_id, tag FROM proxy_tags WHERE proxy_id IN (${names.join(', ')}) ORDER BY proxy_id, tag`,
      params,
      skipMalformed(this.session, (row) => ({
        id: read.proxy_id(row.proxy_id, row),
        tag: read.tag(row.tag, row),
      })),
      (found) => {
        const tags = new Map(ids.map((id) => [id, [] as string[]]));
        for (const { id, tag } of found) tags.get(id)?.push(tag);
        return tags;
      },
    );
  }

  /**
   * Whether a proxy has a tag.
   *
   * @example
   * if (vault.tags.has(id, 'mine')) console.log('It is on my list.');
   */
  has(proxyId: string, tag: string): Result<M, boolean> {
    return this.db.one(
      `SELECT 1 FROM proxy_tags WHERE proxy_id = :id AND tag = :tag`,
      { id: assertId(proxyId, 'proxyId'), tag: assertTag(tag) },
      (row) => row !== undefined,
    );
  }

  /**
   * How many proxies have a tag.
   *
   * @example
   * const size = vault.tags.count('mine'); // 1200
   */
  count(tag: string): Result<M, number> {
    return this.db.one(
      `SELECT count(*) AS n FROM proxy_tags WHERE tag = :tag`,
      { tag: assertTag(tag) },
      (row) => Number(row?.n),
    );
  }

  /**
   * Counts the proxies with a tag that this import did not find.
   *
   * @example
   * const { leaving, removed } = vault.tags.countOthers('mine', 'import-7'); // { leaving: 30, removed: 28 }
   */
  countOthers(tag: string, importId: string): Result<M, LeavingCount> {
    return this.db.one(
      `SELECT count(*) AS leaving, coalesce(sum(CASE WHEN EXISTS (
           SELECT 1 FROM proxy_tags AS other WHERE other.proxy_id = mine.proxy_id AND other.tag <> mine.tag)
         THEN 0 ELSE 1 END), 0) AS removed
       FROM proxy_tags AS mine WHERE mine.tag = :tag AND mine.import_id <> :import_id`,
      { tag: assertTag(tag), import_id: assertId(importId, 'importId') },
      (row) => ({ leaving: Number(row?.leaving), removed: Number(row?.removed) }),
    );
  }

  /**
   * The first `limit` proxies with a tag that this import did not find, by id. Malformed rows are left out.
   *
   * @example
   * for (const { host, stays } of vault.tags.findOthers('mine', 'import-7', 10))
   *   console.log(host, stays ? 'stays, since it has another tag' : 'would be removed');
   */
  findOthers(tag: string, importId: string, limit: number): Result<M, LeavingProxy[]> {
    return this.db.all(
      `SELECT proxies.id, proxies.protocol, proxies.host, proxies.port, CASE WHEN EXISTS (
           SELECT 1 FROM proxy_tags AS other WHERE other.proxy_id = mine.proxy_id AND other.tag <> mine.tag)
         THEN 1 ELSE 0 END AS stays
       FROM proxy_tags AS mine JOIN proxies ON proxies.id = mine.proxy_id
       WHERE mine.tag = :tag AND mine.import_id <> :import_id ORDER BY mine.proxy_id LIMIT :limit`,
      {
        tag: assertTag(tag),
        import_id: assertId(importId, 'importId'),
        limit: assertPageSize(limit),
      },
      toLeaving,
    );
  }

  /**
   * Takes a tag from all proxies that this import did not find; removes those without another tag, and gives their number.
   *
   * @example
   * const removed = vault.tags.removeOthers('mine', 'import-7'); // 28
   */
  removeOthers(tag: string, importId: string): Result<M, number> {
    assertTag(tag);
    assertId(importId, 'importId');
    return this.db.transaction(() => this.removeOthersSteps(tag, importId));
  }

  /**
   * The steps of `removeOthers`, a few hundred proxies at a time, so that none of them takes long.
   *
   * @example
   * const removed = await vault.database.longTransaction((session) =>
   *   new ProxyTagsRepository(session).removeOthersSteps('mine', 'import-7'),
   * );
   */
  *removeOthersSteps(tag: string, importId: string): Steps<M, number> {
    // Nobody gives a proxy another tag between the look for one and its removal. SQLite has one writer, and needs no lock.
    yield this.db.lock('tags');
    let removed = 0;
    for (let after = ''; ; ) {
      const last = yield* step(this.#lastOfChunk(tag, importId, after));
      if (last === null) return removed;
      assertAfter('proxy_tags', after, last);
      const chunk = { tag, import_id: importId, after, last };
      removed += yield* step(
        this.db.run(
          `DELETE FROM proxies
         WHERE id IN (
             SELECT proxy_id FROM proxy_tags
             WHERE tag = :tag AND import_id <> :import_id AND proxy_id > :after AND proxy_id <= :last)
           AND NOT EXISTS (SELECT 1 FROM proxy_tags AS other WHERE other.proxy_id = proxies.id AND other.tag <> :tag)`,
          chunk,
        ),
      );
      yield this.db.run(
        `DELETE FROM proxy_tags
         WHERE tag = :tag AND import_id <> :import_id AND proxy_id > :after AND proxy_id <= :last`,
        chunk,
      );
      after = last;
    }
  }

  *#add(proxyId: string, tag: string, importId: string): Steps<M, number> {
    yield this.db.lock('tags');
    return yield* step(this.addLocked(proxyId, tag, importId));
  }

  *#addMany(ids: readonly string[], shared: { tag: string; import_id: string }): Steps<M, number> {
    let changed = 0;
    for (let at = 0; at < ids.length; at += TAGGED_AT_ONCE) {
      const params: Record<string, string> = { ...shared };
      // The last ones are filled up, so that there is one statement to prepare: an id that is given twice changes nothing.
      for (const [n, name] of TAGGED.entries()) params[name] = ids[at + n] ?? ids[at] ?? '';
      changed += yield* step(this.db.run(TAG_MANY, params));
    }
    return changed;
  }

  #lastOfChunk(tag: string, importId: string, after: string): Result<M, string | null> {
    return this.db.one(
      `SELECT max(proxy_id) AS last FROM (
         SELECT proxy_id FROM proxy_tags
         WHERE tag = :tag AND import_id <> :import_id AND proxy_id > :after ORDER BY proxy_id LIMIT 500) AS chunk`,
      { tag, import_id: importId, after },
      (row) => (row?.last ?? null) as string | null,
    );
  }
}

function toLeaving(row: Row): LeavingProxy | undefined {
  const address = toAddress(row);
  return address && ID.is(row.id) ? { id: row.id, ...address, stays: Number(row.stays) === 1 } : undefined;
}

/** @throws INVALID_INPUT for a tag that is empty, longer than 128 characters or not printable. */
export function assertTag(tag: string): string {
  return parse(tagSchema, tag, 'tag');
}
