import { type DatabaseManager, ProxyVaultError } from 'proxyvault/database';
import {
  ProxyRepository,
  ProxyTagsRepository,
  RotationConfigRepository,
} from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import {
  type ChangePlace,
  PoolChangesRepository,
} from '../../../src/database/repositories/pool-changes.repository.ts';
import { RotationTurnsRepository } from '../../../src/database/repositories/rotation-turns.repository.ts';
import { SessionProxiesRepository } from '../../../src/database/repositories/session-proxies.repository.ts';
import { Random } from '../../faults/random.ts';
import { openMigrated, thrownBy } from '../../support/temporary.ts';

const SEED = Number(process.env.PROXYVAULT_SEED ?? 91);

interface Pool {
  db: DatabaseManager;
  proxies: ProxyRepository;
  tags: ProxyTagsRepository;
  changes: PoolChangesRepository;
  time: { now: number };
}

function open(): Pool {
  const time = { now: Date.UTC(2026, 0, 1) };
  const db = openMigrated({ path: ':memory:', clock: () => time.now });
  return {
    db,
    proxies: new ProxyRepository(db),
    tags: new ProxyTagsRepository(db),
    changes: new PoolChangesRepository(db),
    time,
  };
}

const proxy = (n: number) => ({ id: `p${n}`, host: 'h.example', port: n, protocol: 'http' as const });

/** A copy of the pool that hears only of changes, two rows at a time. */
class Follower {
  seen = 0;
  readonly copy = new Map<unknown, string>();

  follow(changes: PoolChangesRepository): number {
    let read = 0;
    const { proxies: upTo } = changes.revisions();
    for (let from = this.seen; ; ) {
      const page = changes.deletedSince(from, 2);
      for (const { id } of page) this.copy.delete(id);
      read += page.length;
      if (page.length < 2) break;
      from = page.at(-1)?.revision ?? 0;
    }
    for (let after: ChangePlace | undefined; ; ) {
      const page = changes.changedSince(this.seen, 2, after);
      for (const { row, tags, cooldowns } of page) this.copy.set(row.id, factsOf(row, tags, cooldowns));
      read += page.length;
      const last = page.at(-1)?.row;
      if (last === undefined) break;
      after = { revision: Number(last.revision), id: last.id ?? null };
    }
    this.seen = upTo;
    return read;
  }
}

/** An id or an address may be taken: then nothing changes. */
function attempt(deed: (() => unknown) | undefined): void {
  try {
    deed?.();
  } catch (error) {
    if (!(error instanceof ProxyVaultError && error.code === 'CONFLICT')) throw error;
  }
}

function factsOf(row: object, tags: unknown[], cooldowns: readonly object[]): string {
  const { name, host, port, status, region, weight, gateway } = row as Record<string, unknown>;
  const described = { name, host, port, status, region, weight, gateway: Boolean(gateway) };
  return JSON.stringify({ ...described, tags, cooldowns });
}

function poolOf({ db, proxies, tags }: Pool): Map<unknown, string> {
  const cooldownsOf = (id: string) =>
    db.query('SELECT * FROM proxy_cooldowns WHERE proxy_id = :id ORDER BY scope, source', { id });
  return new Map(
    proxies
      .findAll()
      .map((each) => [each.id, factsOf(each, tags.findByProxy(each.id), cooldownsOf(each.id))]),
  );
}

