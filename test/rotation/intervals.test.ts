import { openVault } from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { SEED } from '../faults/campaign.ts';
import { Random } from '../faults/random.ts';
import { open, START } from './open-pool.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('an interval', () => {
  it('keeps its proxy for its length, to the millisecond, and then takes the next', async () => {
    const { vault, next, time } = await open(3);
    vault.config.update({ strategy: 'time-based', intervalMs: 1000 });
    for (const id of ['a', 'b', 'c', 'a']) {
      expect(next()).toBe(id);
      time.now += 999;
      expect(next()).toBe(id);
      time.now += 1;
    }
  });

  it('is not ended by a request of another strategy, nor by a session that moves', async () => {
    const { vault, next, time } = await open(4);
    vault.config.update({ strategy: 'time-based', intervalMs: null });
    expect(next()).toBe('a');
    time.now += 1;
    expect(next({ strategy: 'round-robin' })).toBe('a');
    expect(next({ strategy: 'round-robin' })).toBe('b');
    time.now += 1;
    expect(next()).toBe('a');
    const kept = next({ session: 's', strategy: 'round-robin' });
    vault.proxies.update(kept, { status: 'disabled' });
    expect(next({ session: 's' })).not.toBe(kept);
    time.now += 1;
    expect(next()).toBe('a');
    expect(vault.pool.explain()).toMatchObject({ decidedBy: 'interval' });
  });

  it('lasts ten minutes by default, under time-based', async () => {
    const { vault, next, time } = await open(3);
    vault.config.update({ strategy: 'time-based' });
    expect(next()).toBe('a');
    time.now += 10 * MINUTE - 1;
    expect(next()).toBe('a');
    time.now += 1;
    expect(next()).toBe('b');
  });

  it('keeps the proxy of every strategy if it is configured, and another follows', async () => {
    for (const strategy of [
      'random',
      'least-used',
      'fastest',
      'failure-aware',
      'weighted',
      'geographic',
      'custom',
      'sticky-session',
    ] as const) {
      const { vault, next, time } = await open(5);
      vault.config.update({ strategy, intervalMs: 1000 });
      let last = '';
      for (let n = 0; n < 6; n++) {
        const id = next();
        expect(id).not.toBe(last);
        expect([next(), next()]).toEqual([id, id]);
        last = id;
        time.now += 1000;
      }
    }
  });

  it('is one for each filter, and the only proxy that fits is taken again', async () => {
    const { vault, next, time } = await open([{}, { region: 'EU' }, {}]);
    vault.config.update({ strategy: 'time-based', intervalMs: 1000 });
    expect([next(), next({ region: 'EU' }), next(), next({ region: 'EU' })]).toEqual(['a', 'b', 'a', 'b']);
    time.now += 1000;
    expect([next({ region: 'EU' }), next()]).toEqual(['b', 'b']);
  });

  it('ends when its proxy is out or excluded, and holds for the new one', async () => {
    const { vault, next } = await open(4);
    vault.config.update({ strategy: 'time-based', intervalMs: 1000 });
    expect(next()).toBe('a');
    vault.proxies.update('a', { status: 'failed' });
    expect([next(), next()]).toEqual(['b', 'b']);
    expect(next({ exclude: ['b'] })).toBe('c');
    expect(next()).toBe('c');
    vault.proxies.delete('c');
    expect([next(), next()]).toEqual(['d', 'd']);
  });

  it('is the same for all processes, and survives a restart', async () => {
    const { vault, next, path, time } = await open(5);
    vault.config.update({ strategy: 'time-based', intervalMs: 1000 });
    expect(next()).toBe('a');
    const other = await openVault({ path, keyFile: `${path}.key`, clock: () => time.now });
    expect(other.pool.choose().id).toBe('a');
    time.now += 1000;
    expect(other.pool.choose().id).toBe('b');
    expect(next()).toBe('b');
    expect(other.pool.rotate().id).toBe('c');
    time.now += 300;
    expect(next()).toBe('c');
    await other.close();
  });

  it('is ended by rotate, by a report of a failure if rotateOnFailure is set, and by no other report', async () => {
    const { vault, next, pool, time } = await open(4);
    vault.config.update({ strategy: 'time-based', intervalMs: 1000 });
    expect([next(), pool.rotate().id, next()]).toEqual(['a', 'b', 'b']);
    pool.report('b', { success: false });
    expect(next()).toBe('b');
    vault.config.update({ options: { rotateOnFailure: true } });
    pool.report('a', { success: false });
    pool.report('b', { success: true });
    expect(next()).toBe('b');
    time.now += 1;
    pool.report('b', { success: false });
    expect([next(), next()]).toEqual(['c', 'c']);
  });

  it('ends if the clock goes back by more than processes differ, and never lasts longer than it is configured now', async () => {
    const { vault, next, time } = await open(5);
    vault.config.update({ strategy: 'time-based', intervalMs: HOUR });
    expect(next()).toBe('a');
    time.now -= 500;
    expect(next()).toBe('a');
    time.now -= 5000;
    expect([next(), next()]).toEqual(['b', 'b']);
    vault.config.update({ intervalMs: MINUTE });
    time.now += MINUTE;
    expect(next()).toBe('c');
  });

  it(`is longer or shorter by at most the jitter, and within the bounds (seed ${SEED})`, async () => {
    const random = new Random(SEED);
    const { vault, pool, time } = await open(3, { random: () => random.next() });
    vault.config.update({
      strategy: 'time-based',
      intervalMs: 10_000,
      options: { jitterMs: 4000, minIntervalMs: 7000, maxIntervalMs: 13_500 },
    });
    const lengths: number[] = [];
    for (let n = 0; n < 300; n++) {
      pool.rotate();
      lengths.push(Date.parse(pool.explain().until ?? '') - time.now);
      time.now += 20_000;
    }
    expect(Math.min(...lengths)).toBe(7000);
    expect(Math.max(...lengths)).toBe(13_500);
    const inside = lengths.filter((length) => length > 7000 && length < 13_500);
    // From 6 to 14 s, each as likely: so 1/8 is at the lower bound and 1/16 at the upper. Six standard deviations.
    expect(Math.abs(inside.length - 300 * (13 / 16))).toBeLessThan(6 * Math.sqrt(300 * (13 / 16) * (3 / 16)));
    expect(new Set(inside).size).toBeGreaterThan(200);
  });
});

