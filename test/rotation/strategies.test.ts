import { describe, expect, it } from 'vitest';
import { SEED } from '../faults/campaign.ts';
import { Random } from '../faults/random.ts';
import { expectDistribution, tally } from '../support/statistics.ts';
import { inputOf, type Opened, open } from './open-pool.ts';

/** A pool whose chance repeats. Every distribution here is tested at one in a million, which is the default. */
function seeded(proxies: Parameters<typeof open>[0]): Promise<Opened> {
  const random = new Random(SEED);
  return open(proxies, { random: () => random.next() });
}

const DRAWS = 6000;
const even = (ids: readonly string[]): Record<string, number> => Object.fromEntries(ids.map((id) => [id, 1]));

describe('round-robin', () => {
  it('is exactly fair, whatever is excluded or filtered, and continues after changes of the pool', async () => {
    const { vault, next, ids } = await open(7);
    expect(Array.from({ length: 21 }, () => next())).toEqual([...ids, ...ids, ...ids]);
    expect(Array.from({ length: 4 }, () => next({ exclude: ['b', 'c'] }))).toEqual(['a', 'd', 'e', 'f']);
    vault.proxies.delete('g');
    vault.proxies.update('a', { status: 'disabled' });
    expect([next(), next()]).toEqual(['b', 'c']);
    vault.proxies.create(inputOf(8));
    vault.proxies.update('a', { status: 'active' });
    const round = Array.from({ length: 7 }, () => next());
    expect([...round].sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'i']);
    expect(Array.from({ length: 7 }, () => next())).toEqual(round);
  });

  it('has a turn for each filter', async () => {
    const { next } = await open([{ region: 'EU' }, {}, { region: 'EU' }, {}]);
    const eu = { region: 'EU' };
    expect([next(eu), next(), next(eu), next(), next(eu), next()]).toEqual(['a', 'a', 'c', 'b', 'a', 'c']);
  });
});

describe('least-used', () => {
  it('counts hand-outs when they happen: 50 before any report differ by one at most', async () => {
    const { next } = await open(5);
    const counts = tally(50, () => next({ strategy: 'least-used' }));
    expect([...counts.values()]).toEqual([10, 10, 10, 10, 10]);
    expect(tally(3, () => next({ strategy: 'least-used' })).size).toBe(3);
  });

  it('counts those of other strategies, of other processes, and what the database knows from before', async () => {
    const { vault, next, path, time } = await open(3);
    for (let n = 0; n < 4; n++) next({ exclude: ['a', 'c'] });
    expect(tally(8, () => next({ strategy: 'least-used' }))).toEqual(
      new Map([
        ['a', 4],
        ['c', 4],
      ]),
    );
    await vault.close();
    const again = await open(0, { path });
    expect(tally(3, () => again.next({ strategy: 'least-used' })).size).toBe(3);
    time.now += 1000;
  });

  it('gives a new proxy the next turns, up to the others', async () => {
    const { vault, next } = await open(3);
    for (let n = 0; n < 9; n++) next();
    vault.proxies.create(inputOf(3));
    expect(tally(3, () => next({ strategy: 'least-used' }))).toEqual(new Map([['d', 3]]));
    expect(tally(4, () => next({ strategy: 'least-used' })).size).toBe(4);
  });

  it('takes one at once that a large Set of the caller excludes no more', async () => {
    const { next, ids } = await open(100);
    const exclude = new Set(ids.slice(40));
    for (let n = 0; n < 40; n++) next({ strategy: 'least-used', exclude });
    exclude.delete(ids[70] ?? '');
    expect(next({ strategy: 'least-used', exclude })).toBe(ids[70]);
  });

  it('follows the pool at once, though a large Set excludes the same as before', async () => {
    const { vault, next, ids } = await open(100);
    const exclude = new Set(ids.slice(40));
    const five = Array.from({ length: 5 }, () => next({ strategy: 'least-used', exclude }));
    expect(five).toEqual(ids.slice(0, 5));
    vault.proxies.update(ids[5] ?? '', { status: 'disabled' });
    expect(next({ strategy: 'least-used', exclude })).toBe(ids[6]);
  });

  it('stays within one among those that fit, with many that are excluded', async () => {
    const { next, ids } = await open(300);
    const exclude = new Set(ids.filter((_, n) => n % 10 !== 0));
    const counts = tally(90, () => next({ strategy: 'least-used', exclude }));
    expect(counts.size).toBe(30);
    expect(new Set(counts.values())).toEqual(new Set([3]));
  });
});

