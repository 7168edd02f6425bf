import { inspect } from 'node:util';
import { type AcquireRequest, type Lease, openVault, type PoolEvents } from 'proxyvault';
import { describe, expect, it, vi } from 'vitest';
import { open, storedUse } from './open-pool.ts';

const LOGIN = { username: 'me', password: 's3cret-word' };

/** A success of each, so that none is unproven. */
function prove({ pool, ids }: Awaited<ReturnType<typeof open>>, times = 5): void {
  for (let n = 0; n < times; n++) for (const id of ids) pool.report(id, { success: true });
}

describe('a lease', () => {
  it('has the proxy, an id, its end, and the login by reveal alone', async () => {
    const { vault, pool } = await open([{ credentials: LOGIN }]);
    using lease = pool.tryAcquire({ url: 'https://shop.example/cart', session: 'cart-17' });
    expect(lease.proxy.id).toBe('a');
    expect(lease.id).toMatch(/^lease-[0-9a-f]{12}-0-0$/);
    expect(lease.expiresAt).toBe('2026-05-01T12:01:00.000Z');
    expect(lease.reveal().password).toBe('s3cret-word');
    expect(lease.reveal().url).toBe(vault.reveal('a').url);
    for (const shown of [
      inspect(lease),
      JSON.stringify(lease),
      String(lease),
      inspect(lease, { showHidden: true }),
    ])
      expect(shown).not.toContain('s3cret');
    expect(JSON.parse(JSON.stringify(lease))).toMatchObject({
      id: lease.id,
      state: 'held',
      proxy: { id: 'a' },
    });
  });

  it('is reported once: then it has ended', async () => {
    const { pool } = await open(1);
    const lease = pool.tryAcquire();
    lease.succeed({ latencyMs: 120, bytes: 4096 });
    expect(lease.state).toBe('reported');
    expect(() => lease.succeed()).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
    expect(() => lease.renew()).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
    expect(pool.stats()).toMatchObject({
      leases: 0,
      ended: { succeeded: 1, failed: 0, abandoned: 0, late: 0, bytes: 4096 },
    });
  });

  it('is abandoned at the end of its block, and says nothing about the proxy', async () => {
    const { pool } = await open(1);
    {
      using lease = pool.tryAcquire();
      expect(lease.state).toBe('held');
    }
    expect(pool.stats()).toMatchObject({ leases: 0, ended: { abandoned: 1 }, states: { ready: 1 } });
  });

  it('expires if nobody reports it, is counted, and holds nothing up', async () => {
    const { pool, time } = await open(1);
    const lease = pool.tryAcquire({ leaseMs: 5000 });
    time.now += 4999;
    expect(() => pool.tryAcquire()).toThrow(expect.objectContaining({ code: 'NO_PROXY' }));
    time.now += 1;
    const next = pool.tryAcquire();
    expect(lease.state).toBe('expired');
    expect(pool.stats()).toMatchObject({ leases: 1, ended: { abandoned: 1 } });
    next.succeed();
  });

  it('a late report counts, and changes no limit', async () => {
    const opened = await open(1);
    const { pool, time, vault } = opened;
    const late = pool.tryAcquire({ leaseMs: 1000 });
    time.now += 1000;
    const current = pool.tryAcquire();
    late.succeed({ latencyMs: 10 });
    expect(pool.stats()).toMatchObject({ leases: 1, ended: { succeeded: 1, abandoned: 1, late: 1 } });
    // The proxy is still unproven, and in use.
    expect(() => pool.tryAcquire()).toThrow(expect.objectContaining({ code: 'NO_PROXY' }));
    expect(() => late.succeed()).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
    current.succeed();
    pool.close();
    expect(vault.proxies.findById('a')).toMatchObject({ totalRequests: 2, successRate: 100 });
  });

  it('is renewed for as long as at first, or as long as is said', async () => {
    const { pool, time } = await open(1);
    const lease = pool.tryAcquire({ leaseMs: 1000 });
    time.now += 900;
    lease.renew();
    time.now += 900;
    lease.renew(60_000);
    time.now += 59_999;
    expect(pool.stats().leases).toBe(1);
    time.now += 1;
    expect(pool.stats().leases).toBe(0);
    expect(() => lease.renew()).toThrow(/acquire another/);
  });

  it('does not expire while the clock is set back', async () => {
    const { pool, time } = await open(1);
    pool.tryAcquire({ leaseMs: 10_000 });
    time.now += 4000;
    expect(pool.stats().leases).toBe(1);
    time.now -= 3_600_000;
    expect(pool.stats().leases).toBe(1);
    time.now += 5999;
    expect(pool.stats().leases).toBe(1);
    time.now += 1;
    expect(pool.stats().leases).toBe(0);
  });

  it.each<[AcquireRequest, string]>([
    [{ leaseMs: 0 }, 'leaseMs'],
    [{ leaseMs: 1.5 }, 'leaseMs'],
    [{ waitMs: -1 }, 'waitMs'],
    [{ signal: {} as AbortSignal }, 'signal'],
    [{ stored: 1 as unknown as boolean }, 'stored'],
    [{ leaseMS: 5 } as AcquireRequest, 'leaseMS'],
  ])('%o is INVALID_INPUT', async (request, name) => {
    const { pool } = await open(1);
    await expect(pool.acquire(request)).rejects.toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
    await expect(pool.acquire(request)).rejects.toThrow(name);
    expect(pool.stats().ended).toMatchObject({ abandoned: 0 });
  });

  it.each([
    [{}, 'kind'],
    [{ kind: 'slow' }, 'connect, tls, auth'],
    [{ status: 99 }, 'status'],
    [{ kind: 'reset', retryAfterMs: -1 }, 'retryAfterMs'],
    [{ kind: 'reset', latency: 4 }, 'latency'],
  ])('a failure of %o is INVALID_INPUT, and the lease is still held', async (failure, words) => {
    const { pool } = await open(1);
    const lease = pool.tryAcquire();
    expect(() => lease.fail(failure as { kind: 'reset' })).toThrow(words);
    expect(lease.state).toBe('held');
  });

  it('is reported by its id, from elsewhere in the program', async () => {
    const { pool } = await open(1);
    const { id } = pool.tryAcquire();
    pool.reportLease(id, { status: 200 });
    expect(() => pool.reportLease(id, { status: 200 })).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
    expect(() => pool.reportLease('lease-0-0', { success: true })).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
    expect(pool.stats().ended.succeeded).toBe(1);
  });

  it('that is stored is reported by another process, once', async () => {
    const { vault, pool, path, time } = await open(1);
    const { id } = pool.tryAcquire({ domain: 'shop.example', stored: true });
    const other = await openVault({
      path,
      keyFile: `${path}.key`,
      clock: () => time.now,
      durability: 'normal',
    });
    other.pool.reportLease(id, { status: 429, retryAfterMs: 30_000 });
    expect(() => other.pool.reportLease(id, { success: true })).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
    const [cooldown] = other.database.query('SELECT scope, kind, until FROM proxy_cooldowns');
    expect(cooldown).toMatchObject({ scope: 'domain shop.example', kind: 'blocked' });
    await other.close();
    // This one sees it, within a quarter of a second by its clock.
    time.now += 251;
    expect(() => pool.tryAcquire({ domain: 'shop.example' })).toThrow(
      expect.objectContaining({ code: 'NO_PROXY' }),
    );
    expect(vault.database.query('SELECT count(*) AS n FROM proxy_leases')).toEqual([{ n: 0 }]);
  });
});

