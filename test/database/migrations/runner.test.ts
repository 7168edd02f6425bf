import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type DatabaseManager, type MigrationSource, migrationsFromFolder } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { migrationFile as file, reopen } from '../../support/migration-files.ts';
import { openDatabase, openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const app = (...files: { name: string; sql: string }[]): MigrationSource => ({ namespace: 'app', files });

const one = file('001_tasks', 'CREATE TABLE tasks (id INTEGER PRIMARY KEY);', 'DROP TABLE tasks;');
const two = file('002_notes', 'CREATE TABLE notes (id INTEGER PRIMARY KEY);', 'DROP TABLE notes;');
const three = file('003_tags', 'CREATE TABLE tags (id INTEGER PRIMARY KEY);', 'DROP TABLE tags;');

const tables = (db: DatabaseManager): unknown[] =>
  db.driver.all(
    `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name`,
    {},
    (row) => row.name,
  );

const schema = (db: DatabaseManager): unknown[] =>
  db.driver.all(
    'SELECT type, name, sql FROM sqlite_schema ORDER BY type, name',
    {},
    ({ type, name, sql }) => [type, name, sql],
  );

const addProxy = (db: DatabaseManager, id = 'p'): number =>
  db.driver.run(`INSERT INTO proxies (id, name, host, port, protocol) VALUES (:id, 'n', 'h', 1, 'http')`, {
    id,
  });

const OWN = openOwnNames();

/** The version of the first so many; their numbers may have gaps. */
const versionOf = (count: number): number => Number(OWN[count - 1]?.slice(0, 3) ?? 0);
const LATEST = versionOf(OWN.length);
function openOwnNames(): string[] {
  const folder = new URL('../../../src/database/migrations/', import.meta.url);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .map((name) => name.slice(0, -4))
    .sort();
}

describe('up', () => {
  it('applies every file of the folder in order, and then nothing', async () => {
    const db = openDatabase();
    expect(db.migrations.getCurrentVersion()).toBe(0);
    expect(db.migrations.getApplied()).toEqual([]);
    expect(db.migrations.getPending().map(({ name }) => name)).toEqual(OWN);

    await db.migrations.up();

    expect(db.migrations.getPending()).toEqual([]);
    expect(db.migrations.getApplied().map(({ name }) => name)).toEqual(OWN);
    expect(db.migrations.getCurrentVersion()).toBe(LATEST);
    expect(db.migrations.getApplied()[0]?.appliedAt).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const before = schema(db);
    db.migrations.up();
    expect(schema(db)).toEqual(before);
    expect(tables(db)).toEqual([
      'encrypted_credentials',
      'encryption_config',
      'encryption_keys',
      'encryption_secrets',
      'pool_revisions',
      'proxies',
      'proxy_cooldowns',
      'proxy_leases',
      'proxy_tags',
      'proxy_tombstones',
      'proxy_usage_stats',
      'rotation_config',
      'rotation_events',
      'rotation_rules',
      'rotation_turns',
      'schema_migrations',
      'session_proxies',
      'sticky_sessions',
    ]);
  });

  it('goes down and up again with rows present, to the same schema and the same proxies', async () => {
    const db = openMigrated();
    addProxy(db);
    const before = schema(db);
    for (let steps = 1; steps <= OWN.length; steps++) {
      db.migrations.down(steps);
      expect(db.migrations.getCurrentVersion()).toBe(versionOf(OWN.length - steps));
      expect(db.driver.first('SELECT count(*) AS n FROM proxies', {}, (row) => row.n)).toBe(1);
      // The schema of that version, with the columns in its order.
      expect((await db.check()).ok).toBe(true);
      db.migrations.up();
      expect(schema(db)).toEqual(before);
    }
  });

  it('rolls everything back when one fails, and names file, line and reason', () => {
    const broken = file('002_broken', 'CREATE TABLE half (x);\n\nINSERT INTO nowhere VALUES (1);');
    const db = openDatabase({ migrations: [app(one, broken)] });
    const error = thrownBy(() => db.migrations.up());
    expect(error).toMatchObject({
      code: 'MIGRATION_FAILED',
      details: { migration: '002_broken', namespace: 'app', line: 7 },
    });
    expect(String(error)).toContain('002_broken.sql:7');
    expect(String(error)).toContain('no such table: nowhere');
    expect(tables(db)).toEqual([]);
    expect(db.driver.pragma('foreign_keys')).toBe(1);
  });

  it('takes pending as a set difference: a lower number that comes later is applied', () => {
    const db = openMigrated({ migrations: [app(one, three)] });
    const merged = reopen(db, { migrations: [app(one, two, three)] });
    expect(merged.migrations.getPending().map(({ name }) => name)).toEqual(['002_notes']);
    merged.migrations.up();
    expect(tables(merged)).toContain('notes');
    expect(
      merged.migrations
        .getApplied()
        .slice(-2)
        .map(({ name }) => name),
    ).toEqual(['003_tags', '002_notes']);
  });

  it('rebuilds a table that others refer to without losing the children', () => {
    const make = file(
      '001_make',
      `CREATE TABLE targets (id TEXT PRIMARY KEY, url TEXT NOT NULL, note TEXT);
       CREATE TABLE visits (target TEXT NOT NULL REFERENCES targets(id) ON DELETE CASCADE);`,
    );
    const rebuild = file(
      '002_rebuild',
      `CREATE TABLE new_targets (id TEXT PRIMARY KEY, url TEXT NOT NULL);
       INSERT INTO new_targets SELECT id, url FROM targets;
       DROP TABLE targets;
       ALTER TABLE new_targets RENAME TO targets;`,
    );
    const db = openMigrated({ migrations: [app(make)] });
    db.driver.run(`INSERT INTO targets (id, url) VALUES ('t', 'https://a.example')`, {});
    db.driver.run(`INSERT INTO visits (target) VALUES ('t')`, {});
    const rebuilt = reopen(db, { migrations: [app(make, rebuild)] });
    rebuilt.migrations.up();
    expect(rebuilt.driver.first('SELECT count(*) AS n FROM visits', {}, (row) => row.n)).toBe(1);
    expect(
      thrownBy(() => rebuilt.driver.run(`INSERT INTO visits (target) VALUES ('gone')`, {})),
    ).toMatchObject({ code: 'CONSTRAINT' });
  });

  it('does not rebuild the table of the proxies, whose triggers tell others of changes', () => {
    const rebuild = file(
      '001_rebuild',
      `CREATE TABLE new_proxies (id TEXT PRIMARY KEY, name TEXT NOT NULL);
       DROP TABLE proxies;
       ALTER TABLE new_proxies RENAME TO proxies;`,
    );
    const db = openMigrated();
    addProxy(db);
    const rebuilt = reopen(db, { migrations: [app(rebuild)] });
    expect(thrownBy(() => rebuilt.migrations.up())).toMatchObject({ code: 'MIGRATION_FAILED' });
    expect(rebuilt.driver.first('SELECT count(*) AS n FROM proxies', {}, (row) => row.n)).toBe(1);
  });

  it('refuses to leave rows that refer to nothing', () => {
    const db = openMigrated();
    addProxy(db);
    db.driver.run(`INSERT INTO sticky_sessions (domain, proxy_id) VALUES ('a.example', 'p')`, {});
    const careless = reopen(db, { migrations: [app(file('001_careless', 'DELETE FROM proxies;'))] });
    expect(thrownBy(() => careless.migrations.up())).toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('sticky_sessions'),
    });
    expect(careless.driver.first('SELECT count(*) AS n FROM proxies', {}, (row) => row.n)).toBe(1);
  });

  it('is refused inside a transaction', () => {
    const db = openDatabase();
    expect(thrownBy(() => db.transaction(() => db.migrations.up()))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('is applied once by eight processes that start at once on an empty file', async () => {
    const path = join(temporaryFolder(), 'new', 'pool.db');
    const script = `
      import { initDatabase } from 'proxyvault/database';
      const db = initDatabase({ path: ${JSON.stringify(path)}, busyTimeoutMs: 20000 });
      db.migrations.up();
      console.log(db.migrations.getCurrentVersion());
      db.close();`;
    const children = Array.from({ length: 8 }, () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      child.stdout.on('data', (chunk) => (output += chunk));
      child.stderr.on('data', (chunk) => (output += chunk));
      return once(child, 'close').then(([code]) => `${String(code)} ${output.trim()}`);
    });
    expect(await Promise.all(children)).toEqual(Array(8).fill(`0 ${LATEST}`));
    const db = openDatabase({ path });
    expect(
      db.driver.all('SELECT name FROM schema_migrations ORDER BY position', {}, (row) => row.name),
    ).toEqual(['000_schema', ...OWN]);
    expect(await db.check({ deep: true })).toMatchObject({ ok: true });
  });
});

describe('the ledger', () => {
  it('refuses a database that is newer than the program, at opening', () => {
    const db = openMigrated({ migrations: [app(one, two)] });
    db.close();
    expect(thrownBy(() => openDatabase({ path: db.path, migrations: [app(one)] }))).toMatchObject({
      code: 'DATABASE_NEWER',
      message: expect.stringMatching(/app\/002_notes.*update the program/),
    });
  });

  it('lets a program alone that does not know the other one\u2019s namespace', () => {
    const db = openMigrated({ migrations: [app(one)] });
    const other = reopen(db);
    expect(other.migrations.getPending()).toEqual([]);
    expect(thrownBy(() => other.migrations.down())).toMatchObject({ code: 'MIGRATION_IRREVERSIBLE' });
    expect(tables(other)).toContain('tasks');
  });

  it('refuses a file that was edited after it was applied, at opening and read-only too', () => {
    const db = openMigrated({ migrations: [app(one)] });
    db.close();
    const edited = { ...one, sql: one.sql.replace('PRIMARY KEY', 'NOT NULL') };
    for (const readonly of [false, true]) {
      expect(
        thrownBy(() => openDatabase({ path: db.path, readonly, migrations: [app(edited)] })),
      ).toMatchObject({
        code: 'MIGRATION_CHANGED',
        message: expect.stringContaining('app/001_tasks'),
      });
    }
    const sameText = { ...one, sql: `\uFEFF${one.sql.replaceAll('\n', '\r\n')}` };
    expect(openDatabase({ path: db.path, migrations: [app(sameText)] }).migrations.getPending()).toEqual([]);
  });
});

describe('down', () => {
  it('refuses an invalid number of steps', () => {
    const db = openMigrated();
    for (const steps of [0, -1, 1.5, Number.NaN])
      expect(thrownBy(() => db.migrations.down(steps))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('undoes in the reverse order of application, across namespaces', () => {
    const db = openMigrated({ migrations: [app(one, two)] });
    db.migrations.down();
    expect(tables(db)).toContain('tasks');
    expect(tables(db)).not.toContain('notes');
    db.migrations.down(2);
    expect(db.migrations.getCurrentVersion('app')).toBe(0);
    expect(db.migrations.getCurrentVersion()).toBe(versionOf(OWN.length - 1));
  });

  it('refuses before any change if a step has no Down section', () => {
    const db = openMigrated({ migrations: [app(file('001_final', 'CREATE TABLE final (x);', null), two)] });
    expect(thrownBy(() => db.migrations.down(2))).toMatchObject({
      code: 'MIGRATION_IRREVERSIBLE',
      message: expect.stringContaining('001_final'),
    });
    expect(tables(db)).toEqual(expect.arrayContaining(['final', 'notes']));
  });

  it('leaves the base schema, its proxies and the keys of their credentials when everything is undone', () => {
    const db = openMigrated();
    addProxy(db);
    db.migrations.down(1000);
    expect(tables(db)).toEqual([
      'encrypted_credentials',
      'encryption_config',
      'encryption_keys',
      'encryption_secrets',
      'proxies',
      'schema_migrations',
    ]);
    expect(db.migrations.getCurrentVersion()).toBe(0);
    expect(db.driver.first('SELECT count(*) AS n FROM proxies', {}, (row) => row.n)).toBe(1);
  });
});

describe('plan, to and baseline', () => {
  it('plan gives the exact SQL and changes nothing', () => {
    const db = openDatabase({ migrations: [app(one)] });
    const plan = db.migrations.plan();
    expect(plan.map(({ namespace, name, direction }) => `${direction} ${namespace}/${name}`)).toEqual([
      'up proxyvault/000_schema',
      ...OWN.map((name) => `up proxyvault/${name}`),
      'up app/001_tasks',
    ]);
    expect(plan.at(-1)?.sql).toBe('CREATE TABLE tasks (id INTEGER PRIMARY KEY);');
    expect(tables(db)).toEqual([]);
    const byHand = openDatabase();
    for (const { sql } of plan) byHand.driver.exec(sql);
    db.migrations.up();
    expect(tables(byHand)).toEqual(tables(db).filter((name) => name !== 'schema_migrations'));
    expect(db.migrations.plan()).toEqual([]);
  });

  it('to goes up and down to a version', () => {
    const db = openDatabase();
    db.migrations.to(1);
    expect(db.migrations.getCurrentVersion()).toBe(1);
    db.migrations.to(LATEST);
    expect(db.migrations.getPending()).toEqual([]);
    db.migrations.to(0);
    expect(db.migrations.getCurrentVersion()).toBe(0);
    expect(thrownBy(() => db.migrations.to(99))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('baseline takes tables made by other means, if they are the right ones', () => {
    const byHand = openDatabase();
    for (const { sql } of byHand.migrations.plan()) byHand.driver.exec(sql);
    byHand.migrations.baseline(LATEST);
    expect(byHand.migrations.getPending()).toEqual([]);
    expect(thrownBy(() => byHand.migrations.baseline(1))).toMatchObject({ code: 'INVALID_INPUT' });

    // The specification's own DDL, run by hand.
    const specified = openDatabase();
    specified.driver.exec(readFileSync(new URL('../../fixtures/codemap.sql', import.meta.url), 'utf8'));
    addProxy(specified);
    expect(thrownBy(() => specified.migrations.up())).toMatchObject({ code: 'CONFLICT' });
    specified.migrations.baseline(1);
    specified.migrations.up();
    expect(schema(specified)).toEqual(schema(openMigrated()));

    const wrong = openDatabase();
    wrong.driver.exec('CREATE TABLE proxies (id TEXT)');
    expect(thrownBy(() => wrong.migrations.baseline(1))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('proxies differs'),
    });
    expect(tables(wrong)).toEqual(['proxies']);
  });
});

describe('an application\u2019s own migrations', () => {
  it('are read from a folder', () => {
    const folder = join(temporaryFolder(), 'migrations');
    mkdirSync(folder);
    for (const { name, sql } of [two, one]) writeFileSync(join(folder, `${name}.sql`), sql);
    writeFileSync(join(folder, 'README.md'), 'not SQL');
    const db = openMigrated({ migrations: [migrationsFromFolder('app', folder)] });
    expect(db.migrations.getCurrentVersion('app')).toBe(2);
    expect(thrownBy(() => migrationsFromFolder('app', join(folder, 'missing')))).toMatchObject({
      code: 'CANNOT_OPEN',
    });
  });

  it('are refused under our name, a bad name, a repeated name, or with one number twice', () => {
    const bad: MigrationSource[][] = [
      [{ namespace: 'proxyvault', files: [] }],
      [{ namespace: 'My App', files: [] }],
      [app(one), app(two)],
      [app(one, file('001_other', 'SELECT 1;'))],
      [app(file('000_zero', 'SELECT 1;'))],
      [{ namespace: '1app', files: [] }],
      [{ namespace: 'a'.repeat(65), files: [] }],
      [{ namespace: '', files: [] }],
      [{ namespace: 'app', files: [one] }, { namespace: 'shop', files: [] }, app()],
    ];
    for (const migrations of bad)
      expect(thrownBy(() => openDatabase({ migrations }))).toMatchObject({ code: 'MIGRATION_INVALID' });
  });
});

describe('the order of migrations', () => {
  it('is ours, then each application\u2019s in turn, each by number and not by text', () => {
    const numbered = ['1000_last', '999_second', '001_first'].map((name) =>
      file(name, `CREATE TABLE t${name} (id);`),
    );
    const shop = { namespace: 'a'.repeat(64), files: [one] };
    const db = openDatabase({ path: ':memory:', migrations: [app(...numbered), shop] });
    const expected = [...OWN, '001_first', '999_second', '1000_last', '001_tasks'];
    expect(db.migrations.getPending().map(({ name }) => name)).toEqual(expected);
    db.migrations.up();
    expect(db.migrations.getApplied().map(({ name }) => name)).toEqual(expected);
    expect(db.migrations.getCurrentVersion('app')).toBe(1000);
  });
});

describe('the backup before a migration', () => {
  const backups = (db: DatabaseManager): string[] =>
    readdirSync(dirname(db.path)).filter((name) => name.endsWith('.backup'));

  it('is made only where there are rows, and is the database as it was', () => {
    const db = openMigrated();
    expect(backups(db)).toEqual([]);
    // The record of the migrations does not count.
    const empty = reopen(db, { migrations: [app(one)] });
    empty.migrations.up();
    empty.migrations.down();
    expect(backups(empty)).toEqual([]);
    addProxy(empty);
    const next = reopen(empty, { migrations: [app(one)] });
    next.migrations.up();
    const [name = ''] = backups(next);
    expect(name).toMatch(/^pool\.db\.\d{8}T\d{9}Z\.before-001_tasks\.backup$/);
    const path = join(dirname(db.path), name);
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600);
    const copy = openDatabase({ path });
    expect(tables(copy)).not.toContain('tasks');
    expect(copy.driver.first('SELECT count(*) AS n FROM proxies', {}, (row) => row.n)).toBe(1);
  });

  it('keeps the newest three, and can be switched off', () => {
    let time = Date.UTC(2026, 0, 1);
    const db = openMigrated({ clock: () => (time += 1000), migrations: [app(one)] });
    addProxy(db);
    for (let round = 0; round < 5; round++) {
      db.migrations.down();
      db.migrations.up();
    }
    expect(backups(db)).toHaveLength(3);
    expect(backups(db).sort().at(-1)).toContain('before-001_tasks');
    const off = reopen(db, { migrationBackups: 0, migrations: [app(one)] });
    const before = backups(off);
    off.migrations.down();
    expect(backups(off)).toEqual(before);
  });

  it('reads no table of the file while it is switched off', () => {
    const db = openMigrated();
    const read: string[] = [];
    const off = reopen(db, {
      migrationBackups: 0,
      migrations: [app(one)],
      verbose: (sql: string) => void read.push(sql),
    });
    off.migrations.up();
    expect(read.filter((sql) => /^SELECT 1 FROM/.test(sql))).toEqual([]);
  });

  it('leaves the migration undone if it cannot be made', () => {
    const db = openMigrated();
    addProxy(db);
    const next = reopen(db, { migrations: [app(one)], clock: () => Number.NaN });
    expect(() => next.migrations.up()).toThrow();
    expect(tables(next)).not.toContain('tasks');
  });
});