describe('following a pool', () => {
  it('sees every change, of the library and of plain SQL, and reads nothing else', () => {
    const pool = open();
    const { db, proxies, tags, changes } = pool;
    const random = new Random(SEED);
    const follower = new Follower();
    const id = (): string => `p${1 + random.below(12)}`;
    const sql = (text: string) => (): unknown => db.execute(text, { id: id() });
    const deeds: (() => unknown)[] = [
      () => proxies.exists('p1') || proxies.create(proxy(1)),
      () =>
        proxies.importMany([
          { ...proxy(1 + random.below(12)), region: random.pick(['EU', 'US']), weight: 2 },
        ]),
      () =>
        proxies.importMany([proxy(1 + random.below(12))], {
          tag: { name: 'list', importId: String(random.below(9)) },
        }),
      () =>
        proxies.exists('p2') &&
        proxies.update('p2', { status: random.pick(['active', 'failed']), weight: 0.5 }),
      () => proxies.exists('p3') && proxies.update('p3', { port: 3 + 100 * random.below(3) }),
      () => proxies.delete(id()),
      () => proxies.exists('p4') && tags.add('p4', random.pick(['a', 'b']), 'i'),
      () => tags.remove(id(), random.pick(['a', 'b', 'list'])),
      () => tags.removeOthers('list', '1'),
      sql(
        `INSERT INTO proxies (id, name, host, port, protocol) VALUES (:id, 'n', 'sql.example', 1, 'http') ON CONFLICT DO NOTHING`,
      ),
      sql(`UPDATE proxies SET name = name || 'x' WHERE id <> :id`),
      sql(`UPDATE proxies SET region = NULL WHERE id = :id`),
      sql(`DELETE FROM proxies WHERE id = :id`),
      sql(
        `INSERT INTO proxy_tags (proxy_id, tag, import_id) SELECT id, 'sql', 'i' FROM proxies WHERE id = :id ON CONFLICT DO NOTHING`,
      ),
      sql(`UPDATE proxies SET gateway = 1 - gateway WHERE id = :id`),
      sql(
        `INSERT INTO proxy_cooldowns (proxy_id, scope, source, kind, since)
         SELECT id, 'domain ' || substr(id, 2, 1), 'engine', 'blocked', created_at FROM proxies WHERE id = :id
         ON CONFLICT (proxy_id, scope, source) DO UPDATE SET times = proxy_cooldowns.times + 1`,
      ),
      sql(
        `INSERT INTO proxy_cooldowns (proxy_id, source, kind, since)
         SELECT id, 'person', 'manual', created_at FROM proxies WHERE id = :id ON CONFLICT DO NOTHING`,
      ),
      sql(`DELETE FROM proxy_cooldowns WHERE proxy_id = :id AND source = 'person'`),
      sql(`UPDATE proxy_tags SET tag = tag || 'x' WHERE proxy_id = :id`),
      sql(
        `UPDATE proxies SET id = 'q' || id WHERE id = :id AND NOT EXISTS (SELECT 1 FROM proxy_tags WHERE proxy_id = proxies.id)
         AND NOT EXISTS (SELECT 1 FROM proxy_cooldowns WHERE proxy_id = proxies.id)`,
      ),
    ];
    for (let n = 0; n < 600; n++) {
      for (let some = random.below(4); some >= 0; some--) attempt(deeds[random.below(deeds.length)]);
      follower.follow(changes);
      expect([SEED, n, [...follower.copy].sort()]).toEqual([SEED, n, [...poolOf(pool)].sort()]);
      expect(follower.follow(changes)).toBe(0);
    }
  });

  it('hears nothing of statistics', () => {
    const { proxies, changes } = open();
    proxies.create(proxy(1));
    const before = changes.revisions();
    proxies.updateStats('p1', false, 5);
    expect(changes.revisions()).toEqual(before);
  });

  it('hears that rules or the configuration changed', () => {
    const { db, changes } = open();
    expect(changes.revisions()).toEqual({ proxies: 0, rules: 0, config: 0, tombstonesFrom: 0 });
    const config = new RotationConfigRepository(db);
    config.setStrategy('random');
    config.setStrategy('random');
    config.reset();
    db.execute(
      `INSERT INTO rotation_rules (id, name, conditions_json, actions_json) VALUES ('r', 'r', '[]', '[]')`,
    );
    db.execute(`DELETE FROM rotation_rules`);
    expect(changes.revisions()).toMatchObject({ rules: 2, config: 3 });
  });

  it('keeps the tombstones of the newest 100,000 revisions, and says which are gone', () => {
    const { db, proxies, changes } = open();
    for (const n of [1, 2, 3]) proxies.create(proxy(n));
    proxies.delete('p1');
    proxies.delete('p2');
    expect(changes.deletedSince(0, 9).map(({ id }) => id)).toEqual(['p1', 'p2']);
    db.execute(`UPDATE proxies SET revision = 100004 WHERE id = 'p3'`);
    proxies.delete('p3');
    expect(changes.deletedSince(0, 9)).toEqual([{ revision: 100_005, id: 'p3' }]);
    expect(changes.revisions()).toMatchObject({ proxies: 100_005, tombstonesFrom: 5 });
  });

  it('loads a pool and its tags in pages', () => {
    const { proxies, tags, changes } = open();
    proxies.createMany([proxy(1), proxy(2), proxy(3)]);
    for (const [id, tag] of [
      ['p1', 'b'],
      ['p1', 'a'],
      ['p3', 'a'],
    ] as const)
      tags.add(id, tag, 'i');
    expect(changes.page('', 2).map(({ id, weight }) => [id, weight])).toEqual([
      ['p1', 1],
      ['p2', 1],
    ]);
    expect(changes.page('p2', 2).map(({ id }) => id)).toEqual(['p3']);
    expect(changes.tagsPage('', '', 2)).toEqual([
      { proxyId: 'p1', tag: 'a' },
      { proxyId: 'p1', tag: 'b' },
    ]);
    expect(changes.tagsPage('p1', 'b', 2)).toEqual([{ proxyId: 'p3', tag: 'a' }]);
  });
});