describe('random', () => {
  it('draws each as often as the others, also after changes and with exclusions', async () => {
    const { vault, next, ids } = await seeded(300);
    const draw = (rest: readonly string[], request = {}): void =>
      expectDistribution(
        tally(DRAWS, () => next({ strategy: 'random', ...request })),
        even(rest),
      );
    draw(ids);
    const out = ids.filter((_, n) => n % 3 === 0);
    for (const id of out) vault.proxies.delete(id);
    const left = ids.filter((id) => !out.includes(id));
    draw(left);
    for (const count of [1, 20, 150, 195])
      draw(left.slice(count), { exclude: new Set(left.slice(0, count)) });
    vault.proxies.createMany(Array.from({ length: 100 }, (_, n) => inputOf(400 + n)));
    draw([...left, ...Array.from({ length: 100 }, (_, n) => inputOf(400 + n).id ?? '')]);
  });

  it('follows the pool and a large Set of excluded ids that has become smaller', async () => {
    const { vault, next, ids } = await seeded(60);
    const exclude = new Set(ids.slice(0, 50));
    const draw = (rest: readonly string[]): void =>
      expectDistribution(
        tally(1000, () => next({ strategy: 'random', exclude })),
        even(rest),
      );
    draw(ids.slice(50));
    vault.proxies.update(ids[55] ?? '', { status: 'disabled' });
    vault.proxies.create(inputOf(60));
    const now = [...ids.slice(50).filter((id) => id !== ids[55]), inputOf(60).id ?? ''];
    draw(now);
    exclude.delete(ids[3] ?? '');
    draw([...now, ids[3] ?? '']);
    exclude.add(ids[52] ?? '');
    draw([...now.filter((id) => id !== ids[52]), ids[3] ?? '']);
  });

  it('takes the first and the last at the ends of its range', async () => {
    for (const [share, id] of [
      [0, 'a'],
      [0.999_999_999, 'c'],
    ] as const)
      expect((await open(3, { random: () => share })).next({ strategy: 'random' })).toBe(id);
  });
});

describe('weighted', () => {
  it('draws each by its weight, also after weights have changed, and proxies have come and gone', async () => {
    const { vault, next } = await seeded([1, 2, 5, 0.5].map((weight) => ({ weight })));
    const draw = (shares: Record<string, number>, request = {}): void =>
      expectDistribution(
        tally(DRAWS, () => next({ strategy: 'weighted', ...request })),
        shares,
      );
    draw({ a: 1, b: 2, c: 5, d: 0.5 });
    draw({ a: 1, b: 2, d: 0.5 }, { exclude: ['c'] });
    vault.proxies.update('a', { weight: 10 });
    vault.proxies.delete('c');
    draw({ a: 10, b: 2, d: 0.5 });
    vault.proxies.create(inputOf(4, { weight: 4 }));
    draw({ a: 10, b: 2, d: 0.5, e: 4 });
    vault.config.update({ options: { weights: { a: 1, d: 7 } } });
    draw({ a: 1, b: 2, d: 7, e: 4 });
    vault.proxies.update('d', { status: 'disabled' });
    draw({ a: 1, b: 2, e: 4 });
    vault.config.reset();
    draw({ a: 10, b: 2, e: 4 });
  });

  it('follows the weights of a thousand proxies, and one that has nearly all of it may be excluded', async () => {
    const weights = Array.from({ length: 1000 }, (_, n) => (n === 500 ? 1e6 : 1 + (n % 3)));
    const { next, ids } = await seeded(weights.map((weight) => ({ weight })));
    const heavy = ids[500] ?? '';
    const shares = Object.fromEntries(
      ids.map((id, n) => [id, weights[n] ?? 0]).filter(([id]) => id !== heavy),
    );
    expectDistribution(
      tally(20_000, () => next({ strategy: 'weighted', exclude: [heavy] })),
      shares,
    );
    expect(tally(100, () => next({ strategy: 'weighted' })).get(heavy)).toBeGreaterThan(95);
  });
});

