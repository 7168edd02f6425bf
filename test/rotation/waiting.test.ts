import { join } from 'node:path';
import Database from 'better-sqlite3';
import { openVault } from 'proxyvault';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

it('a hand-out that was told BUSY counts once, when it succeeds at last', async () => {
  for (const request of [{}, { session: 's' }]) {
    const path = join(temporaryFolder(), 'pool.db');
    const vault = await openVault({ path, busyTimeoutMs: 1 });
    onTestFinished(() => vault.close());
    for (const host of ['a.example', 'b.example', 'c.example'])
      vault.proxies.create({ protocol: 'http', host, port: 1 });
    const other = new Database(path);
    onTestFinished(() => void other.close());
    other.exec('BEGIN IMMEDIATE');
    for (let n = 0; n < 5; n++)
      expect(thrownBy(() => vault.pool.choose(request))).toMatchObject({ code: 'BUSY' });
    other.exec('ROLLBACK');
    const { host } = vault.pool.choose(request);
    if (request.session === undefined) expect(host).toBe('a.example');
    await vault.close();
    expect(other.prepare('SELECT sum(hand_outs) AS n FROM proxies').get()).toEqual({ n: 1 });
    expect(other.prepare('SELECT coalesce(sum(request_count), 0) AS n FROM session_proxies').get()).toEqual({
      n: request.session === undefined ? 0 : 1,
    });
  }
});

it('processes that make one choice each take turns, also if they wait for each other', async () => {
  const path = join(temporaryFolder(), 'pool.db');
  const vaults = [await openVault({ path }), await openVault({ path }), await openVault({ path })] as const;
  onTestFinished(async () => {
    for (const vault of vaults) await vault.close();
  });
  const [first, second, third] = vaults;
  for (const host of ['a.example', 'b.example', 'c.example'])
    first.proxies.create({ protocol: 'http', host, port: 1 });
  const hosts: string[] = [];
  const checked: string[] = [];
  // A check runs after the decision and before the lock.
  const choose = (vault: (typeof vaults)[number], meanwhile?: () => void): void => {
    const { host } = vault.pool.choose({}, (proxy) => {
      checked.push(proxy.host);
      if (checked.length <= 3) meanwhile?.();
    });
    hosts.push(host);
  };
  choose(first, () => choose(second, () => choose(third)));
  expect(hosts).toEqual(['a.example', 'b.example', 'c.example']);
  expect(checked).toEqual(['a.example', 'a.example', 'a.example', 'b.example', 'c.example']);
});

it('a hand-out that is reported before it is stored counts once', async () => {
  const path = join(temporaryFolder(), 'pool.db');
  const vault = await openVault({ path });
  onTestFinished(() => vault.close());
  for (const host of ['a.example', 'b.example']) vault.proxies.create({ protocol: 'http', host, port: 1 });
  for (let n = 0; n < 6; n++) vault.pool.report(vault.pool.choose().id, { success: true });
  await vault.close();
  const stored = new Database(path, { readonly: true });
  onTestFinished(() => void stored.close());
  expect(stored.prepare('SELECT hand_outs FROM proxies').pluck().all()).toEqual([3, 3]);
});
