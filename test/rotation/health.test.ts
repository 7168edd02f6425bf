import { openVault, type PoolEvents } from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../support/seeded-random.ts';
import { type Opened, open, START } from './open-pool.ts';

const at = (ms: number): string => new Date(START + ms).toISOString();

/** So many successes of each proxy that it may have any number of leases. */
function prove({ pool, ids }: Opened, times = 5): void {
  for (let n = 0; n < times; n++) for (const id of ids) pool.report(id, { success: true });
}

function refusal(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return 'nothing was thrown';
}

/** The pool as another process opens it now. */
async function reopened({ path, time }: Opened) {
  return openVault({
    path,
    keyFile: `${path}.key`,
    clock: () => time.now,
    durability: 'normal',
    random: () => 0,
  });
}

describe('a proxy that fails', () => {
  it('is out after three failures in a row, comes back to one request, and then more and more', async () => {
    const opened = await open(5, { random: () => 0 });
    const { pool, time } = opened;
    prove(opened);
    const only = { exclude: ['b', 'c', 'd', 'e'] };
    for (let n = 0; n < 3; n++) pool.tryAcquire(only).fail({ kind: 'connect' });
    expect(() => pool.tryAcquire(only)).toThrow(
      /1 is cooling.*4 are excluded.*ready at 2026-05-01T12:00:30.000Z/,
    );
    expect(pool.stats().states).toMatchObject({ cooling: 1, ready: 4 });
    time.now += 30_000;
    const probe = pool.tryAcquire(only);
    expect(() => pool.tryAcquire(only)).toThrow(/1 is busy/);
    probe.succeed();
    pool.tryAcquire(only);
    pool.tryAcquire(only);
    expect(() => pool.tryAcquire(only)).toThrow(/1 is busy/);
  });

  it('is out for twice as long each time, up to maxCooldownMs', async () => {
    const opened = await open(5, { random: () => 0 });
    const { pool, time } = opened;
    const cooled: number[] = [];
    pool.on('cooled', ({ until }) => cooled.push(Date.parse(until ?? '') - time.now));
    const only = { exclude: ['b', 'c', 'd', 'e'] };
    for (let n = 0; n < 6; n++) {
      pool.tryAcquire(only).fail({ kind: 'tls' });
      time.now += cooled.at(-1) ?? 0;
    }
    expect(cooled).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
  });

  it.each(['fastest', 'failure-aware', 'least-used', 'weighted'] as const)(
    'is tried again as soon as others under %s, once its cooldown is over',
    async (strategy) => {
      const opened = await open(100, { random: seededRandom(7) });
      const { pool, time, vault } = opened;
      vault.config.update({ strategy });
      for (let n = 0; n < 5; n++)
        for (const id of opened.ids) pool.report(id, { success: true, latencyMs: 50 });
      for (let n = 0; n < 30; n++) {
        pool.report('a', { kind: 'connect' });
        time.now += 10_000;
      }
      time.now += 330_000;
      let tried = 0;
      for (let lease = pool.tryAcquire(); lease.proxy.id !== 'a'; lease = pool.tryAcquire()) {
        lease.succeed({ latencyMs: 50 });
        expect(++tried).toBeLessThan(500);
      }
    },
  );

  it('is tried again under fastest, if a failing domain has put it out', async () => {
    const opened = await open(100, { random: seededRandom(7) });
    const { pool, vault, ids } = opened;
    vault.config.update({ strategy: 'fastest' });
    for (const id of ids.slice(1)) pool.report(id, { success: true, latencyMs: 50 });
    for (const domain of ['x.example', 'y.example', 'z.example']) {
      pool.report(ids[9] as string, { kind: 'timeout', domain });
      for (const id of ids.slice(10, 14)) pool.report(id, { success: true, latencyMs: 50, domain });
      pool.report(ids[9] as string, { success: true, latencyMs: 50 });
      pool.report('a', { kind: 'timeout', domain });
    }
    expect(pool.stats().states.cooling).toBe(1);
    for (const id of ids.slice(1, 9)) pool.report(id, { kind: 'timeout', domain: 'z.example' });
    expect(pool.stats()).toMatchObject({ states: { cooling: 0 }, failingDomains: ['z.example'] });
    let tried = 0;
    for (let lease = pool.tryAcquire(); lease.proxy.id !== 'a'; lease = pool.tryAcquire()) {
      lease.succeed({ latencyMs: 50 });
      expect(++tried).toBeLessThan(500);
    }
  });

  it('comes back as it was after a restart, and after a kill, since it is committed at once', async () => {
    const opened = await open(3, { random: () => 0 });
    opened.pool.tryAcquire({ exclude: ['b', 'c'] }).fail({ kind: 'connect' });
    opened.time.now += 10_000;
    // Nothing was closed: what this one sees is on the disk.
    const other = await reopened(opened);
    expect(() => other.pool.tryAcquire({ exclude: ['b', 'c'] })).toThrow(/ready at 2026-05-01T12:00:30.000Z/);
    opened.time.now += 20_000;
    const probe = other.pool.tryAcquire({ exclude: ['b', 'c'] });
    expect(() => other.pool.tryAcquire({ exclude: ['b', 'c'] })).toThrow(/1 is busy/);
    probe.fail({ kind: 'connect' });
    expect(other.database.query('SELECT times, until FROM proxy_cooldowns')).toMatchObject([{ times: 2 }]);
    await other.close();
  });

  it('a clock that is set back while the program does not run makes no cooldown longer', async () => {
    const opened = await open(3, { random: () => 0 });
    opened.pool.tryAcquire({ exclude: ['b', 'c'] }).fail({ kind: 'connect' });
    opened.time.now -= 86_400_000;
    const other = await reopened(opened);
    const error = refusal(() => other.pool.tryAcquire({ exclude: ['b', 'c'] }));
    expect(error).toMatchObject({ details: { readyAt: at(-86_400_000 + 30_000) } });
    await other.close();
  });

  it('with a failureThreshold its status is failed for as long', async () => {
    const opened = await open(3, { random: () => 0 });
    const { vault, pool, time } = opened;
    vault.config.update({ failureThreshold: 2 });
    const only = { exclude: ['b', 'c'] };
    for (let n = 0; n < 2; n++) pool.tryAcquire(only).fail({ kind: 'connect' });
    expect(vault.proxies.findById('a')?.status).toBe('failed');
    expect(() => pool.tryAcquire(only)).toThrow(/1 is cooling/);
    time.now += 30_000;
    pool.tryAcquire(only).succeed();
    expect(vault.proxies.findById('a')?.status).toBe('active');
    expect(pool.tryAcquire(only).proxy.id).toBe('a');
  });

  it('one that a person has failed stays out until a person lets it in', async () => {
    const opened = await open(2);
    const { vault, pool, time } = opened;
    vault.proxies.update('a', { status: 'failed' });
    time.now += 86_400_000;
    expect(() => pool.choose({ exclude: ['b'] })).toThrow(/1 is failed/);
    pool.reset(['a']);
    expect(pool.choose({ exclude: ['b'] }).id).toBe('a');
  });
});