describe('fastest', () => {
  /** The share of the proxy with the rank k of n, of which the cheaper of two is taken: (2 (n - k) + 1) / n². */
  const byRank = (ids: readonly string[]): Record<string, number> =>
    Object.fromEntries(ids.map((id, n) => [id, 2 * (ids.length - n - 1) + 1]));

  it('takes the faster of two that were drawn, so that all get requests, the fastest most', async () => {
    const { pool, next } = await seeded([10, 20, 30, 40, 50].map((latency) => ({ latency })));
    const draw = (): string => {
      const id = next({ strategy: 'fastest' });
      // It says nothing of the latency, and nothing is in flight then.
      pool.report(id, { success: true });
      return id;
    };
    expectDistribution(tally(DRAWS, draw), byRank(['a', 'b', 'c', 'd', 'e']));
  });

  it('draws equally fast ones alike', async () => {
    const { pool, next, ids } = await seeded(Array.from({ length: 5 }, () => ({ latency: 30 })));
    const draw = (): string => {
      const id = next({ strategy: 'fastest' });
      pool.report(id, { success: true });
      return id;
    };
    expectDistribution(tally(DRAWS, draw), even(ids));
  });

  it('follows the latency that is reported, and a faster one does not get everything while its requests are in flight', async () => {
    const { pool, next, time } = await seeded([{ latency: 20 }, { latency: 20 }]);
    for (let n = 0; n < 30; n++) {
      time.now += 30_000;
      pool.report('a', { success: true, latencyMs: 400 });
      pool.report('b', { success: true, latencyMs: 40 });
    }
    const { reason, runnersUp } = pool.explain({ strategy: 'fastest' });
    const said = `${reason} ${runnersUp[0]?.detail}`;
    expect(said).toMatch(/\b(?:39\d|400) ms, 0 in flight/);
    expect(said).toMatch(/\b4\d ms, 0 in flight/);
    const counts = tally(220, () => next({ strategy: 'fastest' }));
    // Ten times as fast, so about ten times as many are in flight: both cost the same then.
    expect(counts.get('a')).toBeGreaterThan(10);
    expect(counts.get('b')).toBeGreaterThan(150);
  });

  it('tries unmeasured ones, one request at a time, and failing ones fall back', async () => {
    const { pool, next, time } = await seeded([{ latency: 20 }, {}, {}, { latency: 20 }]);
    const first = tally(40, () => next({ strategy: 'fastest' }));
    for (const id of ['b', 'c']) {
      expect(first.get(id)).toBeGreaterThan(0);
      // 16 pairs of one with itself are expected to give it once more at most now and then.
      expect(first.get(id)).toBeLessThan(12);
    }
    for (const id of ['b', 'c']) pool.report(id, { success: true, latencyMs: 20 });
    for (let n = 0; n < 8; n++) pool.report('a', { success: false });
    time.now += 600_000;
    const rest = tally(400, () => {
      const id = next({ strategy: 'fastest' });
      pool.report(id, { success: id !== 'a', latencyMs: 20 });
      return id;
    });
    // Only if both that are drawn are the failing one: 1 of 16.
    expect(rest.get('a') ?? 0).toBeLessThan(400 * (1 / 16) + 6 * Math.sqrt(400 / 16));
    expect(rest.get('a') ?? 0).toBeGreaterThan(0);
  });
});

