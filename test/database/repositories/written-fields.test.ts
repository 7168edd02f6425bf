import { randomBytes } from 'node:crypto';
import type {
  DomainProxyMapping,
  DomainProxyMappingUpdate,
  ProxyInput,
  ProxyUpdate,
  RotationRule,
  RotationRuleUpdate,
} from 'proxyvault/database';
import {
  EncryptedCredentialsRepository,
  ProxyRepository,
  RotationConfigRepository,
  RotationEventsRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Session } from 'proxyvault/driver';
import { beforeEach, describe, expect, it } from 'vitest';
import { HandOutsRepository } from '../../../src/database/repositories/hand-outs.repository.ts';
import { failureOf, MODES, openSession } from '../../support/modes.ts';

describe.each(MODES)('in mode %s', (mode) => {
  const START = Date.UTC(2026, 4, 1, 12);
  const AT_START = new Date(START).toISOString();
  const LATER = new Date(START + 1234).toISOString();

  let time: { now: number };
  let session: Session<'async'>;
  let proxies: ProxyRepository<'async'>;
  let credentials: EncryptedCredentialsRepository<'async'>;

  beforeEach(() => {
    time = { now: START };
    ({ session } = openSession(mode, { clock: () => time.now }));
    const encryption = new EncryptionService({ key: randomBytes(32) });
    proxies = new ProxyRepository(session, encryption);
    credentials = new EncryptedCredentialsRepository(session, encryption);
  });

  describe('a proxy', () => {
    const GEOLOCATION = {
      country: 'DE',
      city: 'Köln',
      region: 'NW',
      latitude: -90,
      longitude: 180,
      asn: 4_294_967_295,
      timezone: 'Europe/Berlin',
    };
    const FULL: ProxyInput = {
      id: 'mine',
      name: 'A name',
      host: 'h.example',
      port: 65_535,
      protocol: 'socks4',
      status: 'disabled',
      latency: 0,
      region: 'EU',
      geolocation: GEOLOCATION,
      remoteDns: false,
      weight: 2.5,
      gateway: true,
    };

    it('is read back with every field that was given, and with the defaults of the others', async () => {
      const { credentials: _, ...given } = FULL;
      const stored = {
        ...given,
        failureCount: 0,
        totalRequests: 0,
        successRate: 100,
        lastUsedAt: null,
        createdAt: AT_START,
        updatedAt: AT_START,
      };
      expect(await proxies.create(FULL)).toEqual(stored);
      expect(await proxies.findById('mine')).toEqual(stored);
      const { id, ...least } = await proxies.create({ host: '2001:db8::1', port: 1, protocol: 'https' });
      expect(least).toEqual({
        host: '2001:db8::1',
        port: 1,
        protocol: 'https',
        name: '[2001:db8::1]:1',
        status: 'active',
        latency: null,
        region: null,
        geolocation: null,
        remoteDns: true,
        weight: 1,
        gateway: false,
        failureCount: 0,
        totalRequests: 0,
        successRate: 100,
        lastUsedAt: null,
        createdAt: AT_START,
        updatedAt: AT_START,
      });
      expect(id).toMatch(/^[\da-f-]{36}$/);
    });

    const changes: ProxyUpdate[] = [
      { name: 'Another' },
      { host: 'other.example' },
      { port: 1 },
      { protocol: 'socks5' },
      { status: 'failed' },
      { latency: 7 },
      { latency: null },
      { failureCount: 3 },
      { failureCount: 0 },
      { totalRequests: 9 },
      { totalRequests: 0 },
      { successRate: 33.25 },
      { successRate: 0 },
      { region: 'US' },
      { region: null },
      { geolocation: { city: 'Rome' } },
      { geolocation: null },
      { remoteDns: true },
      { weight: 0.25 },
      { gateway: false },
    ];
    it.each(changes)('update(%j) changes that field and updatedAt, and nothing else', async (change) => {
      await proxies.create(FULL);
      const before = await proxies.update('mine', { failureCount: 1, totalRequests: 4, successRate: 75 });
      time.now += 1234;
      const after = { ...before, ...change, updatedAt: LATER };
      expect(await proxies.update('mine', change)).toEqual(after);
      expect(await proxies.findById('mine')).toEqual(after);
      expect(await proxies.update('mine', after)).toEqual(after);
    });

    it('resolves names itself once it is HTTP, and a rejected remoteDns changes nothing else', async () => {
      await proxies.create(FULL);
      expect(await proxies.update('mine', { protocol: 'http' })).toMatchObject({ remoteDns: true });
      const before = await proxies.findById('mine');
      time.now += 1;
      expect(await failureOf(() => proxies.update('mine', { remoteDns: false, name: 'x' }))).toMatchObject({
        code: 'INVALID_INPUT',
      });
      expect(
        await failureOf(() => proxies.update('mine', { id: 'other', name: 'x' } as ProxyUpdate)),
      ).toMatchObject({
        code: 'INVALID_INPUT',
      });
      expect(await proxies.findById('mine')).toEqual(before);
    });

    it.each<ProxyUpdate>([{ host: 'b.example' }, { port: 2 }, { protocol: 'https' }])(
      'with a login does not move to the address of another with the same login, by %j',
      async (to) => {
        const login = { username: 'u', password: 'p' };
        const there = { host: 'a.example', port: 1, protocol: 'http' as const, credentials: login };
        const { id } = await proxies.create(there);
        const twin = await proxies.create({ ...there, ...to, credentials: login } as ProxyInput);
        expect(await failureOf(() => proxies.update(id, to))).toMatchObject({
          code: 'CONFLICT',
          details: { existingId: twin.id },
        });
        await proxies.delete(twin.id);
        const moved = await proxies.update(id, to);
        expect(await credentials.reveal(moved)).toEqual(login);
        expect(await failureOf(() => credentials.reveal({ ...there, id }))).toMatchObject({
          code: 'CONFLICT',
        });
      },
    );

    it('without a login does not move to the address of another without one', async () => {
      const [one, two] = await proxies.createMany(
        [1, 2].map((port) => ({ host: 'a.example', port, protocol: 'http' })),
      );
      expect(await failureOf(() => proxies.update(two?.id ?? '', { port: 1 }))).toMatchObject({
        code: 'CONFLICT',
        details: { existingId: one?.id },
      });
    });

    it('notes the time of its last use alone when it is handed out', async () => {
      const before = await proxies.create(FULL);
      const handOuts = new HandOutsRepository(session);
      for (const seconds of [1, 2]) {
        time.now = START + 1000 * seconds;
        const used = { ...before, lastUsedAt: new Date(time.now).toISOString() };
        expect(await handOuts.record('mine', 3, used.lastUsedAt)).toBe(true);
        expect(await proxies.findById('mine')).toEqual(used);
      }
      expect(await handOuts.record('nobody', 1, new Date(time.now))).toBe(false);
    });

    it('is told from others by its id too: a taken one is a conflict with its proxy', async () => {
      await proxies.create(FULL);
      const other: ProxyInput = { id: 'mine', host: 'x.example', port: 1, protocol: 'http' };
      for (const add of [() => proxies.create(other), () => proxies.importMany([other])])
        expect(await failureOf(add)).toMatchObject({ code: 'CONFLICT', details: { existingId: 'mine' } });
      expect(await failureOf(() => proxies.createMany([{ ...other, id: 'x' }, other]))).toMatchObject({
        message: expect.stringContaining('Item 2 of'),
        details: { existingId: 'mine', index: 1 },
      });
      expect(await proxies.count()).toBe(1);
    });
  });

  describe('a rule', () => {
    const CONDITIONS: RotationRule['conditions'] = [{ field: 'hour', operator: 'between', value: [1, 2] }];
    const ACTIONS: RotationRule['actions'] = [{ type: 'use-proxy', proxyId: 'p' }, { type: 'block' }];
    const FULL = {
      id: 'mine',
      name: 'A rule',
      priority: -5,
      conditions: CONDITIONS,
      conditionLogic: 'OR' as const,
      actions: ACTIONS,
      stopOnMatch: false,
      enabled: false,
    };

    it('is read back as it was given, with the defaults of what was not', async () => {
      const rules = new RotationRulesRepository(session);
      const stored = { ...FULL, createdAt: AT_START };
      expect(await rules.create(FULL)).toEqual(stored);
      expect(await rules.findById('mine')).toEqual(stored);
      const least = await rules.create({ name: 'r', conditions: CONDITIONS, actions: ACTIONS });
      expect(least).toMatchObject({ priority: 0, conditionLogic: 'AND', stopOnMatch: true, enabled: true });
      expect(await rules.findEnabled()).toEqual([least]);
      expect(await failureOf(() => rules.create({ ...FULL, name: 'again' }))).toMatchObject({
        code: 'CONFLICT',
        details: { existingId: 'mine' },
      });
      expect(await rules.findById('mine')).toEqual(stored);
    });

    it.each<RotationRuleUpdate>([
      { name: 'Another' },
      { priority: 0 },
      { priority: 7 },
      { conditions: [{ field: 'weekday', operator: 'in', value: [1, 2] }] },
      { conditionLogic: 'AND' },
      { actions: [{ type: 'use-protocol', protocol: 'socks5' }] },
      { stopOnMatch: true },
      { enabled: true },
    ])('update(%j) changes that field and nothing else, there and back', async (change) => {
      const rules = new RotationRulesRepository(session);
      const before = await rules.create(FULL);
      time.now += 1;
      expect(await rules.update('mine', change)).toEqual({ ...before, ...change });
      expect(await rules.findById('mine')).toEqual({ ...before, ...change });
      expect(await rules.update('mine', before)).toEqual(before);
    });

    it('is switched on and off, gets its place in an order, and is never another one', async () => {
      const rules = new RotationRulesRepository(session);
      for (const id of ['a', 'b', 'c']) await rules.create({ ...FULL, id });
      await rules.setEnabled('a', true);
      expect(await rules.findById('a')).toMatchObject({ enabled: true, stopOnMatch: false });
      await rules.setEnabled('a', false);
      expect(await rules.findById('a')).toMatchObject({ enabled: false });
      await rules.reorder(['c', 'a']);
      expect((await rules.findAll()).map(({ id, priority }) => [id, priority])).toEqual([
        ['c', 20],
        ['a', 10],
        ['b', -5],
      ]);
      const before = await rules.findAll();
      for (const [change, code] of [
        [() => rules.reorder(['a', 'c', 'nobody']), 'NOT_FOUND'],
        [() => rules.reorder(['a', 'b', 'a']), 'INVALID_INPUT'],
        [() => rules.setEnabled('nobody', true), 'NOT_FOUND'],
        [() => rules.setEnabled('a', 'true' as unknown as boolean), 'INVALID_INPUT'],
        [() => rules.update('nobody', { enabled: true }), 'NOT_FOUND'],
        [() => rules.update('a', { id: 'b', enabled: true } as RotationRuleUpdate), 'INVALID_INPUT'],
      ] as const)
        expect(await failureOf(change)).toMatchObject({ code });
      expect(await rules.findAll()).toEqual(before);
    });

    it('keeps no login of a URL', async () => {
      const rules = new RotationRulesRepository(session);
      for (const [operator, value] of [
        ['equals', 'https://canary:canary@a.example/'],
        ['starts-with', 'https://canary:canary@a.example/'],
        ['in', ['https://canary:canary@a.example/']],
      ] as const) {
        const { conditions } = await rules.create({
          ...FULL,
          id: operator,
          conditions: [{ field: 'url', operator, value }],
        });
        expect(JSON.stringify(conditions)).not.toContain('canary');
        expect(JSON.stringify(conditions)).toContain('a.example');
      }
    });
  });

  describe('the rotation configuration', () => {
    const FULL = {
      strategy: 'fastest' as const,
      intervalMs: 1,
      maxRequestsPerProxy: 2,
      failureThreshold: 3,
      options: {
        weights: { p: 0.5 },
        country: 'DE',
        regions: ['EU'],
        excludedCountries: ['RU', 'CN'],
        strict: false,
        stickyTtlMs: 1,
        stickyByDefault: true,
        stickyChoice: 'random' as const,
        stickyWhenOut: 'refuse' as const,
        jitterMs: 0,
        minIntervalMs: 1,
        maxIntervalMs: 2,
        rotateOnFailure: true,
        schedule: [
          { from: 0, to: 24, strategy: 'random' as const, region: 'US' },
          { from: '22:30', to: '06:00', days: [0, 6], country: 'DE' },
        ],
        timeZone: 'Europe/Berlin',
        custom: 'fastest' as const,
        limits: { maxConcurrentPerProxy: 4, waitMs: 0 },
        health: { cooldownMs: 5, maxCooldownMs: 6, outliers: false, statuses: { 404: 'ok' as const } },
        history: { events: 'all' as const },
        durability: { outcomes: 'every' as const },
      },
    };

    it('is read back with every field, and each is changed alone', async () => {
      const config = new RotationConfigRepository(session);
      (await config.get()).options.custom = 'random';
      expect((await config.get()).options).toEqual({});
      expect(await config.update(FULL)).toEqual({ ...FULL, updatedAt: AT_START });
      const changes = [
        { strategy: 'random' as const },
        { intervalMs: null },
        { maxRequestsPerProxy: null },
        { failureThreshold: null },
        { intervalMs: 5 },
        { maxRequestsPerProxy: 6 },
        { failureThreshold: 7 },
      ];
      for (const change of changes) {
        const before = await config.get();
        time.now += 1;
        const after = { ...before, ...change, updatedAt: new Date(time.now).toISOString() };
        expect(await config.update(change)).toEqual(after);
        expect(await config.get()).toEqual(after);
      }
      const { options } = await config.update({ options: { custom: 'random' } });
      expect(options).toEqual({ ...FULL.options, custom: 'random' });
    });

    it('has its strategy changed alone, and is reset', async () => {
      const config = new RotationConfigRepository(session);
      expect(await config.reset()).toBe(false);
      const before = await config.update(FULL);
      time.now += 1234;
      await config.setStrategy('random');
      expect(await config.get()).toEqual({ ...before, strategy: 'random', updatedAt: LATER });
      expect(await config.reset()).toBe(true);
      expect(await config.get()).toMatchObject({ strategy: 'round-robin', options: {}, updatedAt: null });
    });
  });

  describe('an event', () => {
    it('is read back as it was appended, at its time or now', async () => {
      const events = new RotationEventsRepository(session);
      const given = { previousProxyId: 'a', newProxyId: 'b', reason: 'manual' as const };
      expect(await events.append(given)).toEqual({ ...given, id: 1, timestamp: AT_START });
      const timestamp = new Date(START - 86_400_000);
      for (const time of [timestamp, timestamp.toISOString()])
        expect(await events.append({ ...given, timestamp: time })).toMatchObject({
          timestamp: timestamp.toISOString(),
        });
      const nobody = { previousProxyId: null, newProxyId: null, reason: 'failure' as const };
      expect(await events.append(nobody)).toEqual({ ...nobody, id: 4, timestamp: AT_START });
      expect((await events.last())?.id).toBe(4);
      for (const append of [
        () => events.append({ ...given, reason: 'because' as 'manual' }),
        () => events.recordMany([given, { ...given, reason: 'because' as 'manual' }]),
      ])
        expect(await failureOf(append)).toMatchObject({ code: 'INVALID_INPUT' });
      expect(await events.count()).toBe(4);
      expect(await events.recordMany([given, given])).toBe(2);
    });
  });

  describe('a sticky session', () => {
    let sticky: StickySessionRepository<'async'>;
    const read = (domain: string): Promise<DomainProxyMapping | null> => sticky.findByDomain(domain);

    beforeEach(async () => {
      sticky = new StickySessionRepository(session);
      for (const port of [1, 2])
        await proxies.create({ id: `p${port}`, host: 'h.example', port, protocol: 'http' });
    });

    it('is replaced as a whole', async () => {
      await sticky.create({ domain: 'a.example', proxyId: 'p1', ttl: 60_000, requestCount: 9 });
      time.now += 1234;
      await sticky.create({ domain: 'a.example', proxyId: 'p2' });
      const replaced = {
        domain: 'a.example',
        proxyId: 'p2',
        ttl: null,
        isWildcard: false,
        requestCount: 1,
        createdAt: LATER,
        lastUsed: LATER,
      };
      expect(await read('a.example')).toEqual(replaced);
      await sticky.create({ domain: 'a.example', proxyId: 'p1', ttl: 5, requestCount: 0 });
      expect(await read('a.example')).toEqual({ ...replaced, proxyId: 'p1', ttl: 5, requestCount: 0 });
    });

    it.each<DomainProxyMappingUpdate>([
      { proxyId: 'p2' },
      { ttl: 1000 },
      { ttl: null },
      { requestCount: 7 },
      { requestCount: 0 },
      { lastUsed: '2026-05-02T00:00:00.000Z' },
      { domain: 'b.example' },
    ])('update(%j) changes that field and nothing else', async (change) => {
      await sticky.create({ domain: 'a.example', proxyId: 'p1', ttl: 60_000, requestCount: 3 });
      const before = await read('a.example');
      time.now += 5;
      await sticky.update('a.example', change);
      expect(await read(change.domain ?? 'a.example')).toEqual({ ...before, ...change });
      expect(await sticky.count()).toBe(1);
    });

    it('becomes a wildcard and a domain again by its new name', async () => {
      await sticky.create({ domain: 'a.example', proxyId: 'p1' });
      await sticky.update('a.example', { domain: '*.b.example' });
      expect(await read('x.b.example')).toMatchObject({ domain: '*.b.example', isWildcard: true });
      await sticky.create({ domain: '*.x.b.example', proxyId: 'p2' });
      await sticky.update('*.b.example', { domain: 'y.x.b.example' });
      expect(await read('y.x.b.example')).toMatchObject({ proxyId: 'p1', isWildcard: false });
    });

    it('is counted and begins again with each use', async () => {
      await sticky.create({ domain: 'a.example', proxyId: 'p1', ttl: 2000 });
      const before = await read('a.example');
      time.now += 1234;
      const used = { ...before, requestCount: 2, lastUsed: LATER };
      expect(await sticky.use('a.example')).toEqual(used);
      expect(await read('a.example')).toEqual(used);
    });

    it('is of a proxy that exists, and is not made by a change', async () => {
      for (const [work, code] of [
        [() => sticky.create({ domain: 'a.example', proxyId: 'nobody' }), 'NOT_FOUND'],
        [() => sticky.update('a.example', { ttl: 1 }), 'NOT_FOUND'],
      ] as const)
        expect(await failureOf(work)).toMatchObject({ code });
      expect(await sticky.delete('a.example')).toBe(false);
      expect(await sticky.count()).toBe(0);
    });
  });
});
