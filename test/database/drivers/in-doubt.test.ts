import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { DatabaseManager } from 'proxyvault/database';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openDatabase, temporaryFolder, thrownBy } from '../../support/temporary.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** From now on, statements like this one fail with a result code: after the engine has run them, or in their place. */
function inject(pattern: RegExp, code: string, { stored = true } = {}): void {
  const prepare = Database.prototype.prepare;
  vi.spyOn(Database.prototype, 'prepare').mockImplementation(function (this: Database.Database, sql: string) {
    const statement = prepare.call(this, sql);
    if (!pattern.test(sql)) return statement;
    const run = statement.run.bind(statement);
    return Object.defineProperty(statement, 'run', {
      value: (params: object = {}): never => {
        if (stored) run(params);
        throw new Database.SqliteError('disk I/O error', code);
      },
    });
  });
}

function openNumbers(path?: string): DatabaseManager {
  const db = openDatabase(path === undefined ? {} : { path });
  db.driver.exec('CREATE TABLE IF NOT EXISTS numbers (n INTEGER PRIMARY KEY)');
  return db;
}

const add = (db: DatabaseManager, n: number): number =>
  db.driver.run('INSERT INTO numbers VALUES (:n)', { n });
const all = (db: DatabaseManager): unknown[] =>
  db.driver.all('SELECT n FROM numbers ORDER BY n', {}, (row) => row.n);

describe('an I/O error at COMMIT', () => {
  it.each([
    'SQLITE_IOERR_FSYNC',
    'SQLITE_IOERR_WRITE',
    'SQLITE_IOERR_SHMSIZE',
    'SQLITE_IOERR',
    'SQLITE_NOMEM',
  ])('%s leaves the outcome in doubt and says so, and closes the database', (code) => {
    const path = join(temporaryFolder(), 'pool.db');
    const db = openNumbers(path);
    inject(/^COMMIT$/, code);
    const error = thrownBy(() =>
      db.transaction(() => {
        add(db, 1);
        db.transaction(() => add(db, 2));
      }),
    );
    expect(error).toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/in doubt: open the database again, look whether .* repeat it only if/),
      details: { inDoubt: true, sqlite: code },
    });
    expect(db.open).toBe(false);
    vi.restoreAllMocks();
    // Here it was stored. Nobody who was told that it failed could know.
    expect(all(openNumbers(path))).toEqual([1, 2]);
  });

  it('makes every later call say CLOSED, and why', async () => {
    const db = openNumbers();
    add(db, 1);
    const begun = db.driver.iterate('SELECT n FROM numbers', {}, (row) => row.n);
    begun.next();
    await db.background.all('SELECT 1');
    inject(/^COMMIT$/, 'SQLITE_IOERR_FSYNC');
    const error = thrownBy(() => db.transaction(() => add(db, 2)));
    vi.restoreAllMocks();
    const closed = {
      code: 'CLOSED',
      message: expect.stringMatching(
        /input\/output error.*check the disk.*proxyvault check.*disk I\/O error/s,
      ),
      cause: error,
    };
    for (const call of [
      () => add(db, 3),
      () => all(db),
      () => db.transaction(() => add(db, 3)),
      () => db.driver.exec('SELECT 1'),
      () => db.driver.pragma('user_version'),
      () => [...db.driver.iterate('SELECT 1', {}, (row) => row)],
      () => begun.next(),
      () => db.checkpoint(),
      () => db.migrations.up(),
    ]) {
      expect(thrownBy(call)).toMatchObject(closed);
    }
    for (const call of [
      () => db.background.all('SELECT 1'),
      () => db.check(),
      () => db.stats(),
      () => db.backup(join(temporaryFolder(), 'copy.db')),
    ]) {
      await expect(call()).rejects.toMatchObject(closed);
    }
    db.close();
    await db[Symbol.asyncDispose]();
  });

  it('is in doubt also for a statement that commits by itself', () => {
    const db = openNumbers();
    inject(/^INSERT/, 'SQLITE_IOERR_FSYNC');
    expect(thrownBy(() => add(db, 1))).toMatchObject({ code: 'IO', details: { inDoubt: true } });
    expect(db.open).toBe(false);
  });

  it('is in doubt also for a COMMIT that the caller runs by hand', () => {
    const db = openNumbers();
    db.driver.run('BEGIN IMMEDIATE', {});
    add(db, 1);
    inject(/^COMMIT$/, 'SQLITE_IOERR_FSYNC');
    const commit = (): number => db.driver.run('COMMIT', {});
    expect(thrownBy(commit)).toMatchObject({ code: 'IO', details: { inDoubt: true } });
    expect(db.open).toBe(false);
  });

  it.each([
    ['SQLITE_BUSY', 'BUSY'],
    ['SQLITE_FULL', 'DISK_FULL'],
    ['SQLITE_CONSTRAINT_FOREIGNKEY', 'CONSTRAINT'],
    ['SQLITE_IOERR_READ', 'IO'],
    ['SQLITE_IOERR_SHORT_READ', 'IO'],
  ])('%s is not in doubt: nothing is stored, and the database stays open', (engine, code) => {
    const db = openNumbers();
    inject(/^COMMIT$/, engine, { stored: false });
    const error = thrownBy(() => db.transaction(() => add(db, 1)));
    expect(error).toMatchObject({ code });
    expect(error).not.toHaveProperty('details.inDoubt');
    expect(all(db)).toEqual([]);
  });

  it('a deferred constraint that COMMIT finds rolls back', () => {
    const db = openNumbers();
    db.driver.exec('CREATE TABLE children (n INTEGER REFERENCES numbers (n) DEFERRABLE INITIALLY DEFERRED)');
    const orphan = (): number => db.driver.run('INSERT INTO children VALUES (7)', {});
    expect(thrownBy(() => db.transaction(orphan))).toMatchObject({ code: 'CONSTRAINT' });
    expect(db.driver.inTransaction).toBe(false);
    expect(add(db, 1)).toBe(1);
  });

  it('inside a transaction an fsync that fails closes, and the outermost throws it', () => {
    const db = openNumbers();
    inject(/^INSERT/, 'SQLITE_IOERR_FSYNC');
    const caught: unknown[] = [];
    const error = thrownBy(() =>
      db.transaction(() => {
        for (let i = 0; i < 2; i++) caught.push(thrownBy(() => db.transaction(() => add(db, i))));
      }),
    );
    expect(error).toMatchObject({ code: 'IO' });
    expect(error).not.toHaveProperty('details.inDoubt');
    expect(caught).toMatchObject([{ code: 'IO' }, { code: 'IO' }]);
    expect(thrownBy(() => add(db, 1))).toMatchObject({ code: 'CLOSED' });
  });

  it('what cannot be rolled back to a savepoint is not committed', () => {
    const db = openNumbers();
    inject(/^ROLLBACK TO/, 'SQLITE_NOMEM', { stored: false });
    const error = thrownBy(() =>
      db.transaction(() => {
        expect(
          thrownBy(() =>
            db.transaction(() => {
              add(db, 1);
              throw new Error('mine');
            }),
          ),
        ).toMatchObject({ message: 'mine' });
      }),
    );
    expect(error).toMatchObject({ code: 'IO', details: { sqlite: 'SQLITE_NOMEM' } });
    expect(all(db)).toEqual([]);
  });
});