describe('failure-aware', () => {
  it('says how often the newest requests failed, also long after', async () => {
    const { vault, pool, time } = await open(1);
    const said = (): string => pool.explain({ strategy: 'failure-aware' }).reason;
    expect(said()).toContain('no recent failures');
    for (let n = 0; n < 2; n++) vault.pool.report('a', { success: false });
    expect(said()).toMatch(/77 % of recent requests succeeded, 2 failures in a row/);
    time.now += 8 * 3_600_000;
    expect(said()).toContain('100 % of recent requests succeeded, 2 failures in a row');
    vault.pool.report('a', { success: true });
    expect(said()).toContain('no recent failures');
  });

  it('draws by recent successes, halved for each failure in a row, and never gives one up', async () => {
    const { vault, next, pool } = await seeded(4);
    // The state of the database is where it begins.
    vault.proxies.update('b', { successRate: 50, totalRequests: 10 });
    vault.proxies.update('c', { failureCount: 2 });
    vault.proxies.update('d', { successRate: 0, failureCount: 9, totalRequests: 9 });
    pool.close();
    const draws = 20_000;
    const counts = tally(draws, () => next({ strategy: 'failure-aware' }));
    // The last one has the least share that there is.
    const trust = { a: 1, b: 0.5, c: 0.25, d: 0.02 };
    expectDistribution(counts, trust);
  });

  it('trusts one again after some time without a failure', async () => {
    const { next, pool, time } = await seeded(2);
    for (let n = 0; n < 6; n++) pool.report('a', { success: false });
    const share = (): number => (tally(2000, () => next({ strategy: 'failure-aware' })).get('a') ?? 0) / 2000;
    expect(share()).toBeLessThan(0.1);
    time.now += 86_400_000;
    expect(share()).toBeGreaterThan(0.4);
  });

  it('draws all alike if all have failed alike', async () => {
    const { vault, next, ids, pool } = await seeded(4);
    for (const id of ids) vault.proxies.update(id, { successRate: 0, failureCount: 20 });
    pool.close();
    expectDistribution(
      tally(DRAWS, () => next({ strategy: 'failure-aware' })),
      even(ids),
    );
  });
});

describe('geographic', () => {
  const WORLD = [
    { geolocation: { country: 'DE' }, region: 'EU' },
    { geolocation: { country: 'DE' } },
    { geolocation: { country: 'FR' }, region: 'EU' },
    { geolocation: { country: 'US' }, region: 'NA' },
    { geolocation: { country: 'RU' }, region: 'EU' },
    {},
  ];

  it('draws in the country of the request, else of the configuration; strict by default', async () => {
    const { vault, next } = await seeded(WORLD);
    vault.config.update({ strategy: 'geographic', options: { country: 'de' } });
    expectDistribution(
      tally(DRAWS, () => next()),
      { a: 1, b: 1 },
    );
    expect(next({ country: 'US' })).toBe('d');
    for (const id of ['a', 'b']) vault.proxies.update(id, { status: 'disabled' });
    expect(() => next()).toThrow(
      expect.objectContaining({
        code: 'NO_PROXY',
        details: { total: 6, 'not disabled': 2, 'country DE': 4 },
      }),
    );
  });

  it('falls back to the preferred regions in order, then to the rest, and never to an excluded country', async () => {
    const { vault, next } = await seeded(WORLD);
    vault.config.update({
      strategy: 'geographic',
      options: { country: 'GB', strict: false, regions: ['EU', 'us'], excludedCountries: ['RU'] },
    });
    expectDistribution(
      tally(DRAWS, () => next()),
      { a: 1, c: 1 },
    );
    for (const id of ['a', 'c']) vault.proxies.update(id, { status: 'failed' });
    expect(tally(50, () => next())).toEqual(new Map([['d', 50]]));
    vault.proxies.delete('d');
    expectDistribution(
      tally(DRAWS, () => next()),
      { b: 1, f: 1 },
    );
    for (const id of ['b', 'f']) vault.proxies.delete(id);
    expect(() => next()).toThrow(expect.objectContaining({ code: 'NO_PROXY' }));
  });

  it('with regions and no country is strict too, and says what left out how many', async () => {
    const { vault, next } = await seeded(WORLD);
    vault.config.update({ strategy: 'geographic', options: { regions: ['NA', 'FR'] } });
    expect(tally(50, () => next())).toEqual(new Map([['d', 50]]));
    vault.proxies.delete('d');
    expect(tally(50, () => next())).toEqual(new Map([['c', 50]]));
    vault.proxies.delete('c');
    expect(() => next()).toThrow(
      expect.objectContaining({ code: 'NO_PROXY', details: { total: 4, 'place NA or FR': 4 } }),
    );
  });

  it('keeps no session outside of its country', async () => {
    const { vault, next } = await seeded(WORLD);
    expect(next({ session: 's', country: 'US' })).toBe('d');
    vault.config.update({ strategy: 'geographic', options: { country: 'DE' } });
    expect(['a', 'b']).toContain(next({ session: 's' }));
  });
});

