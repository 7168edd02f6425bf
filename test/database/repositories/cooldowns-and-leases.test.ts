import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { PoolChangesRepository } from '../../../src/database/repositories/pool-changes.repository.ts';
import {
  ProxyCooldownsRepository,
  toCooldown,
} from '../../../src/database/repositories/proxy-cooldowns.repository.ts';
import { ProxyLeasesRepository } from '../../../src/database/repositories/proxy-leases.repository.ts';
import type { Cooldown, CooldownInput } from '../../../src/model/cooldown.ts';
import { failureOf, MODES, openSession, type TestMode } from '../../support/modes.ts';
import { openMigrated } from '../../support/temporary.ts';

const START = Date.UTC(2026, 0, 1, 12);
const at = (seconds: number): string => new Date(START + seconds * 1000).toISOString();

function open(mode: TestMode) {
  const { db, session } = openSession(mode, { clock: () => START });
  new ProxyRepository(db).createMany(
    ['a', 'b', 'c'].map((id, n) => ({ id, host: 'h.example', port: n + 1, protocol: 'http' as const })),
  );
  const revisionOf = (id: string): number =>
    Number(db.query('SELECT revision FROM proxies WHERE id = :id', { id })[0]?.revision);
  return { db, session, revisionOf };
}

const cooldown = (changes: Partial<CooldownInput> = {}): Cooldown =>
  ({
    ...{ proxyId: 'a', scope: '', source: 'engine', kind: 'connect', times: 1 },
    ...{ since: at(0), until: at(30), detail: null, ...changes },
  }) as Cooldown;

describe.each(MODES)('cooldowns (%s)', (mode) => {
  it('are kept by proxy, scope and source, the last one of each', async () => {
    const { session } = open(mode);
    const cooldowns = new ProxyCooldownsRepository(session);
    const kept = [
      cooldown({ until: null, kind: 'auth' }),
      cooldown({ source: 'person', kind: 'manual' }),
      cooldown({ scope: 'domain shop.example', kind: 'blocked', detail: 'status 429' }),
      cooldown({ scope: 'session cart', kind: 'reset', times: 3 }),
    ];
    await cooldowns.set(cooldown({ times: 7, detail: 'old' }));
    for (const each of kept) await cooldowns.set({ ...each, since: new Date(each.since) });
    expect(await cooldowns.find('a')).toEqual(kept);
    expect(await cooldowns.find('b')).toEqual([]);
    expect(await cooldowns.remove('a', { scope: '', source: 'person' })).toBe(1);
    expect(await cooldowns.remove('a', { scope: 'domain shop.example' })).toBe(1);
    expect(await cooldowns.remove('a', { source: 'person' })).toBe(0);
    expect(await cooldowns.find('a')).toEqual([kept[0], kept[3]]);
    expect(await cooldowns.remove('a')).toBe(2);
  });

  it('are listed page by page, of one scope, and those that have not ended', async () => {
    const { session } = open(mode);
    const cooldowns = new ProxyCooldownsRepository(session);
    const all = ['a', 'b', 'c'].flatMap((proxyId, n) => [
      cooldown({ proxyId, until: n === 1 ? null : at(n * 10) }),
      cooldown({ proxyId, scope: 'domain shop.example', until: at(60) }),
    ]);
    for (const each of all.toReversed()) await cooldowns.set(each);
    expect(await cooldowns.list()).toEqual(all);
    expect(await cooldowns.list({ limit: 3 })).toEqual(all.slice(0, 3));
    expect(await cooldowns.list({ limit: 2, after: all[2] })).toEqual(all.slice(3, 5));
    expect(await cooldowns.list({ scope: '', at: at(10) })).toEqual([all[2], all[4]]);
    expect(await cooldowns.list({ scope: '', at: at(20) })).toEqual([all[2]]);
    const changes = new PoolChangesRepository(session);
    const [first] = await changes.cooldownsPage(null, 1);
    const rows = await changes.cooldownsPage(first?.row ?? null, 2, 1);
    expect(rows.map(({ row }) => toCooldown(row))).toEqual(all.slice(2, 4));
  });

  it('that ended before a time are removed, some at a time; those without an end stay', async () => {
    const { session } = open(mode);
    const cooldowns = new ProxyCooldownsRepository(session);
    const never = cooldown({ proxyId: 'c', until: null });
    for (const each of [cooldown(), cooldown({ proxyId: 'b', until: at(31) }), never])
      await cooldowns.set(each);
    expect(await cooldowns.deleteExpiredBefore(at(30))).toBe(0);
    expect(await cooldowns.deleteExpiredBefore(at(99), 1)).toBe(1);
    expect(await cooldowns.deleteExpiredBefore(at(99))).toBe(1);
    expect(await cooldowns.list()).toEqual([never]);
  });

  it('change the revision of their proxy when one is stored, changed and removed, and go with it', async () => {
    const { db, session, revisionOf } = open(mode);
    const cooldowns = new ProxyCooldownsRepository(session);
    const revisions = [revisionOf('a')];
    const other = revisionOf('b');
    await cooldowns.set(cooldown());
    revisions.push(revisionOf('a'));
    await cooldowns.set(cooldown({ times: 2 }));
    revisions.push(revisionOf('a'));
    await cooldowns.remove('a');
    revisions.push(revisionOf('a'));
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
    expect(revisionOf('b')).toBe(other);
    db.execute(`UPDATE proxies SET gateway = 1 WHERE id = 'b'`);
    expect(new PoolChangesRepository(db).revisions().proxies).toBe(revisionOf('b'));
    expect(revisionOf('b')).toBeGreaterThan(revisionOf('a'));
    await cooldowns.set(cooldown());
    new ProxyRepository(db).delete('a');
    expect(await cooldowns.list()).toEqual([]);
  });

  it('are checked', async () => {
    const { session } = open(mode);
    const cooldowns = new ProxyCooldownsRepository(session);
    const bad: object[] = [
      { scope: 'shop.example' },
      { scope: 'domain ' },
      { source: 'nobody' },
      { kind: 'ok' },
      { times: -1 },
      { since: 'today' },
      { until: new Date(Number.NaN) },
      { detail: 'x'.repeat(257) },
      { more: 1 },
    ];
    for (const changes of bad) {
      const error = await failureOf(() => cooldowns.set({ ...cooldown(), ...changes }));
      expect([changes, error]).toMatchObject([changes, { code: 'INVALID_INPUT' }]);
    }
    expect(await failureOf(() => cooldowns.set(cooldown({ proxyId: 'gone' })))).toMatchObject({
      code: 'CONSTRAINT',
    });
    expect(await failureOf(() => cooldowns.list({ limit: 0 }))).toMatchObject({ code: 'INVALID_INPUT' });
  });
});

