import { describe, expect, it } from 'vitest';
import type { StoredCooldown } from '../../../src/rotation/health/circuit.ts';
import type { Health } from '../../../src/rotation/health/health.ts';
import { ChangeLog } from '../../../src/rotation/index/change-log.ts';
import { fail, openHealth, SECOND, told, use } from './setup.ts';

const stored = (of: Partial<StoredCooldown> = {}): StoredCooldown => ({
  scope: '',
  source: 'engine',
  kind: 'connect',
  times: 2,
  since: -20 * SECOND,
  until: 40 * SECOND,
  detail: 'status 500',
  ...of,
});

/** All that may be used before their time, the first one first. Of the ten slots all are usable. */
function overridable(health: Health, activeCount: number): number[] {
  for (let slot = 0; slot < 10; slot++) health.show(slot, true);
  const found: number[] = [];
  for (;;) {
    const slot = health.override(activeCount, (each) => !found.includes(each));
    if (slot === -1) return found;
    found.push(slot);
  }
}

describe('a stored cooldown', () => {
  it('lasts for what is left of it, and counts on', () => {
    const { health } = openHealth();
    health.restore(0, stored(), 0);
    expect(health.cooldownOf(0)).toEqual({ ...stored(), slot: 0, state: 'cooling' });
    expect(health.nextDue).toBe(40 * SECOND);
    expect(told(health.advance(40 * SECOND, 10))).toEqual(['0 probing connect']);
    expect(fail(health, use(0), 'tls', 40 * SECOND)).toMatchObject([{ times: 3, until: 160 * SECOND }]);
  });

  it('takes the place of what is known', () => {
    const { health } = openHealth();
    health.restore(0, stored(), 0);
    health.restore(0, stored({ kind: 'tls', until: 9, times: 5 }), 1);
    expect(health.cooldownOf(0)).toMatchObject({ kind: 'tls', until: 9, times: 5 });
    expect(health.nextDue).toBe(9);
    health.restore(0, stored({ scope: 'domain a.example' }), 1);
    health.restore(0, stored({ scope: 'domain a.example', until: 20 }), 1);
    expect(health.counts()).toMatchObject({ cooling: { tls: 1 }, scopesOut: 1 });
  });

  it('begins with a probe if its time is over; a wait and a person have nothing to probe', () => {
    const { health } = openHealth();
    health.restore(0, stored({ until: 5 }), 5);
    health.restore(1, stored({ until: 5, kind: 'blocked' }), 5);
    health.restore(2, stored({ until: 5, source: 'person', kind: 'manual' }), 5);
    health.restore(3, stored({ until: 5, scope: 'domain a.example' }), 5);
    expect([0, 1, 2, 3].map((slot) => health.isOut(slot))).toEqual([false, false, false, false]);
    expect([0, 1, 2].map((slot) => health.allowance(slot))).toEqual([
      1,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
    expect(health.counts()).toEqual({ cooling: {}, probing: 1, ramping: 0, scopesOut: 0 });
    expect(health.nextDue).toBe(Number.POSITIVE_INFINITY);
    expect(fail(health, use(3, { domain: 'a.example' }), 'timeout', 5)).toMatchObject([{ times: 3 }]);
  });

  it('of a person lasts beside that of the engine; the longer is told', () => {
    const { health } = openHealth();
    const person = stored({ source: 'person', kind: 'manual', until: 60 * SECOND });
    health.restore(0, person, 0);
    health.restore(0, stored(), 0);
    expect(health.cooldownOf(0)).toMatchObject({ kind: 'manual' });
    expect(told(health.advance(40 * SECOND, 10))).toEqual(['0 probing connect']);
    expect(told(health.succeeded(use(0), 41 * SECOND))).toEqual(['0 recovered connect']);
    expect(health.isOut(0)).toBe(true);
    expect(health.counts()).toMatchObject({ cooling: { manual: 1 }, ramping: 1 });
    expect(told(health.advance(60 * SECOND, 10))).toEqual(['0 recovered manual']);
    expect(health.isOut(0)).toBe(false);
    health.restore(1, { ...person, until: null }, 0);
    health.restore(1, stored(), 0);
    expect(health.cooldownOf(1)).toMatchObject({ until: null });
    health.advance(1e12, 10);
    expect(health.isOut(1)).toBe(true);
  });

  it('of a person may be for a domain', () => {
    const { health } = openHealth();
    const scope = 'domain a.example' as const;
    health.restore(0, stored({ source: 'person', kind: 'manual', scope }), 0);
    expect(health.outFor('domain', 'a.example')?.has(0)).toBe(true);
    health.succeeded(use(0, { domain: 'a.example' }), 1);
    expect(health.outFor('domain', 'a.example')?.has(0)).toBe(true);
    expect(told(health.reset(0, { source: 'engine' }))).toEqual([]);
    expect(told(health.reset(0, { source: 'person' }))).toEqual(['0 domain a.example recovered manual']);
    expect(health.outFor('domain', 'a.example')).toBeNull();
  });
});

describe('a reset', () => {
  it('forgets all of a slot, or what is meant', () => {
    const { health } = openHealth();
    const build = () => {
      fail(health, use(0), 'connect', 0, 3);
      fail(health, use(0, { domain: 'a.example' }), 'blocked', 0);
      fail(health, use(0, { domain: 'b.example' }), 'timeout', 0, 3);
      health.restore(0, stored({ source: 'person', kind: 'manual', since: 0 }), 0);
    };
    build();
    expect(health.reset(0, { scope: 'domain c.example' })).toEqual([]);
    expect(health.reset(0, { kind: 'auth' })).toEqual([]);
    expect(health.reset(1)).toEqual([]);
    expect(told(health.reset(0, { scope: 'domain a.example' }))).toEqual([
      '0 domain a.example recovered blocked',
    ]);
    expect(told(health.reset(0))).toEqual([
      '0 recovered connect',
      '0 domain b.example recovered timeout',
      '0 recovered manual',
    ]);
    expect([health.isOut(0), health.allowance(0), health.nextDue]).toEqual([
      false,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
    build();
    health.begin(0, false);
    expect([health.isOut(0), health.allowance(0), health.nextDue]).toEqual([
      false,
      1,
      Number.POSITIVE_INFINITY,
    ]);
    expect(health.counts()).toEqual({ cooling: {}, probing: 0, ramping: 1, scopesOut: 0 });
  });

  it('forgets failures in a row', () => {
    const { health } = openHealth();
    fail(health, use(0), 'connect', 0, 2);
    health.reset(0);
    fail(health, use(0), 'connect', 0, 2);
    expect(health.isOut(0)).toBe(false);
  });
});

describe('overriding', () => {
  it('is for proxies that cool by the engine, the soonest back first, once half of the pool is out', () => {
    const { health } = openHealth();
    fail(health, use(0), 'auth', 0);
    fail(health, use(1), 'connect', 100, 3);
    fail(health, use(2), 'connect', 50, 3);
    fail(health, use(3), 'tls', 200, 3);
    expect(overridable(health, 10)).toEqual([]);
    fail(health, use(4), 'blocked', 0);
    expect(overridable(health, 10)).toEqual([2, 1, 3, 4]);
    health.restore(2, stored({ source: 'person', kind: 'manual' }), 300);
    expect(overridable(health, 10)).toEqual([1, 3, 4]);
    expect(overridable(health, 11)).toEqual([]);
    health.advance(30_100, 10);
    expect(overridable(health, 6)).toEqual([3, 4]);
  });

  it('may be always, or at a share of its own', () => {
    const { health, settings } = openHealth({ overridePercent: 0 });
    expect(overridable(health, 10)).toEqual([]);
    fail(health, use(1), 'connect', 100, 3);
    expect(overridable(health, 10)).toEqual([1]);
    health.configure({ ...settings, overridePercent: 100 }, null);
    expect(overridable(health, 10)).toEqual([]);
    expect(overridable(health, 1)).toEqual([1]);
  });
});

describe('renumbered slots', () => {
  it('keep everything; what is gone leaves nothing', () => {
    const { health } = openHealth({ outlierHosts: 2, outlierRequests: 10 });
    fail(health, use(0), 'connect', 0, 3);
    fail(health, use(1, { domain: 'a.example' }), 'blocked', 0);
    fail(health, use(2), 'connect', 0, 3);
    fail(health, use(3), 'connect', 0, 2);
    health.begin(4, false);
    fail(health, use(5, { domain: 'b.example' }), 'timeout', 0);
    for (let i = 0; i < 10; i++) health.succeeded(use(6), 0);
    health.moveTo(20, (slot) => (slot === 2 ? -1 : 19 - slot));
    expect([health.isOut(19), health.isOut(17), health.isOut(0)]).toEqual([true, false, false]);
    expect([...(health.outFor('domain', 'a.example') ?? [])]).toEqual([18]);
    expect(told(fail(health, use(16), 'connect', 1))).toEqual(['16 cooling connect']);
    expect(health.allowance(15)).toBe(1);
    for (let slot = 10; slot < 14; slot++) fail(health, use(slot, { domain: 'b.example' }), 'timeout', 1);
    expect(health.isFailingDomain('b.example')).toBe(true);
    for (let i = 0; i < 10; i++) health.succeeded(use(12), 0);
    expect(health.nextDue).toBe(10 * SECOND);
    expect(told(health.advance(30 * SECOND, 10))).toEqual(['19 probing connect']);
    expect(health.nextDue).toBe(30 * SECOND + 1);
    expect(health.counts()).toEqual({ cooling: { connect: 1 }, probing: 1, ramping: 1, scopesOut: 1 });
  });
});

describe('a log of changes', () => {
  it('begins small and remembers as many as it is told', () => {
    const log = new ChangeLog(64);
    for (let slot = 0; slot < 64; slot++) {
      log.add(slot * 3);
      expect(log.has(0)).toBe(true);
      for (let n = 0; n <= slot; n++) expect(log.at(n)).toBe(n * 3);
    }
    log.add(1);
    expect([log.has(0), log.has(1), log.at(64), log.at(1)]).toEqual([false, true, 1, 3]);
  });
});
