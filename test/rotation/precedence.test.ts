import type { PoolRequest } from 'proxyvault';
import { Pool } from 'proxyvault';
import type { RotationRule } from 'proxyvault/database';
import {
  ProxyRepository,
  RotationConfigRepository,
  RotationEventsRepository,
  type RotationRuleInput,
  RotationRulesRepository,
  StickySessionRepository,
} from 'proxyvault/database/repositories';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { RotationTurnsRepository } from '../../src/database/repositories/rotation-turns.repository.ts';
import { ROTATION_STRATEGIES } from '../../src/model/rotation.ts';
import { openMigrated, thrownBy } from '../support/temporary.ts';

/** A Friday. */
const START = Date.UTC(2026, 4, 1, 12);

let time: { now: number };
let heard: object[];
let db: ReturnType<typeof openMigrated>;
let pool: Pool;
let proxies: ProxyRepository;
let config: RotationConfigRepository;
let events: RotationEventsRepository;
let rules: RotationRulesRepository;
let sticky: StickySessionRepository;
let turns: RotationTurnsRepository;

beforeEach(() => {
  time = { now: START };
  heard = [];
  db = openMigrated({
    path: ':memory:',
    clock: () => time.now,
    onInvalidRow: ({ details }) => heard.push(details),
  });
  pool = new Pool(db);
  proxies = new ProxyRepository(db);
  config = new RotationConfigRepository(db);
  events = new RotationEventsRepository(db);
  rules = new RotationRulesRepository(db);
  sticky = new StickySessionRepository(db);
  turns = new RotationTurnsRepository(db);
  const kinds = [
    ['a', 'http', 'EU'],
    ['b', 'http', 'US'],
    ['c', 'socks5', 'EU'],
    ['d', 'socks5', 'US'],
    ['e', 'http', null],
  ] as const;
  for (const [n, [id, protocol, region]] of kinds.entries())
    proxies.create({ id, host: 'h.example', port: n + 1, protocol, region });
});

const next = (request: PoolRequest = {}): string => pool.choose(request).id;
/** Every event, newest first, as "previous > new reason". */
const history = (): string[] =>
  events
    .recent()
    .map(({ previousProxyId, newProxyId, reason }) => `${previousProxyId} > ${newProxyId} ${reason}`);

let order = 0;
/** Rules that always hold, tried in the order in which they are made. */
function rule(...actions: RotationRuleInput['actions']): RotationRule {
  return rules.create({
    id: `r${String(++order).padStart(4, '0')}`,
    name: 'the "rule"',
    priority: -order,
    conditions: [{ field: 'hour', operator: 'greater-than', value: -1 }],
    actions,
    stopOnMatch: false,
  });
}

describe('what goes before what', () => {
  it('a proxy of a rule before the mapping of a domain, which is not used', () => {
    sticky.create({ domain: 'x.example', proxyId: 'b' });
    rule({ type: 'use-proxy', proxyId: 'c' });
    expect(next({ domain: 'x.example' })).toBe('c');
    expect(next({ domain: 'x.example' })).toBe('c');
    pool.close();
    expect(sticky.findByDomain('x.example')).toMatchObject({ proxyId: 'b', requestCount: 1 });
    expect(history()).toEqual([]);
  });

  it('a mapping before the proxy of the interval; one whose proxy is out moves to the next in turn', () => {
    config.update({ intervalMs: 1000 });
    expect([next(), next()]).toEqual(['a', 'a']);
    sticky.create({ domain: 'x.example', proxyId: 'b' });
    expect(next({ domain: 'x.example' })).toBe('b');
    proxies.update('b', { status: 'disabled' });
    expect(next({ domain: 'x.example' })).toBe('a');
    expect(sticky.findByDomain('x.example')?.proxyId).toBe('a');
    expect(history()[0]).toBe('b > a failure');
  });

  it('the request before a rule, and the first rule before others, also for the strategy', () => {
    rule({ type: 'use-region', region: 'EU' });
    rule({ type: 'use-region', region: 'US' }, { type: 'use-protocol', protocol: 'socks5' });
    rule({ type: 'use-protocol', protocol: 'http' });
    expect(next()).toBe('c');
    expect(next({ region: 'US' })).toBe('d');
    expect(next({ protocol: 'http' })).toBe('a');
    expect(next({ protocol: 'http', region: 'US' })).toBe('b');
    for (const strategy of ['least-used', 'random', 'fastest'] as const)
      rule({ type: 'use-strategy', strategy });
    proxies.create({ id: 'c2', host: 'h.example', port: 9, protocol: 'socks5', region: 'EU' });
    expect([next(), next(), next()]).toEqual(['c2', 'c', 'c2']);
    rule({ type: 'use-proxy', proxyId: 'e' });
    rule({ type: 'use-proxy', proxyId: 'a' });
    expect(next({ region: 'US' })).toBe('e');
  });

  it('a rule that blocks before all, and says which it is', () => {
    sticky.create({ domain: 'x.example', proxyId: 'b' });
    rule({ type: 'use-proxy', proxyId: 'c' });
    const { id } = rule({ type: 'block' });
    expect(thrownBy(() => next({ domain: 'x.example' }))).toMatchObject({
      code: 'NO_PROXY',
      message: expect.stringContaining('the \\"rule\\"'),
      details: { ruleId: id },
    });
    expect(events.count()).toBe(0);
  });

  it('the domain of a request before that of its URL', () => {
    sticky.create({ domain: 'x.example', proxyId: 'b' });
    sticky.create({ domain: 'y.example', proxyId: 'c' });
    expect(next({ domain: 'x.example', url: 'https://y.example/' })).toBe('b');
    expect(next({ url: 'https://y.example/' })).toBe('c');
  });
});

