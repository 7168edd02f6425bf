import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { fileWith, schemaOf } from '../../support/foreign-file.ts';
import { migrationFile } from '../../support/migration-files.ts';
import { openDatabase, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const BASE = readFileSync(new URL('../../../src/database/schema.sql', import.meta.url), 'utf8');

/** What makes the tables of a version, without a ledger. */
function planOf(version: number): string {
  const plan = openDatabase({ path: ':memory:' }).migrations.plan();
  return plan
    .slice(0, version + 1)
    .map(({ sql }) => sql)
    .join('\n');
}

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
      'CREATE TABLE t (x); CREATE TRIGGER trg_proxies_deleted AFTER INSERT ON t BEGIN SELECT 1; END',
      'trg_proxies_deleted',
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

  it('names every column that is missing and every one that is too many', () => {
    const db = openDatabase({
      path: fileWith('CREATE TABLE proxy_tags (proxy_id, label, import_id, color)'),
    });
    expect(String(thrownBy(() => db.migrations.up()))).toContain('it is without tag and with label, color');
  });

  it('advises another file, and no baseline, for a pool of ours in which somebody made a table of a later version', () => {
    const path = join(temporaryFolder(), 'pool.db');
    const db = openDatabase({ path });
    db.migrations.to(3);
    db.driver.exec('CREATE TABLE proxy_tags (proxy_id TEXT)');
    expect(thrownBy(() => db.migrations.up())).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('use another file, rename that table'),
      details: { object: 'proxy_tags', baseline: null },
    });
    expect(db.migrations.getCurrentVersion()).toBe(3);
  });

  it('takes tables that a Down has kept, if they are the same, and no others of their names', () => {
    const db = openDatabase({ path: ':memory:' });
    db.migrations.up();
    db.migrations.to(2);
    db.migrations.up();
    expect(db.migrations.getPending()).toEqual([]);
    db.migrations.to(2);
    db.driver.exec('ALTER TABLE encryption_secrets ADD COLUMN extra');
    expect(thrownBy(() => db.migrations.up())).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('it is with extra'),
      details: { object: 'encryption_secrets' },
    });
  });

  it('lets an application make tables of its own that the file has', () => {
    const migrations = [
      {
        namespace: 'shop',
        files: [
          migrationFile(
            '001_orders',
            'CREATE TABLE IF NOT EXISTS orders (id INTEGER);\nCREATE TABLE if not exists ORDERS (id);',
          ),
        ],
      },
    ];
    const db = openDatabase({ path: fileWith('CREATE TABLE orders (other TEXT)'), migrations });
    db.migrations.up();
    expect(db.migrations.getPending()).toEqual([]);
  });

  it('leaves tables with other names alone', () => {
    const db = openDatabase({ path: fileWith('CREATE TABLE users (id INTEGER PRIMARY KEY)') });
    db.migrations.up();
    expect(new ProxyRepository(db).findAll()).toEqual([]);
  });

  it('takes the base schema as it is in the specification, and advises baseline for what cannot be made twice', () => {
    const adopted = openDatabase({ path: fileWith(BASE) });
    adopted.migrations.up();
    expect(adopted.migrations.getPending()).toEqual([]);
    // 004 only adds a table, so that such a file has everything that 003 makes too.
    for (const version of [2, 4]) {
      const older = openDatabase({ path: fileWith(planOf(version)) });
      expect(thrownBy(() => older.migrations.up())).toMatchObject({ details: { baseline: version } });
    }
    const nearly = openDatabase({
      path: fileWith(planOf(2).replace('CREATE INDEX idx_rotation_rules_priority', 'CREATE INDEX other')),
    });
    expect(thrownBy(() => nearly.migrations.up())).toMatchObject({ details: { baseline: null } });
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
