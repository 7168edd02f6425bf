import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type DatabaseManager, migrationsFromFolder } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { linesOf, migrationFile, reopen } from '../../support/migration-files.ts';
import { openDatabase, openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const ORDERS = `CREATE TABLE orders (id INTEGER PRIMARY KEY, proxy_id TEXT)`;
const shop = {
  namespace: 'shop',
  migrations: [
    { version: 1, name: 'orders', up: ORDERS, down: 'DROP TABLE orders' },
    { version: 2, name: 'notes', up: 'CREATE TABLE notes (id)', down: 'DROP TABLE notes' },
  ],
};

const names = (db: DatabaseManager): unknown[] =>
  db
    .query(`SELECT name FROM sqlite_schema WHERE name IN ('orders', 'notes', 'proxies') ORDER BY name`)
    .map(({ name }) => name);

describe('baseline of an application', () => {
  /** A file that the application used before it used this library. */
  function openOlder(sql = ORDERS): DatabaseManager {
    const db = openDatabase();
    db.driver.exec(`${sql}; INSERT INTO orders (id) VALUES (7)`);
    return reopen(db, { migrations: [shop] });
  }

  it('is advised by up(), which changes nothing; then it records, and up() runs the rest', () => {
    const db = openOlder();
    expect(thrownBy(() => db.migrations.up())).toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining("db.migrations.baseline(version, 'shop')"),
    });
    expect(names(db)).toEqual(['orders']);
    db.migrations.baseline(1, 'shop');
    expect(linesOf(db)).toEqual(['shop/001_orders']);
    expect(names(db)).toEqual(['orders']);
    db.migrations.up();
    expect(names(db)).toEqual(['notes', 'orders', 'proxies']);
    expect(db.query('SELECT id FROM orders')).toEqual([{ id: 7 }]);
    expect(db.migrations.getCurrentVersion('shop')).toBe(2);
    const again = reopen(db, { migrations: [shop] });
    again.migrations.up();
    expect(again.migrations.getPending()).toEqual([]);
  });

  it('may follow the migrations of the pool, whose tables its own refer to', () => {
    const db = openMigrated();
    db.driver.exec(
      `${ORDERS}; CREATE TRIGGER t AFTER DELETE ON proxies BEGIN DELETE FROM orders WHERE proxy_id = old.id; END`,
    );
    const trigger =
      'CREATE TRIGGER t AFTER DELETE ON proxies BEGIN DELETE FROM orders WHERE proxy_id = old.id; END';
    const source = {
      namespace: 'shop',
      migrations: [{ version: 1, name: 'orders', up: `${ORDERS};\n${trigger};` }],
    };
    const next = reopen(db, { migrations: [source] });
    next.migrations.baseline(1, 'shop');
    expect(next.migrations.getPending()).toEqual([]);
    expect(thrownBy(() => next.migrations.baseline(1, 'shop'))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('use up() or to()'),
    });
  });

  it('rejects a schema that differs or lacks something, and a version or namespace that is not known', () => {
    const other = openOlder('CREATE TABLE orders (id INTEGER PRIMARY KEY, text TEXT)');
    expect(thrownBy(() => other.migrations.baseline(1, 'shop'))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('orders differs'),
    });
    const db = openOlder();
    for (const [version, namespace, says] of [
      [2, 'shop', 'notes is missing'],
      [3, 'shop', 'There is no version 3 of shop'],
      [1, 'nobody', 'There are no migrations of "nobody"'],
      [1, 7, 'namespace must be a string'],
    ] as [number, string, string][])
      expect(thrownBy(() => db.migrations.baseline(version, namespace))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining(says),
      });
    db.migrations.baseline(1, 'shop');
    expect(linesOf(db)).toEqual(['shop/001_orders']);
  });

  it('rejects a namespace that has no migrations, also to undo nothing, and names those there are', () => {
    const db = openOlder();
    for (const call of [() => db.migrations.baseline(0, 'typo'), () => db.migrations.to(0, 'typo')])
      expect(thrownBy(call)).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('"typo"; there are those of proxyvault, shop'),
      });
    expect(names(db)).toEqual(['orders']);
  });

  it('leaves the pool\u2019s own baseline possible, before and after', () => {
    const db = openOlder();
    const latest = Math.max(
      ...db.migrations
        .getPending()
        .flatMap(({ namespace, version }) => (namespace === 'proxyvault' ? version : [])),
    );
    for (const { namespace, sql } of db.migrations.plan())
      if (namespace === 'proxyvault') db.driver.exec(sql);
    db.migrations.baseline(1, 'shop');
    db.migrations.baseline(latest);
    expect(db.migrations.getPending().map(({ name }) => name)).toEqual(['002_notes']);
    expect(thrownBy(() => db.migrations.baseline(latest))).toMatchObject({ code: 'INVALID_INPUT' });
    db.migrations.up();
    expect(names(db)).toEqual(['notes', 'orders', 'proxies']);
  });

  it('is not advised where the file is as the ledger says', () => {
    const broken = {
      namespace: 'shop',
      migrations: [...shop.migrations, { version: 3, name: 'bad', up: 'SELEC 1' }],
    };
    const db = openDatabase({ path: ':memory:', migrations: [broken] });
    const error = thrownBy(() => db.migrations.up());
    expect(error).toMatchObject({ code: 'MIGRATION_FAILED' });
    expect(String(error)).not.toContain('baseline');
  });
});

