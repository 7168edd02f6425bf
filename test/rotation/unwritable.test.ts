import Database from 'better-sqlite3';
import type { PoolEvents } from 'proxyvault';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { thrownBy } from '../support/temporary.ts';
import { type Opened, open } from './open-pool.ts';

/** A pool whose first hand-out is stored, and whose timers are the test's. */
async function begun(proxies: number, options = {}): Promise<Opened> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const opened = await open(proxies, { busyTimeoutMs: 20, ...options });
  opened.pool.choose();
  vi.advanceTimersByTime(1000);
  return opened;
}

function lock(path: string): { letGo: () => void } {
  const db = new Database(path);
  onTestFinished(() => void db.close());
  db.exec('BEGIN IMMEDIATE');
  return { letGo: () => void db.exec('ROLLBACK') };
}

const numberIn = ({ vault }: Opened, sql: string): number => Number(vault.database.query(sql)[0]?.n);
const REQUESTS = 'SELECT coalesce(sum(total_requests), 0) AS n FROM proxies';
const COOLDOWNS = 'SELECT count(*) AS n FROM proxy_cooldowns';
const EVENTS = "SELECT count(*) AS n FROM rotation_events WHERE reason = 'scheduled'";

describe('while another process holds the lock', () => {
  it('outcomes wait in memory, the pool says so and stays fast, and they are stored once it can', async () => {
    const opened = await begun(3);
    const { pool, path, time, vault } = opened;
    for (const id of opened.ids) pool.report(id, { success: true });
    const { letGo } = lock(path);
    const transaction = vi.spyOn(vault.database.driver, 'transaction');
    for (let n = 0; n < 5000; n++) pool.tryAcquire().succeed({ latencyMs: 10 });
    // Only the first that reached the bound waited for the lock.
    expect(transaction).toHaveBeenCalledTimes(1);
    time.now += 700;
    expect(pool.stats().store).toMatchObject({ error: 'BUSY', outcomes: 5000, ageMs: 700 });
    letGo();
    vi.advanceTimersByTime(3200);
    expect(pool.stats().store).toMatchObject({ error: null, outcomes: 0, ageMs: 0 });
    expect(numberIn(opened, REQUESTS)).toBe(5003);
  });

  it('a cooldown that cannot be committed throws, holds nevertheless, and is stored without another failure', async () => {
    const opened = await begun(1);
    const { pool, path, time } = opened;
    const lease = pool.tryAcquire();
    const { letGo } = lock(path);
    expect(thrownBy(() => lease.fail({ kind: 'connect' }))).toMatchObject({ code: 'BUSY' });
    expect(lease.state).toBe('reported');
    expect(pool.stats().states).toMatchObject({ cooling: 1, ready: 0 });
    expect(numberIn(opened, COOLDOWNS)).toBe(0);
    letGo();
    vi.advanceTimersByTime(3200);
    expect(numberIn(opened, COOLDOWNS)).toBe(1);
    expect(numberIn(opened, REQUESTS)).toBe(1);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
    time.now += 1;
    expect(pool.stats().states).toMatchObject({ cooling: 1 });
  });

  it('a cooldown that is not stored yet holds also if somebody else changes the proxy', async () => {
    const opened = await begun(2);
    const { pool, path, time } = opened;
    const lease = pool.tryAcquire();
    const db = new Database(path);
    onTestFinished(() => void db.close());
    db.exec('BEGIN IMMEDIATE');
    expect(thrownBy(() => lease.fail({ kind: 'connect' }))).toMatchObject({ code: 'BUSY' });
    db.prepare('UPDATE proxies SET region = ? WHERE id = ?').run('north', lease.proxy.id);
    db.exec('COMMIT');
    expect(pool.stats().states).toMatchObject({ cooling: 1, ready: 1 });
    vi.advanceTimersByTime(3200);
    expect(numberIn(opened, COOLDOWNS)).toBe(1);
    time.now += 1;
    expect(pool.stats().states).toMatchObject({ cooling: 1, ready: 1 });
  });

  it('with `every`, who reports is told, a proxy is out nevertheless, and the outcome is stored later', async () => {
    const opened = await begun(1);
    const { pool, path, vault } = opened;
    vault.config.update({ options: { durability: { outcomes: 'every' } } });
    const lease = pool.tryAcquire();
    const { letGo } = lock(path);
    expect(thrownBy(() => lease.fail({ kind: 'connect' }))).toMatchObject({ code: 'BUSY' });
    expect(pool.stats()).toMatchObject({ states: { cooling: 1 }, store: { outcomes: 1, error: 'BUSY' } });
    letGo();
    vi.advanceTimersByTime(3200);
    expect(numberIn(opened, COOLDOWNS)).toBe(1);
    expect(numberIn(opened, REQUESTS)).toBe(1);
  });

  it('to close throws why, and says how much is lost', async () => {
    const opened = await begun(3);
    const { pool, path, vault } = opened;
    vault.config.update({ options: { history: { events: 'all' } } });
    const lost: PoolEvents['lost'][] = [];
    pool.on('lost', (event) => lost.push(event));
    const leases = opened.ids.map(() => pool.tryAcquire());
    for (const lease of leases.slice(0, 2)) lease.succeed();
    lock(path);
    await expect(vault.close()).rejects.toMatchObject({ code: 'BUSY' });
    expect(lost).toEqual([{ outcomes: 2, events: 3, message: expect.stringContaining('BUSY') }]);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
  });
});

