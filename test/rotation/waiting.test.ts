import { join } from 'node:path';
import Database from 'better-sqlite3';
import { openVault, type PoolRequest, type Vault } from 'proxyvault';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';
import { START } from './open-pool.ts';

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

/** Some vaults on one file with the proxies a, b and c, which stand for processes. */
async function openVaults(count: number): Promise<Vault[]> {
  const path = join(temporaryFolder(), 'pool.db');
  const vaults: Vault[] = [];
  for (let n = 0; n < count; n++) {
    const vault = await openVault({ path, clock: () => START });
    onTestFinished(() => vault.close());
    vaults.push(vault);
  }
  for (const id of ['a', 'b', 'c'])
    vaults[0]?.proxies.create({ id, protocol: 'http', host: `${id}.example`, port: 1 });
  return vaults;
}

/** Chooses, and lets somebody else do something after the decision and before the lock, as happens to who waits for it. */
function chooseLate(
  { pool }: Vault,
  request: PoolRequest,
  meanwhile: () => void,
  method: 'choose' | 'rotate' = 'choose',
): string {
  let calls = 0;
  return pool[method](request, () => {
    if (calls++ === 0) meanwhile();
  }).id;
}

describe('a choice that waited for the lock', () => {
  it.each(['round-robin', 'least-used'] as const)(
    'takes its turn after those that had it before, if it is the first of a process: %s',
    async (strategy) => {
      const [zeroth, first, second, third] = (await openVaults(4)) as [Vault, Vault, Vault, Vault];
      first.config.update({ strategy });
      expect(zeroth.pool.choose().id).toBe('a');
      const ids: string[] = [];
      const others = (): void => {
        ids.push(chooseLate(second, {}, () => ids.push(third.pool.choose().id)));
      };
      for (const vault of [first, second, third]) vault.pool.explain();
      ids.push(chooseLate(first, {}, others));
      expect(ids).toEqual(['b', 'c', 'a']);
    },
  );

  it.each<[what: string, PoolRequest, config: Parameters<Vault['config']['update']>[0]]>([
    ['session', { session: 's' }, {}],
    ['domain', { domain: 'd.example' }, { options: { stickyByDefault: true } }],
    ['interval', {}, { strategy: 'time-based' }],
  ])('has the proxy that another process has given the %s meanwhile', async (_, request, config) => {
    const [first, second] = (await openVaults(2)) as [Vault, Vault];
    first.config.update(config);
    first.pool.choose({ session: 'one' });
    second.pool.choose({ session: 'two' });
    let others = '';
    expect(chooseLate(first, request, () => (others = second.pool.choose(request).id))).toBe(others);
    // The event of the interval's beginning.
    expect(first.events.recent().filter(({ previousProxyId }) => previousProxyId !== null)).toEqual([]);
  });

  it('keeps no proxy that was taken out meanwhile', async () => {
    const [first, second] = (await openVaults(2)) as [Vault, Vault];
    const takeOut = (id: string | undefined): void => {
      second.proxies.update(String(id), { status: 'disabled' });
    };
    const early = first.pool.explain().proxy?.id;
    expect(chooseLate(first, {}, () => takeOut(early))).not.toBe(early);
    second.proxies.update(String(early), { status: 'active' });
    const kept = first.pool.explain({ session: 's' }).proxy?.id;
    const id = chooseLate(first, { session: 's' }, () => takeOut(kept));
    expect(id).not.toBe(kept);
    expect(second.pool.choose({ session: 's' }).id).toBe(id);
    const refusal = (): unknown =>
      chooseLate(first, { session: 't' }, () => {
        for (const { id } of second.proxies.findAll()) takeOut(id);
      });
    expect(thrownBy(refusal)).toMatchObject({ code: 'NO_PROXY' });
    expect(second.database.query(`SELECT session FROM session_proxies`)).toEqual([{ session: 's' }]);
  });

  it.each<[what: string, PoolRequest]>([
    ['a session', { session: 's' }],
    ['an interval', {}],
  ])('rotates %s once, if another process has rotated it meanwhile', async (_, request) => {
    const [first, second] = (await openVaults(2)) as [Vault, Vault];
    if (request.session === undefined) first.config.update({ strategy: 'time-based' });
    const before = first.pool.choose(request).id;
    expect(second.pool.choose(request).id).toBe(before);
    let others = '';
    const mine = chooseLate(first, request, () => (others = second.pool.rotate(request).id), 'rotate');
    expect(others).not.toBe(before);
    expect(mine).toBe(others);
    expect(chooseLate(first, request, () => undefined, 'rotate')).not.toBe(others);
  });

  it.each<[what: string, PoolRequest]>([
    ['a session', { session: 's' }],
    ['an interval', {}],
  ])('rotates %s from the proxy to which another process has rotated it just before', async (_, request) => {
    const [first, second] = (await openVaults(2)) as [Vault, Vault];
    if (request.session === undefined) first.config.update({ strategy: 'time-based' });
    for (const { pool } of [first, second]) pool.choose(request);
    const others = second.pool.rotate(request).id;
    expect(first.pool.rotate(request).id).not.toBe(others);
  });

  it('has the proxy of the session in a transaction too', async () => {
    const [first, second] = (await openVaults(2)) as [Vault, Vault];
    for (const vault of [first, second]) vault.pool.choose();
    expect(first.pool.explain({ session: 's' }).mapping).toBeNull();
    const kept = second.pool.choose({ session: 's' }).id;
    expect(second.pool.rotate({ session: 's' }).id).not.toBe(kept);
    const { proxyId } = second.pool.explain({ session: 's' }).mapping ?? {};
    expect(first.database.transaction(() => first.pool.choose({ session: 's' }).id)).toBe(proxyId);
  });
});

describe("what the caller's check writes", () => {
  it('is seen by the choice: it may be one of the same session', async () => {
    const [vault] = (await openVaults(1)) as [Vault];
    vault.pool.choose();
    const request: PoolRequest = { session: 's', strategy: 'round-robin' };
    let inner: string | undefined;
    const outer = vault.pool.choose(request, () => {
      if (inner !== undefined) return;
      vault.pool.choose();
      inner = vault.pool.choose(request).id;
    });
    expect(outer.id).toBe(inner);
    expect(vault.pool.choose(request).id).toBe(inner);
  });

  it('is seen by the choice, if it asks the pool too: another proxy may have the place of the chosen one', async () => {
    const [vault] = (await openVaults(1)) as [Vault];
    vault.pool.choose();
    const seen: string[] = [];
    const { id } = vault.pool.choose({}, (proxy) => {
      if (seen.push(proxy.id) > 1) return;
      vault.proxies.delete(proxy.id);
      vault.proxies.create({ id: 'd', protocol: 'http', host: 'd.example', port: 1 });
      vault.pool.explain();
    });
    expect(seen).toEqual(['b', id]);
    expect(vault.proxies.findById(id)).not.toBeNull();
  });

  it('is seen by the next choice, though it is in a transaction of the engine', async () => {
    const [first, second] = (await openVaults(2)) as [Vault, Vault];
    for (const { pool } of [first, second]) pool.choose();
    let calls = 0;
    const { id } = first.pool.choose({ session: 's' }, (proxy) => {
      if (calls++ === 0) second.tags.add('a', 'x', 'by hand');
      else
        for (const other of ['a', 'b', 'c'])
          if (other !== proxy.id) first.proxies.update(other, { region: 'EU' });
    });
    expect(calls).toBe(2);
    expect(first.pool.choose({ region: 'EU' }).id).not.toBe(id);
  });
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
