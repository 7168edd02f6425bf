import { openVault } from 'proxyvault';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

async function openTwo() {
  let now = Date.UTC(2026, 0, 5);
  const path = `${temporaryFolder()}/pool.db`;
  const options = { path, keyFile: `${path}.key`, durability: 'normal', clock: () => now } as const;
  const vault = await openVault(options);
  const other = await openVault(options);
  onTestFinished(async () => {
    await vault.close();
    await other.close();
  });
  const { id } = vault.proxies.create({
    host: 'gate.example',
    port: 8080,
    protocol: 'http',
    credentials: { username: 'me', password: 'first' },
  });
  // One that is unproven has a single lease at a time.
  for (let n = 0; n < 5; n++) vault.pool.report(id, { success: true });
  const reveal = (): string => {
    using lease = vault.pool.tryAcquire();
    return lease.reveal().password;
  };
  const pass = (ms: number): void => {
    now += ms;
  };
  return { vault, other, id, reveal, pass };
}

it('a lease reveals the login that was changed since, by this process at once', async () => {
  const { vault, id, reveal } = await openTwo();
  expect([reveal(), reveal()]).toEqual(['first', 'first']);
  using lease = vault.pool.tryAcquire();
  vault.credentials.store(id, { username: 'me', password: 'second' });
  expect([lease.reveal().password, reveal()]).toEqual(['second', 'second']);
});

it('by another process soon', async () => {
  const { vault, other, id, reveal, pass } = await openTwo();
  using lease = vault.pool.tryAcquire();
  expect(reveal()).toBe('first');
  other.credentials.store(id, { username: 'me', password: 'second' });
  pass(250);
  expect([lease.reveal().password, reveal()]).toEqual(['second', 'second']);
});

it('and none once the key is destroyed, or of a proxy that is gone', async () => {
  const { vault, id, reveal } = await openTwo();
  using lease = vault.pool.tryAcquire();
  expect(reveal()).toBe('first');
  vault.proxies.delete(id);
  expect(() => lease.reveal()).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  vault.keys.destroy();
  expect(() => lease.reveal()).toThrow();
});

it('nor a login that was known before the key was destroyed', async () => {
  const { vault, reveal } = await openTwo();
  expect(reveal()).toBe('first');
  vault.keys.destroy();
  expect(reveal).toThrow(expect.objectContaining({ code: 'CLOSED' }));
});

it('in a transaction, a login that was changed in it', async () => {
  const { vault, id, reveal } = await openTwo();
  expect(reveal()).toBe('first');
  vault.database.transaction(() => {
    vault.credentials.store(id, { username: 'me', password: 'second' });
    expect(reveal()).toBe('second');
  });
});