describe('the proxy of a session', () => {
  it('is claimed by the first, moved once, and free again when its time is over', () => {
    const { db, proxies, time } = open();
    proxies.createMany([proxy(1), proxy(2), proxy(3)]);
    const sessions = new SessionProxiesRepository(db);
    expect(sessions.find('s')).toBeNull();
    expect(sessions.claim({ session: 's', proxyId: 'p1', ttl: 1000 })).toMatchObject({
      proxyId: 'p1',
      requestCount: 1,
    });
    expect(sessions.claim({ session: 's', proxyId: 'p2' })).toMatchObject({ proxyId: 'p1', ttl: 1000 });
    expect(sessions.move('s', 'p1', 'p2')).toMatchObject({ proxyId: 'p2' });
    expect(sessions.move('s', 'p1', 'p3')).toMatchObject({ proxyId: 'p2' });
    expect(sessions.move('other', 'p1', 'p3')).toBeNull();
    time.now += 900;
    sessions.touch('s', 4, new Date(time.now));
    sessions.touch('s', 1, new Date(0));
    time.now += 900;
    expect(sessions.find('s')).toMatchObject({ requestCount: 6, lastUsed: '2026-01-01T00:00:00.900Z' });
    time.now += 100;
    expect([sessions.find('s'), sessions.count(), sessions.list(9)]).toEqual([null, 0, []]);
    expect(sessions.claim({ session: 's', proxyId: 'p3' })).toMatchObject({
      proxyId: 'p3',
      ttl: null,
      requestCount: 1,
    });
    expect(sessions.list(9).map(({ session }) => session)).toEqual(['s']);
    expect(proxies.delete('p3')).toBe(true);
    expect(sessions.find('s')).toBeNull();
    expect(thrownBy(() => sessions.claim({ session: 's', proxyId: 'gone' }))).toMatchObject({
      code: 'CONSTRAINT',
    });
    expect(sessions.touch('s', 1, new Date(0))).toBe(false);
  });

  it('goes with prune once it has expired, a limited number at a time', () => {
    const { db, proxies, time } = open();
    proxies.create(proxy(1));
    const sessions = new SessionProxiesRepository(db);
    for (const session of ['a', 'b', 'c']) sessions.claim({ session, proxyId: 'p1', ttl: 10 });
    sessions.claim({ session: 'd', proxyId: 'p1' });
    expect(db.prune({})).toMatchObject({ sessions: 0 });
    time.now += 10;
    expect(db.prune({ limit: 2 })).toEqual({ events: 0, stats: 0, sessions: 2, cooldowns: 0, leases: 0 });
    expect(db.prune({})).toMatchObject({ sessions: 1 });
    expect([sessions.delete('d'), sessions.delete('d')]).toEqual([true, false]);
  });
});

it('the turn of a filter is the last that was stored', () => {
  const { db } = open();
  const turns = new RotationTurnsRepository(db);
  expect(turns.get('')).toBeNull();
  turns.set({ view: '', proxyId: 'p1', since: new Date(0), until: new Date(5) });
  turns.set({ view: 'country=DE', proxyId: 'p2', since: new Date(0) });
  turns.set({ view: '', proxyId: 'gone', since: new Date(1) });
  expect(turns.get('')).toEqual({
    view: '',
    proxyId: 'gone',
    since: '1970-01-01T00:00:00.001Z',
    until: null,
  });
});