describe('what is stored of leases', () => {
  it.each(['batched', 'every'] as const)('counts each hand-out once, with outcomes %s', async (outcomes) => {
    const { vault, pool, ids } = await open(3);
    vault.config.update({ options: { durability: { outcomes, lossOutcomes: 2 } } });
    for (let n = 0; n < 9; n++) pool.tryAcquire().succeed();
    pool.close();
    expect(ids.map((id) => storedUse(vault, id).handOuts)).toEqual([3, 3, 3]);
    expect(ids.map((id) => vault.proxies.findById(id)?.totalRequests)).toEqual([3, 3, 3]);
  });
});

describe('limits', () => {
  it('maxConcurrentPerProxy', async () => {
    const opened = await open(2);
    const { pool, vault } = opened;
    prove(opened);
    vault.config.update({ options: { limits: { maxConcurrentPerProxy: 2 } } });
    const leases = Array.from({ length: 4 }, () => pool.tryAcquire());
    expect(leases.map(({ proxy }) => proxy.id).sort()).toEqual(['a', 'a', 'b', 'b']);
    expect(() => pool.tryAcquire()).toThrow(/2 are busy/);
    leases[2]?.succeed();
    expect(pool.tryAcquire().proxy.id).toBe(leases[2]?.proxy.id);
  });

  it('minIntervalMs, for choose too', async () => {
    const opened = await open(2);
    const { pool, vault, time } = opened;
    prove(opened);
    vault.config.update({ options: { limits: { minIntervalMs: 1000 } } });
    expect([pool.choose().id, pool.tryAcquire().proxy.id]).toEqual(['a', 'b']);
    const refused = () => pool.choose();
    expect(refused).toThrow(/2 are pausing\. The next one may be ready at 2026-05-01T12:00:01.000Z/);
    expect(refused).toThrow(
      expect.objectContaining({
        code: 'NO_PROXY',
        details: expect.objectContaining({ 'not pausing': 2, readyAt: '2026-05-01T12:00:01.000Z' }),
      }),
    );
    time.now += 1000;
    expect(pool.choose().id).toBe('a');
  });

  it('minDomainIntervalMs pauses for one domain only', async () => {
    const opened = await open(1);
    const { pool, vault, time } = opened;
    prove(opened);
    vault.config.update({ options: { limits: { minDomainIntervalMs: 1000 } } });
    pool.choose({ domain: 'a.example' });
    expect(() => pool.choose({ domain: 'a.example' })).toThrow(/1 is pausing/);
    expect(pool.choose({ domain: 'b.example' }).id).toBe('a');
    expect(pool.choose().id).toBe('a');
    time.now += 1000;
    expect(pool.choose({ domain: 'a.example' }).id).toBe('a');
  });

  it('maxRequestsPerProxy, then a rest', async () => {
    const opened = await open(1);
    const { pool, vault, time } = opened;
    prove(opened);
    vault.config.update({ maxRequestsPerProxy: 3, options: { limits: { restMs: 60_000 } } });
    for (let n = 0; n < 3; n++) pool.tryAcquire().succeed();
    expect(() => pool.tryAcquire()).toThrow(/1 is resting/);
    expect(pool.stats().states).toMatchObject({ resting: 1, ready: 0 });
    time.now += 60_000;
    for (let n = 0; n < 3; n++) pool.tryAcquire().succeed();
    expect(() => pool.tryAcquire()).toThrow(/1 is resting/);
  });

  it('maxLeases in all', async () => {
    const opened = await open(3);
    const { pool, vault } = opened;
    prove(opened);
    vault.config.update({ options: { limits: { maxLeases: 2 } } });
    const first = pool.tryAcquire();
    pool.tryAcquire();
    expect(() => pool.tryAcquire()).toThrow(/2 leases, and limits.maxLeases allows no more/);
    first.succeed();
    expect(pool.tryAcquire().state).toBe('held');
  });

  it('a session waits for its proxy while that is busy, and does not move', async () => {
    const opened = await open(3);
    const { pool, vault } = opened;
    prove(opened);
    vault.config.update({ options: { limits: { maxConcurrentPerProxy: 1 } } });
    const first = pool.tryAcquire({ session: 's' });
    expect(() => pool.tryAcquire({ session: 's' })).toThrow(/which the session keeps, is busy/);
    const waiting = pool.acquire({ session: 's' });
    first.succeed();
    expect((await waiting).proxy.id).toBe(first.proxy.id);
  });

  it('an unproven proxy gets one request at a time, then 2, 4, 8, 16, then all', async () => {
    const { pool } = await open(1);
    const counts: number[] = [];
    for (let round = 0; round < 6; round++) {
      const leases: Lease[] = [];
      try {
        while (leases.length < 40) leases.push(pool.tryAcquire());
      } catch (error) {
        expect(error).toMatchObject({ code: 'NO_PROXY' });
      }
      counts.push(leases.length);
      for (const [n, lease] of leases.entries())
        if (n === 0) lease.succeed();
        else lease[Symbol.dispose]();
    }
    expect(counts).toEqual([1, 2, 4, 8, 16, 40]);
  });
});

