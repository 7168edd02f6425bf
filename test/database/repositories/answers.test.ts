import type { DatabaseManager, ProxyConfig, RotationRule } from 'proxyvault/database';
import {
  type ProxyFilter,
  ProxyRepository,
  ProxyTagsRepository,
  ProxyUsageStatsRepository,
  RotationEventsRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import type { Session } from 'proxyvault/driver';
import { afterEach, describe, expect, it } from 'vitest';
import { HandOutsRepository } from '../../../src/database/repositories/hand-outs.repository.ts';
import { Random } from '../../faults/random.ts';
import { answer, failureOf, inTurn, listOf, MODES, openSession, type TestMode } from '../../support/modes.ts';

const SEED = Number(process.env.PROXYVAULT_SEED ?? 20_260_501);
const random = new Random(SEED);
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(`PROXYVAULT_SEED=${SEED}`);
});

const START = Date.UTC(2026, 4, 1);

interface Opened {
  db: DatabaseManager;
  session: Session<'async'>;
  proxies: ProxyRepository<'async'>;
  time: { now: number };
}

function openPool(mode: TestMode): Opened {
  const time = { now: START };
  const { db, session } = openSession(mode, { clock: () => time.now });
  return { db, session, proxies: new ProxyRepository(session), time };
}

/** Rows that have much in common, so that every tie is there. */
const STATUSES = ['active', 'active', 'failed', 'disabled', 'checking'] as const;
const PROTOCOLS = ['http', 'https', 'socks4', 'socks5'] as const;
const NAMES = ['a_b', 'axb', '100%', '100x', 'a\\b', 'A_B', 'plain'] as const;

const by =
  <T>(...keys: ((item: T) => number | string)[]) =>
  (one: T, other: T): number => {
    for (const key of keys) {
      const [left, right] = [key(one), key(other)];
      if (left !== right) return left < right ? -1 : 1;
    }
    return 0;
  };
const latencyOf = ({ latency }: ProxyConfig): number => latency ?? Number.POSITIVE_INFINITY;
const idOf = ({ id }: { id: string }): string => id;

/** A pool with every tie, and all of its proxies. */
async function openTies(mode: TestMode): Promise<Opened & { all: ProxyConfig[] }> {
  const opened = openPool(mode);
  const { session, proxies, time } = opened;
  await proxies.createMany(
    random.shuffle(Array.from({ length: 80 }, (_, n) => n)).map((n) => ({
      id: `p${String(n).padStart(2, '0')}`,
      host: `${random.pick(['one', 'two'])}.example`,
      port: n + 1,
      protocol: random.pick(PROTOCOLS),
      name: random.pick(NAMES),
      status: random.pick(STATUSES),
      region: random.pick(['EU', 'US', null]),
      latency: random.pick([null, 0, 20, 20, 30]),
    })),
  );
  const handOuts = new HandOutsRepository(session);
  for (const { id } of await proxies.findAll()) {
    const totalRequests = random.pick([0, 3, 3]);
    await proxies.update(id, { totalRequests, successRate: random.pick([0, 50, 100]) });
    time.now = START + random.below(3) * 1000;
    if (random.chance(0.6)) await handOuts.record(id, 1, new Date(time.now));
  }
  for (const id of ['p00', 'p40']) await proxies.delete(id);
  return { ...opened, all: await proxies.findAll() };
}