it('prune removes cooldowns and leases that ended more than a day ago, some at a time', () => {
  const time = { now: START };
  const db = openMigrated({ path: ':memory:', clock: () => time.now });
  const proxies = new ProxyRepository(db);
  const cooldowns = new ProxyCooldownsRepository(db);
  const leases = new ProxyLeasesRepository(db);
  for (const [n, id] of ['a', 'b', 'c'].entries()) {
    proxies.create({ id, host: 'h.example', port: n + 1, protocol: 'http' });
    cooldowns.set(cooldown({ proxyId: id }));
    cooldowns.set(cooldown({ proxyId: id, source: 'person', until: null }));
    const held = { id, proxyId: id, domain: null, session: null };
    leases.create({ ...held, acquiredAt: at(0), expiresAt: at(30) });
  }
  time.now = START + 86_400_000 + 30_000;
  expect(db.prune({})).toMatchObject({ cooldowns: 0, leases: 0 });
  time.now++;
  expect(db.prune({ limit: 2 })).toMatchObject({ cooldowns: 2, leases: 2 });
  expect(db.prune({})).toEqual({ events: 0, stats: 0, sessions: 0, cooldowns: 1, leases: 1 });
  expect(cooldowns.list()).toHaveLength(3);
});

describe.each(MODES)('leases (%s)', (mode) => {
  const lease = (id: string, expires: number) => ({
    ...{ id, proxyId: 'a', domain: 'shop.example', session: null },
    ...{ acquiredAt: at(0), expiresAt: at(expires) },
  });

  it('are taken once, renewed, and found when they have expired', async () => {
    const { session } = open(mode);
    const leases = new ProxyLeasesRepository(session);
    for (const [id, expires] of [
      ['l1', 30],
      ['l2', 20],
      ['l3', 40],
    ] as const)
      await leases.create({ ...lease(id, expires), acquiredAt: new Date(at(0)) });
    expect(await leases.find('l1')).toEqual(lease('l1', 30));
    expect(await leases.expired(at(30), 5)).toEqual([lease('l2', 20), lease('l1', 30)]);
    expect(await leases.expired(at(30), 1)).toEqual([lease('l2', 20)]);
    expect([await leases.renew('l2', at(50)), await leases.renew('gone', at(50))]).toEqual([true, false]);
    expect(await leases.expired(at(30), 5)).toEqual([lease('l1', 30)]);
    expect([await leases.take('l1'), await leases.take('l1')]).toEqual([lease('l1', 30), null]);
    expect(await leases.find('l1')).toBeNull();
    expect(await leases.deleteExpiredBefore(at(50), 9)).toBe(1);
    expect(await leases.deleteExpiredBefore(at(51))).toBe(1);
  });

  it('have an id of their own and a proxy, with which they go', async () => {
    const { db, session } = open(mode);
    const leases = new ProxyLeasesRepository(session);
    await leases.create(lease('l', 1));
    expect(await failureOf(() => leases.create(lease('l', 1)))).toMatchObject({ code: 'CONFLICT' });
    const gone = { ...lease('m', 1), proxyId: 'gone' };
    expect(await failureOf(() => leases.create(gone))).toMatchObject({ code: 'CONSTRAINT' });
    const untimed = { ...lease('m', 1), expiresAt: 'soon' };
    expect(await failureOf(() => leases.create(untimed))).toMatchObject({ code: 'INVALID_INPUT' });
    new ProxyRepository(db).delete('a');
    expect(await leases.find('l')).toBeNull();
  });
});