describe('a target that fails', () => {
  it('blocks a proxy for its domain only, for as long as it asks', async () => {
    const opened = await open(2);
    const { pool, time } = opened;
    prove(opened);
    pool.tryAcquire({ domain: 'shop.example', exclude: ['b'] }).fail({ status: 429, retryAfterMs: 90_000 });
    expect(pool.tryAcquire({ domain: 'shop.example' }).proxy.id).toBe('b');
    const error = refusal(() => pool.tryAcquire({ domain: 'shop.example', exclude: ['b'] }));
    expect(error).toMatchObject({
      code: 'NO_PROXY',
      details: { readyAt: at(90_000), 'not cooling': 1, 'not excluded': 1 },
    });
    expect(pool.tryAcquire({ domain: 'other.example', exclude: ['b'] }).proxy.id).toBe('a');
    expect(pool.stats().states).toMatchObject({ cooling: 0, ready: 2 });
    time.now += 90_000;
    expect(pool.tryAcquire({ domain: 'shop.example', exclude: ['b'] }).proxy.id).toBe('a');
  });

  it('a session moves when its proxy is blocked for the domain, or is refused', async () => {
    const opened = await open(3);
    const { pool, vault } = opened;
    prove(opened);
    const request = { domain: 'shop.example', session: 's' };
    const first = pool.tryAcquire(request);
    first.fail({ kind: 'blocked' });
    const second = pool.tryAcquire(request);
    expect(second.proxy.id).not.toBe(first.proxy.id);
    vault.config.update({ options: { stickyWhenOut: 'refuse' } });
    second.fail({ kind: 'blocked' });
    expect(() => pool.tryAcquire(request)).toThrow(/keeps the proxy .*, which is out for this domain/);
  });

  it('nobody is punished if many proxies fail on one domain, and an event says so', async () => {
    const opened = await open(20);
    const { pool, time } = opened;
    prove(opened);
    const heard: PoolEvents['domain-failing'][] = [];
    pool.on('domain-failing', (event) => heard.push(event));
    for (let n = 0; n < 100; n++) {
      time.now += 10;
      pool.tryAcquire({ domain: 'down.example' }).fail({ kind: 'timeout' });
    }
    expect(heard).toMatchObject([{ domain: 'down.example', isFailing: true }]);
    expect(pool.stats()).toMatchObject({ states: { ready: 20 }, failingDomains: ['down.example'] });
    for (let n = 0; n < 300; n++) {
      time.now += 100;
      pool.tryAcquire({ domain: 'down.example' }).succeed();
    }
    expect(heard.at(-1)).toMatchObject({ isFailing: false });
  });

  it('the configuration says what a status means', async () => {
    const opened = await open(3);
    const { pool, vault } = opened;
    prove(opened);
    vault.config.update({ options: { health: { statuses: { '404': 'blocked', '5xx': 'ok' } } } });
    const only = { domain: 'shop.example', exclude: ['b', 'c'] };
    for (let n = 0; n < 5; n++) pool.tryAcquire(only).report({ status: 503 });
    pool.tryAcquire(only).report({ status: 404 });
    expect(() => pool.tryAcquire(only)).toThrow(/1 is cooling/);
    expect(pool.stats().ended).toMatchObject({ succeeded: 5, failed: 1 });
  });
});

