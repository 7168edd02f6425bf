import { describe, expect, it } from 'vitest';

import type { FailureKind } from '../../../src/model/outcomes.ts';
import { fail, openHealth, SECOND, told, use } from './setup.ts';

const at = (slot: number, domain = 'a.example') => use(slot, { domain });

describe('a failing domain', () => {
  it.each(['timeout', 'status', 'reset'] as const)(
    'is found when 5 proxies fail with %s in 10 seconds, and charges nobody',
    (kind) => {
      const { health, domains } = openHealth();
      for (let slot = 0; slot < 4; slot++) fail(health, at(slot), kind, slot * SECOND);
      expect(domains).toEqual([]);
      expect(health.failed(at(4), { kind }, 4 * SECOND)).toEqual({ changes: [], isCharged: false });
      expect(domains).toEqual([
        { domain: 'a.example', state: 'failing', proxies: 5, failures: 5, since: 4 * SECOND },
      ]);
      expect(health.isFailingDomain('a.example')).toBe(true);
      expect(health.isFailingDomain('b.example')).toBe(false);
      for (let slot = 0; slot < 10; slot++) expect(fail(health, at(slot), kind, 5 * SECOND, 20)).toEqual([]);
      expect(health.failingDomains()).toEqual([
        { domain: 'a.example', proxies: 5, failures: 205, since: 4 * SECOND },
      ]);
    },
  );

  it('is not found by one proxy that fails often, nor when the failures are far apart', () => {
    const { health, domains } = openHealth({ failures: 1000 });
    fail(health, at(0), 'timeout', 0, 500);
    for (let slot = 0; slot < 10; slot++) fail(health, at(slot), 'timeout', slot * 3 * SECOND);
    expect(domains).toEqual([]);
  });

  it('is not found when more than half of the requests succeed', () => {
    const { health, domains } = openHealth();
    fail(health, at(0), 'timeout', 0);
    for (let i = 0; i < 6; i++) health.succeeded(at(9), 0);
    for (let slot = 1; slot < 5; slot++) fail(health, at(slot), 'timeout', SECOND);
    expect(domains).toEqual([]);
    fail(health, at(5), 'timeout', SECOND);
    expect(domains).toHaveLength(1);
  });

  it('is not found by proxies that have not worked yet, while others work', () => {
    const { health, domains } = openHealth({ isProven: false, slots: 30 });
    health.succeeded(at(0, 'b.example'), 0);
    for (let slot = 1; slot < 20; slot++) fail(health, at(slot), 'timeout', SECOND);
    expect(domains).toEqual([]);
    // Each of these has worked elsewhere.
    for (let slot = 20; slot < 25; slot++) health.succeeded(at(slot, 'b.example'), SECOND);
    for (let slot = 20; slot < 24; slot++) fail(health, at(slot), 'timeout', SECOND);
    expect(domains).toEqual([]);
    fail(health, at(24), 'timeout', SECOND);
    expect(domains).toMatchObject([{ domain: 'a.example', state: 'failing' }]);
  });

  it('is not found by proxies that are being probed, while others work', () => {
    const { health, domains } = openHealth();
    for (let slot = 0; slot < 6; slot++) fail(health, at(slot, 'b.example'), 'connect', 0, 3);
    health.advance(30 * SECOND, 10);
    health.succeeded(at(9), 30 * SECOND);
    for (let slot = 0; slot < 6; slot++) fail(health, at(slot), 'timeout', 31 * SECOND);
    expect(domains).toEqual([]);
    // Nothing has worked in this window: it may be the domain.
    for (let slot = 0; slot < 5; slot++) fail(health, at(slot, 'c.example'), 'timeout', 40 * SECOND);
    expect(domains).toMatchObject([{ domain: 'c.example', state: 'failing' }]);
  });

  it.each(['connect', 'tls', 'protocol', 'auth', 'blocked'] as const)('is not found by %s', (kind) => {
    const { health, domains } = openHealth({ slots: 20 });
    for (let slot = 0; slot < 20; slot++) fail(health, at(slot), kind, 0);
    expect(domains).toEqual([]);
  });

  it('takes back what it has done to proxies in the window, and nothing else', () => {
    const { health } = openHealth();
    fail(health, at(0), 'timeout', 0, 3);
    fail(health, at(5, 'b.example'), 'timeout', 15 * SECOND, 3);
    fail(health, at(1), 'reset', 20 * SECOND, 3);
    fail(health, at(2), 'blocked', 20 * SECOND);
    health.failed(at(3), { kind: 'status', retryAfterMs: 99 * SECOND }, 20 * SECOND);
    fail(health, at(4), 'timeout', 20 * SECOND, 2);
    fail(health, at(6), 'timeout', 20 * SECOND);
    const { changes } = health.failed(at(7), { kind: 'timeout' }, 21 * SECOND);
    expect(told(changes)).toEqual(['1 domain a.example recovered reset']);
    expect(health.isFailingDomain('a.example')).toBe(true);
    expect([...(health.outFor('domain', 'a.example') ?? [])]).toEqual([0, 2, 3]);
    expect(health.outFor('domain', 'b.example')?.has(5)).toBe(true);
    health.advance(200 * SECOND, 10);
    expect(health.isFailingDomain('a.example')).toBe(false);
    fail(health, at(4), 'timeout', 200 * SECOND, 2);
    expect(health.outFor('domain', 'a.example')).toBeNull();
    expect(fail(health, at(1), 'timeout', 200 * SECOND, 3)).toMatchObject([{ times: 1 }]);
  });

  it('takes back that unproven proxies went out, and leaves them unproven', () => {
    const { health } = openHealth({ isProven: false });
    for (let slot = 0; slot < 4; slot++) fail(health, at(slot), 'timeout', 0, 3);
    expect(health.counts().scopesOut).toBe(4);
    expect(told(fail(health, at(4), 'timeout', 1))).toEqual(
      [0, 1, 2, 3].map((slot) => `${slot} domain a.example recovered timeout`),
    );
    expect(health.counts()).toEqual({ cooling: {}, probing: 0, ramping: 10, scopesOut: 0 });
  });

  it('takes back what was stored before a restart', () => {
    const { health } = openHealth();
    const row = {
      scope: 'domain a.example',
      source: 'engine',
      kind: 'timeout',
      times: 1,
      detail: null,
    } as const;
    health.restore(9, { ...row, since: 100, until: 30_100 }, 200);
    health.restore(8, { ...row, since: -20_000, until: 10_000 }, 200);
    for (let slot = 0; slot < 4; slot++) fail(health, at(slot), 'timeout', 300);
    expect(told(fail(health, at(4), 'timeout', 300))).toEqual(['9 domain a.example recovered timeout']);
  });

  it('takes back that it was the last of three domains', () => {
    const { health } = openHealth();
    for (const domain of ['b.example', 'c.example', 'a.example'])
      fail(health, at(0, domain), 'timeout', 0, 3);
    expect(health.isOut(0)).toBe(true);
    for (let slot = 1; slot < 5; slot++) fail(health, at(slot), 'timeout', 1);
    expect([health.isOut(0), health.allowance(0)]).toEqual([false, Number.POSITIVE_INFINITY]);
    expect(health.outFor('domain', 'b.example')?.has(0)).toBe(true);
  });

  it('still charges what is not of the domain', () => {
    const { health } = openHealth();
    for (let slot = 0; slot < 5; slot++) fail(health, at(slot), 'timeout', 0);
    expect(told(fail(health, at(0), 'blocked', 1))).toEqual(['0 domain a.example cooling blocked']);
    const { changes } = health.failed(at(1), { kind: 'status', retryAfterMs: 9 }, 1);
    expect(told(changes)).toEqual(['1 domain a.example cooling status']);
    expect(told(fail(health, at(2), 'connect', 1, 3))).toEqual(['2 cooling connect']);
  });

  const fallen = (options = {}) => {
    const opened = openHealth(options);
    for (let slot = 0; slot < 5; slot++) fail(opened.health, at(slot), 'timeout', 0);
    return opened;
  };

  it('works again when nothing has failed for a window', () => {
    const { health, domains } = fallen();
    expect(health.nextDue).toBe(10 * SECOND);
    health.advance(10 * SECOND, 10);
    expect(domains.map(({ state }) => state)).toEqual(['failing', 'working']);
    expect(domains[1]).toEqual({ domain: 'a.example', state: 'working', proxies: 5, failures: 5, since: 0 });
    expect(health.nextDue).toBe(Number.POSITIVE_INFINITY);
  });

  it('works again when in a whole window less than half fails, and not before', () => {
    const { health, domains } = fallen();
    for (let now = SECOND; now < 60 * SECOND; now += SECOND / 10) {
      const isDown = now < 20 * SECOND;
      if (isDown || (now / 100) % 3 === 0) fail(health, at(0), 'timeout', now);
      else health.succeeded(at(0), now);
      if (health.nextDue <= now) health.advance(now, 10);
      if (now < 24 * SECOND) expect(health.isFailingDomain('a.example')).toBe(true);
      if (now > 30 * SECOND) expect(health.isFailingDomain('a.example')).toBe(false);
    }
    expect(domains.map(({ state }) => state)).toEqual(['failing', 'working']);
  });

  it('charges nobody for what was sent while it failed, and ends after that', () => {
    const { health, domains } = fallen();
    const sent = (handedOutAt: number) => use(6, { domain: 'a.example', handedOutAt });
    health.advance(10 * SECOND, 10);
    expect(domains.at(-1)).toMatchObject({ state: 'working' });
    expect(fail(health, sent(9 * SECOND), 'timeout', 19 * SECOND, 9)).toEqual([]);
    for (let slot = 0; slot < 6; slot++)
      fail(health, use(slot, { domain: 'a.example', handedOutAt: 9 * SECOND }), 'timeout', 19 * SECOND);
    expect(domains.at(-1)).toMatchObject({ state: 'working' });
    expect(told(fail(health, sent(10 * SECOND), 'timeout', 19 * SECOND, 3))).toEqual([
      '6 domain a.example cooling timeout',
    ]);
  });

  it('is remembered for the last 256 that work again', () => {
    const { health, settings } = openHealth({ slots: 5 });
    health.configure({ ...settings, failures: 1000 }, null);
    for (let i = 0; i < 257; i++)
      for (let slot = 0; slot < 5; slot++) fail(health, at(slot, `${i}.example`), 'timeout', 0);
    health.advance(10 * SECOND, 10);
    health.configure({ ...settings, failures: 1 }, null);
    const sent = (domain: string) => use(0, { domain, handedOutAt: SECOND });
    expect(fail(health, sent('1.example'), 'timeout', 11 * SECOND)).toEqual([]);
    expect(fail(health, sent('256.example'), 'timeout', 11 * SECOND)).toEqual([]);
    expect(fail(health, sent('0.example'), 'timeout', 11 * SECOND)).toHaveLength(1);
  });

  it('is watched at 4,096 domains at most, and those that fail are kept', () => {
    const { health, domains } = fallen();
    for (let i = 0; i < 5000; i++) fail(health, at(0, `${i}.example`), 'timeout', 1);
    expect(health.isFailingDomain('a.example')).toBe(true);
    for (let slot = 1; slot < 5; slot++) fail(health, at(slot, '0.example'), 'timeout', 2);
    expect(domains).toHaveLength(1);
    for (let slot = 1; slot < 5; slot++) fail(health, at(slot, '4999.example'), 'timeout', 2);
    expect(domains).toHaveLength(2);
  });

  it('is looked for again with a new domainWindowMs', () => {
    const { health, settings } = fallen();
    health.configure({ ...settings, domainWindowMs: 1000 }, null);
    expect(health.isFailingDomain('a.example')).toBe(true);
    for (let slot = 0; slot < 5; slot++) fail(health, at(slot, 'b.example'), 'timeout', slot * 400);
    expect(health.isFailingDomain('b.example')).toBe(false);
    for (let slot = 0; slot < 5; slot++) fail(health, at(slot, 'c.example'), 'timeout', slot * 100);
    expect(health.isFailingDomain('c.example')).toBe(true);
  });
});

