import { type Migration, MigrationRunner, type MigrationSource } from 'proxyvault/database';
import type { Driver } from 'proxyvault/driver';
import { describe, expect, it } from 'vitest';
import { loadMigrations } from '../../../src/database/migrations/sources.ts';
import { migrationFile as file, source } from '../../support/migration-files.ts';
import { failureOf, MODES, openEngine, type TestedEngine } from '../../support/modes.ts';
import { openMigrated } from '../../support/temporary.ts';

const one = file('001_tasks', 'CREATE TABLE tasks (id INTEGER PRIMARY KEY);', 'DROP TABLE tasks;');
const two = file('002_notes', 'CREATE TABLE notes (id INTEGER PRIMARY KEY);', 'DROP TABLE notes;');
const half = file('002_half', 'CREATE TABLE half (x);\n\nINSERT INTO nowhere VALUES (1);');
const LATEST = Math.max(...loadMigrations([]).map(({ version }) => version));

const addProxy = (driver: Driver<'async'>): Promise<number> =>
  driver.run(`INSERT INTO proxies (id, name, host, port, protocol) VALUES ('p', 'n', 'h', 1, 'http')`, {});
const countProxies = (driver: Driver<'async'>): Promise<unknown> =>
  driver.one('SELECT count(*) AS n FROM proxies', {}, (row) => row?.n);

describe.each(MODES)('the migration runner in mode %s', (mode) => {
  interface Runner extends TestedEngine {
    migrations: MigrationRunner<'async'>;
    /** The first migration of each run that found rows. */
    changes: string[];
    names: () => Promise<string[]>;
  }

  function open(sources: MigrationSource[] = [], path?: string): Runner {
    const tested = openEngine(mode, path === undefined ? {} : { path });
    const changes: string[] = [];
    const migrations = new MigrationRunner<'async'>({
      engine: tested.engine,
      clock: () => Date.UTC(2026, 0, 1),
      migrations: loadMigrations(sources),
      beforeChange: async ({ name }: Migration) => void changes.push(name),
      table: 'schema_migrations',
    });
    const names = async (): Promise<string[]> => (await migrations.getApplied()).map(({ name }) => name);
    return { ...tested, migrations, changes, names };
  }

  it('up makes the schema that the other mode makes, and then nothing', async () => {
    const { engine, migrations } = open();
    expect(await migrations.getCurrentVersion()).toBe(0);
    const planned = (await migrations.plan()).map(({ name }) => name);
    expect(planned.slice(1)).toEqual((await migrations.getPending()).map(({ name }) => name));
    await migrations.up();
    expect(await engine.objects()).toEqual(openMigrated().engine.objects());
    expect(await migrations.getCurrentVersion()).toBe(LATEST);
    expect([await migrations.plan(), await migrations.getPending()]).toEqual([[], []]);
    expect(await migrations.verify()).toBeUndefined();
    const before = await engine.objects();
    await migrations.up();
    expect(await engine.objects()).toEqual(before);
  });

  it('down and to go back and forth with rows present, and say before they change them', async () => {
    const { engine, driver, migrations, changes, names } = open([source('app', one, two)]);
    await migrations.up();
    expect(changes).toEqual([]);
    await addProxy(driver);
    const before = await engine.objects();
    await migrations.down(2);
    expect(changes).toEqual(['002_notes']);
    expect(await engine.columnsOf('tasks')).toEqual([]);
    await migrations.to(2, 'app');
    await migrations.to(0);
    expect(await migrations.getCurrentVersion()).toBe(0);
    expect(await names()).toEqual(['001_tasks', '002_notes']);
    await migrations.to(LATEST);
    await migrations.to(1, 'app');
    await migrations.up();
    expect(await engine.objects()).toEqual(before);
    expect(await countProxies(driver)).toBe(1);
    for (const work of [() => migrations.down(0), () => migrations.to(77), () => migrations.baseline(77)])
      expect(await failureOf(work)).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('changes nothing if one fails, and names file and line', async () => {
    const { engine, migrations } = open([source('app', one, half)]);
    expect(await failureOf(() => migrations.up())).toMatchObject({
      code: 'MIGRATION_FAILED',
      details: { migration: '002_half', namespace: 'app', line: 7 },
    });
    expect(await engine.objects()).toEqual([]);
  });

  it('verify, plan and up reject a database that is newer, or whose migrations have changed', async () => {
    const { path, migrations } = open([source('app', one, two)]);
    await migrations.up();
    const changed = file('002_notes', 'CREATE TABLE notes (other TEXT);');
    for (const [known, code] of [
      [source('app', one), 'DATABASE_NEWER'],
      [source('app', one, changed), 'MIGRATION_CHANGED'],
    ] as const) {
      const other = open([known], path).migrations;
      for (const work of [() => other.verify(), () => other.plan(), () => other.up(), () => other.down()])
        expect(await failureOf(work)).toMatchObject({ code });
    }
  });

  it('baseline records what is there, and nothing of another schema', async () => {
    const { engine, driver, migrations, names } = open();
    await migrations.up();
    await engine.script('DROP TABLE schema_migrations');
    await addProxy(driver);
    await engine.script('ALTER TABLE proxies ADD COLUMN mine TEXT');
    expect(await failureOf(() => migrations.baseline(LATEST))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await engine.columnsOf('schema_migrations')).toEqual([]);
    await engine.script('ALTER TABLE proxies DROP COLUMN mine');
    await migrations.baseline(LATEST);
    expect(await names()).toHaveLength(loadMigrations([]).length);
    expect(await countProxies(driver)).toBe(1);
    expect(await failureOf(() => migrations.baseline(LATEST))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('is rejected inside a transaction, and says MIGRATION_PENDING of a database without tables', async () => {
    const { driver, migrations } = open();
    const work = () =>
      driver.transaction(function* () {
        yield migrations.up();
      });
    expect(await failureOf(work)).toMatchObject({ code: 'INVALID_INPUT' });
    const error = await failureOf(() => countProxies(driver));
    expect(await migrations.pendingError(error as never)).toMatchObject({
      code: 'MIGRATION_PENDING',
      cause: error,
    });
    await migrations.up();
    expect(await migrations.pendingError(error as never)).toBeNull();
  });

  it('of several at once, one applies each migration', async () => {
    const first = open([source('app', one, two)]);
    const others = Array.from({ length: 4 }, () => open([source('app', one, two)], first.path));
    await Promise.all([first, ...others].map(({ migrations }) => migrations.up()));
    for (const { names } of others) expect(await names()).toEqual(await first.names());
    await addProxy(first.driver);
    await Promise.all([first, ...others].map(({ migrations }) => migrations.to(0, 'app')));
    expect(await first.engine.columnsOf('tasks')).toEqual([]);
    expect(await countProxies(first.driver)).toBe(1);
    const changes = [first, ...others].flatMap(({ changes }) => changes);
    expect(changes).toEqual(['002_notes']);
  });
});
