import { openVault, type PoolRequest } from 'proxyvault';
import { describe, expect, it, onTestFinished } from 'vitest';
import { thrownBy } from '../support/temporary.ts';
import { inputOf, open } from './open-pool.ts';

const HOUR = 3_600_000;

describe('reports', () => {
  it('without a latency, as null too, leave it unmeasured', async () => {
    const { vault, pool } = await open(1);
    const { id } = pool.choose();
    pool.report(id, { success: true, latencyMs: null as never });
    expect(vault.proxies.findById(id)?.latency).toBeNull();
    expect(pool.explain({ strategy: 'fastest' }).reason).toContain('not measured');
  });

  it('of a proxy that this process has not handed out leave nothing in flight', async () => {
    const { vault, pool } = await open([{ latency: 10 }, { latency: 1000 }]);
    vault.config.update({ strategy: 'fastest' });
    pool.choose({ exclude: ['a'] });
    pool.report('a', { success: true, latencyMs: 10 });
    expect(pool.explain({ exclude: ['b'] }).reason).toContain('10 ms, 0 in flight');
  });

  it('long after the hand-out leave nothing in flight', async () => {
    const { vault, pool, time } = await open([{ latency: 10 }]);
    vault.config.update({ strategy: 'fastest' });
    pool.choose();
    time.now += 24 * HOUR;
    pool.report('a', { success: true, latencyMs: 10 });
    expect(pool.explain().reason).toContain('10 ms, 0 in flight');
  });

  it('of a latency of 0 do not make a failing proxy the fastest', async () => {
    const { vault, pool } = await open([{ latency: 0 }, { latency: 5 }]);
    vault.config.update({ strategy: 'fastest' });
    pool.choose();
    for (let n = 0; n < 20; n++) pool.report('a', { success: false });
    const counts = new Map<string, number>();
    for (let n = 0; n < 200; n++) {
      const { id } = pool.choose();
      counts.set(id, (counts.get(id) ?? 0) + 1);
      pool.report(id, { success: id === 'b', latencyMs: id === 'b' ? 5 : 0 });
    }
    // Only if both that are drawn are the failing one: 50 of 200 are expected, and 100 are 8 standard deviations more.
    expect(counts.get('a') ?? 0).toBeLessThan(100);
  });
});

it('a malformed rule of another process stops every choice, not only the first', async () => {
  const { pool, path, time } = await open(2);
  pool.choose();
  const other = await openVault({ path, keyFile: `${path}.key`, durability: 'normal' });
  onTestFinished(() => other.close());
  other.rules.create({
    name: 'r',
    priority: 1,
    conditions: [{ field: 'protocol', operator: 'equals', value: 'http' }],
    actions: [{ type: 'block' }],
  });
  other.database.execute(`UPDATE rotation_rules SET actions_json = 'x'`);
  time.now += 250;
  for (let n = 0; n < 3; n++) expect(thrownBy(() => pool.choose())).toMatchObject({ code: 'INVALID_ROW' });
});

it('a caller may use the array of tags for another request', async () => {
  const { vault, pool } = await open([{}, {}]);
  vault.tags.add('a', 'one', 'list');
  const tags = ['one'];
  expect(pool.choose({ tags }).id).toBe('a');
  tags[0] = 'two';
  vault.tags.add('b', 'two', 'list');
  expect(pool.explain({ tags: ['one'] }).proxy?.id).toBe('a');
  vault.proxies.update('b', { region: 'x' });
  expect(pool.explain({ tags: ['one'] }).steps.at(-1)?.left).toBe(1);
  expect(new Set(Array.from({ length: 4 }, () => pool.choose({ tags: ['one'] }).id))).toEqual(new Set(['a']));
});