it('a full disk keeps outcomes in memory, and they are stored once there is space', async () => {
  const count = 3000;
  const opened = await begun(count);
  const { pool, vault } = opened;
  const { driver } = vault.database;
  driver.pragma(`max_page_count = ${numberIn(opened, 'SELECT page_count AS n FROM pragma_page_count')}`);
  for (let n = 0; n < count; n++) pool.tryAcquire({ exclude: [] }).succeed();
  expect(pool.stats().store).toMatchObject({ error: 'DISK_FULL', outcomes: count });
  vi.advanceTimersByTime(10_000);
  expect(numberIn(opened, REQUESTS)).toBe(0);
  driver.pragma('max_page_count = 1000000');
  vi.advanceTimersByTime(3200);
  expect(pool.stats().store).toMatchObject({ error: null, outcomes: 0 });
  expect(numberIn(opened, REQUESTS)).toBe(count);
});

describe('history', () => {
  it('has one event for each hand-out with `all`, stored together, also of a long loop', async () => {
    const opened = await begun(3);
    const { pool, vault } = opened;
    vault.config.update({ options: { history: { events: 'all' }, durability: { lossOutcomes: 100 } } });
    const before = numberIn(opened, EVENTS);
    for (let n = 0; n < 99; n++) pool.choose();
    expect(numberIn(opened, EVENTS)).toBe(before);
    pool.choose();
    expect(numberIn(opened, EVENTS)).toBe(before + 100);
    pool.choose();
    vi.advanceTimersByTime(200);
    expect(numberIn(opened, EVENTS)).toBe(before + 101);
    expect(pool.stats().store.lostEvents).toBe(0);
  });

  it('has only changes unless told otherwise, and turns do not need it', async () => {
    const opened = await begun(3);
    for (let n = 0; n < 10; n++) opened.pool.choose();
    vi.advanceTimersByTime(200);
    expect(numberIn(opened, 'SELECT count(*) AS n FROM rotation_events')).toBe(0);
    expect(numberIn(opened, 'SELECT count(*) AS n FROM rotation_turns')).toBe(1);
  });

  it('events that cannot be stored for long are lost, and listeners are told once it can be written again', async () => {
    const opened = await begun(1);
    const { pool, path, vault } = opened;
    vault.config.update({ options: { history: { events: 'all' } } });
    const lost: PoolEvents['lost'][] = [];
    pool.on('lost', (event) => lost.push(event));
    pool.choose();
    const { letGo } = lock(path);
    for (let n = 0; n < 100_010; n++) pool.choose();
    expect(pool.stats().store).toMatchObject({ error: 'BUSY', lostEvents: 11 });
    letGo();
    vi.advanceTimersByTime(3200);
    expect(lost).toEqual([{ outcomes: 0, events: 11, message: expect.any(String) }]);
    expect(numberIn(opened, EVENTS)).toBe(100_000);
  });

  it('is pruned by age, in the background, also if it is long', async () => {
    const opened = await begun(1);
    const { pool, vault, time } = opened;
    vault.config.update({ options: { history: { eventDays: 30, usageDays: 400 } } });
    const daysAgo = (days: number): Date => new Date(time.now - days * 86_400_000);
    const event = { previousProxyId: null, newProxyId: 'a', reason: 'manual' } as const;
    vault.events.recordMany(Array.from({ length: 700 }, () => ({ ...event, timestamp: daysAgo(31) })));
    vault.events.append({ ...event, timestamp: daysAgo(29) });
    const days = [401, 399].map((ago) => daysAgo(ago).toISOString().slice(0, 10));
    for (const date of days) vault.usage.record('a', { success: true, date });
    const left: number[] = [];
    for (let n = 0; n < 3; n++) {
      time.now += 61_000;
      pool.choose();
      vi.advanceTimersByTime(200);
      left.push(numberIn(opened, 'SELECT count(*) AS n FROM rotation_events'));
    }
    expect(left).toEqual([201, 1, 1]);
    expect(numberIn(opened, 'SELECT count(*) AS n FROM proxy_usage_stats')).toBe(1);
  });
});
