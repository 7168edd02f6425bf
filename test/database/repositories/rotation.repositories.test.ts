import type {
  DatabaseManager,
  RotationConfig,
  RotationRule,
  RotationStrategy,
  StrategyOptionsInput,
} from 'proxyvault/database';
import {
  ProxyRepository,
  ProxyUsageStatsRepository,
  RotationConfigRepository,
  RotationEventsRepository,
  type RotationRuleInput,
  RotationRulesRepository,
} from 'proxyvault/database/repositories';
import type { Session } from 'proxyvault/driver';
import { describe, expect, it, vi } from 'vitest';
import type { ProxyVaultError } from '../../../src/errors.ts';
import { failureOf, inTurn, listOf, MODES, openSession } from '../../support/modes.ts';
import { thrownBy } from '../../support/temporary.ts';

describe.each(MODES)('in mode %s', (mode) => {
  const START = Date.UTC(2026, 0, 1);

  function open(): ReturnType<typeof openSession> & { time: { now: number } } {
    const time = { now: START };
    return { time, ...openSession(mode, { clock: () => time.now }) };
  }

  describe('RotationConfigRepository', () => {
    const DEFAULTS: RotationConfig = {
      strategy: 'round-robin',
      intervalMs: null,
      maxRequestsPerProxy: null,
      failureThreshold: null,
      options: {},
      updatedAt: null,
    };

    it('answers with the defaults while nothing is stored', async () => {
      expect(await new RotationConfigRepository(open().session).get()).toEqual(DEFAULTS);
    });

    it('merges what is given, options too', async () => {
      const config = new RotationConfigRepository(open().session);
      await config.update({ strategy: 'weighted', intervalMs: 1000, options: { weights: { p: 2 } } });
      const updated = await config.update({ failureThreshold: 3, options: { stickyTtlMs: 5 } });
      expect(updated).toEqual({
        ...DEFAULTS,
        strategy: 'weighted',
        intervalMs: 1000,
        failureThreshold: 3,
        options: { weights: { p: 2 }, stickyTtlMs: 5 },
        updatedAt: '2026-01-01T00:00:00.000Z',
      });
      expect(await config.get()).toEqual(updated);
      expect(Object.keys(updated.options)).toEqual(['weights', 'stickyTtlMs']);
      expect((await config.update({ ...updated, intervalMs: null })).intervalMs).toBeNull();
    });

    it('merges what is given of a group, and gives an undefined option its default back', async () => {
      const config = new RotationConfigRepository(open().session);
      const set = async (options: StrategyOptionsInput): Promise<object> =>
        (await config.update({ options })).options;
      await set({ limits: { maxLeases: 5 }, health: { failures: 2, statuses: { 404: 'ok' } } });
      expect(await set({ limits: { leaseMs: 9 }, health: { statuses: { '5xx': 'timeout' } } })).toEqual({
        limits: { maxLeases: 5, leaseMs: 9 },
        health: { failures: 2, statuses: { '5xx': 'timeout' } },
      });
      expect(
        await set({ limits: { maxLeases: undefined }, durability: {}, history: { eventDays: 1 } }),
      ).toEqual({
        limits: { leaseMs: 9 },
        health: { failures: 2, statuses: { '5xx': 'timeout' } },
        history: { eventDays: 1 },
      });
      expect(await set({ limits: { leaseMs: undefined }, health: undefined, strict: false })).toEqual({
        history: { eventDays: 1 },
        strict: false,
      });
      expect((await config.get()).options).toEqual({ history: { eventDays: 1 }, strict: false });
    });

    it('rejects a cooldown above the longest one, stored or by default, but reads what is stored', async () => {
      const { db, session } = open();
      const config = new RotationConfigRepository(session);
      const problemOf = (options: StrategyOptionsInput): Promise<unknown> =>
        failureOf(() => config.update({ options }));
      for (const [health, why] of [
        [{ cooldownMs: 9, maxCooldownMs: 8 }, 'health.maxCooldownMs.'],
        [{ cooldownMs: 300_001 }, 'one has its default, so give both.'],
        [{ maxCooldownMs: 29_999 }, 'one has its default, so give both.'],
      ] as const)
        expect(await problemOf({ health })).toMatchObject({
          code: 'INVALID_INPUT',
          message: expect.stringContaining(why),
        });
      await config.update({ options: { health: { cooldownMs: 300_000 } } });
      await config.update({ options: { health: { maxCooldownMs: 400_000 } } });
      await config.update({ options: { health: { cooldownMs: 400_000 } } });
      expect(await problemOf({ health: { maxCooldownMs: 300_000 } })).toMatchObject({
        message: expect.stringContaining('one is stored, so give both.'),
      });
      const stored = '{"health":{"cooldownMs":9,"maxCooldownMs":8}}';
      db.driver.run(`UPDATE rotation_config SET config_json = :stored`, { stored });
      expect((await config.get()).options).toEqual(JSON.parse(stored));
    });

    it('takes the ten strategies and no other', async () => {
      const config = new RotationConfigRepository(open().session);
      const names: RotationStrategy[] = [
        'round-robin',
        'random',
        'least-used',
        'fastest',
        'failure-aware',
        'weighted',
        'geographic',
        'sticky-session',
        'time-based',
        'custom',
      ];
      for (const name of names) {
        expect(await config.setStrategy(name)).toBeUndefined();
        expect((await config.get()).strategy).toBe(name);
      }
      expect(await failureOf(() => config.setStrategy('roundrobin' as 'random'))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('failure-aware'),
      });
    });

    it('refuses what is out of range and changes nothing', async () => {
      const config = new RotationConfigRepository(open().session);
      const bad = [
        { intervalMs: 0 },
        { failureThreshold: 1.5 },
        { maxRequestsPerProxy: Number.NaN },
        { colour: 1 },
        { options: { weights: { p: -1 } } },
        { options: { x: 1 } },
        { options: { limits: { x: 1 } } },
        { options: { limits: { maxLeases: 0 } } },
        { options: { health: { statuses: { 1000: 'ok' } } } },
        { options: { durability: null } },
      ];
      for (const change of bad) {
        expect(await failureOf(() => config.update(change as Partial<RotationConfig>))).toMatchObject({
          code: 'INVALID_INPUT',
        });
      }
      expect(await config.get()).toEqual(DEFAULTS);
    });

    it('names a row that it cannot read', async () => {
      const { db, session } = open();
      const config = new RotationConfigRepository(session);
      await config.setStrategy('random');
      db.driver.run(`UPDATE rotation_config SET config_json = 'x'`, {});
      expect(await failureOf(() => config.get())).toMatchObject({
        code: 'INVALID_ROW',
        details: { table: 'rotation_config' },
      });
    });
  });

  describe('RotationEventsRepository', () => {
    it('appends, and gives the newest first', async () => {
      const { session, time } = open();
      const events = new RotationEventsRepository(session);
      expect(await events.last()).toBeNull();
      const first = await events.append({ previousProxyId: null, newProxyId: 'a', reason: 'startup' });
      expect(first).toEqual({
        id: 1,
        timestamp: '2026-01-01T00:00:00.000Z',
        previousProxyId: null,
        newProxyId: 'a',
        reason: 'startup',
      });
      time.now += 1000;
      const second = await events.append({ previousProxyId: 'a', newProxyId: 'b', reason: 'failure' });
      expect(await events.recent()).toEqual([second, first]);
      expect(await events.recent(1)).toEqual([second]);
      expect(await events.last()).toEqual(second);
      expect(await listOf(events.iterate())).toEqual([first, second]);
    });

    it('finds by time, from inclusive to exclusive, and counts by reason', async () => {
      const { session } = open();
      const events = new RotationEventsRepository(session);
      const at = (hour: number): Date => new Date(START + hour * 3_600_000);
      const reasons = ['startup', 'scheduled', 'scheduled', 'manual'] as const;
      await events.recordMany(
        reasons.map((reason, hour) => ({
          previousProxyId: null,
          newProxyId: 'p',
          reason,
          timestamp: at(hour),
        })),
      );
      expect((await events.between(at(1), at(3))).map(({ reason }) => reason)).toEqual([
        'scheduled',
        'scheduled',
      ]);
      expect(await events.between('2026-01-01T03:00:00Z', '2026-01-02')).toHaveLength(1);
      expect(await events.countByReason()).toEqual({ startup: 1, scheduled: 2, manual: 1, failure: 0 });
      expect(await events.countByReason({ from: at(2) })).toEqual({
        startup: 0,
        scheduled: 1,
        manual: 1,
        failure: 0,
      });
      expect(await events.count()).toBe(4);
    });

    it('refuses unknown reasons and times, all or none', async () => {
      const events = new RotationEventsRepository(open().session);
      const good = { previousProxyId: null, newProxyId: 'p', reason: 'manual' as const };
      expect(await failureOf(() => events.append({ ...good, reason: 'mood' as 'manual' }))).toMatchObject({
        code: 'INVALID_INPUT',
      });
      expect(
        await failureOf(() => events.recordMany([good, { ...good, timestamp: 'yesterday' }])),
      ).toMatchObject({
        code: 'INVALID_INPUT',
      });
      expect(await failureOf(() => events.between(new Date(Number.NaN), new Date()))).toMatchObject({
        code: 'INVALID_INPUT',
      });
      for (const limit of [0, 1.5, Number.NaN])
        expect(await failureOf(() => events.recent(limit))).toMatchObject({ code: 'INVALID_INPUT' });
      expect(await events.count()).toBe(0);
    });

    it('prunes what is old, but never the newest', async () => {
      const { db, session, time } = open();
      const events = new RotationEventsRepository(session);
      for (let n = 0; n < 5; n++)
        await events.append({ previousProxyId: null, newProxyId: String(n), reason: 'manual' });
      time.now += 10_000;
      expect(db.prune({ eventsOlderThan: new Date(time.now) })).toEqual({
        events: 4,
        stats: 0,
        sessions: 0,
        cooldowns: 0,
        leases: 0,
      });
      expect((await events.last())?.newProxyId).toBe('4');
    });
  });

  describe('RotationRulesRepository', () => {
    const INPUT: RotationRuleInput = {
      name: 'shops',
      conditions: [{ field: 'domain', operator: 'ends-with', value: '.shop' }],
      actions: [{ type: 'use-region', region: 'DE' }],
    };

    it('stores a rule with its defaults', async () => {
      const rules = new RotationRulesRepository(open().session);
      const rule = await rules.create(INPUT);
      expect(rule).toMatchObject({
        ...INPUT,
        priority: 0,
        conditionLogic: 'AND',
        stopOnMatch: true,
        enabled: true,
      });
      expect(await rules.findById(rule.id)).toEqual(rule);
      expect(await rules.findById('nobody')).toBeNull();
      expect(await failureOf(() => rules.create({ ...INPUT, id: rule.id }))).toMatchObject({
        code: 'CONFLICT',
        details: { existingId: rule.id },
      });
    });

    it('refuses conditions and actions that make no sense', async () => {
      const rules = new RotationRulesRepository(open().session);
      const bad: Record<string, unknown>[] = [
        { conditions: [] },
        { actions: [] },
        { conditions: [{ field: 'domain', operator: 'greater-than', value: 1 }] },
        { conditions: [{ field: 'hour', operator: 'contains', value: '1' }] },
        { conditions: [{ field: 'hour', operator: 'between', value: [1] }] },
        { conditions: [{ field: 'colour', operator: 'equals', value: 'red' }] },
        { conditions: [{ field: 'domain', operator: 'in', value: [] }] },
        { conditions: [{ field: 'latency', operator: 'less-than', value: Number.NaN }] },
        { actions: [{ type: 'use-proxy' }] },
        { actions: [{ type: 'explode' }] },
        { actions: [{ type: 'use-strategy', strategy: 'x' }] },
        { conditionLogic: 'XOR' },
        { priority: 0.5 },
        { name: '' },
        { extra: 1 },
      ];
      for (const change of bad) {
        expect(
          await failureOf(() => rules.create({ ...INPUT, ...change } as RotationRuleInput)),
        ).toMatchObject({
          code: 'INVALID_INPUT',
        });
      }
      expect(await rules.count()).toBe(0);
    });

    it('orders by priority, then age, and can be reordered, atomically', async () => {
      const { session, time } = open();
      const rules = new RotationRulesRepository(session);
      const names = async (): Promise<string[]> => (await rules.findAll()).map(({ name }) => name);
      const [low = '', high = '', newer = ''] = await inTurn(
        [
          ['low', 1],
          ['high', 9],
          ['newer', 1],
        ] as const,
        async ([name, priority]) => {
          time.now += 1;
          return (await rules.create({ ...INPUT, name, priority })).id;
        },
      );
      expect(await names()).toEqual(['high', 'low', 'newer']);
      await rules.reorder([newer, low, high]);
      expect(await names()).toEqual(['newer', 'low', 'high']);
      expect(await failureOf(() => rules.reorder([high, 'nobody']))).toMatchObject({ code: 'NOT_FOUND' });
      expect(await failureOf(() => rules.reorder([high, high]))).toMatchObject({ code: 'INVALID_INPUT' });
      expect(await names()).toEqual(['newer', 'low', 'high']);
    });

    it('switches, updates and removes', async () => {
      const rules = new RotationRulesRepository(open().session);
      const { id } = await rules.create(INPUT);
      await rules.setEnabled(id, false);
      expect(await rules.findEnabled()).toEqual([]);
      expect(await rules.update(id, { enabled: true, name: 'other', conditionLogic: 'OR' })).toMatchObject({
        enabled: true,
        name: 'other',
        conditionLogic: 'OR',
        stopOnMatch: true,
      });
      expect(await failureOf(() => rules.update('nobody', {}))).toMatchObject({ code: 'NOT_FOUND' });
      expect(await failureOf(() => rules.setEnabled('nobody', true))).toMatchObject({ code: 'NOT_FOUND' });
      expect(await failureOf(() => rules.update(id, { priority: Number.NaN }))).toMatchObject({
        code: 'INVALID_INPUT',
      });
      expect(await rules.delete(id)).toBe(true);
      expect(await rules.delete(id)).toBe(false);
    });

    it('survives a row with broken JSON: findAll leaves it out and says so, findById names it', async () => {
      const { db, session } = open();
      const rules = new RotationRulesRepository(session);
      const good = await rules.create(INPUT);
      for (const [id, conditions, actions] of [
        ['r1', '{', '[]'],
        ['r2', '[{"field":"x"}]', '[]'],
        ['r3', 'null', 'null'],
      ]) {
        db.driver.run(
          `INSERT INTO rotation_rules (id, name, conditions_json, actions_json) VALUES (:id, 'n', :conditions, :actions)`,
          {
            id: String(id),
            conditions: String(conditions),
            actions: String(actions),
          },
        );
      }
      const heard: ProxyVaultError[] = [];
      expect(await rules.findAll({ onInvalid: (error) => heard.push(error) })).toEqual([good]);
      expect(heard.map(({ code, details }) => [code, details.id]).sort()).toEqual([
        ['INVALID_ROW', 'r1'],
        ['INVALID_ROW', 'r2'],
        ['INVALID_ROW', 'r3'],
      ]);
      expect(await failureOf(() => rules.findById('r1'))).toMatchObject({
        code: 'INVALID_ROW',
        details: { table: 'rotation_rules', id: 'r1' },
      });
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
      expect(await rules.findEnabled()).toEqual([good]);
      expect(warned).toHaveBeenCalledTimes(3);
      expect(warned.mock.calls[0]?.[1]).toMatchObject({ code: 'PROXYVAULT_INVALID_ROW' });
      warned.mockRestore();
      const fixed = await rules.update('r1', { conditions: INPUT.conditions, actions: INPUT.actions });
      expect(fixed).toMatchObject({ id: 'r1' } satisfies Partial<RotationRule>);
    });
  });

  describe('ProxyUsageStatsRepository', () => {
    async function openUsage(): Promise<{
      usage: ProxyUsageStatsRepository<'async'>;
      db: DatabaseManager;
      session: Session<'async'>;
      a: string;
      b: string;
    }> {
      const { db, session } = open();
      const [a = '', b = ''] = (
        await new ProxyRepository(session).createMany(
          [1, 2].map((port) => ({ host: 'h.example', port, protocol: 'http' as const })),
        )
      ).map(({ id }) => id);
      return { usage: new ProxyUsageStatsRepository(session), db, session, a, b };
    }

    it('adds up by proxy and day', async () => {
      const { usage, a, b } = await openUsage();
      await usage.record(a, { success: true, latency: 100 });
      await usage.record(a, { success: false });
      await usage.recordMany([
        { proxyId: a, success: true, latency: 50, date: '2026-01-02' },
        { proxyId: b, success: true, date: '2026-01-02' },
      ]);
      expect(await usage.findByProxy(a)).toEqual([
        {
          proxyId: a,
          date: '2026-01-01',
          requestCount: 2,
          successCount: 1,
          failureCount: 1,
          totalLatencyMs: 100,
          latencyCount: 1,
        },
        {
          proxyId: a,
          date: '2026-01-02',
          requestCount: 1,
          successCount: 1,
          failureCount: 0,
          totalLatencyMs: 50,
          latencyCount: 1,
        },
      ]);
      expect(await usage.findByProxy(a, { from: '2026-01-02' })).toHaveLength(1);
      expect((await usage.findByDate('2026-01-02')).map(({ proxyId }) => proxyId).sort()).toEqual(
        [a, b].sort(),
      );
      expect(await usage.range()).toMatchObject([
        { date: '2026-01-01', proxyCount: 1, requestCount: 2, successRate: 50, meanLatencyMs: 100 },
        { date: '2026-01-02', proxyCount: 2, requestCount: 2, successRate: 100, meanLatencyMs: 50 },
      ]);
      expect(await usage.totals()).toMatchObject({
        requestCount: 4,
        successCount: 3,
        successRate: 75,
        meanLatencyMs: 75,
      });
      expect(await usage.totals({ proxyId: b })).toMatchObject({ requestCount: 1, meanLatencyMs: null });
      expect(await usage.totals({ from: '2027-01-01' })).toMatchObject({
        requestCount: 0,
        successRate: null,
      });
    });

    it('refuses bad days, latencies and proxies, all or none', async () => {
      const { usage, a } = await openUsage();
      for (const date of ['2026-02-30', '2026-1-1', 'today', '2026-01-01T00:00:00Z', '']) {
        expect(await failureOf(() => usage.record(a, { success: true, date }))).toMatchObject({
          code: 'INVALID_INPUT',
        });
      }
      expect(await failureOf(() => usage.record(a, { success: true, latency: -1 }))).toMatchObject({
        code: 'INVALID_INPUT',
      });
      expect(
        await failureOf(() =>
          usage.recordMany([
            { proxyId: a, success: true },
            { proxyId: 'nobody', success: true },
          ]),
        ),
      ).toMatchObject({
        code: 'NOT_FOUND',
        details: { id: 'nobody' },
      });
      expect((await usage.totals()).requestCount).toBe(0);
    });

    it('prunes days that ended before a time', async () => {
      const { usage, db, a } = await openUsage();
      for (const date of ['2025-12-30', '2025-12-31', '2026-01-01'])
        await usage.record(a, { success: true, date });
      expect(db.prune({ statsOlderThan: new Date('2025-12-31T18:00:00Z') })).toEqual({
        events: 0,
        stats: 1,
        sessions: 0,
        cooldowns: 0,
        leases: 0,
      });
      expect((await usage.range()).map(({ date }) => date)).toEqual(['2025-12-31', '2026-01-01']);
    });

    it('prunes events and days, or neither', async () => {
      const { usage, db, session, a } = await openUsage();
      const events = new RotationEventsRepository(session);
      await usage.record(a, { success: true, date: '2025-12-10' });
      // The newest one always stays.
      for (const timestamp of ['2025-12-10', '2025-12-11'])
        await events.append({ previousProxyId: null, newProxyId: a, reason: 'manual', timestamp });
      db.driver.exec(
        `CREATE TRIGGER keep BEFORE DELETE ON proxy_usage_stats BEGIN SELECT RAISE(ABORT, 'kept'); END`,
      );
      const time = new Date('2025-12-31');
      expect(thrownBy(() => db.prune({ eventsOlderThan: time, statsOlderThan: time }))).toMatchObject({
        code: 'CONSTRAINT',
      });
      expect([await events.count(), (await usage.totals()).requestCount]).toEqual([2, 1]);
      db.driver.exec('DROP TRIGGER keep');
      expect(db.prune({ eventsOlderThan: time, statsOlderThan: time })).toEqual({
        events: 1,
        stats: 1,
        sessions: 0,
        cooldowns: 0,
        leases: 0,
      });
    });

    it('prunes nothing for options that there are not, such as a misspelt one', () => {
      const { db } = open();
      for (const options of [
        undefined,
        null,
        { olderThan: new Date() },
        { statsOlderThan: new Date(), limits: 1 },
      ])
        expect(thrownBy(() => db.prune(options as never))).toMatchObject({ code: 'INVALID_INPUT' });
    });

    it('prunes in pieces, as long as any row goes, and rejects what is no number of rows', async () => {
      const { usage, db, session, a } = await openUsage();
      const events = new RotationEventsRepository(session);
      for (let day = 10; day < 15; day++) {
        await usage.record(a, { success: true, date: `2025-12-${day}` });
        await events.append({
          previousProxyId: null,
          newProxyId: a,
          reason: 'manual',
          timestamp: `2025-12-${day}`,
        });
      }
      const time = new Date('2025-12-31');
      const prune = (): unknown => db.prune({ eventsOlderThan: time, statsOlderThan: time, limit: 2 });
      const pieces = Array.from({ length: 4 }, prune);
      expect(pieces).toEqual([
        { events: 2, stats: 2, sessions: 0, cooldowns: 0, leases: 0 },
        { events: 2, stats: 2, sessions: 0, cooldowns: 0, leases: 0 },
        { events: 0, stats: 1, sessions: 0, cooldowns: 0, leases: 0 },
        { events: 0, stats: 0, sessions: 0, cooldowns: 0, leases: 0 },
      ]);
      for (const limit of [0, -1, 1.5, Number.NaN, '1' as never])
        expect(thrownBy(() => db.prune({ eventsOlderThan: time, limit }))).toMatchObject({
          code: 'INVALID_INPUT',
        });
    });
  });
});