describe('an interval', () => {
  it('ends with its proxy', async () => {
    const { vault, pool, time } = await open(4);
    vault.config.update({ strategy: 'time-based', intervalMs: HOUR });
    expect(pool.choose().id).toBe('a');
    time.now += HOUR;
    expect(pool.choose().id).toBe('b');
    vault.proxies.delete('b');
    pool.explain();
    // It takes the place of the one that is gone.
    vault.proxies.create(inputOf(10));
    const { decidedBy } = pool.explain();
    expect([decidedBy, pool.choose().id]).toEqual(['strategy', 'k']);
    expect(vault.events.list({ limit: 1 }).items[0]).toMatchObject({
      previousProxyId: 'b',
      newProxyId: 'k',
      reason: 'failure',
    });
  });

  it('is not ended by a session that moves', async () => {
    const { vault, pool } = await open(4);
    vault.config.update({ strategy: 'time-based', intervalMs: HOUR });
    expect(pool.choose().id).toBe('a');
    expect(pool.choose({ session: 's' }).id).toBe('a');
    expect(pool.rotate({ session: 's' }).id).toBe('b');
    expect(pool.rotate({ session: 's' }).id).toBe('c');
    expect(pool.choose().id).toBe('a');
  });
});

it('a rule that keeps the proxy does not keep one that took its place', async () => {
  const { vault, pool } = await open(3);
  vault.rules.create({
    name: 'keep',
    conditions: [{ field: 'protocol', operator: 'equals', value: 'http' }],
    actions: [{ type: 'keep' }],
  });
  expect(pool.choose({ protocol: 'http' }).id).toBe('a');
  vault.proxies.delete('a');
  pool.explain();
  vault.proxies.create(inputOf(10));
  expect(pool.explain({ protocol: 'http' }).decidedBy).toBe('strategy');
});

it('rules see no history of a proxy that took the place of the last one', async () => {
  const { vault, pool } = await open(2);
  vault.rules.create({
    name: 'slow',
    conditions: [{ field: 'failureCount', operator: 'greater-than', value: 0 }],
    actions: [{ type: 'rotate' }],
  });
  const { id } = pool.choose();
  pool.report(id, { success: false });
  expect(pool.explain().rules[0]?.matches).toBe(true);
  vault.proxies.delete(id);
  expect(pool.explain().rules[0]?.matches).toBe(false);
});

it('a malformed turn is left out', async () => {
  const { vault, pool, heard, path } = await open(3);
  pool.choose();
  pool.close();
  vault.database.execute(`UPDATE rotation_turns SET since = 'x'`);
  const other = await openVault({
    path,
    keyFile: `${path}.key`,
    onInvalidRow: ({ details }) => heard.push(details),
  });
  onTestFinished(() => other.close());
  expect(other.pool.choose().id).toBe('a');
  expect(heard).toHaveLength(1);
});

it('the first hand-out of a process that moves a wildcard moves it for every domain', async () => {
  const { vault, pool } = await open(3);
  vault.sticky.create({ domain: '*.shop.example', proxyId: 'a' });
  expect(pool.explain({ domain: 'one.shop.example' }).proxy?.id).toBe('a');
  const { id } = pool.rotate({ domain: 'two.shop.example' });
  expect(id).not.toBe('a');
  expect(pool.explain({ domain: 'one.shop.example' }).proxy?.id).toBe(id);
});

it('what was read in a savepoint that is rolled back is forgotten', async () => {
  const { vault, pool } = await open(2);
  vault.database.transaction(() => {
    thrownBy(() =>
      vault.database.transaction(() => {
        vault.proxies.update('a', { region: 'EU' });
        pool.explain();
        throw new Error('undo');
      }),
    );
    vault.proxies.update('b', { region: 'US' });
  });
  expect(pool.explain({ region: 'EU' }).proxy).toBeNull();
  expect(pool.explain({ region: 'US' }).proxy?.id).toBe('b');
});

it('a session that was begun in a savepoint that is rolled back begins again in the transaction', async () => {
  const { vault, pool } = await open(5);
  const request: PoolRequest = { session: 's', strategy: 'round-robin' };
  const id = vault.database.transaction(() => {
    thrownBy(() =>
      vault.database.transaction(() => {
        pool.choose(request);
        throw new Error('undo');
      }),
    );
    return pool.choose(request).id;
  });
  expect(vault.database.query('SELECT proxy_id FROM session_proxies')).toEqual([{ proxy_id: id }]);
  expect(pool.choose(request).id).toBe(id);
});

