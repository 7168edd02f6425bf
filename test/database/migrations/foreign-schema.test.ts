import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { initDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { openDatabase, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const BASE = readFileSync(new URL('../../../src/database/schema.sql', import.meta.url), 'utf8');

/** A file that another program made. */
function fileWith(sql: string): string {
  const path = join(temporaryFolder(), 'other.db');
  const other = new Database(path);
  other.exec(sql);
  other.close();
  return path;
}

const schemaOf = (path: string): unknown[] => {
  const db = new Database(path, { readonly: true });
  const rows = db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2').all();
  db.close();
  return rows;
};

describe('up() in a file of another program', () => {
  it.each([
    ['a table', 'CREATE TABLE proxies (id INTEGER PRIMARY KEY, url TEXT)', 'proxies', 'without name, host'],
    ['a table in other letters', 'CREATE TABLE Rotation_Rules (x)', 'Rotation_Rules', 'with x'],
    ['a table of a later migration', 'CREATE TABLE proxy_tags (id, tag)', 'proxy_tags', 'import_id'],
    [
      'a table with other types',
      'CREATE TABLE proxy_tags (proxy_id, tag, import_id)',
      'proxy_tags',
      'definition',
    ],
    ['a view', 'CREATE VIEW proxies AS SELECT 1 AS id', 'proxies', 'a table of that name is needed'],
    [
      'an index',
      'CREATE TABLE t (x); CREATE INDEX idx_proxies_status ON t(x)',
      'idx_proxies_status',
      'index',
    ],
    [
      'a trigger',
      'CREATE TABLE t (x); CREATE TRIGGER trg_proxies_position AFTER INSERT ON t BEGIN SELECT 1; END',
      'trg_proxies_position',
      'trigger',
    ],
  ])(
    'refuses %s with one of our names, names what differs, and changes nothing',
    (_, sql, object, difference) => {
      const path = fileWith(sql);
      const before = schemaOf(path);
      const db = openDatabase({ path });
      const error = thrownBy(() => db.migrations.up());
      expect(error).toMatchObject({ code: 'CONFLICT', details: { object } });
      expect(String(error)).toContain(difference);
      expect(String(error)).toContain('baseline');
      db.close();
      expect(schemaOf(path)).toEqual(before);
    },
  );

  it('leaves tables with other names alone', () => {
    const db = openDatabase({ path: fileWith('CREATE TABLE users (id INTEGER PRIMARY KEY)') });
    db.migrations.up();
    expect(new ProxyRepository(db).findAll()).toEqual([]);
  });

  it('takes the base schema as it is in the specification, and advises baseline for what cannot be made twice', () => {
    const adopted = openDatabase({ path: fileWith(BASE) });
    adopted.migrations.up();
    expect(adopted.migrations.getPending()).toEqual([]);
    const plan = openDatabase({ path: ':memory:' }).migrations.plan();
    const path = fileWith(plan.map(({ sql }) => sql).join('\n'));
    const db = openDatabase({ path });
    const latest = db.migrations.getPending().at(-1)?.version ?? 0;
    expect(thrownBy(() => db.migrations.up())).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(`baseline(${latest})`),
      details: { baseline: latest },
    });
    db.migrations.baseline(latest);
    db.migrations.up();
    expect(new ProxyRepository(db).findAll()).toEqual([]);
  });
});