describe('a gateway', () => {
  const through = (session: string | null, domain: string | null = 'a.example') =>
    use(0, { session, domain, isGateway: true });

  it.each<FailureKind>(['connect', 'tls', 'protocol', 'timeout', 'status', 'reset'])(
    'breaks by session after 3 failures of kind %s in a row',
    (kind) => {
      const { health } = openHealth();
      fail(health, through('s', 'x.example'), kind, 0, 2);
      expect(told(fail(health, through('s'), kind, 0))).toEqual([`0 session s cooling ${kind}`]);
      expect(health.failed(through('t'), { kind }, 0)).toEqual({ changes: [], isCharged: false });
      expect([health.isOut(0), health.outFor('domain', 'a.example')]).toEqual([false, null]);
      expect(health.outFor('session', 's')?.has(0)).toBe(true);
      health.advance(30 * SECOND, 10);
      expect(told(health.succeeded(through('s'), 30 * SECOND))).toEqual([`0 session s recovered ${kind}`]);
    },
  );

  it('cools a session that is blocked', () => {
    const { health } = openHealth();
    expect(told(fail(health, through('s'), 'blocked', 0))).toEqual(['0 session s cooling blocked']);
  });

  it('is not charged without a session, but for its login', () => {
    const { health } = openHealth();
    for (const kind of ['connect', 'timeout', 'blocked', 'reset'] as const) {
      expect(fail(health, through(null), kind, 0, 50)).toEqual([]);
      expect(fail(health, through(null, null), kind, 0, 50)).toEqual([]);
    }
    expect(told(fail(health, through(null), 'auth', 0))).toEqual(['0 cooling auth']);
    expect(told(fail(openHealth().health, through('s'), 'auth', 0))).toEqual(['0 cooling auth']);
  });

  it('shows by its sessions that a domain fails: each is another exit', () => {
    const { health, domains } = openHealth();
    for (const session of ['a', 'b', 'c', 'd']) fail(health, through(session), 'timeout', 0, 3);
    expect(health.counts().scopesOut).toBe(4);
    expect(fail(health, through('e'), 'timeout', 0)).toHaveLength(4);
    expect(domains).toMatchObject([{ proxies: 5 }]);
    expect(health.counts().scopesOut).toBe(0);
  });

  it('is no outlier', () => {
    const { health } = openHealth({ outlierRequests: 1, outlierHosts: 2 });
    for (let slot = 1; slot < 10; slot++) health.succeeded(use(slot), 0);
    fail(health, through(null), 'timeout', 0);
    expect(health.advance(1e6, 10)).toEqual([]);
  });
});
