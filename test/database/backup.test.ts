import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import type { DatabaseManager } from 'proxyvault/database';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openDatabase, openMigrated, temporaryFolder, thrownBy } from '../support/temporary.ts';

function fill(db: DatabaseManager, count: number, prefix = 'p'): void {
  db.driver.run(
    `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :count)
     INSERT INTO proxies (id, name, host, port, protocol) SELECT :prefix || n, 'name ' || n, 'h' || n || '.example', 80, 'http' FROM c`,
    { count, prefix },
  );
}

const count = (db: DatabaseManager): unknown =>
  db.driver.first('SELECT count(*) AS n FROM proxies', {}, (row) => row.n);

describe('backup', () => {
  it('is a sound copy in one file, 0600, with progress to the end', async () => {
    const db = openMigrated();
    fill(db, 20_000);
    const target = join(temporaryFolder(), 'new', 'copy.db');
    const progress: number[] = [];
    const path = await db.backup(target, {
      onProgress: ({ remainingPages }) => progress.push(remainingPages),
    });
    expect(path).toBe(target);
    expect(readdirSync(join(target, '..'))).toEqual(['copy.db']);
    if (process.platform !== 'win32') expect(statSync(target).mode & 0o777).toBe(0o600);
    expect(progress.length).toBeGreaterThan(1);
    expect(progress.at(-1)).toBe(0);
    // In steps of 2 MiB, so that the event loop has its turns.
    const steps = progress.slice(1).map((remaining, n) => (progress[n] ?? 0) - remaining);
    expect(Math.max(...steps)).toBeLessThanOrEqual(512);
    const copy = openDatabase({ path: target });
    expect(count(copy)).toBe(20_000);
    expect(await copy.check({ deep: true })).toMatchObject({ ok: true });
  });

  it('is of one moment while this process writes', async () => {
    const db = openMigrated();
    fill(db, 30_000);
    const target = join(temporaryFolder(), 'copy.db');
    let wrote = 0;
    await db.backup(target, { onProgress: () => fill(db, 10, `while${wrote++}-`) });
    expect(wrote).toBeGreaterThan(1);
    expect(count(openDatabase({ path: target }))).toBe(30_000);
    expect(count(db)).toBe(30_000 + wrote * 10);
  });

  it('refuses the database itself, an existing file, and a database in use', async () => {
    const db = openMigrated();
    await expect(db.backup(db.path, { overwrite: true })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    const target = join(temporaryFolder(), 'copy.db');
    writeFileSync(target, 'precious');
    await expect(db.backup(target)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('or say that it may be overwritten'),
    });
    expect(readFileSync(target, 'utf8')).toBe('precious');
    const older = join(temporaryFolder(), 'older.db');
    await db.backup(older);
    fill(db, 3);
    await db.backup(older, { overwrite: true });
    expect(count(openDatabase({ path: older }))).toBe(3);
    const other = openMigrated();
    await expect(db.backup(other.path, { overwrite: true })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('replaces an empty file if it is told to, and no older backup that somebody reads', async () => {
    const db = openMigrated();
    const target = join(temporaryFolder(), 'copy.db');
    writeFileSync(target, '');
    await db.backup(target, { overwrite: true });
    const reader = new Database(target, { readonly: true });
    onTestFinished(() => void reader.close());
    reader.exec('BEGIN; SELECT count(*) FROM proxies');
    const before = statSync(target).ino;
    await expect(db.backup(target, { overwrite: true })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('in use'),
    });
    expect(statSync(target).ino).toBe(before);
    reader.exec('COMMIT');
    await db.backup(target, { overwrite: true });
    expect(statSync(target).ino).not.toBe(before);
  });

  it('leaves nothing behind when it fails', async () => {
    const db = openMigrated();
    fill(db, 20_000);
    const folder = temporaryFolder();
    const fail = (): never => {
      throw new Error('stop');
    };
    await expect(db.backup(join(folder, 'copy.db'), { onProgress: fail })).rejects.toThrow('stop');
    const failOtherwise = (): never => {
      throw 'stop without an error';
    };
    await expect(db.backup(join(folder, 'copy.db'), { onProgress: failOtherwise })).rejects.toThrow(
      'stop without an error',
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is refused for a database in memory', async () => {
    await expect(openMigrated({ path: ':memory:' }).backup('x.db')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(existsSync('x.db')).toBe(false);
  });
});

/** Overwrites two pages in the middle of a file, as a bad disk would. */
function damage(path: string): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(8192, 0x5a), 0, 8192, 4096 * 40);
  closeSync(file);
}

describe('a copy that the disk has damaged', () => {
  it('is no backup: it is CORRUPT, and nothing stays', async () => {
    const db = openMigrated();
    fill(db, 5000);
    const folder = temporaryFolder();
    const onProgress = ({ remainingPages }: { remainingPages: number }): void => {
      if (remainingPages === 0) for (const name of readdirSync(folder)) damage(join(folder, name));
    };
    await expect(db.backup(join(folder, 'copy.db'), { onProgress })).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringContaining('was removed'),
    });
    expect(readdirSync(folder)).toEqual([]);
    expect(await db.check({ deep: true })).toMatchObject({ ok: true });
  });

  it('does not take the place of an older backup', async () => {
    const db = openMigrated();
    fill(db, 5000);
    const target = join(temporaryFolder(), 'copy.db');
    await db.backup(target);
    const before = readFileSync(target);
    const onProgress = ({ remainingPages }: { remainingPages: number }): void => {
      const [partial = ''] = readdirSync(dirname(target)).filter((name) => name.endsWith('.partial'));
      if (remainingPages === 0) damage(join(dirname(target), partial));
    };
    await expect(db.backup(target, { onProgress, overwrite: true })).rejects.toMatchObject({
      code: 'CORRUPT',
    });
    expect(readFileSync(target)).toEqual(before);
    expect(readdirSync(dirname(target))).toEqual(['copy.db']);
  });

  it('is no copy to migrate on: the migration does not begin', () => {
    const db = openMigrated();
    fill(db, 5000);
    const version = db.migrations.getCurrentVersion();
    const prepare = Database.prototype.prepare;
    vi.spyOn(Database.prototype, 'prepare').mockImplementation(function (
      this: Database.Database,
      sql: string,
    ) {
      const statement = prepare.call(this, sql);
      if (sql !== 'VACUUM INTO ?') return statement;
      const run = statement.run.bind(statement);
      return Object.defineProperty(statement, 'run', {
        value: (path: string) => {
          run(path);
          damage(path);
        },
      });
    });
    expect(thrownBy(() => db.migrations.down(1))).toMatchObject({ code: 'CORRUPT' });
    vi.restoreAllMocks();
    expect(db.migrations.getCurrentVersion()).toBe(version);
    expect(count(db)).toBe(5000);
    const left = readdirSync(dirname(db.path)).filter((name) => !/^pool\.db(?:-wal|-shm)?$/.test(name));
    expect(left).toEqual([]);
  });
});

