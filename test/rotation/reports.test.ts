import { describe, expect, it } from 'vitest';
import { thrownBy } from '../support/temporary.ts';
import { open } from './open-pool.ts';

describe('a report', () => {
  it('takes a proxy out at the threshold, notes it, and takes it back after a success', async () => {
    const { vault, pool, next } = await open(2);
    const { proxies, events, config } = vault;
    config.update({ failureThreshold: 2 });
    expect(next()).toBe('a');
    pool.report('a', { success: false });
    expect(proxies.findById('a')?.status).toBe('active');
    pool.report('a', { success: false });
    expect(proxies.findById('a')).toMatchObject({ status: 'failed', failureCount: 2 });
    expect(events.last()).toMatchObject({ previousProxyId: 'a', newProxyId: null, reason: 'failure' });
    expect([next(), next()]).toEqual(['b', 'b']);
    pool.report('a', { success: true, latencyMs: 5 });
    expect(proxies.findById('a')).toMatchObject({ status: 'active', failureCount: 0, latency: 5 });
    expect([next(), next()].sort()).toEqual(['a', 'b']);
    expect(events.count()).toBe(1);
  });

  it('never takes one out without a threshold, and leaves one that is switched off', async () => {
    const { vault, pool } = await open(1);
    const { proxies, config } = vault;
    for (let n = 0; n < 50; n++) pool.report('a', { success: false });
    expect(proxies.findById('a')?.status).toBe('active');
    config.update({ failureThreshold: 1 });
    for (const status of ['disabled', 'checking'] as const) {
      proxies.update('a', { status });
      pool.report('a', { success: false });
      pool.report('a', { success: true });
      expect(proxies.findById('a')?.status).toBe(status);
    }
  });

  it.each([
    ['a transaction that is rolled back', false],
    ['a savepoint that is rolled back', false],
    ['a transaction that commits', true],
  ])('in %s is learned: %#', async (where, isLearned) => {
    const { vault, pool } = await open(2);
    const { database } = vault;
    pool.report('a', { success: true, latencyMs: 100 });
    const seen = (): unknown => {
      const { proxy, reason, runnersUp } = pool.explain({ strategy: 'fastest', exclude: ['b'] });
      return [proxy?.id, reason, runnersUp];
    };
    const before = seen();
    const report = (): void => {
      for (let n = 0; n < 20; n++) pool.report('a', { success: false, latencyMs: 9000 });
      // As with all that a transaction changes, choosing does not see it before the end.
      expect(seen()).toEqual(before);
      if (!isLearned) throw new Error('undo');
    };
    if (where.startsWith('a savepoint'))
      database.transaction(() => thrownBy(() => database.transaction(report)));
    else if (isLearned) database.transaction(report);
    else thrownBy(() => database.transaction(report));
    if (isLearned) expect(seen()).not.toEqual(before);
    else expect(seen()).toEqual(before);
  });

  it('of nobody is NOT_FOUND, and an invalid one INVALID_INPUT', async () => {
    const { pool, vault } = await open(1);
    expect(thrownBy(() => pool.report('nobody', { success: true }))).toMatchObject({ code: 'NOT_FOUND' });
    for (const report of [
      null,
      [],
      {},
      { success: 1 },
      { success: true, latency: 5 },
      { success: true, latencyMs: -1 },
      { success: true, latencyMs: Number.NaN },
      { success: true, latencyMs: '5' },
    ])
      expect(thrownBy(() => pool.report('a', report as never))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(vault.proxies.findById('a')).toMatchObject({ totalRequests: 0, latency: null });
  });

  it('is one of another process too: at the threshold its proxy is out', async () => {
    const { vault, next, path, time } = await open(2);
    vault.config.update({ failureThreshold: 1 });
    expect(next()).toBe('a');
    const other = await open(0, { path });
    other.pool.report('b', { success: false });
    time.now += 1000;
    expect([next(), next()]).toEqual(['a', 'a']);
  });
});