describe('a migration table of another program', () => {
  it.each([
    ['Rails or dbmate', 'CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY)'],
    ['Rails or dbmate', 'CREATE TABLE "schema_migrations" (version varchar(128) primary key)'],
    ['golang-migrate', 'CREATE TABLE schema_migrations (version uint64, dirty bool)'],
    [null, 'CREATE TABLE schema_migrations (id, hash, done)'],
    [null, 'CREATE VIEW schema_migrations AS SELECT 1 AS x'],
  ])('of %s is refused by name, and another name for ours works beside it', (owner, sql) => {
    const path = fileWith(sql);
    const before = schemaOf(path);
    expect(thrownBy(() => initDatabase({ path }))).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('migrationsTable'),
      details: { table: 'schema_migrations', owner },
    });
    expect(schemaOf(path)).toEqual(before);
    const db = openDatabase({ path, migrationsTable: 'vault_migrations' });
    db.migrations.up();
    expect(new ProxyRepository(db).findAll()).toEqual([]);
    expect(schemaOf(path)).toEqual(expect.arrayContaining(before));
    db.close();
    const again = openDatabase({ path, migrationsTable: 'vault_migrations' });
    expect(again.migrations.getPending()).toEqual([]);
  });

  it('is ours under another name: migrations are not run twice', async () => {
    const path = join(temporaryFolder(), 'pool.db');
    const db = openDatabase({ path, migrationsTable: 'vault_migrations' });
    db.migrations.up();
    expect(await db.check()).toMatchObject({ ok: true, schema: { extra: [] } });
    db.close();
    expect(thrownBy(() => initDatabase({ path }))).toMatchObject({
      code: 'INVALID_INPUT',
      details: { found: 'vault_migrations' },
    });
  });

  it('has a plain name, not one that SQLite reserves or a migration makes; a bad one creates no file', () => {
    const path = join(temporaryFolder(), 'new', 'pool.db');
    const plain = ['', 'a b', 'a"b', '1a', 'x;--', 7 as never];
    const reserved = [
      'sqlite_x',
      'SQLITE_sequence',
      'pragma_table_info',
      'json_each',
      'jsonb_tree',
      'dbstat',
    ];
    const made = [
      'proxies',
      'Proxy_Tags',
      'idx_proxies_status',
      'orders',
      'ORDERS_OPEN',
      'drafts',
      'bills',
      'invoices',
    ];
    const migrations = [
      {
        namespace: 'shop',
        files: [
          {
            name: '001_orders',
            sql: '-- Migration: 001_orders\n-- Description: Orders\n\n-- Up\nCREATE TABLE "orders" (id);\nCREATE VIEW IF NOT EXISTS orders_open AS SELECT id FROM orders;\nCREATE TABLE main.bills (id);\nCREATE TEMP TABLE drafts (id);\nALTER TABLE bills\nRENAME TO invoices;\n\n-- Down\nDROP TABLE orders;',
          },
        ],
      },
    ];
    for (const migrationsTable of [...plain, ...reserved, ...made])
      expect(
        thrownBy(() => initDatabase({ path, migrationsTable, migrations })),
        migrationsTable,
      ).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('migrationsTable'),
      });
    expect(existsSync(dirname(path))).toBe(false);
  });

  it('may be a name that a migration only mentions, or the default one if a migration makes it where it is missing', () => {
    const sql = [
      '-- Migration: 001_notes\n-- Description: Notes\n\n-- Up',
      '-- Unlike CREATE TABLE vault_migrations, this can be undone.',
      "CREATE TABLE notes (text DEFAULT 'create table vault_migrations');",
      'CREATE TABLE IF NOT EXISTS schema_migrations (version);',
      '-- Down\nDROP TABLE notes;',
    ].join('\n');
    const migrations = [{ namespace: 'shop', files: [{ name: '001_notes', sql }] }];
    for (const migrationsTable of ['vault_migrations', undefined]) {
      const db = openDatabase({ migrationsTable, migrations });
      db.migrations.up();
      expect(db.migrations.getPending()).toEqual([]);
    }
  });

  it.each(['select', 'group', 'ORDER', 'table', 'values'])(
    'may be called %s, a word of SQL',
    async (name) => {
      const path = join(temporaryFolder(), 'pool.db');
      const db = openDatabase({ path, migrationsTable: name });
      db.migrations.up();
      new ProxyRepository(db).create({ host: 'h.example', port: 1, protocol: 'http' });
      expect(await db.check({ deep: true })).toMatchObject({ ok: true, schema: { extra: [] } });
      db.migrations.down();
      db.migrations.up();
      db.close();
      const again = openDatabase({ path, migrationsTable: name });
      expect(again.migrations.getPending()).toEqual([]);
      expect(thrownBy(() => initDatabase({ path }))).toMatchObject({
        code: 'INVALID_INPUT',
        details: { found: name },
      });
    },
  );
});
