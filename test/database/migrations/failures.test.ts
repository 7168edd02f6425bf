import Database from 'better-sqlite3';
import type { DatabaseManager } from 'proxyvault/database';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { migrationFile as file, linesOf, reopen, source } from '../../support/migration-files.ts';
import { openDatabase, openMigrated, thrownBy } from '../../support/temporary.ts';

const one = file('001_tasks', 'CREATE TABLE tasks (id);', 'DROP TABLE tasks;');
const three = file('003_tags', 'CREATE TABLE tags (id);', 'DROP TABLE tags;');
describe('a statement that SQLite rejects', () => {
  it('says what to do on a new file and on an older one, and is a plain error on a current one', () => {
    const wrong = (db: DatabaseManager): unknown =>
      thrownBy(() => db.driver.all('SELECT * FROM proxie', {}, String));
    const db = openDatabase();
    expect(wrong(db)).toMatchObject({
      code: 'MIGRATION_PENDING',
      message: expect.stringContaining('has no tables yet'),
    });
    db.migrations.to(3);
    expect(wrong(db)).toMatchObject({
      code: 'MIGRATION_PENDING',
      message: expect.stringMatching(
        /older than this program, and lacks 004_proxy_tags, 005.*migrate up.*no such table: proxie/,
      ),
    });
    db.migrations.up();
    expect(wrong(db)).toMatchObject({ code: 'SQL' });
  });
});

describe('a migration that fails', () => {
  const failing = (up: string, down?: string): DatabaseManager =>
    openDatabase({ migrations: [source('app', one, file('002_fails', up, down))] });

  it('for its own SQL is MIGRATION_FAILED, whichever way it goes', () => {
    const constraint = failing(
      `INSERT INTO proxies (id, name, host, port, protocol) VALUES ('p', 'n', 'h', 1, 'ftp');`,
    );
    const conflict = failing(
      `CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1); INSERT INTO t VALUES (1);`,
    );
    for (const db of [constraint, conflict]) {
      expect(thrownBy(() => db.migrations.up())).toMatchObject({
        code: 'MIGRATION_FAILED',
        message: expect.stringMatching(
          /app\/002_fails failed at 002_fails\.sql:5 going up; everything was rolled back/,
        ),
      });
      expect(db.migrations.getCurrentVersion()).toBe(0);
    }
    const down = failing('CREATE TABLE t (id);', 'DROP TABLE t;\nDROP TABLE nowhere;');
    down.migrations.up();
    expect(thrownBy(() => down.migrations.down(2))).toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('002_fails.sql:8 going down'),
    });
    expect(linesOf(down)).toEqual(['app/001_tasks', 'app/002_fails']);
    expect(down.driver.pragma('foreign_keys')).toBe(1);
  });

  it.each([
    [new Error('the disk of the log is full'), 'the disk of the log is full'],
    ['a text', 'a text'],
  ])('because the logger of its statements throws %s is rolled back', (thrown, says) => {
    const verbose = (sql: string): void => {
      if (sql.startsWith('CREATE TABLE tasks')) throw thrown;
    };
    const db = openDatabase({ migrations: [source('app', one)], verbose });
    expect(thrownBy(() => db.migrations.up())).toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining(says),
      cause: thrown,
    });
    expect(db.migrations.getCurrentVersion()).toBe(0);
  });

  it('at its COMMIT is in doubt, and the database is closed', () => {
    let isArmed = false;
    const prepare = Database.prototype.prepare;
    vi.spyOn(Database.prototype, 'prepare').mockImplementation(function (
      this: Database.Database,
      sql: string,
    ) {
      const statement = prepare.call(this, sql);
      const run = statement.run.bind(statement);
      const fail = (): never => {
        throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_FSYNC');
      };
      const value = (params: object = {}): unknown => (isArmed && sql === 'COMMIT' ? fail() : run(params));
      return Object.defineProperty(statement, 'run', { value });
    });
    onTestFinished(() => void vi.restoreAllMocks());
    const verbose = (sql: string): void => {
      isArmed ||= sql.startsWith('CREATE TABLE tasks');
    };
    const db = openDatabase({ migrations: [source('app', one)], verbose });
    expect(thrownBy(() => db.migrations.up())).toMatchObject({ code: 'IO', details: { inDoubt: true } });
    expect(db.open).toBe(false);
  });

  it('for a full disk is DISK_FULL, and the file stays as it was', () => {
    const fill = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)';
    const db = openMigrated({ migrations: [source('app', one)] });
    const next = reopen(db, {
      migrations: [
        source('app', one, file('002_fails', `CREATE TABLE big AS ${fill} SELECT randomblob(5000) FROM n;`)),
      ],
    });
    const pages = Number(next.driver.pragma('page_count'));
    next.driver.pragma(`max_page_count = ${pages + 20}`);
    expect(thrownBy(() => next.migrations.up())).toMatchObject({ code: 'DISK_FULL' });
    expect(linesOf(next)).toEqual(['app/001_tasks']);
    expect(next.driver.pragma('foreign_keys')).toBe(1);
  });

  it('with a row that refers to nothing names its table, and one is enough', () => {
    const db = openMigrated();
    db.driver.exec(`INSERT INTO proxies (id, name, host, port, protocol) VALUES ('p', 'n', 'h', 1, 'http');
      INSERT INTO proxy_tags VALUES ('p', 't', 'i');`);
    const careless = reopen(db, {
      migrations: [source('app', file('001_careless', 'DELETE FROM proxies;'))],
    });
    expect(thrownBy(() => careless.migrations.up())).toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('proxy_tags'),
    });
    expect(careless.migrations.getPending()).toHaveLength(1);
  });

  it('because it cannot be undone changes nothing, wherever it stands among the steps', () => {
    const final = file('002_final', 'CREATE TABLE final (x);', null);
    const db = openMigrated({ migrations: [source('app', one, final, three)] });
    expect(thrownBy(() => db.migrations.down(2))).toMatchObject({ code: 'MIGRATION_IRREVERSIBLE' });
    expect(thrownBy(() => db.migrations.to(1, 'app'))).toMatchObject({ code: 'MIGRATION_IRREVERSIBLE' });
    db.migrations.down();
    expect(linesOf(db)).toEqual(['app/001_tasks', 'app/002_final']);
  });
});
