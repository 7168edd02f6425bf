import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DatabaseManager, initDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startLockHolder } from '../support/lock-holder.ts';
import { openPool } from '../support/pool.ts';
import { openDatabase, openMigrated, temporaryFolder, thrownBy } from '../support/temporary.ts';

const KEPT = 3;

/** A pool of which most rows were removed, so that most of its file is free. */
function openHollow(db: DatabaseManager = openMigrated()): ReturnType<typeof openPool> {
  const pool = openPool(1500, { db });
  const proxies = new ProxyRepository(db);
  db.transaction(() => {
    for (const id of pool.ids.slice(KEPT)) proxies.delete(id);
  });
  db.checkpoint();
  return pool;
}

const bytes = (path: string): number => statSync(path).size;

describe('a vacuum', () => {
  it('gives the space of deleted rows back and keeps the others, with logins that open', async () => {
    const { db, credentials, ids } = openHollow();
    const before = bytes(db.path);
    const { freedBytes, complete } = db.vacuum();
    expect(complete).toBe(true);
    expect(freedBytes).toBe(before - bytes(db.path));
    expect(freedBytes).toBeGreaterThan(before / 2);
    expect(new ProxyRepository(db).findAll().map(({ id }) => id)).toEqual(ids.slice(0, KEPT));
    expect(credentials.reveal(ids[1] ?? '')).toMatchObject({ username: 'canary-user-1' });
    expect(readFileSync(db.path).includes('canary')).toBe(false);
    expect((await db.stats()).freePages).toBe(0);
    expect(await db.check({ deep: true })).toMatchObject({ ok: true });
    // Nothing is left to give back.
    expect(db.vacuum()).toEqual({ freedBytes: 0, complete: true });
  });

  it('takes a database in memory, which has no file', () => {
    const db = openDatabase({ path: ':memory:' });
    expect(db.vacuum()).toEqual({ freedBytes: 0, complete: true });
  });

  it('is rejected inside a transaction, and leaves it as it is', () => {
    const { db, ids } = openHollow();
    const proxies = new ProxyRepository(db);
    db.transaction(() => {
      proxies.update(ids[0] ?? '', { name: 'renamed' });
      expect(thrownBy(() => db.vacuum())).toMatchObject({ code: 'INVALID_INPUT' });
    });
    expect(proxies.findById(ids[0] ?? '')?.name).toBe('renamed');
  });

  it('is BUSY while others read or write, which changes nothing, and works once they are done', async () => {
    const { db } = openHollow(openMigrated({ busyTimeoutMs: 50 }));
    const before = bytes(db.path);
    const stream = new ProxyRepository(db).iterate();
    stream.next();
    expect(thrownBy(() => db.vacuum())).toMatchObject({
      code: 'BUSY',
      message: expect.stringMatching(/iterate\(\) loop.*finish it or leave it/),
    });
    stream.return?.();

    const holder = startLockHolder(db.path);
    await holder.hold();
    expect(thrownBy(() => db.vacuum())).toMatchObject({ code: 'BUSY' });
    holder.letGo();

    using reader = initDatabase({ path: db.path, readonly: true });
    const read = new ProxyRepository(reader).iterate();
    read.next();
    // Its snapshot is that of the file, and the log is not: then the file cannot be cut.
    new ProxyRepository(db).create({ host: 'late.example', port: 1, protocol: 'http' });
    expect(thrownBy(() => db.vacuum())).toMatchObject({
      code: 'BUSY',
      message: expect.stringMatching(/another program/),
    });
    expect(bytes(db.path)).toBe(before);
    read.return?.();
    expect(db.vacuum().freedBytes).toBeGreaterThan(0);
  });

  it('of a pool that is open to read alone is READ_ONLY, and of a closed one CLOSED', () => {
    const { db } = openHollow();
    using reader = initDatabase({ path: db.path, readonly: true });
    expect(thrownBy(() => reader.vacuum())).toMatchObject({ code: 'READ_ONLY' });
    reader.close();
    expect(thrownBy(() => reader.vacuum())).toMatchObject({ code: 'CLOSED' });
  });

  it('on a full disk is DISK_FULL, and the pool is as it was', async (context) => {
    const folder = temporaryFolder();
    const isMounted =
      process.platform === 'linux' &&
      process.getuid?.() === 0 &&
      spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]).status === 0;
    if (!isMounted) return context.skip('a small file system cannot be mounted here (needs root on Linux)');
    onTestFinished(() => {
      execFileSync('umount', [folder]);
    });
    await using db = initDatabase({ path: join(folder, 'pool.db') });
    db.migrations.up();
    const { ids, credentials } = openPool(1500, { db });
    db.checkpoint();
    const before = bytes(db.path);
    const free = 4 * 1024 * 1024 - before - 200 * 1024;
    writeFileSync(join(folder, 'ballast'), Buffer.alloc(free));
    expect(thrownBy(() => db.vacuum())).toMatchObject({ code: 'DISK_FULL' });
    expect(bytes(db.path)).toBe(before);
    expect(credentials.reveal(ids[1499] ?? '')).toMatchObject({ username: 'canary-user-1499' });
    expect(await db.check({ deep: true })).toMatchObject({ ok: true });
  });
});