describe('acquire', () => {
  it('waits in the order of arrival', async () => {
    const { pool } = await open(1);
    const first = pool.tryAcquire();
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (number) => {
      const lease = await pool.acquire();
      order.push(number);
      lease[Symbol.dispose]();
    });
    expect(pool.stats().waiting).toBe(3);
    first[Symbol.dispose]();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2, 3]);
    expect(pool.stats()).toMatchObject({ waiting: 0, leases: 0 });
  });

  it('who wants something that is not there holds up nobody else', async () => {
    const opened = await open([{ geolocation: { country: 'DE' } }, { geolocation: { country: 'US' } }]);
    const { pool } = opened;
    const german = pool.tryAcquire({ country: 'DE' });
    const american = pool.tryAcquire({ country: 'US' });
    const first = pool.acquire({ country: 'DE' });
    const second = pool.acquire({ country: 'US' });
    american.succeed();
    expect((await second).proxy.id).toBe('b');
    german.succeed();
    expect((await first).proxy.id).toBe('a');
  });

  it('ends at its deadline, and says why', async () => {
    const { pool } = await open(1);
    pool.tryAcquire();
    await expect(pool.acquire({ waitMs: 20 })).rejects.toThrow(
      /No proxy was ready within 20 ms\..*1 is busy/,
    );
    await expect(pool.acquire({ waitMs: 0 })).rejects.toThrow(expect.objectContaining({ code: 'NO_PROXY' }));
    expect(pool.stats().waiting).toBe(0);
  });

  it('ends with the reason of its signal', async () => {
    const { pool } = await open(1);
    const lease = pool.tryAcquire();
    const controller = new AbortController();
    const waiting = pool.acquire({ signal: controller.signal });
    const after = pool.acquire();
    const reason = new Error('no longer needed');
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(pool.acquire({ signal: controller.signal })).rejects.toBe(reason);
    lease.succeed();
    expect((await after).state).toBe('held');
  });

  it('does not wait for what cannot come', async () => {
    const { pool, vault } = await open([{ status: 'disabled' }]);
    await expect(pool.acquire()).rejects.toThrow(/1 is disabled/);
    vault.proxies.update('a', { status: 'active' });
    await expect(pool.acquire({ country: 'DE' })).rejects.toThrow(
      expect.objectContaining({ code: 'NO_PROXY' }),
    );
  });

  it('the line is bounded', async () => {
    const { pool, vault } = await open(1);
    vault.config.update({ options: { limits: { maxWaiting: 2 } } });
    pool.tryAcquire();
    const waiting = [pool.acquire(), pool.acquire()];
    await expect(pool.acquire()).rejects.toThrow(/2 calls wait for a proxy already, and limits.maxWaiting/);
    pool.close();
    for (const each of waiting)
      await expect(each).rejects.toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });

  it('wakes when a lease expires, without another call', async () => {
    const { pool, time } = await open(1);
    pool.tryAcquire({ leaseMs: 50 });
    const waiting = pool.acquire();
    time.now += 50;
    expect((await waiting).proxy.id).toBe('a');
  });

  it('wakes when another process lets a proxy in', async () => {
    const { pool, path, time, vault } = await open(1);
    vault.pool.cool('a', { forMs: 3_600_000 });
    const waiting = pool.acquire();
    const other = await openVault({
      path,
      keyFile: `${path}.key`,
      clock: () => time.now,
      durability: 'normal',
    });
    other.pool.reset(['a']);
    await other.close();
    time.now += 251;
    expect((await waiting).proxy.id).toBe('a');
  });
});

