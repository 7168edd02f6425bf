import Database from 'better-sqlite3';
import { openVault, Pool } from 'proxyvault';
import { initDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { PoolIndex } from '../../src/rotation/pool-index.ts';
import { WriteBehind } from '../../src/rotation/write-behind.ts';
import { openMigrated, thrownBy } from '../support/temporary.ts';
import { proxy } from './index/indexed-proxy.ts';
import { inputOf, type Opened, open, START, storedUse } from './open-pool.ts';

/** Hand-outs in all, as another program finds them. */
function storedHandOuts(path: string): unknown {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare('SELECT coalesce(sum(hand_outs), 0) FROM proxies').pluck().get();
  } finally {
    db.close();
  }
}

/** Another connection, which has the write lock until `letGo`. */
function lock(path: string): { letGo: () => void } {
  const db = new Database(path);
  onTestFinished(() => void db.close());
  db.exec('BEGIN IMMEDIATE');
  return { letGo: () => void db.exec('ROLLBACK') };
}

describe('closing the database alone stores what waits', () => {
  it.each(['close', 'Symbol.dispose', 'Symbol.asyncDispose'])('of a vault, by %s', async (how) => {
    const { vault, path, next } = await open(3);
    const given = [next(), next(), next({ session: 's' }), next({ session: 's' })];
    if (how === 'close') vault.database.close();
    else if (how === 'Symbol.dispose') vault.database[Symbol.dispose]();
    else await vault.database[Symbol.asyncDispose]();
    expect(storedHandOuts(path)).toBe(4);
    const again = await openVault({ path, keyFile: `${path}.key` });
    onTestFinished(() => again.close());
    expect(given).toEqual(['a', 'b', 'c', 'c']);
    expect(again.pool.choose().id).toBe('a');
    expect(again.database.query('SELECT request_count AS n FROM session_proxies')).toEqual([{ n: 2 }]);
  });

  it('of every Pool on it', () => {
    const db = openMigrated();
    new ProxyRepository(db).createMany([inputOf(0), inputOf(1)]);
    const pools = [new Pool(db), new Pool(db)];
    for (let n = 0; n < 6; n++) for (const pool of pools) pool.choose();
    db.close();
    expect(storedHandOuts(db.path)).toBe(12);
  });

  it('and closes it also if that cannot be stored, and says why', async () => {
    const { vault, path, next } = await open(2, { busyTimeoutMs: 50 });
    for (let n = 0; n < 3; n++) next();
    const { letGo } = lock(path);
    expect(thrownBy(() => vault.database.close())).toMatchObject({ code: 'BUSY' });
    expect(vault.database.open).toBe(false);
    letGo();
    expect(storedHandOuts(path)).toBe(1);
  });

  it('but not inside a transaction, which throws, and changes nothing', async () => {
    const { vault, path, next } = await open(1);
    for (let n = 0; n < 3; n++) next();
    const { database } = vault;
    expect(thrownBy(() => database.transaction(() => database.close()))).toMatchObject({
      code: 'INVALID_INPUT',
    });
    next();
    database.close();
    expect(storedHandOuts(path)).toBe(4);
  });

  it.each([':memory:', undefined])('and then the pool is closed at once (%s)', (path) => {
    const db = openMigrated(path === undefined ? {} : { path });
    new ProxyRepository(db).create(inputOf(0));
    const pool = new Pool(db);
    pool.choose();
    pool.choose();
    db.close();
    for (const call of [() => pool.choose(), () => pool.explain(), () => pool.rotate({ session: 's' })])
      expect(thrownBy(call)).toMatchObject({ code: 'CLOSED' });
  });
});

describe('while another process writes', () => {
  const chooseUnderLock = async (): Promise<Opened & { letGo: () => void }> => {
    const opened = await open(3, { busyTimeoutMs: 5000 });
    opened.next();
    const { letGo } = lock(opened.path);
    for (let n = 0; n < 4; n++) opened.next();
    return { ...opened, letGo };
  };

  it('what waits does not hold up the program, and is stored later', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { path, letGo } = await chooseUnderLock();
    const begun = performance.now();
    vi.advanceTimersByTime(200);
    // The busy timeout is 5 s.
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(storedHandOuts(path)).toBe(1);
    letGo();
    vi.advanceTimersByTime(400);
    expect(storedHandOuts(path)).toBe(5);
  });

  it('it is tried less and less often', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { vault, letGo, path } = await chooseUnderLock();
    const transaction = vi.spyOn(vault.database.driver, 'transaction');
    await vi.advanceTimersByTimeAsync(20_000);
    // At 0.2, 0.6, 1.4, 3, 6.2 s and every 3.2 s then.
    expect(transaction).toHaveBeenCalledTimes(9);
    letGo();
    await vi.advanceTimersByTimeAsync(3200);
    expect(storedHandOuts(path)).toBe(5);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('in a transaction of the caller', () => {
  it.each(['commits', 'throws'])('hand-outs are stored after its end, if it %s', async (how) => {
    const { vault, path, next } = await open(2);
    const work = (): void => {
      expect([next(), next()]).toEqual(['a', 'b']);
      expect(storedUse(vault, 'a').handOuts).toBe(0);
      if (how === 'throws') throw new Error('mine');
    };
    if (how === 'throws') thrownBy(() => vault.database.transaction(work));
    else vault.database.transaction(work);
    expect(storedHandOuts(path)).toBe(2);
    expect(next()).toBe('a');
  });

  it('they are stored also if only a savepoint in it is undone, or the pool is closed in it', async () => {
    const { vault, path, pool, next } = await open(2);
    const { database } = vault;
    database.transaction(() => {
      thrownBy(() =>
        database.transaction(() => {
          next();
          pool.close();
          throw new Error('mine');
        }),
      );
      next();
    });
    expect(storedHandOuts(path)).toBe(2);
  });
});

it('more hand-outs of one proxy than its slot has room for are all counted, and are no failures', () => {
  const db = openMigrated({ path: ':memory:' });
  new ProxyRepository(db).create(inputOf(0));
  const index = new PoolIndex(1);
  index.put(proxy(0, { id: 'a', failureCount: 3 }), START);
  const store = new WriteBehind(db, (write) => write());
  const count = 2 ** 22 + 5;
  for (let n = 0; n < count; n++) {
    index.measures.handedOut(0, START + n);
    store.handedOut(index, 0);
  }
  expect(index.measures.failures(0)).toBe(3);
  store.close();
  expect(db.query('SELECT hand_outs AS n FROM proxies')).toEqual([{ n: count }]);
  expect(new ProxyRepository(db).findById('a')?.lastUsedAt).toBe(new Date(START + count - 1).toISOString());
});

it('a Pool that stores nothing leaves nothing behind in the database', () => {
  const db = openMigrated();
  new ProxyRepository(db).create(inputOf(0));
  const beforeClose = vi.spyOn(db.engine, 'beforeClose');
  const pool = new Pool(db);
  pool.explain();
  expect(beforeClose).not.toHaveBeenCalled();
  pool.choose();
  pool.close();
  const again = initDatabase({ path: db.path });
  again.close();
  expect(beforeClose).toHaveBeenCalledTimes(1);
});
