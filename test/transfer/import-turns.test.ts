import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type DatabaseManager,
  EncryptionService,
  importProxies,
  initDatabase,
  ProxyRepository,
  ProxyVaultError,
} from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { onWaiting, startLockHolder } from '../support/lock-holder.ts';
import { rowsOf } from '../support/pool.ts';
import { openMigrated } from '../support/temporary.ts';

const listOf = (count: number, name = 'h'): string =>
  Array.from({ length: count }, (_, n) => `${name}${n}.example:80:user${n}:pass-${n}\n`).join('');

/** Writes at each turn of the event loop until `job` has ended, and gives what each write ended with. */
async function writeDuring(db: DatabaseManager, job: Promise<unknown>): Promise<(ProxyVaultError | null)[]> {
  const ends: (ProxyVaultError | null)[] = [];
  let isDone = false;
  const settled = job.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await nextTurn();
    try {
      db.driver.run(`UPDATE rotation_config SET strategy = 'random'`, {});
      ends.push(null);
    } catch (error) {
      if (!(error instanceof ProxyVaultError)) throw error;
      ends.push(error);
    }
  }
  await settled;
  return ends;
}

function pool(): { db: DatabaseManager; encryption: EncryptionService; proxies: ProxyRepository } {
  const db = openMigrated({ durability: 'normal' });
  const encryption = new EncryptionService({ key: randomBytes(32), database: db });
  return { db, encryption, proxies: new ProxyRepository(db, encryption) };
}

describe('an import lets the event loop have its turns', () => {
  it('in one transaction, during which a write of this process is BUSY at once', async () => {
    const { db, encryption, proxies } = pool();
    const job = importProxies(db, listOf(4000), { encryption });
    const ends = await writeDuring(db, job);
    const busy = ends.filter((end) => end !== null);
    expect(busy.length).toBeGreaterThan(0);
    for (const error of busy)
      expect(error).toMatchObject({ code: 'BUSY', message: expect.stringContaining('batch: 1000') });
    expect(await job).toMatchObject({ added: 4000 });
    expect(proxies.count()).toBe(4000);
    db.driver.run(`UPDATE rotation_config SET strategy = 'fastest'`, {});
  });

  it('with batches of at most 1000, between which writes of this process are never BUSY', async () => {
    const { db, encryption, proxies } = pool();
    const ends = await writeDuring(db, importProxies(db, listOf(3000), { encryption, batch: 500 }));
    expect(ends.filter((end) => end !== null)).toEqual([]);
    expect(proxies.count()).toBe(3000);
  });

  it('and is CLOSED, with nothing stored, if the database is closed meanwhile', async () => {
    const { db, encryption } = pool();
    const job = importProxies(db, listOf(20_000), {
      encryption,
      onProgress: ({ phase, done }) =>
        void (phase === 'storing' && done === 1000 && setImmediate(() => db.close())),
    });
    await expect(job).rejects.toMatchObject({ code: 'CLOSED' });
    await db[Symbol.asyncDispose]();
    using again = initDatabase({ path: db.path });
    expect(new ProxyRepository(again).count()).toBe(0);
  });

  it.each([
    ['in a long transaction', {}],
    ['in short ones', { batch: 500 }],
  ])('and is CLOSED while it waits for another process, with nothing stored, %s', async (_, options) => {
    // One try to get the lock stops the event loop for so long.
    const db = openMigrated({ durability: 'normal', busyTimeoutMs: 50 });
    const encryption = new EncryptionService({ key: randomBytes(32), database: db });
    const { hold, letGo } = startLockHolder(db.path);
    await hold();
    await using importing = db;
    const isWaiting = new Promise<void>((resolve) => onWaiting(resolve));
    const job = importProxies(importing, listOf(3000), { encryption, ...options });
    const ended = expect(job).rejects.toMatchObject({ code: 'CLOSED' });
    await isWaiting;
    importing.close();
    // The other process still holds the lock: the import does not wait for it.
    await ended;
    await importing[Symbol.asyncDispose]();
    letGo();
    using again = initDatabase({ path: db.path });
    expect(new ProxyRepository(again).count()).toBe(0);
    expect(rowsOf(again, 'encryption_keys')).toEqual([]);
  });

  it('and what follows its transaction does not hold up close() either', async () => {
    const { db } = pool();
    let tries = 0;
    const job = db.longTransaction(function* ({ driver }) {
      driver.afterTransaction(() => {
        tries++;
        throw new ProxyVaultError('BUSY', 'locked', { details: { sqlite: 'SQLITE_BUSY' } });
      });
      yield driver.run(`UPDATE rotation_config SET strategy = 'random'`, {});
      db.close();
    });
    await expect(job).rejects.toMatchObject({ code: 'CLOSED' });
    expect(tries).toBe(1);
  });

  it('and so do two at once, a rotation of the key, and one after the other removes what left its list', async () => {
    const { db, encryption, proxies } = pool();
    await importProxies(db, listOf(1500, 'old'), { encryption, tag: 'a', sync: true });
    await Promise.all([
      importProxies(db, listOf(1500, 'a'), { encryption, tag: 'a', sync: true, maxRemove: '100%' }),
      importProxies(db, listOf(1500, 'b'), { encryption, tag: 'b' }),
      encryption.rotate({ batchSize: 500 }),
    ]);
    expect(proxies.count()).toBe(3000);
    expect(await encryption.verify()).toMatchObject({ ok: true });
    expect(await db.check()).toMatchObject({ ok: true });
  });

  it('and a sync in batches is stopped before it removes many that another process has tagged meanwhile', async () => {
    const { db, proxies } = pool();
    using other = initDatabase({ path: db.path });
    await importProxies(db, '1.example:1\n2.example:2\n3.example:3\n', { tag: 'a' });
    let added: Promise<unknown> | undefined;
    const addOnce = (): void => {
      added ??= importProxies(other, listOf(20).replaceAll(/:user.*/g, ''), { tag: 'a' });
    };
    const job = importProxies(db, '1.example:1\n2.example:2\n3.example:3\n', {
      tag: 'a',
      sync: true,
      batch: 1,
      // Called first in the first batch: the list was tried as a whole before.
      onProgress: ({ phase }) => void (phase === 'storing' && setImmediate(addOnce)),
    });
    await expect(job).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('Nothing was removed; the 3 proxies of earlier batches stay stored.'),
    });
    expect(await added).toMatchObject({ added: 20 });
    expect(proxies.count()).toBe(23);
  });
});
