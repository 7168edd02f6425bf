import fc from 'fast-check';
import { openVault } from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { readTicket, ticketFor } from '../../src/rotation/ticket.ts';
import { open, START } from './open-pool.ts';

const NOT_FOUND = expect.objectContaining({ code: 'NOT_FOUND' });
const DAY = 86_400_000;

describe('a ticket', () => {
  it('reports a lease that is held, as its id does', async () => {
    const { pool } = await open(1);
    const lease = pool.tryAcquire();
    pool.reportLease(lease.ticket, { status: 200 });
    expect(lease.state).toBe('reported');
    expect(pool.stats().ended).toMatchObject({ succeeded: 1, failed: 0 });
  });

  it('reports a lease that has ended: one more request, for the domain and the session of the lease', async () => {
    const { vault, pool } = await open(2);
    const lease = pool.tryAcquire({ url: 'https://shop.example/', session: 'cart-17' });
    const { ticket } = lease;
    lease.succeed();
    expect(() => pool.reportLease(lease.id, { status: 429 })).toThrow(NOT_FOUND);
    pool.reportLease(ticket, { status: 429, retryAfterMs: 60_000 });
    expect(pool.mayKeep(lease.proxy.id, { domain: 'shop.example' })).toBe(false);
    expect(pool.mayKeep(lease.proxy.id, { domain: 'other.example' })).toBe(true);
    pool.flush();
    expect(vault.proxies.findById(lease.proxy.id)).toMatchObject({ totalRequests: 2, successRate: 50 });
  });

  it('reports from another pool on the same file, which knows nothing of the lease', async () => {
    const { pool, path, time } = await open(2);
    const lease = pool.tryAcquire({ domain: 'shop.example' });
    await using other = await openVault({ path, keyFile: `${path}.key`, clock: () => time.now });
    other.pool.reportLease(lease.ticket, { kind: 'blocked', retryAfterMs: 60_000 });
    time.now += 1000;
    expect(pool.mayKeep(lease.proxy.id, { domain: 'shop.example' })).toBe(false);
  });

  it('lasts a day, and is of no use for a proxy that is gone', async () => {
    const { vault, pool, time } = await open(2);
    const [first, second] = [pool.tryAcquire(), pool.tryAcquire()];
    const tickets = [first.ticket, second.ticket] as const;
    first.succeed();
    second.succeed();
    vault.proxies.delete(first.proxy.id);
    expect(() => pool.reportLease(tickets[0], { success: true })).toThrow(NOT_FOUND);
    time.now += DAY;
    pool.reportLease(tickets[1], { success: true });
    time.now += 1;
    expect(() => pool.reportLease(tickets[1], { success: true })).toThrow(NOT_FOUND);
  });

  it('says what it was made for, in characters that a header may have; any other text says nothing', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 });
    fc.assert(
      fc.property(text, fc.option(text), fc.option(text), (proxyId, domain, session) => {
        const ticket = ticketFor('lease-0-0-0', { proxyId, acquiredAt: START, domain, session });
        expect(ticket).toMatch(/^[\w.-]+$/);
        expect(readTicket(ticket, START)).toEqual({ proxyId, acquiredAt: START, domain, session });
      }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.json()), (junk) => {
        expect(readTicket(junk, START)).toBeNull();
        expect(readTicket(`lease-0-0-0.${Buffer.from(junk).toString('base64url')}`, START)).toBeNull();
      }),
    );
  });
});

describe('a lease that is confirmed', () => {
  it('ends the trial of a proxy before its report, and counts nothing', async () => {
    const { pool, time, vault } = await open(4);
    for (let n = 0; n < 5; n++) pool.report('a', { success: true });
    for (let n = 0; n < 5; n++) pool.report('a', { kind: 'connect' });
    time.now += DAY;
    const others = { exclude: ['b', 'c', 'd'] };
    const trial = pool.tryAcquire(others);
    expect(pool.stats().states).toMatchObject({ ready: 3 });
    expect(() => pool.tryAcquire(others)).toThrow(expect.objectContaining({ code: 'NO_PROXY' }));
    trial.confirm();
    expect(pool.stats()).toMatchObject({ states: { ready: 4 }, ended: { succeeded: 0 } });
    expect(trial.state).toBe('held');
    trial.succeed();
    pool.flush();
    expect(vault.proxies.findById('a')?.totalRequests).toBe(11);
  });

  it('does nothing after its end', async () => {
    const { pool, vault } = await open(1);
    const lease = pool.tryAcquire();
    lease.succeed();
    lease.confirm();
    const gone = pool.tryAcquire();
    vault.proxies.delete('a');
    gone.confirm();
    expect(gone.state).toBe('held');
  });
});

describe('mayKeep', () => {
  it('is false for a proxy that is unknown, disabled, cooling or removed', async () => {
    const { vault, pool } = await open(3);
    expect(pool.mayKeep('a')).toBe(true);
    expect(pool.mayKeep('nobody')).toBe(false);
    vault.proxies.update('a', { status: 'disabled' });
    expect(pool.mayKeep('a')).toBe(false);
    pool.cool('b', { forMs: 60_000, domain: 'shop.example' });
    expect(pool.mayKeep('b', { domain: 'shop.example' })).toBe(false);
    expect(pool.mayKeep('b')).toBe(true);
    vault.proxies.delete('b');
    expect(pool.mayKeep('b')).toBe(false);
  });

  it('is false once the session has another proxy, or has expired', async () => {
    const { pool, time } = await open(3);
    const { id } = pool.choose({ session: 's', sessionTtlMs: 1000 });
    expect(pool.mayKeep(id, { session: 's' })).toBe(true);
    const { id: next } = pool.rotate({ session: 's' });
    expect(pool.mayKeep(id, { session: 's' })).toBe(false);
    expect(pool.mayKeep(next, { session: 's' })).toBe(true);
    time.now += 1000;
    expect(pool.mayKeep(next, { session: 's' })).toBe(false);
  });

  it('takes no notice of limits', async () => {
    const { pool, vault } = await open(1);
    vault.config.update({ options: { limits: { maxConcurrentPerProxy: 1 } } });
    const lease = pool.tryAcquire();
    expect(pool.mayKeep('a')).toBe(true);
    lease.succeed();
  });
});

describe('sessionTtlMs', () => {
  it('says how long a new session keeps its proxy after its last use', async () => {
    const { pool, time } = await open(50);
    const { id } = pool.choose({ session: 's', sessionTtlMs: 1000 });
    for (let n = 0; n < 5; n++) {
      time.now += 999;
      expect(pool.choose({ session: 's' }).id).toBe(id);
    }
    time.now += 1000;
    expect(pool.choose({ session: 's' }).id).not.toBe(id);
  });

  it.each([0, -1, 1.5, Number.NaN, '5', null])('rejects %s', async (sessionTtlMs) => {
    const { pool } = await open(1);
    expect(() => pool.choose({ session: 's', sessionTtlMs: sessionTtlMs as number })).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT' }),
    );
  });
});
