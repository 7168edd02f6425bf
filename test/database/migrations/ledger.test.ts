import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseManager } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { migrationFile as file, linesOf, reopen, source } from '../../support/migration-files.ts';
import { openDatabase, openMigrated, thrownBy } from '../../support/temporary.ts';

const one = file('001_tasks', 'CREATE TABLE tasks (id);', 'DROP TABLE tasks;');
const two = file('002_notes', 'CREATE TABLE notes (id);', 'DROP TABLE notes;');
const three = file('003_tags', 'CREATE TABLE tags (id);', 'DROP TABLE tags;');
describe('the ledger', () => {
  it('keeps migrations of one name apart by their namespace', () => {
    const shopOne = file('001_tasks', 'CREATE TABLE shop_tasks (id);', 'DROP TABLE shop_tasks;');
    const db = openMigrated({ migrations: [source('app', one), source('shop', shopOne)] });
    expect(linesOf(db)).toEqual(['app/001_tasks', 'shop/001_tasks']);
    db.migrations.to(0, 'shop');
    expect(linesOf(db)).toEqual(['app/001_tasks']);
    expect(db.migrations.getPending().map(({ namespace }) => namespace)).toEqual(['shop']);
    expect(db.migrations.plan().map(({ sql }) => sql)).toEqual(['CREATE TABLE shop_tasks (id);']);
    const known = reopen(db, { migrations: [source('shop', shopOne)] });
    expect(known.migrations.getApplied().some(({ namespace }) => namespace === 'app')).toBe(false);
    expect(thrownBy(() => known.migrations.down())).toMatchObject({ code: 'MIGRATION_IRREVERSIBLE' });
    known.migrations.up();
    expect(linesOf(known)).toEqual(['app/001_tasks', 'shop/001_tasks']);
  });

  it('has the highest version as the current one, whatever was applied last', () => {
    const db = openMigrated({ migrations: [source('app', one, three)] });
    const merged = reopen(db, { migrations: [source('app', one, two, three)] });
    merged.migrations.up();
    expect(linesOf(merged).at(-1)).toBe('app/002_notes');
    expect(merged.migrations.getCurrentVersion('app')).toBe(3);
    // The last applied is undone first, then the version is the number that is wanted.
    merged.migrations.to(1, 'app');
    expect(linesOf(merged)).toEqual(['app/001_tasks']);
  });

  it('goes to a version of one namespace and leaves the others where they are', () => {
    const db = openDatabase({ migrations: [source('app', one, two), source('shop', three)] });
    db.migrations.to(1);
    expect([db.migrations.getCurrentVersion(), linesOf(db)]).toEqual([1, []]);
    db.migrations.to(1, 'app');
    expect([db.migrations.getCurrentVersion(), linesOf(db)]).toEqual([1, ['app/001_tasks']]);
    db.migrations.up();
    db.migrations.to(0, 'app');
    expect(linesOf(db)).toEqual(['shop/003_tags']);
    for (const [version, namespace] of [
      [3, 'app'],
      [1, 'shop'],
      [1, 'nobody'],
      [0.5, 'app'],
    ] as const)
      expect(thrownBy(() => db.migrations.to(version, namespace))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(linesOf(db)).toEqual(['shop/003_tags']);
  });

  it('undoes a lower version that was applied later before a higher one', () => {
    const onTags = file('002_notes', 'CREATE INDEX on_tags ON tags(id);', 'DROP INDEX on_tags;');
    const db = openMigrated({ migrations: [source('app', one, three)] });
    const merged = reopen(db, { migrations: [source('app', one, onTags, three)] });
    merged.migrations.up();
    merged.migrations.to(0, 'app');
    expect(linesOf(merged)).toEqual([]);
  });

  it('takes no migration twice, also not from plain SQL', () => {
    const db = openMigrated({ migrations: [source('app', one)] });
    const again = `INSERT INTO schema_migrations (namespace, version, name, checksum, applied_at)
      SELECT namespace, version, name, checksum, applied_at FROM schema_migrations WHERE name = '001_tasks'`;
    expect(thrownBy(() => db.driver.run(again, {}))).toMatchObject({ code: 'CONFLICT' });
  });

  it('may be one of another application alone, before ours is applied', () => {
    const db = openMigrated({ migrations: [source('app', one)] });
    db.driver.run(`DELETE FROM schema_migrations WHERE namespace = 'proxyvault'`, {});
    expect(openDatabase({ path: db.path }).migrations.getCurrentVersion('app')).toBe(1);
    // Another program may count from 0: that is not our base schema.
    db.driver.run(`UPDATE schema_migrations SET namespace = 'other', version = 0, name = '000_x'`, {});
    expect(db.migrations.plan()[0]).toMatchObject({ namespace: 'proxyvault', name: '000_schema' });
    expect(thrownBy(() => db.migrations.down())).toMatchObject({ code: 'MIGRATION_IRREVERSIBLE' });
  });

  it.each([
    ['version', '9'],
    ['version', 'NULL'],
    ['version', '-1'],
    ['checksum', `''`],
    ['checksum', `x'00'`],
    ['name', `x'00'`],
    ['namespace', `''`],
  ])('is rejected if its column %s holds %s', (column, value) => {
    const db = openMigrated({ migrations: [source('app', one)] });
    // As a program without our rules writes it.
    db.driver.exec(`
      CREATE TABLE copy AS SELECT * FROM schema_migrations;
      DROP TABLE schema_migrations;
      ALTER TABLE copy RENAME TO schema_migrations;
      UPDATE schema_migrations SET ${column} = ${value} WHERE name = '001_tasks';`);
    db.close();
    expect(thrownBy(() => openDatabase({ path: db.path, migrations: [source('app', one)] }))).toMatchObject({
      code: 'INVALID_ROW',
      details: { table: 'schema_migrations', column },
    });
  });

  it('that lost the line of the base schema is rejected, and says so', () => {
    const db = openMigrated();
    db.driver.run(`DELETE FROM schema_migrations WHERE version = 0`, {});
    expect(thrownBy(() => openDatabase({ path: db.path }))).toMatchObject({
      code: 'INVALID_ROW',
      message: expect.stringContaining('base schema'),
    });
  });

  it('with the base schema alone is a pool of which everything was undone', () => {
    const db = openMigrated();
    db.migrations.to(0);
    expect(db.migrations.plan().map(({ name }) => name)).not.toContain('000_schema');
    expect(thrownBy(() => db.driver.all('SELECT * FROM rotation_rules', {}, String))).toMatchObject({
      code: 'MIGRATION_PENDING',
      message: expect.stringMatching(/older than this program.*001_proxy_rotation_system/),
    });
    db.migrations.up();
    expect(db.migrations.getPending()).toEqual([]);
  });

  it('is rejected if the base schema or a migration of it has another text', () => {
    for (const name of ['000_schema', '003_encryption_keys']) {
      const db = openMigrated();
      db.driver.run(`UPDATE schema_migrations SET checksum = 'another' WHERE name = :name`, { name });
      expect(thrownBy(() => db.migrations.verify())).toMatchObject({
        code: 'MIGRATION_CHANGED',
        message: expect.stringContaining('new migration'),
        details: { migration: name, namespace: 'proxyvault' },
      });
    }
  });
});

describe('the backup before a change', () => {
  const backupsOf = (db: DatabaseManager): string[] =>
    readdirSync(dirname(db.path)).filter((name) => name.endsWith('.backup'));

  it('is made before down() and to() as before up(), and has what they drop', () => {
    const db = openMigrated();
    db.driver.exec(`INSERT INTO proxies (id, name, host, port, protocol) VALUES ('p', 'n', 'h', 1, 'http');
      INSERT INTO proxy_tags VALUES ('p', 't', 'i');`);
    db.migrations.to(3);
    const [name = '', ...others] = backupsOf(db);
    expect(others).toEqual([]);
    // Named by the first step, which is the last migration.
    expect(name).toMatch(/\.before-011_logins_bring_back\.backup$/);
    const copy = openDatabase({ path: `${dirname(db.path)}/${name}` });
    expect(copy.driver.all('SELECT tag FROM proxy_tags', {}, ({ tag }) => tag)).toEqual(['t']);
    expect(copy.migrations.getPending()).toEqual([]);
    db.migrations.down();
    expect(backupsOf(db)).toHaveLength(2);
    db.migrations.up();
    expect(backupsOf(db).filter((each) => each.includes('before-003_encryption_keys'))).toHaveLength(2);
  });
});