describe('a proxy that does not fit what is wanted is passed', () => {
  const wishes: [PoolRequest, fits: string][] = [
    [{ region: 'US' }, 'b'],
    [{ protocol: 'socks5' }, 'c'],
    [{ protocol: 'socks5', region: 'US' }, 'd'],
    [{ exclude: ['a', 'e'] }, 'b'],
  ];
  it.each(wishes.flatMap(([wish, fits]) => ['a', 'e'].map((mapped) => [wish, mapped, fits] as const)))(
    'by a mapping, which moves: %o from %s to %s',
    (wish, mapped, fits) => {
      sticky.create({ domain: 'x.example', proxyId: mapped });
      expect(next({ domain: 'x.example', ...wish })).toBe(fits);
      expect(sticky.findByDomain('x.example')?.proxyId).toBe(fits);
    },
  );

  it.each(wishes)('by an interval: %o', (wish, fits) => {
    config.update({ intervalMs: 1000 });
    expect([next(), next()]).toEqual(['a', 'a']);
    expect(next(wish)).toBe(fits);
  });

  it.each(wishes)('by every strategy: %o', (wish) => {
    const wanted = proxies
      .findAll()
      .filter(({ id, protocol, region }) => {
        const { exclude = [] } = wish;
        const isWanted = (wish.protocol ?? protocol) === protocol && (wish.region ?? region) === region;
        return isWanted && ![...exclude].includes(id);
      })
      .map(({ id }) => id);
    for (const strategy of ROTATION_STRATEGIES) {
      config.setStrategy(strategy);
      const seen = Array.from({ length: 40 }, () => {
        const id = next(wish);
        pool.report(id, { success: true, latencyMs: seenLatency(id) });
        return id;
      });
      expect(seen.every((id) => wanted.includes(id))).toBe(true);
      if (['round-robin', 'random', 'least-used', 'weighted'].includes(strategy))
        expect(new Set(seen).size).toBe(wanted.length);
    }
  });

  it('by a rule that names it: there is no other, and the message says why', () => {
    rule({ type: 'use-proxy', proxyId: 'a' });
    expect(thrownBy(() => next({ exclude: ['a'] }))).toMatchObject({
      message: expect.stringContaining('excluded'),
    });
    proxies.update('a', { status: 'checking' });
    expect(thrownBy(() => next())).toMatchObject({
      code: 'NO_PROXY',
      message: expect.stringContaining('checking'),
    });
    proxies.delete('a');
    expect(thrownBy(() => next())).toMatchObject({
      code: 'NO_PROXY',
      message: expect.stringContaining('gone'),
    });
    expect(events.count()).toBe(0);
  });

  it('and if no proxy fits, the message and the details say what left out how many', () => {
    proxies.update('e', { status: 'disabled' });
    expect(
      thrownBy(() => next({ protocol: 'http', region: 'EU', tags: ['t'], exclude: ['b'] })),
    ).toMatchObject({
      code: 'NO_PROXY',
      message: expect.stringMatching(
        /^No proxy fits\. Of 5 proxies 1 is disabled, 2 do not fit "protocol http", 1 does not fit "region EU", 1 does not fit "tag t"\..*Do not connect without a proxy\.$/,
      ),
      details: { total: 5, 'not disabled': 1, 'protocol http': 2, 'region EU': 1, 'tag t': 1 },
    });
    for (const id of ['a', 'b', 'c', 'd', 'e']) proxies.delete(id);
    expect(thrownBy(() => next())).toMatchObject({
      code: 'NO_PROXY',
      message: expect.stringContaining('no proxies: import a list'),
    });
  });
});

/** Each its own, so that the fastest is always the same. */
const seenLatency = (id: string): number => id.charCodeAt(0);

describe('the interval', () => {
  it('ends in the very millisecond', () => {
    config.update({ intervalMs: 1000 });
    expect(next()).toBe('a');
    time.now += 999;
    expect(next()).toBe('a');
    time.now += 1;
    expect(next()).toBe('b');
    time.now += 999;
    expect(next()).toBe('b');
    expect(history()).toEqual(['a > b scheduled', 'null > a startup']);
  });
});