describe('check', () => {
  it('finds nothing wrong with a new database, on disk and in memory', async () => {
    for (const db of [openMigrated(), openMigrated({ path: ':memory:' })]) {
      const report = await db.check({ deep: true });
      expect(report).toMatchObject({
        ok: true,
        integrity: [],
        foreignKeys: [],
        schema: { missing: [], changed: [], extra: [] },
      });
      expect(report.schema.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  it('names a missing, a changed and an extra object', async () => {
    const db = openMigrated();
    db.driver.exec(`
      DROP INDEX idx_proxies_region;
      DROP INDEX idx_proxies_top;
      CREATE INDEX idx_proxies_top ON proxies(host);
      CREATE TABLE mine (x);`);
    const { ok, schema } = await db.check();
    expect(ok).toBe(false);
    expect(schema).toMatchObject({
      missing: ['idx_proxies_region'],
      changed: ['idx_proxies_top'],
      extra: ['mine'],
    });
  });

  it('names rows that refer to nothing', async () => {
    const db = openMigrated();
    db.driver.pragma('foreign_keys = OFF');
    db.driver.run(`INSERT INTO sticky_sessions (domain, proxy_id) VALUES ('a.example', 'gone')`, {});
    expect(await db.check()).toMatchObject({
      ok: false,
      foreignKeys: [{ table: 'sticky_sessions', parent: 'proxies' }],
    });
  });

  it('reports a damaged page', async () => {
    const db = openMigrated();
    fill(db, 5000);
    db.close();
    const bytes = readFileSync(db.path);
    bytes.fill(0x5a, 4096 * 40, 4096 * 42);
    writeFileSync(db.path, bytes);
    const damaged = openDatabase({ path: db.path });
    const verdict = await damaged.check({ deep: true }).then(
      (report) => report.ok,
      (error) => error.code,
    );
    expect([false, 'CORRUPT']).toContain(verdict);
  });
});

describe('stats, checkpoint and prune', () => {
  it('counts bytes, pages and rows, and empties the log', async () => {
    const db = openMigrated();
    fill(db, 1000);
    const before = await db.stats();
    expect(before.walBytes).toBeGreaterThan(0);
    expect(before.rows).toMatchObject({ proxies: 1000, rotation_events: 0 });
    expect(before.pageCount * before.pageSize).toBeGreaterThan(50_000);
    expect(db.checkpoint()).toMatchObject({ complete: true });
    const after = await db.stats();
    expect(after.walBytes).toBe(0);
    expect(after.fileBytes).toBe(after.pageCount * after.pageSize);
  });

  it('says that a checkpoint is not complete while a reader holds the log', () => {
    const db = openMigrated({ busyTimeoutMs: 10 });
    fill(db, 1000);
    const stream = db.driver.iterate('SELECT id FROM proxies', {}, (row) => row.id);
    stream.next();
    fill(db, 10, 'later');
    expect(db.checkpoint().complete).toBe(false);
    stream.return?.();
    expect(db.checkpoint().complete).toBe(true);
  });
});