it('a session that has the only proxy writes no event when it is rotated', async () => {
  const { vault, pool } = await open(1);
  pool.choose({ session: 's' });
  vault.sticky.create({ domain: 'a.example', proxyId: 'a' });
  for (const request of [{ session: 's' }, { domain: 'a.example' }])
    expect(pool.rotate(request).id).toBe('a');
  expect(vault.events.list().items).toEqual([]);
});

it('a session lives from its last use, also if that is not stored yet', async () => {
  const { vault, pool, time } = await open(5);
  vault.config.update({ options: { stickyTtlMs: 1000 } });
  const { id } = pool.choose({ session: 's' });
  time.now += 900;
  expect(pool.choose({ session: 's' }).id).toBe(id);
  time.now += 150;
  vault.proxies.update('e', { name: 'other' });
  expect(pool.explain({ session: 's' }).decidedBy).toBe('mapping');
  expect(pool.choose({ session: 's' }).id).toBe(id);
});

it('hand-outs that are not stored are counted, and stored once, if the whole pool is read again', async () => {
  const { vault, next } = await open(3);
  for (let n = 0; n < 10; n++) expect(next({ exclude: ['b', 'c'] })).toBe('a');
  vault.config.update({ options: { weights: { a: 2 } } });
  const ids = Array.from({ length: 20 }, () => next({ strategy: 'least-used' }));
  expect(ids.filter((id) => id === 'a')).toEqual([]);
  vault.pool.close();
  const { handOuts } = vault.database.query('SELECT sum(hand_outs) AS handOuts FROM proxies')[0] ?? {};
  expect(handOuts).toBe(30);
});

it('a loop of choices that lets no timer have its turn stores hand-outs too', async () => {
  const { vault, next } = await open(1);
  for (let n = 0; n < 2 ** 16 + 1; n++) next();
  expect(vault.database.query('SELECT hand_outs FROM proxies')).toEqual([{ hand_outs: 2 ** 16 + 1 }]);
});

it('an older copy of the database is read as a whole', async () => {
  const { vault, pool } = await open(2);
  vault.proxies.update('b', { region: 'US' });
  pool.choose();
  // Its revision was higher.
  vault.database.execute(`UPDATE proxies SET region = 'EU', revision = 1 WHERE id = 'b'`);
  expect(pool.explain({ region: 'EU' }).proxy?.id).toBe('b');
});

describe('a Set of excluded ids', () => {
  let read = 0;
  class Counted extends Set<string> {
    override [Symbol.iterator]() {
      read++;
      return super[Symbol.iterator]();
    }
  }

  it('is followed only once beside a rule that excludes a proxy too', async () => {
    const { vault, pool, ids } = await open(200);
    vault.rules.create({
      name: 'r',
      conditions: [{ field: 'hour', operator: 'less-than', value: 24 }],
      actions: [{ type: 'exclude-proxy', proxyId: ids[0] ?? '' }],
    });
    const exclude = new Counted(ids.slice(2));
    read = 0;
    for (let n = 0; n < 10; n++) expect(pool.choose({ exclude }).id).toBe(ids[1]);
    expect(read).toBe(1);
    exclude.add(String(ids[1]));
    expect(thrownBy(() => pool.choose({ exclude }))).toMatchObject({ code: 'NO_PROXY' });
  });

  it('is seldom read again if it leaves few proxies', async () => {
    const { pool, ids } = await open(2000);
    const exclude = new Counted(ids.slice(2));
    read = 0;
    for (let n = 0; n < 100; n++) pool.choose({ exclude });
    expect(read).toBe(1);
  });

  it('is not read again for each id that is added', async () => {
    const { pool, ids } = await open(300);
    const exclude = new Counted(ids.slice(100));
    read = 0;
    for (let n = 0; n < 99; n++) exclude.add(pool.choose({ exclude }).id);
    expect(read).toBe(1);
    expect(exclude.size).toBe(299);
  });
});

it.each([1, -0.1, Number.NaN])(
  'a random number of %o is INVALID_INPUT, and is not looked for in vain',
  async (number) => {
    const { pool } = await open(100, { random: () => number });
    expect(thrownBy(() => pool.choose({ strategy: 'random' }))).toMatchObject({ code: 'INVALID_INPUT' });
  },
);
