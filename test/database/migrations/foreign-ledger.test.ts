import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { initDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { fileWith, schemaOf } from '../../support/foreign-file.ts';
import { openDatabase, temporaryFolder, thrownBy } from '../../support/temporary.ts';

describe('a migration table of another program', () => {
  it.each([
    ['Rails or dbmate', 'CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY)'],
    ['Rails or dbmate', 'CREATE TABLE "schema_migrations" (version varchar(128) primary key)'],
    ['golang-migrate', 'CREATE TABLE schema_migrations (version uint64, dirty bool)'],
    ['Ecto', 'CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, inserted_at TEXT)'],
    ['Rails or dbmate', 'CREATE TABLE Schema_Migrations (version)'],
    // Nearly ours, or no table.
    [null, 'CREATE TABLE schema_migrations (position, namespace, version, name, checksum)'],
    [
      null,
      `CREATE VIEW schema_migrations AS
       SELECT 1 AS position, 'x' AS namespace, 1 AS version, '001_x' AS name, 'x' AS checksum, 'x' AS applied_at`,
    ],
    [null, 'CREATE TABLE schema_migrations (id, hash, done)'],
    [null, 'CREATE VIEW schema_migrations AS SELECT 1 AS x'],
  ])('of %s is rejected by name, and another name for ours works beside it', (owner, sql) => {
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

  it.each(['vault_migrations', 'Vault_Migrations', 'a"b', 'a b; --'])(
    'with our lines is found under the name %s',
    (name) => {
      const path = join(temporaryFolder(), 'pool.db');
      const db = openDatabase({ path });
      db.migrations.up();
      db.driver.exec(`ALTER TABLE schema_migrations RENAME TO "${name.replaceAll('"', '""')}"`);
      db.close();
      expect(thrownBy(() => initDatabase({ path }))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('Nothing was changed'),
        details: { table: 'schema_migrations', found: name },
      });
    },
  );

  it('with our columns and the lines of another program, or nearly our columns, is not ours', () => {
    const path = fileWith(`
      CREATE TABLE theirs (position, namespace, version, name, checksum, applied_at);
      INSERT INTO theirs VALUES (1, 'other', 1, '001_x', 'x', 'x');
      CREATE TABLE nearly (position, namespace, version, name, applied_at);
      INSERT INTO nearly VALUES (1, 'proxyvault', 0, '000_schema', 'x');`);
    const db = openDatabase({ path });
    db.migrations.up();
    expect(new ProxyRepository(db).findAll()).toEqual([]);
  });

  it('is ours in any case of its letters', async () => {
    const path = join(temporaryFolder(), 'pool.db');
    const db = openDatabase({ path, migrationsTable: 'Vault_Migrations' });
    db.migrations.up();
    db.close();
    const again = openDatabase({ path, migrationsTable: 'VAULT_migrations' });
    expect(again.migrations.getPending()).toEqual([]);
    again.migrations.down();
    again.migrations.up();
    expect(await again.check()).toMatchObject({ ok: true, schema: { missing: [], changed: [], extra: [] } });
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
    const plain = ['', 'a b', 'a"b', '1a', 'x;--', 'a'.repeat(64), 't\u00e4bel', 7 as never];
    const reserved = [
      'sqlite_x',
      'SQLITE_sequence',
      'pragma_table_info',
      'json_each',
      'jsonb_tree',
      'dbstat',
      'DbStat',
      'JSON_tree',
      'pragma_x',
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
      'by_id',
      'by_name',
      'on_order',
      'words',
      'notes',
    ];
    const migrations = [
      {
        namespace: 'shop',
        files: [
          {
            name: '001_orders',
            sql: '-- Migration: 001_orders\n-- Description: Orders\n\n-- Up\nCREATE TABLE "orders" (id);\nCREATE VIEW IF NOT EXISTS orders_open AS SELECT id FROM orders;\nCREATE TABLE main.bills (id);\nCREATE TEMP TABLE drafts (id);\nALTER TABLE bills\nRENAME TO invoices;\nCREATE INDEX by_id ON orders(id);\nCREATE UNIQUE INDEX `by_name` ON orders(id);\nCREATE TRIGGER on_order AFTER INSERT ON orders BEGIN SELECT 1; END;\nCREATE VIRTUAL TABLE words USING fts5(text);\nCREATE TEMPORARY TABLE [notes] (id);\n\n-- Down\nDROP TABLE orders;',
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

  it.each(['select', 'ORDER', '_', 'a'.repeat(63)])('may be called %s, a word of SQL', async (name) => {
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
  });
});
