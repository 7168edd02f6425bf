import type { Lease } from 'proxyvault';
import { expect, it } from 'vitest';
import { type Opened, open, START } from './open-pool.ts';

/** What the model test (test/rotation/model/) has found, each as small as it could be made. */

const at = (ms: number): string => new Date(START + ms).toISOString();

/** So many successes of each proxy that it may have any number of leases. */
function prove({ pool, ids }: Opened): void {
  for (let n = 0; n < 5; n++) for (const id of ids) pool.report(id, { success: true });
}

function refusal(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

it('failures in a row end with a success that waits to be stored, though the proxy is read again meanwhile', async () => {
  const { vault, pool } = await open(2);
  vault.config.update({ failureThreshold: 2, options: { health: { outliers: false } } });
  pool.report('a', { kind: 'connect' });
  pool.tryAcquire({ exclude: ['b'] }).succeed();
  vault.proxies.update('a', { name: 'another' });
  pool.tryAcquire({ exclude: ['b'] }).fail({ kind: 'connect' });
  expect(pool.stats().states.ready).toBe(2);
  // With other weights everything is read again.
  pool.tryAcquire({ exclude: ['b'] }).succeed();
  vault.config.update({ options: { weights: { b: 2 } } });
  pool.tryAcquire({ exclude: ['b'] }).fail({ kind: 'connect' });
  expect(pool.stats().states.ready).toBe(2);
});

it('a new login brings back a proxy whose status is failed since the old one was rejected', async () => {
  const { vault, pool } = await open(2);
  vault.config.update({ failureThreshold: 3 });
  pool.tryAcquire({ exclude: ['b'] }).fail({ kind: 'auth' });
  expect(vault.proxies.findById('a')?.status).toBe('failed');
  vault.credentials.store('a', { username: 'me', password: 'new' });
  expect(vault.proxies.findById('a')?.status).toBe('active');
  expect(pool.choose({ exclude: ['b'] }).id).toBe('a');
  // What somebody has failed, and has no rejected login, stays failed.
  vault.proxies.update('b', { status: 'failed' });
  vault.credentials.store('b', { username: 'me', password: 'new' });
  expect(vault.proxies.findById('b')?.status).toBe('failed');
});

it('readyAt is when the last reason ends, and not the first', async () => {
  const opened = await open(2);
  const { vault, pool } = opened;
  prove(opened);
  vault.config.update({ options: { limits: { minIntervalMs: 90_000 } } });
  const lease = pool.tryAcquire({ domain: 'x.example', exclude: ['b'] });
  lease.fail({ kind: 'blocked', retryAfterMs: 300_000 });
  pool.cool('a', { forMs: 20_000 });
  const readyAt = (domain: string) => refusal(() => pool.choose({ domain, exclude: ['b'] }));
  expect(readyAt('x.example')).toMatchObject({ details: { readyAt: at(300_000) } });
  expect(readyAt('y.example')).toMatchObject({ details: { readyAt: at(90_000) } });
});

it('a session does not wait for a proxy that pauses for the domain if it cools for it too', async () => {
  const opened = await open(2);
  const { vault, pool } = opened;
  prove(opened);
  vault.config.update({ options: { limits: { minDomainIntervalMs: 1000 } } });
  const request = { session: 's', domain: 'x.example' };
  const lease = pool.tryAcquire(request);
  const before = lease.proxy.id;
  expect(refusal(() => pool.tryAcquire(request))).toMatchObject({ details: { proxyId: before } });
  lease.fail({ status: 429 });
  expect(pool.tryAcquire(request).proxy.id).not.toBe(before);
});

it('most of the pool cools if most of the active proxies do: those that are disabled do not count', async () => {
  const opened = await open(4);
  const { vault, pool } = opened;
  prove(opened);
  for (const id of ['a', 'b']) pool.report(id, { kind: 'connect', retryAfterMs: 60_000 });
  {
    using lease = pool.tryAcquire({ exclude: ['c', 'd'] });
    expect(lease.proxy.id).toBe('a');
  }
  vault.proxies.update('b', { status: 'disabled' });
  expect(refusal(() => pool.tryAcquire({ exclude: ['c', 'd'] }))).toMatchObject({ code: 'NO_PROXY' });
});

it('a proxy that a person has failed, and that fails then, comes back by itself, as it does after a restart', async () => {
  const { vault, pool, time } = await open(2);
  vault.proxies.update('a', { status: 'failed' });
  expect(pool.stats().states.failed).toBe(1);
  pool.report('a', { kind: 'connect', retryAfterMs: 60_000 });
  expect(pool.stats().states).toMatchObject({ failed: 0, cooling: 1 });
  time.now += 60_000;
  pool.report('a', { success: true });
  expect(vault.proxies.findById('a')?.status).toBe('active');
});

it('a late report counts though the whole pool was read again since, and the proxy has another place', async () => {
  const { vault, pool, time } = await open(3);
  const lease = pool.tryAcquire({ exclude: ['a', 'b'] });
  time.now += 60_000;
  expect(pool.stats().ended.abandoned).toBe(1);
  vault.proxies.delete('a');
  vault.config.update({ options: { weights: { b: 2 } } });
  pool.stats();
  lease.succeed();
  pool.flush();
  expect(vault.proxies.findById('c')?.totalRequests).toBe(1);
});

it('who waits is served in order of arrival, also if a lease expires when a cooldown ends', async () => {
  const opened = await open(1);
  const { vault, pool, time } = opened;
  vault.config.update({ options: { limits: { maxConcurrentPerProxy: 1 } } });
  pool.tryAcquire();
  pool.cool('a', { forMs: 400, domain: 'z.example' });
  const served: string[] = [];
  const waits = ['z.example', 'y.example'].map(async (domain) => {
    const lease: Lease = await pool.acquire({ domain, waitMs: 10_000 });
    served.push(domain);
    lease.succeed();
  });
  time.now += 60_000;
  pool.stats();
  await Promise.all(waits);
  expect(served).toEqual(['z.example', 'y.example']);
});

it('a proxy that gets the place of one that was deleted is another suspect', async () => {
  const opened = await open(2);
  const { vault, pool } = opened;
  prove(opened);
  vault.config.update({ options: { health: { domainProxies: 2 } } });
  pool.report('a', { kind: 'timeout', domain: 'x.example' });
  vault.proxies.delete('a');
  pool.stats();
  // Who is gone is no witness: it takes two.
  pool.report('b', { kind: 'timeout', domain: 'x.example' });
  expect(pool.stats().failingDomains).toEqual([]);
  vault.proxies.create({ id: 'c', host: 'c.example', port: 8080, protocol: 'http' });
  pool.report('c', { success: true });
  pool.report('c', { kind: 'timeout', domain: 'x.example' });
  expect(pool.stats().failingDomains).toEqual(['x.example']);
});

it('a new login, and the end of a cooldown, forgive failures also if the whole pool is read again', async () => {
  const opened = await open(3, { random: () => 0 });
  const { vault, pool, time } = opened;
  prove(opened);
  vault.config.update({ strategy: 'failure-aware', options: { health: { outliers: false } } });
  const isHeldAgainst = (): boolean => JSON.stringify(pool.explain()).includes('in a row');
  const failA = (kind: 'connect' | 'auth'): void => pool.tryAcquire({ exclude: ['b', 'c'] }).fail({ kind });
  failA('connect');
  expect(isHeldAgainst()).toBe(true);
  failA('auth');
  vault.credentials.store('a', { username: 'me', password: 'new' });
  vault.config.update({ options: { weights: { b: 2 } } });
  expect(isHeldAgainst()).toBe(false);
  failA('connect');
  time.now += 30_000;
  vault.config.update({ options: { weights: { b: 3 } } });
  expect(pool.stats().states.cooling).toBe(0);
  expect(isHeldAgainst()).toBe(false);
});

it('outcomes that wait over midnight count for their own days, and go with their proxy', async () => {
  const opened = await open(2);
  const { vault, pool, time } = opened;
  vault.config.update({ options: { durability: { lossMs: 60_000, lossOutcomes: 1000 } } });
  const succeed = (): void => {
    for (const other of ['a', 'b']) pool.tryAcquire({ exclude: [other] }).succeed({ latencyMs: 10 });
  };
  time.now = START + 12 * 3_600_000 - 10_000;
  succeed();
  time.now += 20_000;
  succeed();
  succeed();
  vault.proxies.delete('b');
  expect(pool.stats().store.outcomes).toBe(3);
  pool.flush();
  const usage = vault.usage.findByProxy('a').map(({ date, requestCount }) => [date, requestCount]);
  expect(usage.sort()).toEqual([
    ['2026-05-01', 1],
    ['2026-05-02', 2],
  ]);
});