describe('the history', () => {
  it('has what an interval or a mapping changed, and failures, and no hand-out', () => {
    config.update({ failureThreshold: 1 });
    expect([next(), next()]).toEqual(['a', 'b']);
    pool.report('b', { success: false });
    expect(next({ session: 's' })).toBe('c');
    proxies.update('c', { status: 'disabled' });
    expect(next({ session: 's' })).toBe('d');
    expect(pool.rotate({ session: 's' }).id).toBe('e');
    expect(history()).toEqual(['d > e manual', 'c > d failure', 'b > null failure']);
  });

  it('of any time changes neither the turn nor the interval', () => {
    config.update({ intervalMs: 1000 });
    expect(next()).toBe('a');
    for (const timestamp of ['2020-01-01', new Date(START + 500), '2030-01-01'])
      events.append({ previousProxyId: 'a', newProxyId: 'd', reason: 'manual', timestamp });
    expect(next()).toBe('a');
    time.now += 1000;
    expect(next()).toBe('b');
  });
});

describe('domains stick', () => {
  const mapped = (domain: string): unknown => {
    const { proxyId, ttl } = sticky.findByDomain(domain) ?? {};
    return proxyId === undefined ? null : [proxyId, ttl];
  };

  it.each<[Parameters<RotationConfigRepository['update']>[0], unknown]>([
    [{}, null],
    [{ options: { stickyTtlMs: 5 } }, null],
    [{ options: { stickyByDefault: false } }, null],
    [{ options: { stickyByDefault: true } }, ['a', 3_600_000]],
    [{ options: { stickyByDefault: true, stickyTtlMs: 5 } }, ['a', 5]],
    [{ strategy: 'sticky-session' }, ['a', 3_600_000]],
    [{ strategy: 'sticky-session', options: { stickyTtlMs: 7 } }, ['a', 7]],
  ])('with %j: %j', (change, mapping) => {
    config.update({ ...change, options: { stickyChoice: 'round-robin', ...change.options } });
    expect(next({ domain: 'x.example' })).toBe('a');
    expect(mapped('x.example')).toEqual(mapping);
    expect(next()).toBe('b');
    expect(sticky.count()).toBe(mapping === null ? 0 : 1);
  });

  it('by the strategy of a rule too', () => {
    config.update({ options: { stickyChoice: 'round-robin' } });
    rule({ type: 'use-strategy', strategy: 'sticky-session' });
    expect([
      next({ domain: 'x.example' }),
      next({ domain: 'y.example' }),
      next({ domain: 'x.example' }),
    ]).toEqual(['a', 'b', 'a']);
  });
});

describe('a rule looks at', () => {
  const facts: [field: string, value: unknown, PoolRequest][] = [
    ['domain', 'x.example', { domain: 'X.example.' }],
    ['domain', 'x.example', { url: 'https://u:p@x.example:1/y' }],
    ['url', 'https://x.example/y', { url: 'https://x.example/y' }],
    ['path', '/y', { url: 'https://x.example/y?q' }],
    ['protocol', 'http', { protocol: 'http' }],
    ['country', 'DE', { country: 'de' }],
    ['tag', 't', { tags: ['t'] }],
    ['session', 's', { session: 's' }],
    ['region', 'US', { region: 'US' }],
    ['hour', 12, {}],
    ['weekday', 5, {}],
    ['failureCount', 3, {}],
    ['latency', 77, {}],
    ['successRate', 25, {}],
  ];
  it.each(facts)('%s: %s of %o, wherever the machine is', (field, value, request) => {
    // The machine is in another zone, in which another day has begun.
    const hours = vi.spyOn(Date.prototype, 'getHours').mockReturnValue(2);
    const day = vi.spyOn(Date.prototype, 'getDay').mockReturnValue(6);
    try {
      proxies.update('d', { failureCount: 3, totalRequests: 40, latency: 77, successRate: 25 });
      expect(next({ exclude: ['a', 'b', 'c', 'e'] })).toBe('d');
      rules.create({
        name: 'r',
        conditions: [{ field, operator: 'equals', value }] as RotationRule['conditions'],
        actions: [{ type: 'use-proxy', proxyId: 'c' }],
      });
      expect(next(request)).toBe('c');
    } finally {
      hours.mockRestore();
      day.mockRestore();
    }
  });
});

describe('a malformed row', () => {
  it.each(['of a mapping', 'of the interval', 'of the last proxy'])('%s is reported and passed', (where) => {
    if (where === 'of a mapping') sticky.create({ domain: 'x.example', proxyId: 'c' });
    if (where === 'of the interval') config.update({ intervalMs: 1000 });
    if (where === 'of the last proxy') rule({ type: 'use-region', region: 'US' });
    if (where !== 'of a mapping')
      turns.set({ view: '', proxyId: 'c', since: new Date(START), until: new Date(START + 1000) });
    db.driver.exec(`PRAGMA ignore_check_constraints = on; UPDATE proxies SET port = 0 WHERE id = 'c'`);
    expect(next({ domain: 'x.example' })).not.toBe('c');
    expect(heard).toContainEqual({ table: 'proxies', id: 'c', column: 'port' });
  });
});
