import { type ProxyConfig, type ProxyRequest, Rotator } from 'proxyvault';
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
import { openMigrated, thrownBy } from '../support/temporary.ts';

/** A Friday. */
const START = Date.UTC(2026, 4, 1, 12);

let time: { now: number };
let heard: object[];
let db: ReturnType<typeof openMigrated>;
let rotator: Rotator;
let proxies: ProxyRepository;
let config: RotationConfigRepository;
let events: RotationEventsRepository;
let rules: RotationRulesRepository;
let sticky: StickySessionRepository;

beforeEach(() => {
  time = { now: START };
  heard = [];
  db = openMigrated({
    path: ':memory:',
    clock: () => time.now,
    onInvalidRow: ({ details }) => heard.push(details),
  });
  rotator = new Rotator(db);
  proxies = new ProxyRepository(db);
  config = new RotationConfigRepository(db);
  events = new RotationEventsRepository(db);
  rules = new RotationRulesRepository(db);
  sticky = new StickySessionRepository(db);
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

const next = (request: ProxyRequest = {}): string => rotator.next(request).id;
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
    expect(sticky.findByDomain('x.example')).toMatchObject({ proxyId: 'b', requestCount: 1 });
    expect(history()).toEqual(['null > c startup']);
    expect(next({ domain: 'x.example' })).toBe('c');
    expect(history()).toHaveLength(1);
  });

  it('a mapping before the proxy of the interval, and the next turn before that of one that is out', () => {
    config.update({ intervalMs: 1000 });
    expect([next(), next()]).toEqual(['a', 'a']);
    sticky.create({ domain: 'x.example', proxyId: 'b' });
    expect(next({ domain: 'x.example' })).toBe('b');
    proxies.update('b', { status: 'disabled' });
    expect(next({ domain: 'x.example' })).toBe('c');
    expect(sticky.findByDomain('x.example')?.proxyId).toBe('c');
    expect(history()).toEqual(['a > c failure', 'null > a startup']);
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
    proxies.update('d', { latency: 5 });
    proxies.update('c', { totalRequests: 5, latency: 3 });
    proxies.create({ id: 'c2', host: 'h.example', port: 9, protocol: 'socks5', region: 'EU', latency: 4 });
    expect(next()).toBe('c2');
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
  const wishes: [ProxyRequest, fits: string][] = [
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
    for (const strategy of ['round-robin', 'random', 'least-used', 'fastest'] as const) {
      config.setStrategy(strategy);
      const seen = Array.from({ length: 40 }, () => {
        const id = next(wish);
        rotator.report(id, { success: true, latencyMs: seenLatency(id) });
        return id;
      });
      expect(seen.every((id) => wanted.includes(id))).toBe(true);
      if (strategy !== 'fastest') expect(new Set(seen).size).toBe(wanted.length);
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

  it('and if no proxy fits, the message says what was wanted', () => {
    for (const [wish, words] of [
      [{ protocol: 'https' }, 'no active https proxy:'],
      [{ region: 'XX' }, 'no active XX proxy:'],
      [
        { protocol: 'socks4', region: 'XX', exclude: ['a'] },
        'no active socks4 in XX proxy that is not excluded:',
      ],
    ] as [ProxyRequest, string][])
      expect(thrownBy(() => next(wish))).toMatchObject({
        code: 'NO_PROXY',
        message: expect.stringContaining(words),
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
  it('has each change once, and continues after a failure', () => {
    config.update({ failureThreshold: 1 });
    expect([next(), next()]).toEqual(['a', 'b']);
    rotator.report('b', { success: false });
    expect(next()).toBe('c');
    for (const id of ['a', 'd', 'e']) proxies.update(id, { status: 'disabled' });
    expect([next(), next()]).toEqual(['c', 'c']);
    expect(history()).toEqual(['b > c scheduled', 'b > null failure', 'a > b scheduled', 'null > a startup']);
  });

  it('begins with a start, whatever chose the first', () => {
    proxies.update('a', { status: 'failed' });
    sticky.create({ domain: 'x.example', proxyId: 'a' });
    expect(next({ domain: 'x.example' })).toBe('b');
    expect(history()).toEqual(['null > b startup']);
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
    [{ options: { stickyByDefault: true } }, ['a', null]],
    [{ options: { stickyByDefault: true, stickyTtlMs: 5 } }, ['a', 5]],
    [{ strategy: 'sticky-session' }, ['a', null]],
    [{ strategy: 'sticky-session', options: { stickyTtlMs: 7 } }, ['a', 7]],
  ])('with %j: %j', (change, mapping) => {
    config.update(change);
    expect(next({ domain: 'x.example' })).toBe('a');
    expect(mapped('x.example')).toEqual(mapping);
    expect(next()).toBe('b');
    expect(sticky.count()).toBe(mapping === null ? 0 : 1);
  });

  it('by the strategy of a rule too', () => {
    rule({ type: 'use-strategy', strategy: 'sticky-session' });
    expect([
      next({ domain: 'x.example' }),
      next({ domain: 'y.example' }),
      next({ domain: 'x.example' }),
    ]).toEqual(['a', 'b', 'a']);
  });
});

describe('a rule looks at', () => {
  const facts: [field: string, value: unknown, ProxyRequest][] = [
    ['domain', 'x.example', { domain: 'X.example.' }],
    ['domain', 'x.example', { url: 'https://u:p@x.example:1/y' }],
    ['url', 'https://x.example/y', { url: 'https://x.example/y' }],
    ['protocol', 'http', { protocol: 'http' }],
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
      events.append({ previousProxyId: 'c', newProxyId: 'd', reason: 'manual' });
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
    if (where !== 'of a mapping') events.append({ previousProxyId: null, newProxyId: 'c', reason: 'manual' });
    db.driver.exec(`PRAGMA ignore_check_constraints = on; UPDATE proxies SET port = 0 WHERE id = 'c'`);
    expect(next({ domain: 'x.example' })).not.toBe('c');
    expect(heard).toContainEqual({ table: 'proxies', id: 'c', column: 'port' });
  });
});

describe('a request is rejected', () => {
  it.each<[string, unknown]>([
    ['with a wildcard', { domain: '*.example' }],
    ['with a URL without a host', { url: 'mailto:x@y.example' }],
    ['with no URL', { url: 'x.example' }],
    ['with an excluded id that is no text', { exclude: [7] }],
    ['with one text for the excluded ids', { exclude: 'ab' }],
    ['with an unknown field', { country: 'US' }],
    ['that is a list', []],
  ])('%s', (_, request) => {
    expect(thrownBy(() => next(request as ProxyRequest))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('if the strategy cannot choose', () => {
    for (const strategy of ['weighted', 'custom', 'geographic'] as const) {
      config.setStrategy(strategy);
      expect(thrownBy(() => next())).toMatchObject({ code: 'UNSUPPORTED' });
    }
  });
});

describe('strategies', () => {
  it('choose as they say', () => {
    const byId = (id: string): ProxyConfig => proxies.findById(id) as ProxyConfig;
    for (const [id, totalRequests, latency] of [
      ['a', 5, 50],
      ['b', 4, 30],
      ['c', 3, null],
      ['d', 9, 10],
      ['e', 3, 20],
    ] as const)
      proxies.update(id, { totalRequests, latency });
    config.setStrategy('fastest');
    expect([next(), next()]).toEqual(['d', 'd']);
    config.setStrategy('least-used');
    expect([next(), next()]).toEqual(['c', 'e']);
    config.setStrategy('sticky-session');
    expect([next(), next(), next()]).toEqual(['a', 'b', 'c']);
    config.setStrategy('random');
    for (const [n, id] of ['a', 'b', 'c', 'd', 'e'].entries())
      expect(new Rotator(db, { random: () => (n + 0.9) / 5 }).next()).toMatchObject({
        id,
        host: byId(id).host,
      });
  });
});