describe.each(MODES)('in mode %s', (mode) => {
  describe('of a pool with every tie', () => {
    it('all are listed, by id', async () => {
      const { all } = await openTies(mode);
      expect(all).toHaveLength(78);
      expect(all.map(idOf)).toEqual(all.map(idOf).sort());
    });

    it('each filter, and each pair of them, finds what has it, by id, in pages, streamed and counted', async () => {
      const { proxies, all } = await openTies(mode);
      const singles: [ProxyFilter, (proxy: ProxyConfig) => boolean][] = [
        [{}, () => true],
        ...PROTOCOLS.map((protocol) => [{ protocol }, (p: ProxyConfig) => p.protocol === protocol] as const),
        ...STATUSES.map((status) => [{ status }, (p: ProxyConfig) => p.status === status] as const),
        [{ region: 'EU' }, ({ region }: ProxyConfig) => region === 'EU'],
        ...['_', '%', '\\', 'a_b', '0%', 'ONE.EX', 'nothing'].map(
          (search) =>
            [
              { search },
              ({ name, host }: ProxyConfig) =>
                [name, host].some((text) => text.toLowerCase().includes(search.toLowerCase())),
            ] as const,
        ),
      ].map(([filter, fits]) => [filter as ProxyFilter, fits as (proxy: ProxyConfig) => boolean]);
      for (const [one, fitsOne] of singles)
        for (const [other, fitsOther] of singles) {
          const filter = { ...one, ...other };
          if (Object.keys(filter).length !== Object.keys(one).length + Object.keys(other).length) continue;
          const wanted = all.filter((proxy) => fitsOne(proxy) && fitsOther(proxy));
          expect(await proxies.count(filter)).toBe(wanted.length);
          expect(await listOf(proxies.iterate(filter))).toEqual(wanted);
          const limit = 1 + random.below(wanted.length + 3);
          const pages: ProxyConfig[][] = [];
          for (let after: string | null = ''; after !== null; ) {
            const { items, next }: { items: ProxyConfig[]; next: string | null } = await proxies.list({
              ...filter,
              limit,
              after,
            });
            pages.push(items);
            after = next;
          }
          expect(pages.flat()).toEqual(wanted);
          expect(pages.slice(0, -1).every((page) => page.length === limit)).toBe(true);
          expect(pages).toHaveLength(Math.max(1, Math.ceil(wanted.length / limit)));
        }
      for (const [filter, fits] of singles) {
        const { status, protocol, region } = filter;
        if (status) expect(await proxies.findByStatus(status)).toEqual(all.filter(fits));
        if (protocol) expect(await proxies.findByProtocol(protocol)).toEqual(all.filter(fits));
        if (region) expect(await proxies.findByRegion(region)).toEqual(all.filter(fits));
      }
    });

    it('a page has 100 unless it says otherwise', async () => {
      const { proxies } = await openTies(mode);
      await proxies.createMany(
        Array.from({ length: 100 }, (_, n) => ({ host: 'x.example', port: n + 1, protocol: 'http' })),
      );
      expect((await proxies.list()).items).toHaveLength(100);
    });

    it('the top performers are the active ones by success rate, then latency, unknown last, then id', async () => {
      const { proxies, all } = await openTies(mode);
      const best = all
        .filter(({ status }) => status === 'active')
        .sort(by(({ successRate }) => -successRate, latencyOf, idOf));
      for (const limit of [1, 5, best.length, 100])
        expect(await proxies.getTopPerformers(limit)).toEqual(best.slice(0, limit));
    });
  });

  describe('events', () => {
    type Event = Awaited<ReturnType<RotationEventsRepository<'async'>['append']>>;
    const hour = (n: number): Date => new Date(START + n * 3_600_000);
    const REASONS = ['scheduled', 'failure', 'manual', 'startup'] as const;

    /** Events of eight hours, then one of the first moment that there is, and one of the last. */
    async function open(): Promise<{ events: RotationEventsRepository<'async'>; history: Event[] }> {
      const events = new RotationEventsRepository(openPool(mode).session);
      const history = await inTurn(Array.from({ length: 60 }), () =>
        events.append({
          previousProxyId: null,
          newProxyId: 'p',
          reason: random.pick(REASONS),
          timestamp: hour(random.below(8)),
        }),
      );
      for (const timestamp of ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'])
        await events.append({ previousProxyId: null, newProxyId: 'p', reason: 'manual', timestamp });
      return { events, history };
    }

    it('are found by time in any range, both ends looked at, and counted by reason', async () => {
      const { events, history } = await open();
      const newest = await events.recent(100_000);
      expect(newest.map(({ id }) => id)).toEqual(newest.map(({ id }) => id).sort((a, b) => b - a));
      expect(await listOf(events.iterate())).toEqual([...newest].reverse());
      expect(await events.recent()).toEqual(newest.slice(0, 50));
      expect(await events.last()).toEqual(newest[0]);
      const count = (some: typeof newest): object =>
        Object.fromEntries(
          REASONS.map((reason) => [reason, some.filter((each) => each.reason === reason).length]),
        );
      expect(await events.countByReason()).toEqual(count(newest));
      for (let from = 0; from < 8; from++)
        for (let to = from; to < 9; to++) {
          const inside = history.filter(
            ({ timestamp }) => timestamp >= hour(from).toISOString() && timestamp < hour(to).toISOString(),
          );
          const found = await events.between(hour(from), hour(to));
          expect(found).toEqual(
            inside.sort(
              by(
                ({ timestamp }) => timestamp,
                ({ id }) => id,
              ),
            ),
          );
          expect(await events.countByReason({ from: hour(from), to: hour(to) })).toEqual(count(inside));
        }
    });

    it('go by age, but for those of that very time and the newest, and no more than the limit', async () => {
      const { events } = await open();
      const before = await events.count();
      const old = (await events.between(hour(0), hour(3))).length;
      expect(await events.deleteOlderThan(hour(3), 2)).toBe(2);
      expect(await events.deleteOlderThan(hour(3))).toBe(old + 1 - 2);
      expect(await events.count()).toBe(before - old - 1);
      expect((await events.between(hour(3), hour(4))).length).toBeGreaterThan(0);
      await events.append({ previousProxyId: null, newProxyId: 'p', reason: 'manual', timestamp: hour(0) });
      await events.deleteOlderThan('9999-12-31T23:59:59.999Z');
      expect((await events.last())?.timestamp).toBe(hour(0).toISOString());
      expect(await events.count()).toBe(2);
    });
  });

  describe('rules', () => {
    it('are tried highest priority first, then oldest, then by id; those that are off are not', async () => {
      const { session, time } = openPool(mode);
      const rules = new RotationRulesRepository(session);
      const made = await inTurn(Array.from({ length: 40 }), (_, n) => {
        time.now = START + random.below(3);
        return rules.create({
          id: `r${random.below(1000)}-${n}`,
          name: 'r',
          priority: random.below(3) - 1,
          enabled: random.chance(0.5),
          conditions: [{ field: 'hour', operator: 'equals', value: 1 }],
          actions: [{ type: 'block' }],
        });
      });
      const order = made.sort(
        by(
          ({ priority }: RotationRule) => -priority,
          ({ createdAt }: RotationRule) => createdAt,
          idOf,
        ),
      );
      expect(await rules.findAll()).toEqual(order);
      expect(await rules.findEnabled()).toEqual(order.filter(({ enabled }) => enabled));
      expect(await rules.count()).toBe(40);
    });
  });

  describe('usage and statistics', () => {
    const IDS = ['u2', 'u1', 'u3'] as const;
    const DAYS = [
      '2026-01-03',
      '2026-01-01',
      '2026-01-02',
      '0000-01-01',
      '9999-12-31',
      '1970-01-01',
    ] as const;

    async function open(): Promise<Opened & { usage: ProxyUsageStatsRepository<'async'> }> {
      const opened = openPool(mode);
      await opened.proxies.createMany(
        IDS.map((id, n) => ({ id, host: 'u.example', port: n + 1, protocol: 'http' })),
      );
      return { ...opened, usage: new ProxyUsageStatsRepository(opened.session) };
    }

    it('are the sums of what was recorded, of each proxy, day and range', async () => {
      const { usage } = await open();
      const records = Array.from({ length: 200 }, () => ({
        proxyId: random.pick(IDS),
        date: random.pick(DAYS),
        success: random.chance(0.6),
        latency: random.pick([undefined, 0, 10.5, 7.4, 100]),
      }));
      expect(await usage.recordMany(records)).toBe(200);
      const sums = (some: typeof records): object => {
        const measured = some.flatMap(({ latency }) => (latency === undefined ? [] : [Math.round(latency)]));
        const successCount = some.filter(({ success }) => success).length;
        return {
          requestCount: some.length,
          successCount,
          failureCount: some.length - successCount,
          totalLatencyMs: measured.reduce((sum, each) => sum + each, 0),
          latencyCount: measured.length,
        };
      };
      const totals = (some: typeof records): object => {
        const { requestCount, successCount, totalLatencyMs, latencyCount } = sums(some) as Record<
          string,
          number
        >;
        return {
          ...sums(some),
          successRate: requestCount === 0 ? null : (100 * Number(successCount)) / Number(requestCount),
          meanLatencyMs: latencyCount === 0 ? null : Number(totalLatencyMs) / Number(latencyCount),
        };
      };
      const days = [...DAYS].sort();
      const ranges = [
        {},
        ...days.flatMap((from) => [{ from }, { to: from }, ...days.map((to) => ({ from, to }))]),
      ];
      for (const range of ranges) {
        const { from = '0000-01-01', to = '9999-12-31' } = range as { from?: string; to?: string };
        const inside = records.filter(({ date }) => date >= from && date <= to);
        expect(await usage.totals(range)).toEqual(totals(inside));
        const inRange = days.filter((date) => date >= from && date <= to);
        expect(await usage.range(range)).toEqual(
          inRange.map((date) => {
            const some = inside.filter((each) => each.date === date);
            return { date, proxyCount: new Set(some.map(({ proxyId }) => proxyId)).size, ...totals(some) };
          }),
        );
        for (const proxyId of IDS) {
          const own = inside.filter((each) => each.proxyId === proxyId);
          expect(await usage.totals({ ...range, proxyId })).toEqual(totals(own));
          expect(await usage.findByProxy(proxyId, range)).toEqual(
            inRange.map((date) => ({ proxyId, date, ...sums(own.filter((each) => each.date === date)) })),
          );
        }
      }
      for (const date of days)
        expect(await usage.findByDate(date)).toEqual(
          [...IDS].sort().map((proxyId) => ({
            proxyId,
            date,
            ...sums(records.filter((each) => each.proxyId === proxyId && each.date === date)),
          })),
        );
      expect(await usage.deleteOlderThan('2026-01-02T23:59:59Z', 4)).toBe(4);
      expect(await usage.deleteOlderThan('2026-01-02T23:59:59Z')).toBe(5);
      expect((await usage.range()).map(({ date }) => date)).toEqual([
        '2026-01-02',
        '2026-01-03',
        '9999-12-31',
      ]);
    });

    it('are of the day of the clock, and of proxies that exist', async () => {
      const { proxies, usage, time } = await open();
      time.now = Date.UTC(2031, 0, 1) - 1;
      await usage.record('u1', { success: false });
      time.now++;
      await usage.record('u1', { success: true });
      expect((await usage.findByProxy('u1', { from: '2030-12-31' })).slice(0, 2)).toMatchObject([
        { date: '2030-12-31', failureCount: 1 },
        { date: '2031-01-01', failureCount: 0, latencyCount: 0 },
      ]);
      for (const record of [
        () => usage.record('nobody', { success: true }),
        () => usage.recordMany([{ proxyId: 'nobody', success: true }]),
        () => proxies.updateStats('nobody', true),
      ])
        expect(await failureOf(record)).toMatchObject({ code: 'NOT_FOUND', details: { id: 'nobody' } });
    });

    it('follow each report: rate, failures in a row, and a mean that moves by an eighth', async () => {
      const { proxies, usage, time } = await open();
      time.now = Date.UTC(2032, 0, 1);
      await proxies.create({ id: 'm', host: 'm.example', port: 1, protocol: 'http', latency: 100 });
      let [requests, successes, failures, mean] = [0, 0, 0, 100];
      for (let n = 0; n < 300; n++) {
        time.now += 1000;
        const success = random.chance(0.7);
        const latency = random.pick([undefined, 0, 3.5, 1000]);
        await proxies.updateStats('m', success, latency);
        requests++;
        successes += success ? 1 : 0;
        failures = success ? 0 : failures + 1;
        if (latency !== undefined) mean += (latency - mean) / 8;
        const { successRate, ...proxy } = (await proxies.findById('m')) ?? ({} as ProxyConfig);
        expect(proxy).toMatchObject({
          totalRequests: requests,
          failureCount: failures,
          latency: Math.round(mean),
          updatedAt: new Date(time.now).toISOString(),
        });
        expect(successRate).toBeCloseTo((100 * successes) / requests, 9);
      }
      expect(await usage.totals({ proxyId: 'm' })).toMatchObject({
        requestCount: requests,
        successCount: successes,
      });
      expect((await usage.totals({ proxyId: 'm' })).latencyCount).toBeGreaterThan(100);
      // A latency that is set is the new mean; taken away, the next one is.
      await proxies.update('m', { latency: 16 });
      await proxies.updateStats('m', true, 0);
      expect((await proxies.findById('m'))?.latency).toBe(14);
      await proxies.update('m', { latency: null });
      await proxies.updateStats('m', true, 41.6);
      expect((await proxies.findById('m'))?.latency).toBe(42);
    });
  });

  describe('sticky sessions', () => {
    it('do what a simple model says, while time passes', async () => {
      const { session, proxies, time } = openPool(mode);
      const sticky = new StickySessionRepository(session);
      await proxies.createMany(
        ['s1', 's2'].map((id, n) => ({ id, host: 's.example', port: n + 1, protocol: 'http' })),
      );
      const DOMAINS = ['a', 'b.a', '*.a', 'c.b.a', '*.b.a', 'cc.a', 'd'] as const;
      const model = new Map<
        string,
        { proxyId: string; ttl: number | null; requestCount: number; lastUsed: number }
      >();
      const isLive = (domain: string): boolean => {
        const { ttl, lastUsed } = model.get(domain) ?? { ttl: 0, lastUsed: 0 };
        return ttl === null || lastUsed + ttl > time.now;
      };
      const holding = (host: string): string | undefined => {
        const live = [...model.keys()].filter(isLive);
        if (live.includes(host) || host.startsWith('*.')) return live.find((domain) => domain === host);
        return live
          .filter((domain) => domain.startsWith('*.') && host.endsWith(domain.slice(1)))
          .sort((one, other) => other.length - one.length)[0];
      };
      for (let step = 0; step < 1500; step++) {
        const domain = random.pick(DOMAINS);
        const known = model.get(domain);
        const proxyId = random.pick(['s1', 's2']);
        const ttl = random.pick([null, 2, 3]);
        switch (random.below(6)) {
          case 0:
            await sticky.create({ domain, proxyId, ttl });
            model.set(domain, { proxyId, ttl, requestCount: 1, lastUsed: time.now });
            break;
          case 1: {
            const held = holding(domain);
            expect((await sticky.use(domain))?.domain).toBe(held);
            const mapping = held === undefined ? undefined : model.get(held);
            if (mapping)
              Object.assign(mapping, { lastUsed: time.now, requestCount: mapping.requestCount + 1 });
            break;
          }
          case 2:
            if (known) await sticky.update(domain, { ttl, proxyId });
            if (known) Object.assign(known, { ttl, proxyId });
            break;
          case 3:
            expect(await sticky.delete(domain)).toBe(model.delete(domain));
            break;
          case 4: {
            const dead = [...model.keys()].filter((each) => !isLive(each));
            expect(await sticky.deleteExpired()).toBe(dead.length);
            for (const each of dead) model.delete(each);
            break;
          }
          default:
            time.now++;
        }
        for (const each of DOMAINS) expect((await sticky.findByDomain(each))?.domain).toBe(holding(each));
        const live = [...model]
          .filter(([each]) => isLive(each))
          .sort(by(([each]) => each))
          .map(([each, { lastUsed, ...rest }]) => ({
            domain: each,
            ...rest,
            lastUsed: new Date(lastUsed).toISOString(),
          }));
        const shown = (await sticky.getAll()).map(({ createdAt: _, isWildcard: __, ...rest }) => rest);
        expect(shown).toEqual(live);
        if (step % 5 !== 0) continue;
        expect(await listOf(sticky.iterate())).toEqual(await sticky.getAll());
        expect(await sticky.count()).toBe(live.length);
        expect((await sticky.findByProxy('s1')).map(({ domain: each }) => each)).toEqual(
          live.filter((each) => each.proxyId === 's1').map(({ domain: each }) => each),
        );
      }
    });
  });

  describe('tags', () => {
    it('say which proxies an import left, and take those away that have no other', async () => {
      const { session, proxies } = openPool(mode);
      const tags = new ProxyTagsRepository(session);
      const ids = (
        await proxies.createMany(
          Array.from({ length: 1203 }, (_, n) => ({
            id: `t${String(n).padStart(4, '0')}`,
            host: 't.example',
            port: n + 1,
            protocol: 'http',
          })),
        )
      ).map(idOf);
      await session.driver.transaction(function* () {
        for (const [n, id] of ids.entries()) {
          expect(yield* answer(tags.add(id, 'list', 'first'))).toBe(1);
          if (n % 10 === 0) yield tags.add(id, 'also', 'first');
          if (n % 3 === 0) yield tags.add(id, 'list', 'second');
        }
      });
      expect(await tags.findByProxy('t0000')).toEqual(['also', 'list']);
      const left = ids.filter((_, n) => n % 3 !== 0);
      const stay = left.filter((id) => Number(id.slice(1)) % 10 === 0);
      expect(await tags.countOthers('list', 'second')).toEqual({
        leaving: left.length,
        removed: left.length - stay.length,
      });
      expect((await tags.countOthers('list', 'third')).leaving).toBe(1203);
      expect(await tags.countOthers('nothing', 'third')).toEqual({ leaving: 0, removed: 0 });
      const named = await tags.findOthers('list', 'second', 25);
      expect(named.map(({ id, port, stays }) => [id, port, stays])).toEqual(
        left.slice(0, 25).map((id) => [id, Number(id.slice(1)) + 1, stay.includes(id)]),
      );
      expect(await tags.removeOthers('list', 'second')).toBe(left.length - stay.length);
      expect(await tags.count('list')).toBe(ids.length - left.length);
      expect(await tags.count('also')).toBe(121);
      const there = new Set((await proxies.findAll()).map(idOf));
      expect(ids.filter((id) => there.has(id))).toEqual(
        ids.filter((id) => !left.includes(id) || stay.includes(id)),
      );
      for (const id of stay)
        expect([await tags.has(id, 'also'), await tags.has(id, 'list')]).toEqual([true, false]);
      expect(await tags.removeOthers('list', 'second')).toBe(0);
      const [one = ''] = stay;
      expect([await tags.remove(one, 'also'), await tags.remove(one, 'also')]).toEqual([true, false]);
      expect([await tags.findByProxy(one), await proxies.exists(one)]).toEqual([[], true]);
    });
  });
});
