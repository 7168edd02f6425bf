import { randomBytes } from 'node:crypto';
import type { DomainProxyMapping, ProxyConfig, ProxyInput, RotationRule } from 'proxyvault/database';
import {
  ActiveProxyRepository,
  EncryptedCredentialsRepository,
  ProxyRepository,
  RotationConfigRepository,
  RotationEventsRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { beforeEach, describe, expect, it } from 'vitest';
import { openMigrated, thrownBy } from '../../support/temporary.ts';

const START = Date.UTC(2026, 4, 1, 12);
const AT_START = new Date(START).toISOString();
const LATER = new Date(START + 1234).toISOString();

let time: { now: number };
let db: ReturnType<typeof openMigrated>;
let proxies: ProxyRepository;
let credentials: EncryptedCredentialsRepository;

beforeEach(() => {
  time = { now: START };
  db = openMigrated({ path: ':memory:', clock: () => time.now });
  const encryption = new EncryptionService({ key: randomBytes(32) });
  proxies = new ProxyRepository(db, encryption);
  credentials = new EncryptedCredentialsRepository(db, encryption);
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
  };

  it('is read back with every field that was given, and with the defaults of the others', () => {
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
    expect(proxies.create(FULL)).toEqual(stored);
    expect(proxies.findById('mine')).toEqual(stored);
    const { id, ...least } = proxies.create({ host: '2001:db8::1', port: 1, protocol: 'https' });
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
      failureCount: 0,
      totalRequests: 0,
      successRate: 100,
      lastUsedAt: null,
      createdAt: AT_START,
      updatedAt: AT_START,
    });
    expect(id).toMatch(/^[\da-f-]{36}$/);
  });

  const changes: Partial<ProxyConfig>[] = [
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
  ];
  it.each(changes)('update(%j) changes that field and updatedAt, and nothing else', (change) => {
    proxies.create(FULL);
    const before = proxies.update('mine', { failureCount: 1, totalRequests: 4, successRate: 75 });
    time.now += 1234;
    const after = { ...before, ...change, updatedAt: LATER };
    expect(proxies.update('mine', change)).toEqual(after);
    expect(proxies.findById('mine')).toEqual(after);
    expect(proxies.update('mine', after)).toEqual(after);
  });

  it('resolves names itself once it is HTTP, and a rejected remoteDns changes nothing else', () => {
    proxies.create(FULL);
    expect(proxies.update('mine', { protocol: 'http' })).toMatchObject({ remoteDns: true });
    const before = proxies.findById('mine');
    time.now += 1;
    expect(thrownBy(() => proxies.update('mine', { remoteDns: false, name: 'x' }))).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(thrownBy(() => proxies.update('mine', { id: 'other', name: 'x' }))).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(proxies.findById('mine')).toEqual(before);
  });

  it.each<Partial<ProxyConfig>>([{ host: 'b.example' }, { port: 2 }, { protocol: 'https' }])(
    'with a login does not move to the address of another with the same login, by %j',
    (to) => {
      const login = { username: 'u', password: 'p' };
      const there = { host: 'a.example', port: 1, protocol: 'http' as const, credentials: login };
      const { id } = proxies.create(there);
      const twin = proxies.create({ ...there, ...to, credentials: login } as ProxyInput);
      expect(thrownBy(() => proxies.update(id, to))).toMatchObject({
        code: 'CONFLICT',
        details: { existingId: twin.id },
      });
      proxies.delete(twin.id);
      const moved = proxies.update(id, to);
      expect(credentials.reveal(moved)).toEqual(login);
      expect(thrownBy(() => credentials.reveal({ ...there, id }))).toMatchObject({ code: 'CONFLICT' });
    },
  );

  it('without a login does not move to the address of another without one', () => {
    const [one, two] = proxies.createMany(
      [1, 2].map((port) => ({ host: 'a.example', port, protocol: 'http' })),
    );
    expect(thrownBy(() => proxies.update(two?.id ?? '', { port: 1 }))).toMatchObject({
      code: 'CONFLICT',
      details: { existingId: one?.id },
    });
  });

  it('notes the time of its last use alone when it is handed out', () => {
    const before = proxies.create(FULL);
    const active = new ActiveProxyRepository(db);
    for (const seconds of [1, 2]) {
      time.now = START + 1000 * seconds;
      const used = { ...before, lastUsedAt: new Date(time.now).toISOString() };
      expect(active.markUsed('mine')).toEqual(used);
      expect(proxies.findById('mine')).toEqual(used);
    }
    expect(thrownBy(() => active.markUsed('nobody'))).toMatchObject({
      code: 'NOT_FOUND',
      details: { id: 'nobody' },
    });
  });

  it('is told from others by its id too: a taken one is a conflict with its proxy', () => {
    proxies.create(FULL);
    const other: ProxyInput = { id: 'mine', host: 'x.example', port: 1, protocol: 'http' };
    for (const add of [() => proxies.create(other), () => proxies.importMany([other])])
      expect(thrownBy(add)).toMatchObject({ code: 'CONFLICT', details: { existingId: 'mine' } });
    expect(thrownBy(() => proxies.createMany([{ ...other, id: 'x' }, other]))).toMatchObject({
      message: expect.stringContaining('Item 2 of'),
      details: { existingId: 'mine', index: 1 },
    });
    expect(proxies.count()).toBe(1);
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

  it('is read back as it was given, with the defaults of what was not', () => {
    const rules = new RotationRulesRepository(db);
    const stored = { ...FULL, createdAt: AT_START };
    expect(rules.create(FULL)).toEqual(stored);
    expect(rules.findById('mine')).toEqual(stored);
    const least = rules.create({ name: 'r', conditions: CONDITIONS, actions: ACTIONS });
    expect(least).toMatchObject({ priority: 0, conditionLogic: 'AND', stopOnMatch: true, enabled: true });
    expect(rules.findEnabled()).toEqual([least]);
    expect(thrownBy(() => rules.create({ ...FULL, name: 'again' }))).toMatchObject({
      code: 'CONFLICT',
      details: { existingId: 'mine' },
    });
    expect(rules.findById('mine')).toEqual(stored);
  });

  it.each<Partial<RotationRule>>([
    { name: 'Another' },
    { priority: 0 },
    { priority: 7 },
    { conditions: [{ field: 'weekday', operator: 'in', value: [1, 2] }] },
    { conditionLogic: 'AND' },
    { actions: [{ type: 'use-protocol', protocol: 'socks5' }] },
    { stopOnMatch: true },
    { enabled: true },
  ])('update(%j) changes that field and nothing else, there and back', (change) => {
    const rules = new RotationRulesRepository(db);
    const before = rules.create(FULL);
    time.now += 1;
    expect(rules.update('mine', change)).toEqual({ ...before, ...change });
    expect(rules.findById('mine')).toEqual({ ...before, ...change });
    expect(rules.update('mine', before)).toEqual(before);
  });

  it('is switched on and off, gets its place in an order, and is never another one', () => {
    const rules = new RotationRulesRepository(db);
    for (const id of ['a', 'b', 'c']) rules.create({ ...FULL, id });
    rules.setEnabled('a', true);
    expect(rules.findById('a')).toMatchObject({ enabled: true, stopOnMatch: false });
    rules.setEnabled('a', false);
    expect(rules.findById('a')).toMatchObject({ enabled: false });
    rules.reorder(['c', 'a']);
    expect(rules.findAll().map(({ id, priority }) => [id, priority])).toEqual([
      ['c', 20],
      ['a', 10],
      ['b', -5],
    ]);
    const before = rules.findAll();
    for (const [change, code] of [
      [() => rules.reorder(['a', 'c', 'nobody']), 'NOT_FOUND'],
      [() => rules.reorder(['a', 'b', 'a']), 'INVALID_INPUT'],
      [() => rules.setEnabled('nobody', true), 'NOT_FOUND'],
      [() => rules.setEnabled('a', 'true' as unknown as boolean), 'INVALID_INPUT'],
      [() => rules.update('nobody', { enabled: true }), 'NOT_FOUND'],
      [() => rules.update('a', { id: 'b', enabled: true }), 'INVALID_INPUT'],
    ] as const)
      expect(thrownBy(change)).toMatchObject({ code });
    expect(rules.findAll()).toEqual(before);
  });

  it('keeps no login of a URL', () => {
    const rules = new RotationRulesRepository(db);
    for (const [operator, value] of [
      ['equals', 'https://canary:canary@a.example/'],
      ['starts-with', 'https://canary:canary@a.example/'],
      ['in', ['https://canary:canary@a.example/']],
    ] as const) {
      const { conditions } = rules.create({
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
      regions: ['EU'],
      stickyTtlMs: 1,
      stickyByDefault: true,
      schedule: [{ from: 0, to: 24, strategy: 'random' as const, region: 'US' }],
      custom: 'c',
    },
  };

  it('is read back with every field, and each is changed alone', () => {
    const config = new RotationConfigRepository(db);
    config.get().options.custom = 'not stored';
    expect(config.get().options).toEqual({});
    expect(config.update(FULL)).toEqual({ ...FULL, updatedAt: AT_START });
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
      const before = config.get();
      time.now += 1;
      const after = { ...before, ...change, updatedAt: new Date(time.now).toISOString() };
      expect(config.update(change)).toEqual(after);
      expect(config.get()).toEqual(after);
    }
    const { options } = config.update({ options: { custom: 'd' } });
    expect(options).toEqual({ ...FULL.options, custom: 'd' });
  });

  it('has its strategy changed alone, and is reset', () => {
    const config = new RotationConfigRepository(db);
    expect(config.reset()).toBe(false);
    const before = config.update(FULL);
    time.now += 1234;
    config.setStrategy('random');
    expect(config.get()).toEqual({ ...before, strategy: 'random', updatedAt: LATER });
    expect(config.reset()).toBe(true);
    expect(config.get()).toMatchObject({ strategy: 'round-robin', options: {}, updatedAt: null });
  });
});

describe('an event', () => {
  it('is read back as it was appended, at its time or now', () => {
    const events = new RotationEventsRepository(db);
    const given = { previousProxyId: 'a', newProxyId: 'b', reason: 'manual' as const };
    expect(events.append(given)).toEqual({ ...given, id: 1, timestamp: AT_START });
    const timestamp = new Date(START - 86_400_000);
    for (const time of [timestamp, timestamp.toISOString()])
      expect(events.append({ ...given, timestamp: time })).toMatchObject({
        timestamp: timestamp.toISOString(),
      });
    const nobody = { previousProxyId: null, newProxyId: null, reason: 'failure' as const };
    expect(events.append(nobody)).toEqual({ ...nobody, id: 4, timestamp: AT_START });
    expect(events.last()?.id).toBe(4);
    for (const append of [
      () => events.append({ ...given, reason: 'because' as 'manual' }),
      () => events.recordMany([given, { ...given, reason: 'because' as 'manual' }]),
    ])
      expect(thrownBy(append)).toMatchObject({ code: 'INVALID_INPUT' });
    expect(events.count()).toBe(4);
    expect(events.recordMany([given, given])).toBe(2);
  });
});

describe('a sticky session', () => {
  let sticky: StickySessionRepository;
  const read = (domain: string): DomainProxyMapping | null => sticky.findByDomain(domain);

  beforeEach(() => {
    sticky = new StickySessionRepository(db);
    for (const port of [1, 2]) proxies.create({ id: `p${port}`, host: 'h.example', port, protocol: 'http' });
  });

  it('is replaced as a whole', () => {
    sticky.create({ domain: 'a.example', proxyId: 'p1', ttl: 60_000, requestCount: 9 });
    time.now += 1234;
    sticky.create({ domain: 'a.example', proxyId: 'p2' });
    const replaced = {
      domain: 'a.example',
      proxyId: 'p2',
      ttl: null,
      isWildcard: false,
      requestCount: 1,
      createdAt: LATER,
      lastUsed: LATER,
    };
    expect(read('a.example')).toEqual(replaced);
    sticky.create({ domain: 'a.example', proxyId: 'p1', ttl: 5, requestCount: 0 });
    expect(read('a.example')).toEqual({ ...replaced, proxyId: 'p1', ttl: 5, requestCount: 0 });
  });

  it.each<Partial<DomainProxyMapping>>([
    { proxyId: 'p2' },
    { ttl: 1000 },
    { ttl: null },
    { requestCount: 7 },
    { requestCount: 0 },
    { lastUsed: '2026-05-02T00:00:00.000Z' },
    { domain: 'b.example' },
  ])('update(%j) changes that field and nothing else', (change) => {
    sticky.create({ domain: 'a.example', proxyId: 'p1', ttl: 60_000, requestCount: 3 });
    const before = read('a.example');
    time.now += 5;
    sticky.update('a.example', change);
    expect(read(change.domain ?? 'a.example')).toEqual({ ...before, ...change });
    expect(sticky.count()).toBe(1);
  });

  it('becomes a wildcard and a domain again by its new name', () => {
    sticky.create({ domain: 'a.example', proxyId: 'p1' });
    sticky.update('a.example', { domain: '*.b.example' });
    expect(read('x.b.example')).toMatchObject({ domain: '*.b.example', isWildcard: true });
    sticky.create({ domain: '*.x.b.example', proxyId: 'p2' });
    sticky.update('*.b.example', { domain: 'y.x.b.example' });
    expect(read('y.x.b.example')).toMatchObject({ proxyId: 'p1', isWildcard: false });
  });

  it('is counted and begins again with each use', () => {
    sticky.create({ domain: 'a.example', proxyId: 'p1', ttl: 2000 });
    const before = read('a.example');
    time.now += 1234;
    const used = { ...before, requestCount: 2, lastUsed: LATER };
    expect(sticky.use('a.example')).toEqual(used);
    expect(read('a.example')).toEqual(used);
  });

  it('is of a proxy that exists, and is not made by a change', () => {
    for (const [work, code] of [
      [() => sticky.create({ domain: 'a.example', proxyId: 'nobody' }), 'NOT_FOUND'],
      [() => sticky.update('a.example', { ttl: 1 }), 'NOT_FOUND'],
    ] as const)
      expect(thrownBy(work)).toMatchObject({ code });
    expect(sticky.delete('a.example')).toBe(false);
    expect(sticky.count()).toBe(0);
  });
});
