import type { DatabaseManager, MigrationSource } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { migrationFile as file } from '../../support/migration-files.ts';
import { openDatabase, openMigrated, thrownBy } from '../../support/temporary.ts';

const one = file('001_tasks', 'CREATE TABLE tasks (id INTEGER PRIMARY KEY);', 'DROP TABLE tasks;');
const app = (...files: MigrationSource['files']): MigrationSource => ({ namespace: 'app', files });

const schema = (db: DatabaseManager): unknown[] =>
  db.driver.all(
    'SELECT type, name, sql FROM sqlite_schema ORDER BY type, name',
    {},
    ({ type, name, sql }) => [type, name, sql],
  );

const tables = (db: DatabaseManager): unknown[] =>
  db.driver.all(`SELECT name FROM sqlite_schema WHERE type = 'table'`, {}, ({ name }) => name);

describe('baseline', () => {
  const tablesOf = (version: number): DatabaseManager => {
    const db = openDatabase({ migrations: [app(one)] });
    for (const { sql, name } of db.migrations.plan())
      if (Number(name.slice(0, 3)) <= version && name !== '001_tasks') db.driver.exec(sql);
    return db;
  };

  it('records our migrations up to the version, and no other', () => {
    const db = tablesOf(2);
    const own = db.migrations
      .getPending()
      .flatMap(({ namespace, name }) => (namespace === 'proxyvault' ? name : []));
    db.migrations.baseline(2);
    expect(db.migrations.getApplied().map(({ name }) => name)).toEqual(own.slice(0, 2));
    expect(db.migrations.getPending().map(({ name }) => name)).toEqual([...own.slice(2), '001_tasks']);
    expect(tables(db)).not.toContain('tasks');
    db.migrations.up();
    expect(schema(db)).toEqual(schema(openMigrated({ migrations: [app(one)] })));
  });

  it('takes tables that are written with other white space', () => {
    const db = openDatabase({ path: ':memory:' });
    for (const { sql } of db.migrations.plan())
      db.driver.exec(sql.replaceAll('  ', '\t').replaceAll('\n', '\n\n'));
    const latest = db.migrations.getPending().at(-1)?.version ?? 0;
    db.migrations.baseline(latest);
    expect(db.migrations.getCurrentVersion()).toBe(latest);
  });

  it('rejects an unknown version, a schema that lacks an object or has another one, and a ledger', () => {
    const db = tablesOf(2);
    for (const version of [99, -1, 1.5])
      expect(thrownBy(() => db.migrations.baseline(version))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('There is no version'),
      });
    expect(thrownBy(() => db.migrations.to(1, 'nobody'))).toMatchObject({
      message: expect.stringContaining(
        'There are no migrations of "nobody"; there are those of proxyvault, app.',
      ),
    });
    expect(thrownBy(() => db.migrations.baseline(3))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/encryption_keys is missing.*encrypted_credentials differs/),
    });
    db.driver.exec('DROP INDEX idx_proxies_top; CREATE INDEX idx_proxies_top ON proxies(status)');
    expect(thrownBy(() => db.migrations.baseline(2))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/: idx_proxies_top differs\.$/),
    });
    expect(tables(db)).not.toContain('schema_migrations');
    const recorded = openDatabase();
    recorded.migrations.to(0);
    expect(thrownBy(() => recorded.migrations.baseline(0))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('use up() or to()'),
    });
  });
});

describe('the schema comparison of check()', () => {
  it('names what is missing, changed and extra, and its fingerprint is that of the file', async () => {
    const db = openMigrated();
    const { schema: before } = await db.check();
    expect(before).toEqual({
      fingerprint: expect.stringMatching(/^[\da-f]{64}$/),
      missing: [],
      changed: [],
      extra: [],
    });
    expect((await openMigrated().check()).schema).toEqual(before);
    db.driver.exec(`
      DROP INDEX idx_encryption_keys_primary;
      DROP INDEX idx_proxies_identity;
      CREATE INDEX idx_proxies_identity ON proxies(host);
      CREATE TABLE sqlitesque (id);`);
    const report = await db.check();
    expect(report.ok).toBe(false);
    expect(report.schema).toEqual({
      fingerprint: expect.not.stringMatching(before.fingerprint),
      missing: ['idx_encryption_keys_primary'],
      changed: ['idx_proxies_identity'],
      extra: ['sqlitesque'],
    });
  });

  it('expects what the applied migrations make, an application\u2019s too, and nothing of a new file', async () => {
    const db = openDatabase({ migrations: [app(one)] });
    expect((await db.check()).schema).toMatchObject({ missing: [], changed: [], extra: [] });
    db.migrations.to(2);
    expect((await db.check()).schema).toMatchObject({ missing: [], changed: [], extra: [] });
    db.migrations.up();
    expect((await db.check()).schema).toMatchObject({ missing: [], changed: [], extra: [] });
    db.driver.exec('DROP TABLE tasks');
    expect((await db.check()).schema).toMatchObject({ missing: ['tasks'] });
  });
});