describe('events', () => {
  it('tell what happens to leases and proxies', async () => {
    const { pool } = await open(1);
    const heard: [string, object][] = [];
    for (const name of ['acquired', 'released', 'cooled', 'recovered', 'exhausted'] as const)
      pool.on(name, (event: PoolEvents[typeof name]) => heard.push([name, event]));
    const lease = pool.tryAcquire({ domain: 'shop.example' });
    lease.fail({ kind: 'connect' });
    expect(heard).toEqual([
      ['acquired', { leaseId: lease.id, proxyId: 'a', domain: 'shop.example', session: null }],
      ['cooled', expect.objectContaining({ proxyId: 'a', domain: null, kind: 'connect', times: 1 })],
      ['released', { leaseId: lease.id, proxyId: 'a', outcome: 'failed' }],
    ]);
  });

  it('a listener that throws harms nothing', async () => {
    const { pool } = await open(1);
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
    pool.on('acquired', () => {
      throw new TypeError('s3cret');
    });
    pool.on('acquired', async () => {
      await Promise.reject(new RangeError('later'));
    });
    const heard = vi.fn();
    pool.once('acquired', heard);
    pool.tryAcquire().succeed();
    pool.tryAcquire().succeed();
    await vi.waitFor(() => expect(warn).toHaveBeenCalledTimes(4));
    expect(JSON.stringify(warn.mock.calls)).not.toContain('s3cret');
    expect(heard).toHaveBeenCalledTimes(1);
    warn.mockRestore();
    expect(() => pool.on('leased' as 'acquired', heard)).toThrow(
      /There is no event "leased"; there are acquired/,
    );
  });
});

describe('after the database was closed', () => {
  it.each(['closes its vault', 'closes its database'])(
    'by who %s, a report is CLOSED, since nothing would store it',
    async (how) => {
      const { vault, pool } = await open(2);
      const [reported, left] = [pool.tryAcquire(), pool.tryAcquire()];
      if (how === 'closes its vault') await vault.close();
      else vault.database.close();
      expect(() => reported.succeed()).toThrow(expect.objectContaining({ code: 'CLOSED' }));
      expect(() => left[Symbol.dispose]()).not.toThrow();
    },
  );
});
