import { describe, expect, it } from 'vitest';

import { fail, openHealth, SECOND, told, use } from './setup.ts';

type Opened = ReturnType<typeof openHealth>;

/** Each slot has so many successes of 100 requests; failures are never 3 in a row. */
function requests({ health }: Opened, successes: readonly number[], now: number, of = use(0)): void {
  for (const [slot, count] of successes.entries()) {
    for (let i = 0; i < 100; i++) {
      const isSuccess = Math.floor(((i + 1) * count) / 100) > Math.floor((i * count) / 100);
      if (isSuccess) health.succeeded({ ...of, slot }, now);
      else health.failed({ ...of, slot }, { kind: 'timeout' }, now);
    }
  }
}

/** No failures in a row put anything out here. */
const open = (options: Parameters<typeof openHealth>[0] = {}) => openHealth({ failures: 1000, ...options });

const nine = (rate: number) => Array.from({ length: 9 }, () => rate);

describe('an outlier', () => {
  it('goes out when rates are compared, for 30 s at first, and says why', () => {
    const opened = open();
    requests(opened, [...nine(95), 40], 1000);
    expect(opened.health.nextDue).toBe(11 * SECOND);
    expect(opened.health.advance(11 * SECOND - 1, 10)).toEqual([]);
    expect(opened.health.advance(11 * SECOND, 10)).toEqual([
      {
        slot: 9,
        scope: '',
        state: 'cooling',
        kind: 'outlier',
        times: 1,
        since: 11 * SECOND,
        until: 41 * SECOND,
        detail: 'success rate 40 %, mean 90 %',
        source: 'engine',
      },
    ]);
    expect(told(opened.health.advance(41 * SECOND, 10))).toEqual(['9 probing outlier']);
  });

  it('is out for so many times longer as it was found, up to maxCooldownMs', () => {
    const opened = open({ maxCooldownMs: 100 * SECOND });
    const waits: number[] = [];
    let now = 0;
    for (let i = 0; i < 5; i++) {
      requests(opened, [...nine(95), 40], now, use(0, { domain: 'a.example' }));
      now = Math.max(now, opened.health.nextDue);
      const [change] = opened.health
        .advance(now, 10)
        .filter(({ kind, state }) => kind === 'outlier' && state === 'cooling');
      waits.push(((change?.until ?? 0) - now) / SECOND);
      now = change?.until ?? 0;
      opened.health.advance(now, 10);
    }
    expect(waits).toEqual([30, 60, 90, 100, 100]);
  });

  it('is only looked for among 5 proxies with 100 requests', () => {
    const opened = open();
    requests(opened, [95, 95, 95, 0], 0);
    for (let i = 0; i < 99; i++) opened.health.succeeded(use(5), 0);
    expect(opened.health.nextDue).toBe(Number.POSITIVE_INFINITY);
    expect(opened.health.advance(1e9, 10)).toEqual([]);
    opened.health.succeeded(use(5), 1e9);
    expect(told(opened.health.advance(1e9, 10))).toEqual(['3 cooling outlier']);
  });

  it.each([
    ['all are equal', [90, 90, 90, 90, 90, 90]],
    ['the distance is less than 5 points', [100, 100, 100, 100, 100, 96]],
    ['the distance may be chance', [60, 60, 60, 60, 60, 50]],
    ['it is above the mean', [20, 20, 20, 20, 20, 100]],
    ['there are two kinds of proxies', [90, 90, 90, 40, 40, 40]],
  ])('is not found when %s', (_, rates) => {
    const opened = open();
    requests(opened, rates, 0);
    expect(opened.health.advance(10 * SECOND, 6)).toEqual([]);
  });

  it('takes the worst first, and 10 percent of the active proxies at most, or one', () => {
    const rates = [...Array.from({ length: 28 }, () => 100), 40, 30];
    const opened = open({ slots: 30 });
    requests(opened, rates, 0);
    expect(told(opened.health.advance(10 * SECOND, 5))).toEqual(['29 cooling outlier']);
    requests(opened, rates, 10 * SECOND);
    expect(opened.health.advance(20 * SECOND, 19)).toEqual([]);
    requests(opened, rates, 20 * SECOND);
    expect(told(opened.health.advance(30 * SECOND, 20))).toEqual(['28 cooling outlier']);
    expect(opened.health.counts().cooling).toEqual({ outlier: 2 });
  });

  it('is counted from zero after each comparison', () => {
    const opened = open();
    requests(opened, [...nine(95), 95], 0);
    opened.health.advance(10 * SECOND, 10);
    for (let i = 0; i < 99; i++) opened.health.failed(use(0), { kind: 'connect' }, 10 * SECOND);
    expect(opened.health.nextDue).toBe(Number.POSITIVE_INFINITY);
  });

  it('is not found by failures of a failing domain, by blocks, or while the proxy is out', () => {
    const opened = open({ domainProxies: 2 });
    const { health } = opened;
    fail(health, use(0, { domain: 'a.example' }), 'timeout', 0);
    fail(health, use(1, { domain: 'a.example' }), 'timeout', 0);
    expect(health.isFailingDomain('a.example')).toBe(true);
    requests(opened, nine(100), 0);
    fail(health, use(9, { domain: 'a.example' }), 'timeout', 0, 200);
    fail(health, use(9, { domain: 'b.example' }), 'blocked', 0, 200);
    fail(health, use(9), 'auth', 0);
    fail(health, use(9), 'timeout', 0, 200);
    health.reset(9);
    for (let i = 0; i < 100; i++) health.succeeded(use(9), 0);
    expect(health.advance(20 * SECOND, 10).filter(({ kind }) => kind === 'outlier')).toEqual([]);
  });

  it('is not looked for if outliers is false, and with another outlierRequests as it says', () => {
    const opened = open();
    requests(opened, [...nine(95), 40], 0);
    opened.health.configure({ ...opened.settings, outlierRequests: 101 }, null);
    expect(opened.health.nextDue).toBe(Number.POSITIVE_INFINITY);
    opened.health.configure({ ...opened.settings, outlierRequests: 50 }, null);
    expect(opened.health.nextDue).toBe(10 * SECOND);
    opened.health.configure({ ...opened.settings, outliers: false }, null);
    expect(opened.health.nextDue).toBe(Number.POSITIVE_INFINITY);
    requests(opened, [...nine(95), 40], 0);
    expect(opened.health.advance(1e9, 10)).toEqual([]);
  });

  it('never counts beyond what a counter holds', () => {
    const { health } = open({ outlierRequests: 65_535, outlierHosts: 2 });
    for (let i = 0; i < 70_000; i++) for (const slot of [0, 1, 2, 3, 4]) health.succeeded(use(slot), 0);
    for (let i = 0; i < 66_000; i++) fail(health, use(5, { session: 'x' }), i % 2 ? 'reset' : 'blocked', 0);
    expect(health.advance(10 * SECOND, 6)).toEqual([]);
  });

  it('is forgotten when its slot has another proxy', () => {
    const opened = open();
    requests(opened, [...nine(95), 40], 0);
    opened.health.begin(9, true);
    expect(opened.health.advance(10 * SECOND, 10)).toEqual([]);
  });
});