describe('a login that is rejected', () => {
  it('puts its proxy out until it changes', async () => {
    const opened = await open([{ credentials: { username: 'me', password: 'old' } }, {}]);
    const { pool, vault, time } = opened;
    prove(opened);
    const only = { exclude: ['b'] };
    pool.tryAcquire(only).fail({ status: 407 });
    time.now += 86_400_000;
    const error = refusal(() => pool.tryAcquire(only));
    expect(error).toMatchObject({ code: 'NO_PROXY', details: { 'not cooling': 1 } });
    await expect(pool.acquire(only)).rejects.toThrow(expect.objectContaining({ code: 'NO_PROXY' }));
    await vault.keys.rotate?.();
    expect(refusal(() => pool.tryAcquire(only))).toMatchObject({ code: 'NO_PROXY' });
    vault.credentials.store('a', { username: 'me', password: 'new' });
    expect(pool.tryAcquire(only).proxy.id).toBe('a');
  });
});

describe('a pool of which most cools', () => {
  it('uses those that come back first, and neither what is excluded nor what a person has put out', async () => {
    const opened = await open(4, { random: () => 0 });
    const { pool, vault, time } = opened;
    prove(opened);
    vault.proxies.update('d', { status: 'disabled' });
    pool.cool('c', { forMs: 3_600_000 });
    for (const id of ['b', 'a']) {
      for (let n = 0; n < 3; n++) pool.report(id, { kind: 'connect' });
      time.now += 1000;
    }
    const { decidedBy, reason } = pool.explain();
    expect([decidedBy, reason]).toEqual(['override', expect.stringContaining('so does most of the pool')]);
    const leases = [pool.tryAcquire(), pool.tryAcquire()];
    expect(leases.map(({ proxy }) => proxy.id)).toEqual(['b', 'a']);
    expect(() => pool.tryAcquire()).toThrow(expect.objectContaining({ code: 'NO_PROXY' }));
    vault.config.update({ options: { health: { overridePercent: 100 } } });
    for (const lease of leases) lease.fail({ kind: 'connect' });
    expect(() => pool.tryAcquire()).toThrow(/1 is disabled, 3 are cooling/);
  });
});

describe('a gateway', () => {
  it('breaks by session', async () => {
    const opened = await open([{ gateway: true }]);
    const { pool } = opened;
    prove(opened);
    for (let n = 0; n < 3; n++) pool.tryAcquire({ session: 's' }).fail({ kind: 'connect' });
    expect(() => pool.tryAcquire({ session: 's' })).toThrow(expect.objectContaining({ code: 'NO_PROXY' }));
    expect(pool.tryAcquire({ session: 't' }).proxy.id).toBe('a');
    for (let n = 0; n < 5; n++) pool.tryAcquire().fail({ kind: 'connect' });
    expect(pool.tryAcquire().proxy.id).toBe('a');
  });
});

describe('a person', () => {
  it('cools a proxy, for all or for one domain, in every process, and lets it in again', async () => {
    const opened = await open(2);
    const { pool, time, vault } = opened;
    pool.cool('a', { forMs: 600_000, reason: 'captcha' });
    pool.cool('b', { forMs: 600_000, domain: 'https://shop.example/x' });
    const other = await reopened(opened);
    expect(() => other.pool.choose({ domain: 'shop.example' })).toThrow(/2 are cooling/);
    expect(other.pool.choose().id).toBe('b');
    other.pool.reset(['a', 'b']);
    await other.close();
    time.now += 251;
    expect(pool.choose({ domain: 'shop.example' }).id).toBe('a');
    expect(vault.database.query('SELECT count(*) AS n FROM proxy_cooldowns')).toEqual([{ n: 0 }]);
    for (const wrong of [{ forMs: 0 }, { forMs: 1, domain: '*' }, { forMs: 1, reason: 'a\nb' }, { for: 1 }])
      expect(() => pool.cool('a', wrong as { forMs: number })).toThrow(
        expect.objectContaining({ code: 'INVALID_INPUT' }),
      );
    expect(() => pool.cool('x', { forMs: 1 })).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    expect(() => pool.reset(['a', 'x'])).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });
});