describe('a folder of migrations', () => {
  const files = [
    migrationFile('001_orders', `${ORDERS};`, 'DROP TABLE orders;'),
    migrationFile('002_notes', 'CREATE TABLE notes (id);', 'DROP TABLE notes;'),
  ];

  function folderWith(name: string): string {
    const folder = join(temporaryFolder(), name);
    mkdirSync(folder);
    for (const { name, sql } of files) writeFileSync(join(folder, `${name}.sql`), sql);
    return folder;
  }

  it('is a path or a file: URL, whose characters may be escaped, and the same either way', () => {
    const folder = folderWith('my migrations é#%');
    const url = pathToFileURL(folder);
    expect(url.href).toContain('%20');
    for (const migrations of [
      [migrationsFromFolder('shop', folder)],
      [migrationsFromFolder('shop', url)],
      [{ namespace: 'shop', folder }],
      [{ namespace: 'shop', folder: url }],
      [{ namespace: 'shop', folder: new URL(`${url.href}/`) }],
    ]) {
      const db = openMigrated({ path: ':memory:', migrations });
      expect(names(db)).toEqual(['notes', 'orders', 'proxies']);
      db.migrations.to(1, 'shop');
      expect(names(db)).toEqual(['orders', 'proxies']);
    }
  });

  it.each([
    new URL('https://user-7:s3cret@h.example/migrations'),
    new URL('postgres://user-7:s3cret@h.example/pool'),
    new URL('data:text/plain,s3cret'),
    new URL('file://user-7/s3cret'),
    new URL('file:///data/a%2Fs3cret'),
    new URL('file:///data/a%00s3cret'),
    '',
    'a\0b',
    null,
    7,
    ['migrations'],
  ])('is not %s, and no error has more of a URL than its scheme', (folder) => {
    for (const go of [
      () => migrationsFromFolder('shop', folder as URL),
      () => openDatabase({ migrations: [{ namespace: 'shop', folder: folder as URL }] }),
    ]) {
      const error = thrownBy(go);
      expect(error).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('The folder of migrations must be the path of a folder'),
      });
      expect(String(error)).not.toMatch(/s3cret|user-7|h\.example/);
    }
  });

  it('that is missing is CANNOT_OPEN, and no pool is made', () => {
    const folder = new URL('missing/', pathToFileURL(`${temporaryFolder()}/`));
    const path = join(temporaryFolder(), 'pool.db');
    expect(thrownBy(() => openDatabase({ path, migrations: [{ namespace: 'shop', folder }] }))).toMatchObject(
      {
        code: 'CANNOT_OPEN',
      },
    );
    expect(thrownBy(() => openDatabase({ path, readonly: true }))).toMatchObject({ code: 'CANNOT_OPEN' });
  });
});

describe('temporary objects of a migration', () => {
  it('may be used in it, and are dropped after it: they would hide the tables of the pool', () => {
    const up = `
      CREATE TEMP TABLE proxies (id);
      CREATE TEMP VIEW "a ""view" AS SELECT id FROM temp.proxies;
      CREATE TEMP TRIGGER on_note AFTER INSERT ON temp.proxies BEGIN SELECT 1; END;
      CREATE TEMP TABLE numbered (id INTEGER PRIMARY KEY AUTOINCREMENT);
      CREATE TABLE notes AS SELECT 7 AS id;`;
    const db = openDatabase();
    const next = reopen(db, {
      migrations: [{ namespace: 'shop', migrations: [{ version: 1, name: 'notes', up }] }],
    });
    next.migrations.up();
    // SQLite made this one, and lets nobody drop it.
    expect(next.query('SELECT name FROM sqlite_temp_schema')).toEqual([{ name: 'sqlite_sequence' }]);
    expect(next.query('SELECT id FROM notes')).toEqual([{ id: 7 }]);
    expect(next.query('SELECT host FROM proxies')).toEqual([]);
  });
});
