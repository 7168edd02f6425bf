import fc from 'fast-check';
import type { DatabaseManager } from 'proxyvault/database';
import { ProxyRepository, ProxyUsageStatsRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { HandOutsRepository } from '../../../src/database/repositories/hand-outs.repository.ts';
import { foldLatency, noLatency } from '../../../src/database/repositories/latency-sums.ts';
import {
  OutcomesRepository,
  type ProxyOutcomes,
} from '../../../src/database/repositories/outcomes.repository.ts';
import { failureOf, MODES, openSession } from '../../support/modes.ts';
import { openMigrated } from '../../support/temporary.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1);

/** One hand-out and its outcome, if it was reported, so many days after the start. */
interface Event {
  proxy: number;
  day: number;
  success: boolean | null;
  latency: number | null;
}

const event = fc.record({
  proxy: fc.nat({ max: 2 }),
  day: fc.nat({ max: 1 }),
  success: fc.constantFrom(true, false, null),
  latency: fc.option(fc.double({ min: 0, max: 60_000, noNaN: true })),
});

/** Each of these is stored as one batch. */
const batches = fc.array(fc.array(event, { maxLength: 40 }), { maxLength: 4 });

const idOf = (n: number): string => `p${n}`;
const timeOf = ({ day }: Event): number => START + day * DAY;

/** The outcomes of a batch by proxy and day, in the order in which a proxy first has something on the day. */
function sumsOf(events: readonly Event[]): ProxyOutcomes[] {
  const sums = new Map<string, ProxyOutcomes>();
  for (const { proxy, day, success, latency } of events) {
    const name = `${proxy} ${day}`;
    const sum = sums.get(name) ?? {
      ...{ proxyId: idOf(proxy), day: `2026-01-0${day + 1}`, handOuts: 0, lastUsed: null },
      ...{ successes: 0, failures: 0, failuresInRow: 0, hasSuccess: false, latency: null },
    };
    sums.set(name, sum);
    sum.handOuts++;
    sum.lastUsed = new Date(START + day * DAY);
    if (success === null) continue;
    if (success) {
      sum.successes++;
      sum.failuresInRow = 0;
      sum.hasSuccess = true;
    } else {
      sum.failures++;
      sum.failuresInRow++;
    }
    if (latency !== null) sum.latency = foldLatency(sum.latency ?? noLatency(), latency);
  }
  return [...sums.values()];
}

function open(): { db: DatabaseManager; time: { now: number } } {
  const time = { now: START };
  const db = openMigrated({ clock: () => time.now });
  new ProxyRepository(db).createMany(
    [0, 1, 2].map((n) => ({ id: idOf(n), host: 'h.example', port: n + 1, protocol: 'http' })),
  );
  return { db, time };
}

const rowsOf = (db: DatabaseManager) =>
  db.query(
    `SELECT id, total_requests, success_rate, failure_count, hand_outs, last_used_at, latency_ewma, latency FROM proxies ORDER BY id`,
  );
const usageOf = (db: DatabaseManager) => db.query('SELECT * FROM proxy_usage_stats ORDER BY proxy_id, date');

describe('outcomes in a batch', () => {
  it('store what hand-outs and outcomes one by one store', () => {
    fc.assert(
      fc.property(batches, fc.boolean(), (given, isCounted) => {
        const batched = open();
        const single = open();
        for (const { db } of [batched, single]) {
          if (isCounted) new HandOutsRepository(db).begin('p0');
        }
        for (const unordered of given) {
          // Days follow one another.
          const events = unordered.toSorted((a, b) => a.day - b.day);
          const outcomes = sumsOf(events);
          expect(new OutcomesRepository(batched.db).recordMany(outcomes)).toBe(
            new Set(outcomes.map(({ proxyId }) => proxyId)).size,
          );
          const handOuts = new HandOutsRepository(single.db);
          const proxies = new ProxyRepository(single.db);
          // Hand-outs are counted from the requests that were known before the batch.
          for (const each of events) handOuts.record(idOf(each.proxy), 1, new Date(timeOf(each)));
          for (const each of events) {
            if (each.success === null) continue;
            single.time.now = timeOf(each);
            proxies.updateStats(idOf(each.proxy), each.success, each.latency ?? undefined);
          }
        }
        expect(usageOf(batched.db)).toEqual(usageOf(single.db));
        const expected = rowsOf(single.db);
        for (const [n, row] of rowsOf(batched.db).entries()) {
          const { latency_ewma: mean, latency, ...exact } = row;
          const { latency_ewma: meanBefore, latency: _, ...rest } = expected[n] ?? {};
          expect(exact).toEqual(rest);
          if (mean === null) expect(meanBefore).toBeNull();
          else
            expect(Math.abs(Number(mean) - Number(meanBefore))).toBeLessThanOrEqual(
              1e-9 * Number(meanBefore),
            );
          expect(latency).toBe(mean === null ? null : Math.floor(Number(mean) + 0.5));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('take more proxies than one statement, and say how many of them are in the pool', () => {
    const db = openMigrated({ path: ':memory:', clock: () => START });
    const ids = Array.from({ length: 201 }, (_, n) => `p${n}`);
    new ProxyRepository(db).createMany(
      ids.map((id, n) => ({ id, host: 'h.example', port: n + 1, protocol: 'http' })),
    );
    const outcomes = new OutcomesRepository(db);
    const success = { ...{ successes: 1, failures: 0, failuresInRow: 0, hasSuccess: true } };
    const of = (proxyId: string): ProxyOutcomes => ({
      ...{ ...success, proxyId, day: '2026-01-01', handOuts: 0, lastUsed: null },
      latency: foldLatency(noLatency(), 12.4),
    });
    expect(outcomes.recordMany([...ids, 'gone'].map(of))).toBe(201);
    expect(db.query('SELECT count(*) AS n FROM proxies WHERE total_requests = 1 AND latency = 12')).toEqual([
      { n: 201 },
    ]);
    expect(db.query('SELECT count(*) AS n, sum(total_latency_ms) AS ms FROM proxy_usage_stats')).toEqual([
      { n: 201, ms: 201 * 12 },
    ]);
    expect(outcomes.recordMany([])).toBe(0);
    // A hand-out alone is no request, and not a change of the statistics.
    const updated = () =>
      db.query(`SELECT updated_at, total_requests, success_rate FROM proxies WHERE id = 'p0'`);
    const before = updated();
    const none = { successes: 0, failures: 0, failuresInRow: 0, hasSuccess: false, latency: null };
    outcomes.recordMany([
      { ...of('p0'), ...none, day: '2026-01-02', handOuts: 3, lastUsed: new Date(START) },
    ]);
    expect(updated()).toEqual(before);
    expect(new HandOutsRepository(db).count('p0')).toBe(4);
    expect(new ProxyUsageStatsRepository(db).findByProxy('p0')).toHaveLength(1);
  });

  it.each(MODES)('are checked, and rejected as a whole (%s)', async (mode) => {
    const { db, session } = openSession(mode, { clock: () => START });
    new ProxyRepository(db).create({ id: 'p', host: 'h.example', port: 1, protocol: 'http' });
    const outcomes = new OutcomesRepository(session);
    const good: ProxyOutcomes = {
      ...{ proxyId: 'p', day: '2026-01-01', handOuts: 1, lastUsed: '2026-01-01T10:00:00Z', successes: 1 },
      ...{ failures: 2, failuresInRow: 1, hasSuccess: true, latency: foldLatency(noLatency(), 1) },
    };
    const bad: [keyof ProxyOutcomes, unknown][] = [
      ['proxyId', 1],
      ['day', '2026-02-30'],
      ['handOuts', -1],
      ['lastUsed', 'now'],
      ['successes', 0.5],
      ['failures', Number.NaN],
      ['failuresInRow', 3],
      ['hasSuccess', false],
      ['latency', { count: 0, sum: 0, keep: 1, add: 0, first: 0 }],
      ['latency', { count: 1, sum: 0, keep: 1, add: Number.NaN, first: 0 }],
      ['latency', { count: 1, sum: 0, keep: 2, add: 0, first: 0 }],
    ];
    for (const [field, value] of bad) {
      const error = await failureOf(() => outcomes.recordMany([good, { ...good, [field]: value }]));
      expect([field, error]).toMatchObject([field, { code: 'INVALID_INPUT' }]);
    }
    expect(usageOf(db)).toEqual([]);
    expect(await outcomes.recordMany([good, { ...good, day: '2026-01-02' }])).toBe(1);
    expect(rowsOf(db)).toMatchObject([
      {
        total_requests: 6,
        failure_count: 1,
        hand_outs: 2,
        last_used_at: '2026-01-01 10:00:00.000',
        latency: 1,
      },
    ]);
  });
});
