import type { RotationEvent } from 'proxyvault/database';
import {
  type EventFilter,
  type EventListing,
  ProxyRepository,
  ProxyUsageStatsRepository,
  RotationEventsRepository,
  type UsageListing,
  type UsageSort,
} from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { failureOf, listOf, MODES, openSession } from '../../support/modes.ts';

const START = Date.UTC(2026, 4, 1);
const HOUR = 3_600_000;

describe.each(MODES)('in mode %s', (mode) => {
  describe('events', () => {
    /** One event each 20 minutes, over 8 hours. */
    async function open() {
      const { db, session } = openSession(mode, { onInvalidRow: () => undefined });
      const events = new RotationEventsRepository(session);
      const reasons = ['startup', 'scheduled', 'failure', 'manual', 'failure'] as const;
      const ids = [null, 'a', 'b', 'c'];
      await events.recordMany(
        Array.from({ length: 24 }, (_, n) => ({
          previousProxyId: ids[n % 4] ?? null,
          newProxyId: ids[(n + 1) % 4] ?? null,
          reason: reasons[n % 5] ?? 'manual',
          timestamp: new Date(START + (n * HOUR) / 3),
        })),
      );
      return { db, events, all: await listOf(events.iterate()) };
    }

    it('refuse filters that do not exist or hold nonsense', async () => {
      const { events } = await open();
      const bad: object[] = [
        { reason: 'mood' },
        { reason: '' },
        { reason: null },
        { proxyId: 7 },
        { from: 'yesterday' },
        { to: '' },
        { form: '2026-05-01' },
        null as unknown as object,
      ];
      for (const filter of bad) {
        for (const call of [
          () => events.list(filter as EventListing),
          () => events.count(filter as EventFilter),
          () => events.countByHour(filter as EventFilter),
          () => events.countByReason(filter as EventFilter),
          () => listOf(events.iterate(filter as EventFilter)),
        ])
          expect(await failureOf(call), JSON.stringify(filter)).toMatchObject({ code: 'INVALID_INPUT' });
      }
      for (const after of [-1, 1.5, '3', Number.NaN, null])
        expect(await failureOf(() => events.list({ after: after as number }))).toMatchObject({
          code: 'INVALID_INPUT',
        });
      expect(await failureOf(() => events.list({ limit: 0 }))).toMatchObject({ code: 'INVALID_INPUT' });
      expect(await events.count()).toBe(24);
    });

    it('of other programs are in a range by their time, in whatever form it is written', async () => {
      const { db, events } = await open();
      // An hour later in each form, from the day before to the day after.
      const forms = ['D H', 'DTHZ', 'DTH', 'D H.5', 'DTH.25Z', 'D H.123456', 'DTH.999999Z'];
      db.driver.exec('DELETE FROM rotation_events');
      const texts = forms.flatMap((form) =>
        Array.from({ length: 72 }, (_, n) => {
          const iso = new Date(START + (n - 24) * HOUR).toISOString();
          return form.replace('D', iso.slice(0, 10)).replace('H', iso.slice(11, 19));
        }),
      );
      for (const text of texts)
        db.driver.run(`INSERT INTO rotation_events (timestamp, reason) VALUES (:text, 'manual')`, { text });
      const all = await listOf(events.iterate());
      expect(all).toHaveLength(texts.length);
      const times = [0, 1, HOUR, 11 * HOUR, 11 * HOUR + 500, 12 * HOUR - 1, 24 * HOUR, 24 * HOUR + 1];
      for (const from of times)
        for (const to of times) {
          const range = { from: new Date(START + from), to: new Date(START + to) };
          const within = all.filter(({ timestamp }) => {
            const time = Date.parse(timestamp) - START;
            return time >= from && time < to;
          });
          expect(await listOf(events.iterate(range)), JSON.stringify(range)).toEqual(within);
          expect(await events.count(range)).toBe(within.length);
          const between = await events.between(range.from, range.to);
          expect(between.map(({ timestamp }) => timestamp)).toEqual(
            within.map(({ timestamp }) => timestamp).sort(),
          );
        }
      const noon = new Date(START + 12 * HOUR + 400);
      const older = all.filter(({ timestamp }) => new Date(timestamp) < noon).length;
      expect(await events.deleteOlderThan(noon)).toBe(older);
      expect(await events.count({ to: noon })).toBe(0);
      expect(await events.count({ from: noon })).toBe(all.length - older);
    });

    it('are read by proxy, reason and time, newest first, in pages, counted and streamed', async () => {
      const { events, all } = await open();
      const at = (hour: number): Date => new Date(START + hour * HOUR);
      const isOf = (id: string) => (event: RotationEvent) =>
        event.previousProxyId === id || event.newProxyId === id;
      const cases: [EventFilter, (event: RotationEvent) => boolean][] = [
        [{}, () => true],
        [{ proxyId: 'a' }, isOf('a')],
        [{ proxyId: 'nobody' }, () => false],
        [{ reason: 'failure' }, ({ reason }) => reason === 'failure'],
        [
          { from: at(2), to: at(5) },
          ({ timestamp }) => timestamp >= at(2).toJSON() && timestamp < at(5).toJSON(),
        ],
        [{ to: at(3) }, ({ timestamp }) => timestamp < at(3).toJSON()],
        [{ from: '2026-05-02' }, () => false],
        [
          { proxyId: 'b', reason: 'failure', from: at(1) },
          (event) => isOf('b')(event) && event.reason === 'failure' && event.timestamp >= at(1).toJSON(),
        ],
      ];
      for (const [filter, fits] of cases) {
        const wanted = all.filter(fits);
        for (const limit of [1, 5, 1000]) {
          const found: RotationEvent[] = [];
          let after: number | undefined;
          let pages = 0;
          for (;;) {
            const page = await events.list({ ...filter, limit, after });
            found.push(...page.items);
            pages++;
            if (page.next === null) break;
            after = page.next;
          }
          expect(found).toEqual(wanted.toReversed());
          expect(pages).toBe(Math.max(1, Math.ceil(wanted.length / limit)));
        }
        expect(await listOf(events.iterate(filter))).toEqual(wanted);
        expect(await events.count(filter)).toBe(wanted.length);
        const counts = await events.countByReason(filter);
        const hours = await events.countByHour(filter);
        for (const reason of ['scheduled', 'failure', 'manual', 'startup'] as const) {
          const ofReason = wanted.filter((event) => event.reason === reason);
          expect(counts[reason]).toBe(ofReason.length);
          expect(hours.reduce((sum, hour) => sum + hour[reason], 0)).toBe(ofReason.length);
        }
      }
    });

    it('are counted by hour in UTC, hours without events left out', async () => {
      const { db, events } = await open();
      const hours = await events.countByHour({ to: new Date(START + 2 * HOUR) });
      expect(hours).toEqual([
        { hour: '2026-05-01T00:00:00.000Z', startup: 1, scheduled: 1, failure: 1, manual: 0 },
        { hour: '2026-05-01T01:00:00.000Z', startup: 1, scheduled: 0, failure: 1, manual: 1 },
      ]);
      expect((await events.countByHour({ reason: 'startup' })).map(({ hour }) => hour.slice(11, 13))).toEqual(
        [...['00', '01', '03', '05', '06']],
      );
      // As other programs write it.
      db.driver.run(`UPDATE rotation_events SET timestamp = '2026-05-01T00:59:59Z' WHERE id = 1`, {});
      expect((await events.countByHour())[0]).toEqual(hours[0]);
    });

    it('are left out of pages and hours if they are malformed, and the pages continue', async () => {
      const { db, events, all } = await open();
      db.driver.run(`UPDATE rotation_events SET timestamp = 'noon' WHERE id = 22`, {});
      const first = await events.list({ limit: 3 });
      expect(first.items.map(({ id }) => id)).toEqual([24, 23]);
      expect((await events.list({ limit: 3, after: first.next ?? 0 })).items.map(({ id }) => id)).toEqual([
        ...[21, 20, 19],
      ]);
      expect(await events.countByHour()).toHaveLength(8);
      expect(all).toHaveLength(24);
    });
  });

  it('totals of usage reject an option that they do not know, and do not ignore it', async () => {
    const { session } = openSession(mode);
    const usage = new ProxyUsageStatsRepository(session);
    const misspelt = { form: '2026-05-01' } as never;
    const calls = [
      () => usage.totals(misspelt),
      () => usage.range(misspelt),
      () => usage.findByProxy('a', misspelt),
    ];
    for (const call of calls)
      expect(await failureOf(call)).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('form'),
      });
  });

  describe('usage by proxy', () => {
    async function open() {
      const heard: unknown[] = [];
      const { db, session } = openSession(mode, { onInvalidRow: (error) => heard.push(error) });
      const proxies = new ProxyRepository(session);
      const usage = new ProxyUsageStatsRepository(session);
      await proxies.createMany(
        ['a', 'b', 'c', 'unused'].map((id, n) => ({
          id,
          host: 'h.example',
          port: n + 1,
          protocol: 'http' as const,
        })),
      );
      const days: [id: string, date: string, successes: number, failures: number, latency?: number][] = [
        ['a', '2026-05-01', 3, 1, 100],
        ['a', '2026-05-03', 1, 0, 300],
        ['b', '2026-05-02', 0, 2],
        ['c', '2026-05-02', 5, 0, 50],
      ];
      for (const [proxyId, date, successes, failures, latency] of days) {
        for (let n = 0; n < successes; n++) await usage.record(proxyId, { success: true, latency, date });
        for (let n = 0; n < failures; n++) await usage.record(proxyId, { success: false, date });
      }
      return { db, usage, heard };
    }

    it('refuses options that do not exist or hold nonsense', async () => {
      const { usage } = await open();
      const bad: object[] = [
        ...['age', '', '-', '--id', 'request_count', 7, null, 'constructor'].map((sort) => ({ sort })),
        ...[0, -1, 1.5, '5', 100_001].map((limit) => ({ limit })),
        { from: 'yesterday' },
        { to: '2026-02-30' },
        { proxyId: 7 },
        { order: 'id' },
        null as unknown as object,
        [],
      ];
      for (const listing of bad)
        expect(
          await failureOf(() => usage.byProxy(listing as UsageListing)),
          JSON.stringify(listing),
        ).toMatchObject({
          code: 'INVALID_INPUT',
        });
    });

    it('has the totals of each proxy that was used, with the first and the last day', async () => {
      const { usage } = await open();
      expect(await usage.byProxy({ sort: 'id' })).toEqual([
        {
          proxyId: 'a',
          firstDay: '2026-05-01',
          lastDay: '2026-05-03',
          requestCount: 5,
          successCount: 4,
          failureCount: 1,
          totalLatencyMs: 600,
          latencyCount: 4,
          successRate: 80,
          meanLatencyMs: 150,
        },
        expect.objectContaining({ proxyId: 'b', requestCount: 2, successRate: 0, meanLatencyMs: null }),
        expect.objectContaining({
          proxyId: 'c',
          firstDay: '2026-05-02',
          lastDay: '2026-05-02',
          successRate: 100,
        }),
      ]);
      expect(await usage.byProxy({ proxyId: 'b' })).toMatchObject([{ proxyId: 'b', failureCount: 2 }]);
      expect(await usage.byProxy({ proxyId: 'unused' })).toEqual([]);
      expect(await usage.byProxy({ proxyId: 'a', from: '2026-05-02', to: '2026-05-04' })).toMatchObject([
        { firstDay: '2026-05-03', lastDay: '2026-05-03', requestCount: 1 },
      ]);
      expect(await usage.byProxy({ from: '2026-06-01' })).toEqual([]);
    });

    it('is sorted either way, a missing latency last, ties by id, and limited', async () => {
      const { usage } = await open();
      const orders: [UsageSort | undefined, string][] = [
        [undefined, 'acb'],
        ['requests', 'bac'],
        ['-requests', 'acb'],
        ['failures', 'cab'],
        ['-failures', 'bac'],
        ['successRate', 'bac'],
        ['-successRate', 'cab'],
        ['latency', 'cab'],
        ['-latency', 'acb'],
        ['id', 'abc'],
        ['-id', 'cba'],
      ];
      for (const [sort, wanted] of orders) {
        const found = await usage.byProxy({ sort });
        expect(found.map(({ proxyId }) => proxyId).join(''), sort).toBe(wanted);
        expect(await usage.byProxy({ sort, limit: 2 })).toEqual(found.slice(0, 2));
      }
    });

    it('does not count a malformed row, and tells of it by its proxy', async () => {
      const { db, usage, heard } = await open();
      db.driver.run(
        `UPDATE proxy_usage_stats SET request_count = -5 WHERE proxy_id = 'a' AND date = '2026-05-01'`,
        {},
      );
      expect((await usage.byProxy({ proxyId: 'a' }))[0]).toMatchObject({ requestCount: 1, successCount: 1 });
      expect(heard).toMatchObject([
        { code: 'INVALID_ROW', details: { table: 'proxy_usage_stats', id: 'a', rows: 1 } },
      ]);
    });
  });
});
