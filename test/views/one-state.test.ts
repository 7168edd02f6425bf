import { join } from 'node:path';
import { openVault, type ProxyConfig, type Vault } from 'proxyvault';
import { expect, it, onTestFinished, vi } from 'vitest';
import { eventsByHourView, eventsView } from '../../src/views/events.ts';
import { pageView } from '../../src/views/proxy.ts';
import { proxyUsageView, usageByDayView, usageByProxyView } from '../../src/views/usage.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A pool that another program has open too. */
async function shared(): Promise<{ vault: Vault; other: Vault }> {
  const path = join(temporaryFolder(), 'pool.db');
  const [vault, other] = [await openVault({ path }), await openVault({ path })];
  onTestFinished(async () => {
    await vault.close();
    await other.close();
  });
  vault.proxies.create({ protocol: 'http', host: 'a.example', port: 1 });
  vault.config.update({ failureThreshold: 1 });
  vault.pool.choose();
  return { vault, other };
}

/** Has another program act right after the first read of a view. */
function afterwards<T extends object>(reads: T, method: keyof T & string, act: () => void): void {
  const read = reads[method] as (...args: unknown[]) => unknown;
  let isFirst = true;
  vi.spyOn(reads as Record<string, (...args: unknown[]) => unknown>, method).mockImplementation((...args) => {
    const found = read.apply(reads, args);
    if (isFirst) act();
    isFirst = false;
    return found;
  });
}

it('a page of the pool and its counts are of one state, while another program writes', async () => {
  const { vault, other } = await shared();
  afterwards(vault.proxies, 'list', () =>
    other.proxies.create({ protocol: 'http', host: 'b.example', port: 2 }),
  );
  expect(pageView(vault, {})).toMatchObject({
    items: [{ host: 'a.example' }],
    total: 1,
    counts: { active: 1 },
  });
  expect(pageView(vault, {})).toMatchObject({ total: 2 });
});

it('usage and its totals are of one state, while another program reports', async () => {
  for (const [method, view] of [
    ['range', (vault: Vault) => usageByDayView(vault)],
    ['byProxy', (vault: Vault) => usageByProxyView(vault)],
    ['findByProxy', (vault: Vault, proxy: ProxyConfig) => proxyUsageView(vault, proxy)],
  ] as const) {
    const { vault, other } = await shared();
    const { id } = vault.pool.choose();
    const proxy = vault.proxies.resolve(id);
    vault.pool.report(id, { success: true });
    afterwards(vault.usage, method, () => other.pool.report(id, { success: true }));
    expect([method, (await view(vault, proxy)).totals.requestCount]).toEqual([method, 1]);
    expect([method, (await view(vault, proxy)).totals.requestCount]).toEqual([method, 2]);
  }
});

it('events and their counts are of one state, while another program reports a failure', async () => {
  for (const [method, view] of [
    ['list', (vault: Vault) => eventsView(vault, {}, 20)],
    ['countByHour', (vault: Vault) => eventsByHourView(vault, {})],
  ] as const) {
    const { vault, other } = await shared();
    const [proxy] = vault.proxies.findAll();
    const fail = (by: Vault): void => by.pool.report(String(proxy?.id), { success: false });
    fail(vault);
    vault.pool.report(String(proxy?.id), { success: true });
    const sum = (counts: object): number => Object.values(counts).reduce((a, b) => a + b, 0);
    const before = sum(view(vault).counts);
    expect(before).toBeGreaterThan(0);
    afterwards(vault.events, method, () => {
      other.proxies.create({ protocol: 'http', host: 'b.example', port: 2 });
      fail(other);
    });
    expect(sum(view(vault).counts)).toBe(before);
    expect(sum(view(vault).counts)).toBe(before + 1);
  }
});
