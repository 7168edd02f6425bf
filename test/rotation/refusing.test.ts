import { expect, it, vi } from 'vitest';

import { Absences } from '../../src/rotation/absences.ts';
import { Cooling } from '../../src/rotation/health/cooling.ts';
import { Limits } from '../../src/rotation/limits.ts';
import { open, START } from './open-pool.ts';

const COUNT = 600;

/** How many proxies were looked at one by one. */
function looked(work: () => void): number {
  const spies = [
    vi.spyOn(Absences.prototype, 'of'),
    vi.spyOn(Absences.prototype, 'stateOf'),
    vi.spyOn(Limits.prototype, 'returnOf'),
  ];
  work();
  const count = spies.reduce((sum, { mock }) => sum + mock.calls.length, 0);
  for (const spy of spies) spy.mockRestore();
  return count;
}

it('a refusal looks at few of those that are busy, pause or cool, and knows of all', async () => {
  const { vault, pool, time } = await open(COUNT);
  vault.config.update({
    options: {
      limits: { maxConcurrentPerProxy: 1, minDomainIntervalMs: 70_000 },
      health: { blockedMs: 80_000 },
    },
  });
  const domain = 'shop.example';
  const leases = Array.from({ length: COUNT }, () => {
    time.now++;
    return pool.tryAcquire({ domain });
  });
  const detailsOf = (request?: { domain?: string }): unknown => {
    try {
      pool.tryAcquire(request);
    } catch (error) {
      return (error as { details: unknown }).details;
    }
    return null;
  };
  const at = (ms: number): string => new Date(START + ms).toISOString();
  let details: unknown;
  const refuse = (request?: { domain?: string }): number =>
    looked(() => {
      details = detailsOf(request);
    });
  expect(refuse()).toBeLessThan(20);
  expect(details).toEqual({ total: COUNT, 'not busy': COUNT });
  expect(refuse({ domain })).toBeLessThan(20);
  expect(details).toEqual({ total: COUNT, 'not busy': COUNT, readyAt: at(70_001) });
  // Half of them are blocked, and all pause.
  for (const [n, lease] of leases.entries()) {
    time.now++;
    if (n % 2 === 0) lease.fail({ kind: 'blocked' });
    else lease.succeed();
  }
  expect(refuse({ domain })).toBeLessThan(20);
  expect(details).toEqual({
    total: COUNT,
    'not cooling': COUNT / 2,
    'not pausing': COUNT / 2,
    readyAt: at(70_002),
  });
});

it('who comes back first of many that cool is found without putting them in order', async () => {
  const { vault, pool, time, next } = await open(COUNT);
  vault.config.update({ options: { health: { cooldownMs: 600_000, maxCooldownMs: 600_000, jitter: 0 } } });
  for (let n = 0; n < COUNT; n++) {
    time.now++;
    pool.tryAcquire().fail({ kind: 'connect' });
  }
  let asked = 0;
  const { override } = Cooling.prototype;
  const spy = vi.spyOn(Cooling.prototype, 'override').mockImplementation(function (
    this: Cooling,
    count,
    percent,
    accepts,
  ) {
    return override.call(this, count, percent, (slot) => ++asked > 0 && accepts(slot));
  });
  for (let n = 0; n < 5; n++) {
    asked = 0;
    // It works, and fails again: it comes back last.
    const lease = pool.tryAcquire();
    expect(asked).toBeLessThan(20);
    lease.succeed();
    expect(next()).toBe(lease.proxy.id);
    time.now++;
    pool.tryAcquire().fail({ kind: 'connect' });
  }
  expect(asked).toBeGreaterThan(0);
  spy.mockRestore();
});
