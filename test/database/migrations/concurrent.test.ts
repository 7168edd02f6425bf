import {
  type DatabaseManager,
  type DatabaseOptions,
  initDatabase,
  type MigrationSource,
} from 'proxyvault/database';
import { expect, it } from 'vitest';
import { Interleaving } from '../../support/interleaving.ts';
import { migrationFile as file } from '../../support/migration-files.ts';
import { openDatabase, openMigrated, thrownBy } from '../../support/temporary.ts';

const one = file('001_tasks', 'CREATE TABLE tasks (id);', 'DROP TABLE tasks;');
const two = file('002_notes', 'CREATE TABLE notes (id);', 'DROP TABLE notes;');
const app = (...files: MigrationSource['files']): MigrationSource => ({ namespace: 'app', files });

/** Works with a connection of its own, while another one acts before its first statement that matches. */
async function interleaved<T>(
  db: DatabaseManager,
  of: RegExp,
  act: () => void,
  work: (second: DatabaseManager) => T,
  options: Partial<DatabaseOptions> = {},
): Promise<T> {
  const interleaving = new Interleaving({ nth: 1, of }, act);
  const second = openDatabase({ ...options, path: db.path, verbose: interleaving.log });
  const result = await interleaving.during(() => work(second));
  expect(interleaving.isAtEnd).toBe(false);
  return result;
}

const tables = (db: DatabaseManager): unknown[] =>
  db.driver.all(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`, {}, ({ name }) => name);

it('up() finds under the lock that another process has brought the file to a newer version meanwhile', async () => {
  const db = openMigrated({ migrations: [app(one, two)] });
  db.migrations.to(0, 'app');
  const thrown = await interleaved(
    db,
    /^BEGIN IMMEDIATE/,
    () => db.migrations.up(),
    (older) => thrownBy(() => older.migrations.up()),
    { migrations: [app(one)] },
  );
  expect(thrown).toMatchObject({
    code: 'DATABASE_NEWER',
    details: { migration: '002_notes', namespace: 'app' },
  });
  expect(tables(db)).toEqual(expect.arrayContaining(['tasks', 'notes']));
});

it('up() applies nothing that another process has applied between its look and its lock', async () => {
  const db = openDatabase({ migrations: [app(one)] });
  const up = (second: DatabaseManager): void => {
    second.migrations.up();
    expect(second.migrations.getPending()).toEqual([]);
    expect(second.migrations.getApplied()).toEqual(db.migrations.getApplied());
  };
  await interleaved(db, /^BEGIN IMMEDIATE/, () => db.migrations.up(), up, { migrations: [app(one)] });
});

it('up() applies a migration of its own beside what another process has applied', async () => {
  const db = openMigrated({ migrations: [{ namespace: 'shop', files: [two] }] });
  db.migrations.to(0, 'shop');
  await interleaved(
    db,
    /^BEGIN IMMEDIATE/,
    () => db.migrations.up(),
    (second) => second.migrations.up(),
    { migrations: [app(one)] },
  );
  expect(tables(db)).toEqual(expect.arrayContaining(['tasks', 'notes']));
});

it.each([
  ['down()', (db: DatabaseManager) => db.migrations.down()],
  ['to()', (db: DatabaseManager) => db.migrations.to(0)],
  ['up()', (db: DatabaseManager) => db.migrations.up()],
])('%s changes nothing of a file that became newer after it was opened', (_, work) => {
  const db = openMigrated({ migrations: [app(one)] });
  db.migrations.to(0, 'app');
  const older = openDatabase({ path: db.path, migrations: [app(one)] });
  const newer = initDatabase({ path: db.path, migrations: [app(one, two)] });
  newer.migrations.up();
  newer.close();
  const before = tables(db);
  expect(thrownBy(() => work(older))).toMatchObject({ code: 'DATABASE_NEWER' });
  expect(thrownBy(() => older.migrations.verify())).toMatchObject({ code: 'DATABASE_NEWER' });
  expect(tables(db)).toEqual(before);
});

it('reading the ledger sees one state, while another process makes its table', async () => {
  const db = openDatabase();
  await interleaved(
    db,
    /FROM sqlite_schema WHERE sql IS NOT NULL/,
    () => db.migrations.up(),
    (second) => {
      expect(second.migrations.getCurrentVersion()).toBe(0);
      expect(second.migrations.getPending()).toEqual([]);
    },
  );
});

it('up() without anything to do takes no lock: it works while another one writes, and read-only', () => {
  const db = openMigrated();
  const second = openDatabase({ path: db.path, busyTimeoutMs: 0 });
  const readonly = openDatabase({ path: db.path, readonly: true });
  db.transaction(() => {
    second.migrations.up();
    readonly.migrations.up();
  });
  expect(second.migrations.getPending()).toEqual([]);
});
