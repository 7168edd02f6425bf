import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { CheckReport, DatabaseManager } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { ProxyVaultError } from '../../src/errors.ts';
import { openPool } from '../support/pool.ts';
import { openDatabase, openMigrated } from '../support/temporary.ts';

const INDEX = 'idx_proxies_region';

/** Changes what an index has of each proxy without the index, as a damaged page would leave it. */
function changeBesideIndex(path: string, index: string): void {
  const raw = new Database(path);
  raw.unsafeMode(true);
  const entry = raw.prepare('SELECT * FROM sqlite_schema WHERE name = ?').get(index);
  raw.pragma('writable_schema = ON');
  raw.prepare('DELETE FROM sqlite_schema WHERE name = ?').run(index);
  raw.pragma('writable_schema = RESET');
  raw.exec('UPDATE proxies SET region = name');
  raw.pragma('writable_schema = ON');
  raw.prepare('INSERT INTO sqlite_schema VALUES (@type, @name, @tbl_name, @rootpage, @sql)').run(entry);
  raw.pragma('writable_schema = RESET');
  raw.close();
}

const summary = ({ ok, integrity, foreignKeys, schema, rows, credentials }: CheckReport): object => ({
  ok,
  integrity: integrity.length,
  foreignKeys: foreignKeys.length,
  missing: schema.missing.length,
  changed: schema.changed.length,
  extra: schema.extra.length,
  rows: rows.length,
  failures: credentials?.verified ? credentials.failures.length : null,
});

const SOUND = {
  ok: true,
  integrity: 0,
  foreignKeys: 0,
  missing: 0,
  changed: 0,
  extra: 0,
  rows: 0,
  failures: 0,
};

describe('a check', () => {
  it('that is deep compares each index with its table; another one does not', async () => {
    const { db: before } = openPool(3);
    await before[Symbol.asyncDispose]();
    changeBesideIndex(before.path, INDEX);
    const db = openDatabase({ path: before.path });
    expect(await db.check()).toMatchObject({ ok: true, integrity: [], credentials: null });
    const deep = await db.check({ deep: true });
    expect(deep.ok).toBe(false);
    expect(deep.integrity.join()).toContain(INDEX);
  });

  it.each<[string, (db: DatabaseManager, id: string) => void, object]>([
    ['nothing', () => undefined, {}],
    ['a table of somebody else', (db) => db.driver.exec('CREATE TABLE mine (x)'), { extra: 1 }],
    [
      'a row that refers to nothing',
      (db) => {
        db.driver.pragma('foreign_keys = OFF');
        db.driver.exec(`INSERT INTO sticky_sessions (domain, proxy_id) VALUES ('a.example', 'gone')`);
      },
      { ok: false, foreignKeys: 1 },
    ],
    ['a missing index', (db) => db.driver.exec('DROP INDEX idx_proxies_region'), { ok: false, missing: 1 }],
    [
      'a changed index',
      (db) =>
        db.driver.exec('DROP INDEX idx_proxies_region; CREATE INDEX idx_proxies_region ON proxies (host)'),
      { ok: false, changed: 1 },
    ],
    [
      'a row with a value that its column does not allow',
      (db, id) => {
        db.driver.pragma('ignore_check_constraints = ON');
        db.driver.run(`UPDATE proxies SET created_at = 'yesterday' WHERE id = :id`, { id });
      },
      { ok: false, rows: 1 },
    ],
    [
      'a proxy whose address was changed under its login',
      (db, id) => db.driver.run(`UPDATE proxies SET host = 'evil.example' WHERE id = :id`, { id }),
      { ok: false, failures: 1 },
    ],
  ])('finds %s, and whether that alone is wrong', async (_, damage, found) => {
    const { db, encryption, ids } = openPool(2);
    damage(db, ids[0] ?? '');
    expect(summary(await db.check({ deep: true, encryption }))).toEqual({ ...SOUND, ...found });
  });

  it('opens credentials only if it is deep, and says if it could not', async () => {
    const { db, encryption } = openPool(2);
    expect((await db.check({ encryption })).credentials).toBeNull();
    expect((await db.check({ deep: true, encryption })).credentials).toMatchObject({
      verified: true,
      checked: 2,
    });
    expect(await db.check({ deep: true })).toMatchObject({
      ok: true,
      credentials: { verified: false, total: 2, code: 'KEY_MISSING' },
    });
    const verify = async (): Promise<never> => {
      throw new ProxyVaultError('KEY_MISMATCH', 'The key is another.');
    };
    expect((await db.check({ deep: true, encryption: { verify } })).credentials).toEqual({
      verified: false,
      total: 2,
      code: 'KEY_MISMATCH',
      message: 'The key is another.',
    });
    const bug = async (): Promise<never> => {
      throw new TypeError('a bug');
    };
    await expect(db.check({ deep: true, encryption: { verify: bug } })).rejects.toThrow('a bug');
  });

  it('needs no key if there is no login', async () => {
    const db = openMigrated();
    expect((await db.check({ deep: true })).credentials).toMatchObject({ verified: true, checked: 0 });
  });

  it('names the row that refers to nothing, also in a table that has no row numbers', async () => {
    const db = openMigrated();
    db.driver.exec(`
      PRAGMA foreign_keys = OFF;
      CREATE TABLE notes (id TEXT PRIMARY KEY REFERENCES proxies (id)) WITHOUT ROWID;
      INSERT INTO notes VALUES ('gone');
      INSERT INTO sticky_sessions (domain, proxy_id) VALUES ('a.example', 'gone');`);
    const { foreignKeys } = await db.check();
    expect(foreignKeys).toEqual(
      expect.arrayContaining([
        { table: 'notes', rowid: null, parent: 'proxies' },
        { table: 'sticky_sessions', rowid: expect.any(Number), parent: 'proxies' },
      ]),
    );
  });
});

describe('stats', () => {
  it('tell the size of the file, of its log, and of what is free in it', async () => {
    const { db } = openPool(200);
    db.checkpoint();
    db.driver.exec('CREATE TABLE "a ""quoted"" name" (x); DELETE FROM proxies');
    const stats = await db.stats();
    expect(stats).toMatchObject({
      path: db.path,
      fileBytes: statSync(db.path).size,
      walBytes: statSync(`${db.path}-wal`).size,
      pageSize: 4096,
      schemaVersion: db.migrations.getCurrentVersion(),
      rows: { proxies: 0, 'a "quoted" name': 0 },
    });
    expect(stats.sqliteVersion).toMatch(/^3\.\d+\.\d+$/);
    expect(stats.walBytes).not.toBe(stats.fileBytes);
    expect(stats.freePages).toBeGreaterThan(0);
    expect(stats.freePages).toBeLessThan(stats.pageCount);
  });

  it('of a database in memory have no file', async () => {
    expect(await openMigrated({ path: ':memory:' }).stats()).toMatchObject({ fileBytes: 0, walBytes: 0 });
  });
});
