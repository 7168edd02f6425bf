import { randomBytes } from 'node:crypto';
import { ProxyVaultError } from 'proxyvault/database';
import {
  EncryptedCredentialsRepository,
  ProxyRepository,
  ProxyTagsRepository,
  ProxyUsageStatsRepository,
  RotationConfigRepository,
  RotationEventsRepository,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Session } from 'proxyvault/driver';
import { beforeEach, describe, expect, it } from 'vitest';
import { CredentialRowsRepository } from '../../../src/database/repositories/credential-rows.repository.ts';
import { failureOf, inTurn, MODES, openSession, resultOf } from '../../support/modes.ts';

const UNDONE = new Error('undone');

const x = (length: number): string => 'x'.repeat(length);
const items = <T>(item: T, length: number): T[] => Array.from({ length }, () => item);

const HOUR = { field: 'hour', operator: 'equals', value: 1 };
const BLOCK = { type: 'block' };

describe.each(MODES)('in mode %s', (mode) => {
  let session: Session<'async'>;
  let proxies: ProxyRepository<'async'>;
  let credentials: EncryptedCredentialsRepository<'async'>;
  let rows: CredentialRowsRepository<'async'>;
  let rules: RotationRulesRepository<'async'>;
  let config: RotationConfigRepository<'async'>;
  let sticky: StickySessionRepository<'async'>;
  let usage: ProxyUsageStatsRepository<'async'>;
  let events: RotationEventsRepository<'async'>;
  let tags: ProxyTagsRepository<'async'>;

  beforeEach(async () => {
    ({ session } = openSession(mode));
    const encryption = new EncryptionService({ key: randomBytes(32) });
    proxies = new ProxyRepository(session, encryption);
    credentials = new EncryptedCredentialsRepository(session, encryption);
    rows = new CredentialRowsRepository(session);
    rules = new RotationRulesRepository(session);
    config = new RotationConfigRepository(session);
    sticky = new StickySessionRepository(session);
    usage = new ProxyUsageStatsRepository(session);
    events = new RotationEventsRepository(session);
    tags = new ProxyTagsRepository(session);
    await proxies.createMany([
      { id: 'p', host: 'h.example', port: 1, protocol: 'http' },
      { id: 's', host: 'h.example', port: 1, protocol: 'socks4' },
    ]);
  });

  /** What is wrong with it, or undefined; nothing stays. */
  async function problemWith(work: () => unknown): Promise<string | undefined> {
    const error = await failureOf(() =>
      session.driver.transaction(function* () {
        yield resultOf(mode, work) as Promise<unknown>;
        throw UNDONE;
      }),
    );
    if (error === UNDONE) return undefined;
    if (error instanceof ProxyVaultError) return error.code;
    throw error;
  }

  const create = (change: object) => (): unknown =>
    proxies.create({ host: 'n.example', port: 1, protocol: 'socks5', ...change } as never);
  const rule = (change: object) => (): unknown =>
    rules.create({
      name: 'r',
      conditions: [{ field: 'hour', operator: 'equals', value: 1 }],
      actions: [{ type: 'block' }],
      ...change,
    } as never);
  const condition = (field: string, operator: string, value: unknown) =>
    rule({ conditions: [{ field, operator, value }] });
  const configure = (change: object) => (): unknown => config.update(change as never);
  const login = (username: string, password: string) => (): unknown =>
    credentials.store('p', { username, password });

  describe('the last value that is allowed, and the first that is not', () => {
    type Limit = [what: string, allowed: (() => unknown)[], rejected: (() => unknown)[]];
    const limits: Limit[] = [
      [
        'port',
        [create({ port: 1 }), create({ port: 65_535 })],
        [create({ port: 0 }), create({ port: 65_536 })],
      ],
      [
        'id',
        [create({ id: x(128) })],
        [create({ id: x(129) }), create({ id: '' }), create({ id: 'a\u0085' })],
      ],
      [
        'name',
        [create({ name: x(256) })],
        [create({ name: x(257) }), create({ name: '' }), create({ name: '\t' })],
      ],
      ['region', [create({ region: x(128) })], [create({ region: x(129) }), create({ region: '' })]],
      [
        'latency',
        [create({ latency: 0 }), create({ latency: null })],
        [create({ latency: -1 }), create({ latency: 0.5 })],
      ],
      [
        'protocol',
        [create({ protocol: 'socks4' })],
        [create({ protocol: 'SOCKS4' }), create({ protocol: undefined })],
      ],
      [
        'remoteDns',
        [create({ protocol: 'socks4', remoteDns: false }), create({ protocol: 'http', remoteDns: true })],
        [create({ protocol: 'http', remoteDns: false }), create({ protocol: 'https', remoteDns: false })],
      ],
      ...(
        [
          ['country', ['DE'], ['de', 'DEU', 'D']],
          ['city', [x(256)], [x(257), '']],
          ['region', [x(256)], [x(257)]],
          ['latitude', [-90, 90], [-90.1, 90.1]],
          ['longitude', [-180, 180], [-180.1, 180.1]],
          ['asn', [0, 4_294_967_295], [-1, 4_294_967_296, 1.5]],
          ['timezone', [x(64)], [x(65)]],
          ['planet', [undefined], ['Earth']],
        ] as const
      ).map(
        ([field, good, bad]): Limit => [
          `geolocation ${field}`,
          field === 'planet' ? [] : good.map((value) => create({ geolocation: { [field]: value } })),
          bad.map((value) => create({ geolocation: { [field]: value } })),
        ],
      ),
      [
        'success rate',
        [0, 100].map((successRate) => () => proxies.update('p', { successRate })),
        [-0.1, 100.1].map((successRate) => () => proxies.update('p', { successRate })),
      ],
      [
        'failures',
        [() => proxies.update('p', { failureCount: 0 })],
        [() => proxies.update('p', { failureCount: -1 })],
      ],
      [
        'login',
        [login(x(1024), x(1024)), login('u', ''), login('', 'p')],
        [
          login(x(1025), 'p'),
          login('u', x(1025)),
          login('', ''),
          login('a\u0000', 'p'),
          login('u', '\ud800'),
        ],
      ],
      [
        'change-IP URL alone',
        [() => credentials.store('p', { username: '', password: '', rotateUrl: 'https://r.example/' })],
        [() => credentials.store('p', { username: '', password: '', rotateUrl: 'ftp://r.example/' })],
      ],
      [
        'page of proxies',
        [1, 10_000].map((limit) => () => proxies.list({ limit })),
        [0, 10_001, 1.5].map((limit) => () => proxies.list({ limit })),
      ],
      [
        'top performers',
        [1, 10_000].map((limit) => () => proxies.getTopPerformers(limit)),
        [0, 10_001].map((limit) => () => proxies.getTopPerformers(limit)),
      ],
      [
        'page of credentials',
        [1, 10_000].map((limit) => () => rows.page('', limit)),
        [0, 10_001].map((limit) => () => rows.page('', limit)),
      ],
      [
        'recent events',
        [1, 100_000].map((limit) => () => events.recent(limit)),
        [0, 100_001].map((limit) => () => events.recent(limit)),
      ],
      [
        'page of events',
        [1, 10_000].map((limit) => () => events.list({ limit })),
        [0, 10_001, 1.5].map((limit) => () => events.list({ limit })),
      ],
      [
        'usage by proxy',
        [1, 100_000].map((limit) => () => usage.byProxy({ limit })),
        [0, 100_001, 1.5].map((limit) => () => usage.byProxy({ limit })),
      ],
      [
        'tags of many',
        [[], ['p'], Array.from({ length: 10_000 }, (_, n) => `p${n}`)].map(
          (ids) => () => tags.findByProxies(ids),
        ),
        [() => tags.findByProxies(Array.from({ length: 10_001 }, (_, n) => `p${n}`))],
      ],
      [
        'named others',
        [1, 10_000].map((limit) => () => tags.findOthers('t', 'i', limit)),
        [0, 10_001].map((limit) => () => tags.findOthers('t', 'i', limit)),
      ],
      [
        'removed events',
        [() => events.deleteOlderThan('2026-01-01', 1)],
        [() => events.deleteOlderThan('2026-01-01', 0)],
      ],
      [
        'removed usage',
        [() => usage.deleteOlderThan('2026-01-01', 1)],
        [() => usage.deleteOlderThan('2026-01-01', 0)],
      ],
      [
        'search',
        [() => proxies.count({ search: x(256) })],
        [() => proxies.count({ search: x(257) }), () => proxies.count({ search: '' })],
      ],
      ['status', [() => proxies.findByStatus('failed')], [() => proxies.findByStatus('gone' as never)]],
      [
        'protocol of a filter',
        [() => proxies.findByProtocol('https')],
        [() => proxies.findByProtocol('ftp' as never)],
      ],
      [
        'tag',
        [() => tags.add('p', x(128), 'i')],
        [() => tags.add('p', x(129), 'i'), () => tags.add('p', '', 'i')],
      ],
      [
        'tag of an import',
        [() => proxies.importMany([], { tag: { name: x(128), importId: 'i' } })],
        [() => proxies.importMany([], { tag: { name: x(129), importId: 'i' } })],
      ],
      [
        'latency of a report',
        [() => usage.record('p', { success: true, latency: 0 })],
        [-1, Number.NaN, Number.POSITIVE_INFINITY].map(
          (latency) => () => usage.record('p', { success: true, latency }),
        ),
      ],
      [
        'success of a report',
        [() => proxies.updateStats('p', false)],
        [() => proxies.updateStats('p', 'false' as never), () => usage.record('p', { success: 1 as never })],
      ],
      [
        'ttl',
        [1, null].map((ttl) => () => sticky.create({ domain: 'a.example', proxyId: 'p', ttl })),
        [0, 1.5].map((ttl) => () => sticky.create({ domain: 'a.example', proxyId: 'p', ttl })),
      ],
      ['rule name', [rule({ name: x(256) })], [rule({ name: x(257) })]],
      [
        'priority',
        [rule({ priority: -1_000_000_000 }), rule({ priority: 1_000_000_000 })],
        [rule({ priority: -1_000_000_001 }), rule({ priority: 1_000_000_001 }), rule({ priority: 0.5 })],
      ],
      [
        'conditions',
        [rule({ conditions: items(HOUR, 1) }), rule({ conditions: items(HOUR, 100) })],
        [rule({ conditions: [] }), rule({ conditions: items(HOUR, 101) })],
      ],
      [
        'actions',
        [rule({ actions: items(BLOCK, 1) }), rule({ actions: items(BLOCK, 100) })],
        [rule({ actions: [] }), rule({ actions: items(BLOCK, 101) })],
      ],
      [
        'list of texts',
        [condition('region', 'in', ['a']), condition('region', 'not-in', items('a', 1000))],
        [condition('region', 'in', []), condition('region', 'in', items('a', 1001))],
      ],
      [
        'list of numbers',
        [condition('hour', 'in', [1]), condition('hour', 'not-in', items(1, 1000))],
        [condition('hour', 'in', []), condition('hour', 'in', items(1, 1001))],
      ],
      [
        'text of a condition',
        [condition('region', 'equals', x(1024))],
        [condition('region', 'equals', x(1025)), condition('region', 'equals', '')],
      ],
      [
        'pair',
        [condition('latency', 'between', [1, 2])],
        [
          condition('latency', 'between', [1]),
          condition('latency', 'between', [1, 2, 3]),
          condition('latency', 'between', 1),
        ],
      ],
      [
        'operator of a field',
        [condition('domain', 'ends-with', '.example')],
        [
          condition('domain', 'greater-than', 1),
          condition('hour', 'contains', '1'),
          condition('region', 'between', [1, 2]),
        ],
      ],
      [
        'domain of a condition',
        [
          condition('domain', 'equals', 'https://A.example:1/x'),
          condition('domain', 'contains', 'a.example:443'),
        ],
        [
          condition('domain', 'equals', '*.a.example'),
          condition('domain', 'in', ['a b']),
          condition('domain', 'contains', 'a b'),
          condition('domain', 'contains', 'a.example:99999'),
        ],
      ],
      ['interval', [configure({ intervalMs: 1 })], [configure({ intervalMs: 0 })]],
      [
        'requests per proxy',
        [configure({ maxRequestsPerProxy: 1 })],
        [configure({ maxRequestsPerProxy: 0 })],
      ],
      ['threshold', [configure({ failureThreshold: 1 })], [configure({ failureThreshold: 0 })]],
      [
        'sticky ttl',
        [configure({ options: { stickyTtlMs: 1 } })],
        [configure({ options: { stickyTtlMs: 0 } })],
      ],
      [
        'weight',
        [configure({ options: { weights: { p: 0.001 } } })],
        [
          configure({ options: { weights: { p: 0 } } }),
          configure({ options: { weights: JSON.parse('{"__proto__":1}') } }),
        ],
      ],
      [
        'hours',
        [configure({ options: { schedule: [{ from: 0, to: 24 }] } })],
        [
          configure({ options: { schedule: [{ from: -1, to: 25 }] } }),
          configure({ options: { schedule: [{ from: 0, to: 25 }] } }),
        ],
      ],
      [
        'whole text as an iterable',
        [() => proxies.createMany([])],
        [() => proxies.createMany('ab' as never), () => events.recordMany('ab' as never)],
      ],
      [
        'id to look for',
        [() => proxies.findById('')],
        [() => proxies.findById(7 as never), () => sticky.findByProxy(7 as never)],
      ],
      [
        'listener',
        [() => rules.findAll({ onInvalid: () => undefined })],
        [() => rules.findAll({ onInvalid: 'log' as never })],
      ],
    ];

    it.each(limits)('%s', async (_, allowed, rejected) => {
      expect(await inTurn(allowed, problemWith)).toEqual(allowed.map(() => undefined));
      expect(await inTurn(rejected, problemWith)).toEqual(rejected.map(() => 'INVALID_INPUT'));
    });
  });

  describe('what is wrong', () => {
    it('is said with the field and without its value', async () => {
      const message = String(await failureOf(create({ port: 70_001, name: `${x(300)}` })));
      expect(message).toContain('port: must be at most 65535');
      expect(message).toContain('name: ');
      expect(message).not.toMatch(/70.?001|xxx/);
    });
  });
});