describe('sticky-session', () => {
  const names = Array.from({ length: 3000 }, (_, n) => `key-${n}.example`);

  it('gives new keys to all proxies alike by rendezvous hashing, the same in every process, and few move', async () => {
    const { vault, path, ids } = await open(20);
    vault.config.update({ strategy: 'sticky-session' });
    const of = (pool: Opened['pool']): string[] =>
      names.map((domain) => pool.explain({ domain }).proxy?.id ?? '');
    const before = of(vault.pool);
    // A hash is no chance: its shares are a little less even than those of draws.
    const counts = new Map(ids.map((id) => [id, before.filter((each) => each === id).length]));
    for (const n of counts.values()) expect(Math.abs(n - 150)).toBeLessThan(6 * Math.sqrt(150));
    const again = await open(0, { path });
    expect(of(again.pool)).toEqual(before);
    vault.proxies.create(inputOf(20));
    const after = of(vault.pool);
    const moved = after.filter((id, n) => id !== before[n]).length;
    // A 21st, and for each of the log2(21) levels of the tree half of that again; twice that at most.
    expect(moved / names.length).toBeLessThan((2 * (1 + Math.log2(21) / 2)) / 21);
    vault.proxies.delete('u');
    expect(of(vault.pool)).toEqual(before);
    const exclude = ['c'];
    const without = names.map((domain) => vault.pool.explain({ domain, exclude }).proxy?.id ?? '');
    for (const [n, id] of without.entries()) if (before[n] !== 'c') expect(id).toBe(before[n]);
    expect(without).not.toContain('c');
  });

  it('gives them at random or in turn if it is told so', async () => {
    const { vault, next, ids } = await seeded(4);
    vault.config.update({ strategy: 'sticky-session', options: { stickyChoice: 'random' } });
    let sessions = 0;
    expectDistribution(
      tally(600, () => next({ session: `s${sessions++}` })),
      even(ids),
    );
    vault.config.update({ options: { stickyChoice: 'round-robin' } });
    const four = Array.from({ length: 4 }, (_, n) => next({ domain: `d${n}.example` }));
    expect(new Set(four).size).toBe(4);
  });
});

describe('custom', () => {
  it('is the first rule that chooses, else the strategy that is named', async () => {
    const { vault, next, pool } = await open(3);
    vault.config.update({ strategy: 'custom', options: { custom: 'least-used' } });
    expect(pool.explain().strategy).toBe('least-used');
    vault.rules.create({
      name: 'r',
      conditions: [{ field: 'domain', operator: 'ends-with', value: '.shop.example' }],
      actions: [{ type: 'use-strategy', strategy: 'weighted' }],
    });
    expect(pool.explain({ domain: 'a.shop.example' }).strategy).toBe('weighted');
    expect(pool.explain({ domain: 'shop.example' }).strategy).toBe('least-used');
    expect(next()).toBe('a');
    vault.config.update({ options: { custom: undefined } });
    expect(pool.explain().strategy).toBe('round-robin');
  });
});
