import Database from 'better-sqlite3';
import { type Lease, openVault, type Pool, type Vault } from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { type Opened, open } from './open-pool.ts';

function prove({ pool, ids }: Opened, times = 5): void {
  for (let n = 0; n < times; n++) for (const id of ids) pool.report(id, { success: true });
}

const NO_PROXY = expect.objectContaining({ code: 'NO_PROXY' });

async function reopened({ path, time }: Opened) {
  return openVault({ path, keyFile: `${path}.key`, clock: () => time.now, durability: 'normal' });
}

describe('attacks', () => {
  it('A1 outcomes of a deleted proxy are not counted for the one that gets its slot', async () => {
    const { vault, pool } = await open(2);
    pool.tryAcquire({ exclude: ['a'] }).succeed();
    for (let n = 0; n < 3; n++) pool.tryAcquire({ exclude: ['b'] }).succeed();
    vault.proxies.delete('a');
    vault.proxies.create({ id: 'z', host: 'z.example', port: 1, protocol: 'http' });
    pool.tryAcquire({ exclude: ['z'] }).succeed();
    pool.close();
    expect(vault.proxies.findById('z')).toMatchObject({ totalRequests: 0 });
  });

  it('A2 a lease of a proxy that was deleted and made again with the same id frees no place of the new one', async () => {
    const { vault, pool } = await open(1);
    const old = pool.tryAcquire();
    vault.proxies.delete('a');
    vault.proxies.create({ id: 'a', host: 'z.example', port: 1, protocol: 'http' });
    pool.tryAcquire();
    old.fail({ kind: 'timeout' });
    expect(() => pool.tryAcquire()).toThrow(NO_PROXY);
  });

  it('A3 a check that acquires does not let the outer one have more than is allowed', async () => {
    const opened = await open(1);
    const { vault, pool } = opened;
    prove(opened);
    vault.config.update({ options: { limits: { maxConcurrentPerProxy: 1, maxLeases: 1 } } });
    pool.tryAcquire().succeed();
    const inner: Lease[] = [];
    try {
      pool.tryAcquire({}, () => {
        if (inner.length === 0) inner.push(pool.tryAcquire());
      });
    } catch {
      // NO_PROXY is right.
    }
    expect(pool.stats().leases).toBe(1);
  });

  it('A4 maxLeases that is raised holds at the next call', async () => {
    const opened = await open(3);
    const { vault, pool } = opened;
    prove(opened);
    vault.config.update({ options: { limits: { maxLeases: 1 } } });
    pool.stats();
    pool.tryAcquire();
    vault.config.update({ options: { limits: { maxLeases: 10 } } });
    expect(pool.tryAcquire().state).toBe('held');
  });

  it('A5 a proxy that failureThreshold has put out comes back though failureThreshold is taken away', async () => {
    const { vault, pool, time } = await open(1, { random: () => 0 });
    vault.config.update({ failureThreshold: 1 });
    pool.tryAcquire().fail({ kind: 'connect' });
    expect(vault.proxies.findById('a')?.status).toBe('failed');
    vault.config.update({ failureThreshold: null });
    time.now += 3_600_000;
    pool.tryAcquire().succeed();
    vault.proxies.update('a', { region: 'x' });
    expect(pool.tryAcquire().state).toBe('held');
    expect(vault.proxies.findById('a')?.status).toBe('active');
  });

  it('A6 a failed proxy whose cooldown has ended long ago comes back, also after prune', async () => {
    const { vault, pool, time } = await open(1, { random: () => 0 });
    vault.config.update({ failureThreshold: 1 });
    pool.tryAcquire().fail({ kind: 'connect' });
    time.now += 3 * 86_400_000;
    expect(pool.stats().states.ready).toBe(1);
    vault.prune({});
    expect(pool.tryAcquire().state).toBe('held');
  });

  it('A7 reset forgets failures that are not stored yet', async () => {
    const opened = await open(2, { random: () => 0 });
    const { pool } = opened;
    prove(opened);
    for (let n = 0; n < 2; n++) pool.tryAcquire({ exclude: ['b'] }).fail({ kind: 'connect' });
    pool.reset(['a']);
    pool.tryAcquire({ exclude: ['b'] }).fail({ kind: 'connect' });
    expect(pool.stats().states).toMatchObject({ cooling: 0, ready: 2 });
  });

  it('A8 failures on a domain do not count against the proxy after a restart', async () => {
    const opened = await open(2, { random: () => 0 });
    prove(opened);
    for (let n = 0; n < 2; n++) opened.pool.report('a', { kind: 'timeout', domain: `d${n}.example` });
    const other = await reopened(opened);
    other.pool.report('a', { kind: 'connect' });
    const there = other.pool.stats().states.cooling;
    await other.close();
    expect(there).toBe(0);
  });

  it('A9 a waiter that is aborted while it is served is counted out once', async () => {
    const opened = await open(2);
    const { vault, pool } = opened;
    prove(opened);
    vault.config.update({ options: { limits: { maxLeases: 1 } } });
    const first = pool.tryAcquire();
    const controller = new AbortController();
    const one = pool.acquire({ signal: controller.signal, waitMs: 2000 }).catch((error: unknown) => error);
    const two = pool.acquire({ waitMs: 2000, country: undefined }).catch((error: unknown) => error);
    pool.once('acquired', () => controller.abort(new Error('stop')));
    first.succeed();
    expect(await one).toMatchObject({ message: 'stop' });
    // The next one has the lease that nobody has got.
    expect(await two).toMatchObject({ state: 'held' });
    expect(pool.stats()).toMatchObject({ waiting: 0, leases: 1 });
  });

  it('A10 a lease that a listener reports while it is reported ends once', async () => {
    const opened = await open(2);
    const { pool, time } = opened;
    prove(opened);
    pool.tryAcquire({ leaseMs: 10 });
    const lease = pool.tryAcquire();
    pool.once('released', () => lease.succeed());
    time.now += 10;
    try {
      lease.succeed();
    } catch {
      // INVALID_INPUT is right.
    }
    expect(pool.stats()).toMatchObject({ leases: 0, ended: { succeeded: 1 } });
    const [a, b] = [pool.tryAcquire(), pool.tryAcquire()];
    expect(a.id).not.toBe(b.id);
  });

  it('A11 a rollback of the transaction in which the pool was read first does not keep a proxy busy', async () => {
    const { vault, pool } = await open(1);
    const lease = leaseOfUndone(vault, pool);
    expect(() => lease.succeed()).not.toThrow();
    expect(pool.stats()).toMatchObject({ leases: 0, states: { busy: 0, ready: 1 } });
  });

  it('A12 the same, and a failure is not told that the pool is closed', async () => {
    const { vault, pool } = await open(1);
    const lease = leaseOfUndone(vault, pool);
    expect(() => lease.fail({ kind: 'timeout' })).not.toThrow();
  });

  it('A13 who waits is served when the pause ends, not at the next look', async () => {
    const opened = await open(1);
    const { vault, pool, time } = opened;
    prove(opened);
    vault.config.update({ options: { limits: { maxConcurrentPerProxy: 1, minIntervalMs: 20 } } });
    pool.tryAcquire().succeed();
    time.now += 20;
    const held = pool.tryAcquire();
    time.now += 20;
    // The real clock from here on.
    const began = Date.now();
    const from = time.now;
    Object.defineProperty(time, 'now', { get: () => from + (Date.now() - began) });
    const next = pool.acquire({ waitMs: 2000 });
    const after = pool.acquire({ waitMs: 100 });
    await new Promise((resolve) => setImmediate(resolve));
    held.succeed();
    (await next).succeed();
    await expect(after).resolves.toMatchObject({ state: 'held' });
  });

  it('A14 a cooldown that could not be stored yet holds when another process changes the row', async () => {
    const opened = await open(2, { random: () => 0, busyTimeoutMs: 1 });
    const { pool, time, path } = opened;
    pool.tryAcquire({ exclude: ['b'] }).succeed();
    const lease = pool.tryAcquire({ exclude: ['b'] });
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    expect(() => lease.fail({ kind: 'tls' })).toThrow(expect.objectContaining({ code: 'BUSY' }));
    other.exec(`UPDATE proxies SET region = 'x' WHERE id = 'a'`);
    other.exec('COMMIT');
    other.close();
    time.now += 300;
    expect(pool.stats().states.cooling).toBe(1);
  });

  it('A20 a rejected login that could not be stored yet is stored though nothing else goes out', async () => {
    const opened = await open(2, { random: () => 0, busyTimeoutMs: 1 });
    const { vault, pool, time, path } = opened;
    pool.tryAcquire({ exclude: ['b'] }).succeed();
    const lease = pool.tryAcquire({ exclude: ['b'] });
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    expect(() => lease.fail({ kind: 'auth' })).toThrow(expect.objectContaining({ code: 'BUSY' }));
    other.exec('ROLLBACK');
    other.close();
    for (let n = 0; n < 10; n++) {
      time.now += 1000;
      pool.tryAcquire().succeed();
    }
    pool.close();
    expect(vault.database.query('SELECT kind FROM proxy_cooldowns')).toEqual([{ kind: 'auth' }]);
  });

  it('A21 many who want different things do not make each release slow', async () => {
    const { pool } = await open(1000);
    const held = Array.from({ length: 1000 }, () => pool.tryAcquire());
    for (let n = 0; n < 10_000; n++)
      pool.acquire({ url: `https://shop.example/${n}`, waitMs: 60_000 }).catch(() => {});
    const began = performance.now();
    held[0]?.succeed();
    expect(performance.now() - began).toBeLessThan(50);
    pool.close();
  });

  it('A15 a clock that is set back makes no cooldown longer, also if the row is read again', async () => {
    const opened = await open(2, { random: () => 0 });
    const { vault, pool, time } = opened;
    pool.tryAcquire({ exclude: ['b'] }).fail({ kind: 'connect' });
    time.now += 20_000;
    pool.stats();
    time.now -= 3_600_000;
    pool.stats();
    for (let n = 0; n < 5; n++) {
      time.now += 20_000;
      vault.proxies.update('a', { region: `t${n}` });
      pool.stats();
    }
    expect(pool.stats().states.cooling).toBe(0);
  });

  it('A16 an abandoned stored lease cannot be reported', async () => {
    const { pool } = await open(1);
    let id = '';
    {
      using lease = pool.tryAcquire({ stored: true });
      id = lease.id;
    }
    expect(() => pool.reportLease(id, { success: true })).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
  });

  it('A17 a stored lease that another process reports frees its place here', async () => {
    const opened = await open(1);
    const { pool, time } = opened;
    const lease = pool.tryAcquire({ stored: true });
    const other = await reopened(opened);
    other.pool.reportLease(lease.id, { success: true });
    await other.close();
    time.now += 1000;
    const count = pool.stats().ended;
    lease.succeed();
    pool.close();
    expect(count).toBeDefined();
    expect(opened.vault.proxies.findById('a')).toMatchObject({ totalRequests: 1 });
  });

  it('A18 the message of who waited too long is true', async () => {
    const opened = await open(1);
    const { vault, pool, time } = opened;
    prove(opened);
    vault.config.update({ options: { limits: { minIntervalMs: 1000 } } });
    pool.tryAcquire().succeed();
    const waiting = pool.acquire({ waitMs: 20 });
    setTimeout(() => {
      time.now += 1000;
    }, 5);
    const error: unknown = await waiting.catch((reason: unknown) => reason);
    // Ready by then: a lease, or a message that says something.
    if (error instanceof Error) expect(error.message).not.toMatch(/Of 1 proxy \./);
    else expect(error).toMatchObject({ state: 'held' });
  });

  it('A19 a lease that is reported after close is not lost without a word', async () => {
    const { vault, pool } = await open(1);
    const lease = pool.tryAcquire();
    pool.close();
    let said = false;
    try {
      lease.succeed();
    } catch {
      said = true;
    }
    pool.close();
    expect(said || vault.proxies.findById('a')?.totalRequests === 1).toBe(true);
  });
});

/** A lease that was given in a transaction which is rolled back. */
function leaseOfUndone(vault: Vault, pool: Pool): Lease {
  const leases: Lease[] = [];
  const undone = (): void => {
    leases.push(pool.tryAcquire());
    throw new Error('undo');
  };
  expect(() => vault.database.transaction(undone)).toThrow('undo');
  return leases[0] as Lease;
}
