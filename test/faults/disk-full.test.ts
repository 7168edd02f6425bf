import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { initDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

/** A file system of 3 MiB, or null where this user or system cannot mount one. */
function mountSmallDisk(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return null;
  const folder = temporaryFolder();
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', folder]).status !== 0) return null;
  onTestFinished(() => {
    execFileSync('umount', [folder]);
  });
  return folder;
}

it('a full disk is DISK_FULL, keeps what was stored before, and is over when there is space again', async (context) => {
  const folder = mountSmallDisk();
  if (folder === null)
    return context.skip('a small file system cannot be mounted here (needs root on Linux)');

  const ballast = join(folder, 'ballast');
  writeFileSync(ballast, Buffer.alloc(1024 * 1024));
  const db = initDatabase({ path: join(folder, 'pool.db') });
  db.migrations.up();
  const proxies = new ProxyRepository(db);
  const batch = (n: number): { host: string; port: number; protocol: 'http' }[] =>
    Array.from({ length: 100 }, (_, i) => ({ host: `h${n}.example`, port: i + 1, protocol: 'http' }));

  let stored = 0;
  const error = thrownBy(() => {
    for (let n = 0; n < 1000; n++) {
      proxies.createMany(batch(n));
      stored += 100;
    }
  });
  expect(error).toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining('free space') });
  expect(stored).toBeGreaterThan(0);
  expect(proxies.count()).toBe(stored);
  expect(db.driver.inTransaction).toBe(false);
  await expect(db.backup(join(folder, 'copy.db'))).rejects.toMatchObject({ code: 'DISK_FULL' });

  rmSync(ballast);
  proxies.createMany(batch(5000));
  expect(proxies.count()).toBe(stored + 100);
  expect(await db.check({ deep: true })).toMatchObject({ ok: true });
  await db[Symbol.asyncDispose]();
});

it('a full disk inside nested transactions, caught at every depth, stores nothing of them', (context) => {
  const folder = mountSmallDisk();
  if (folder === null)
    return context.skip('a small file system cannot be mounted here (needs root on Linux)');

  const db = initDatabase({ path: join(folder, 'pool.db') });
  db.driver.exec('CREATE TABLE blobs (depth INTEGER, data BLOB)');
  // What is written leaves the cache at once, so that the disk is full before the commit.
  db.driver.pragma('cache_size = 1');
  for (const deepest of [1, 2, 3, 4]) {
    const codes: unknown[] = [];
    const level = (depth: number): void => {
      const add = (): number =>
        db.driver.run('INSERT INTO blobs VALUES (:depth, zeroblob(200000))', { depth });
      try {
        add();
        if (depth < deepest) db.transaction(() => level(depth + 1));
        else for (;;) add();
      } catch (error) {
        codes.push((error as { code: unknown }).code);
      }
      try {
        add();
        codes.push('stored');
      } catch (error) {
        codes.push((error as { code: unknown }).code);
      }
    };
    expect(thrownBy(() => db.transaction(() => level(1)))).toMatchObject({ code: 'DISK_FULL' });
    expect(new Set(codes)).toEqual(new Set(['DISK_FULL']));
    expect(db.driver.first('SELECT count(*) AS n FROM blobs', {}, (row) => row.n)).toBe(0);
  }
  db.close();
});