describe('windows of a schedule', () => {
  it('choose where and how, by weekday and hour in their time zone, over midnight too, and end the interval', async () => {
    const { vault, next, pool, time } = await open([
      { geolocation: { country: 'DE' } },
      { geolocation: { country: 'US' }, region: 'NA' },
      { geolocation: { country: 'FR' } },
    ]);
    vault.config.update({
      strategy: 'time-based',
      intervalMs: 24 * HOUR,
      options: {
        timeZone: 'Europe/Berlin',
        schedule: [
          { from: '08:00', to: '18:00', days: [1, 2, 3, 4, 5], country: 'DE' },
          { from: '22:00', to: '02:00', days: [5], region: 'NA' },
        ],
      },
    });
    // 14:00 in Berlin on a Friday.
    expect(next()).toBe('a');
    expect(pool.explain().until).toBe(new Date(START + 4 * HOUR).toISOString());
    time.now = START + 4 * HOUR - 1;
    expect(next()).toBe('a');
    time.now += 1;
    expect(pool.explain().until).toBe(new Date(START + 8 * HOUR).toISOString());
    const between = next();
    time.now = START + 8 * HOUR;
    expect(next()).toBe('b');
    // Saturday, 01:59 in Berlin.
    time.now = START + 12 * HOUR - MINUTE;
    expect(next()).toBe('b');
    time.now += MINUTE;
    expect(pool.explain().until).toBe(new Date(START + 12 * HOUR + 24 * HOUR).toISOString());
    expect(['a', 'b', 'c']).toContain(between);
  });

  it('give way to what the request says', async () => {
    const { vault, next } = await open([
      { geolocation: { country: 'DE' } },
      { geolocation: { country: 'US' } },
    ]);
    vault.config.update({
      strategy: 'time-based',
      options: { schedule: [{ from: '00:00', to: '00:00', country: 'DE' }] },
    });
    expect([next(), next({ country: 'US' }), next({ strategy: 'random', country: 'US' })]).toEqual([
      'a',
      'b',
      'b',
    ]);
  });
});
