import { readdirSync } from 'node:fs';
import type { DatabaseManager, InlineMigration } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { migrationFile, reopen } from '../../support/migration-files.ts';
import { openDatabase, openMigrated, thrownBy } from '../../support/temporary.ts';

const orders: InlineMigration = {
  version: 1,
  name: 'orders',
  up: `
    CREATE TABLE orders (id INTEGER PRIMARY KEY);
    CREATE TRIGGER log AFTER INSERT ON orders BEGIN SELECT 1; SELECT 2; END;
  `,
  down: 'DROP TABLE orders;',
};
const notes: InlineMigration = { version: 2, name: 'notes', up: 'CREATE TABLE notes (id)' };

const shop = (...migrations: InlineMigration[]) => ({ namespace: 'shop', migrations });

const tables = (db: DatabaseManager): unknown[] =>
  db
    .query(`SELECT name FROM sqlite_schema WHERE name IN ('orders', 'notes') ORDER BY name`)
    .map(({ name }) => name);

describe('a migration that is written in the program', () => {
  it.each<[given: unknown, says: string]>([
    [null, 'A migration of shop is not an object'],
    ['CREATE TABLE x (id)', 'is not an object'],
    [{ name: 'a', up: 'SELECT 1' }, 'has no version'],
    [{ version: 0, name: 'a', up: 'SELECT 1' }, 'has no version'],
    [{ version: 1.5, name: 'a', up: 'SELECT 1' }, 'has no version'],
    [{ version: '1', name: 'a', up: 'SELECT 1' }, 'has no version'],
    [{ version: 1e9, name: 'a', up: 'SELECT 1' }, 'has no version'],
    [{ version: 1, up: 'SELECT 1' }, 'has no name'],
    [{ version: 1, name: 'Add Orders', up: 'SELECT 1' }, 'lower-case words joined by _'],
    [{ version: 1, name: 'a' }, '(version 1, a) has no up'],
    [{ version: 1, name: 'a', up: 'SELECT 1', down: 7 }, 'a down that is no text'],
    [{ version: 1, name: 'a', up: 'SELECT 1', dwon: 'SELECT 1' }, '"dwon"'],
    [{ version: 1, name: 'a', up: ' -- nothing' }, '001_a (up):1: the section'],
    [{ version: 1, name: 'a', up: 'SELECT 1', down: '' }, '001_a (down):1: the section'],
    [{ version: 1, name: 'a', up: 'SELECT 1;\n\nCOMMIT' }, '001_a (up):3: COMMIT may not stand'],
    [{ version: 1, name: 'a', up: 'SELECT 1', down: '\nPRAGMA x' }, '001_a (down):2: PRAGMA may not'],
    [{ version: 1, name: 'a', up: "\nSELECT 'open" }, "001_a (up):2: ' is opened here"],
  ])('%j is MIGRATION_INVALID, and makes no file', (given, says) => {
    const db = openMigrated();
    const before = readdirSync('.');
    const migrations = [shop(given as InlineMigration)];
    expect(thrownBy(() => openDatabase({ path: db.path, migrations }))).toMatchObject({
      code: 'MIGRATION_INVALID',
      message: expect.stringContaining(says),
    });
    expect(readdirSync('.')).toEqual(before);
  });

  it('is rejected if another has its number, or its source is of no known shape', () => {
    expect(
      thrownBy(() => openDatabase({ migrations: [shop(orders, { ...notes, version: 1 })] })),
    ).toMatchObject({
      code: 'MIGRATION_INVALID',
      message: expect.stringContaining('001_orders and 001_notes have one number'),
    });
    for (const source of [
      null,
      'shop',
      { namespace: 'shop' },
      { migrations: [orders] },
      { namespace: 7, migrations: [orders] },
      { namespace: 'shop', migrations: orders },
      { namespace: 'shop', migrations: [orders], files: [] },
    ])
      expect(thrownBy(() => openDatabase({ migrations: [source as never] }))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('migrations[0]'),
      });
  });

  it('is applied in order, recorded by its name, and undone', () => {
    const db = openDatabase({ path: ':memory:', migrations: [shop(notes, orders)] });
    expect(db.migrations.plan().at(-2)).toEqual({
      namespace: 'shop',
      name: '001_orders',
      direction: 'up',
      sql: orders.up,
    });
    db.migrations.up();
    expect(tables(db)).toEqual(['notes', 'orders']);
    expect(db.migrations.getApplied().slice(-2)).toMatchObject([
      { namespace: 'shop', version: 1, name: '001_orders', description: 'orders' },
      { namespace: 'shop', version: 2, name: '002_notes', down: null },
    ]);
    expect(thrownBy(() => db.migrations.down())).toMatchObject({ code: 'MIGRATION_IRREVERSIBLE' });
    const older = openDatabase({ path: ':memory:', migrations: [shop(orders)] });
    older.migrations.up();
    older.migrations.to(0, 'shop');
    expect(tables(older)).toEqual([]);
    expect(older.migrations.getCurrentVersion('shop')).toBe(0);
  });

  it('is known again in other white space, and MIGRATION_CHANGED if its SQL, name or down is another', () => {
    const db = openMigrated({ migrations: [shop(orders)] });
    const moved = {
      ...orders,
      up: `\r\n${orders.up.replaceAll('\n    ', '\r\n\t\t')} \n`,
      down: '  DROP TABLE orders;',
    };
    const same = reopen(db, { migrations: [shop(moved, notes)] });
    same.migrations.up();
    expect(tables(same)).toEqual(['notes', 'orders']);
    same.close();
    for (const changed of [
      { ...orders, up: orders.up.replace('id INTEGER', 'id  INTEGER') },
      { ...orders, down: 'DROP TABLE IF EXISTS orders' },
      { version: 1, name: 'orders', up: orders.up },
    ])
      expect(
        thrownBy(() => openDatabase({ path: same.path, migrations: [shop(changed, notes)] })),
      ).toMatchObject({ code: 'MIGRATION_CHANGED', details: { migration: '001_orders' } });
    for (const fewer of [[{ ...orders, name: 'other' }, notes], [orders]])
      expect(thrownBy(() => openDatabase({ path: same.path, migrations: [shop(...fewer)] }))).toMatchObject({
        code: 'DATABASE_NEWER',
      });
  });

  it('that fails rolls everything back, and says where', () => {
    const broken = { version: 2, name: 'broken', up: 'CREATE TABLE notes (id);\nCREATE TABLE orders (id);' };
    const db = openDatabase({ path: ':memory:', migrations: [shop(orders, broken)] });
    expect(thrownBy(() => db.migrations.up())).toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringMatching(/^shop\/002_broken failed at 002_broken \(up\):2 going up; everything/),
      details: { migration: '002_broken', line: 2 },
    });
    expect(tables(db)).toEqual([]);
  });

  it('and files may be under two namespaces of one pool', () => {
    const blog = { namespace: 'blog', files: [migrationFile('001_notes', 'CREATE TABLE notes (id);')] };
    const db = openMigrated({ migrations: [shop(orders), blog] });
    expect(tables(db)).toEqual(['notes', 'orders']);
    expect([db.migrations.getCurrentVersion('shop'), db.migrations.getCurrentVersion('blog')]).toEqual([
      1, 1,
    ]);
  });
});
