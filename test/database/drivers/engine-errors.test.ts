import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { DatabaseManager } from 'proxyvault/database';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ProxyVaultError } from '../../../src/errors.ts';
import { SCRATCH } from '../../faults/scratch.ts';
import { openDatabase, temporaryFolder, thrownBy } from '../../support/temporary.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** What each result code of SQLite is here; after those of `UNSAFE` the connection is not used again. */
const CODES: [engine: string, code: string][] = [
  ['SQLITE_FULL', 'DISK_FULL'],
  ['SQLITE_IOERR', 'IO'],
  ['SQLITE_IOERR_READ', 'IO'],
  ['SQLITE_IOERR_SHORT_READ', 'IO'],
  ['SQLITE_IOERR_WRITE', 'IO'],
  ['SQLITE_IOERR_FSYNC', 'IO'],
  ['SQLITE_IOERR_DIR_FSYNC', 'IO'],
  ['SQLITE_IOERR_TRUNCATE', 'IO'],
  ['SQLITE_IOERR_LOCK', 'IO'],
  ['SQLITE_IOERR_SHMMAP', 'IO'],
  ['SQLITE_CORRUPT', 'CORRUPT'],
  ['SQLITE_CORRUPT_VTAB', 'CORRUPT'],
  ['SQLITE_NOTADB', 'NOT_A_DATABASE'],
  ['SQLITE_READONLY', 'READ_ONLY'],
  ['SQLITE_READONLY_DBMOVED', 'READ_ONLY'],
  ['SQLITE_BUSY', 'BUSY'],
  ['SQLITE_BUSY_RECOVERY', 'BUSY'],
  ['SQLITE_BUSY_SNAPSHOT', 'BUSY'],
  ['SQLITE_LOCKED', 'BUSY'],
  ['SQLITE_LOCKED_SHAREDCACHE', 'BUSY'],
  ['SQLITE_PROTOCOL', 'BUSY'],
  ['SQLITE_CANTOPEN', 'CANNOT_OPEN'],
  ['SQLITE_CANTOPEN_FULLPATH', 'CANNOT_OPEN'],
  ['SQLITE_PERM', 'CANNOT_OPEN'],
  ['SQLITE_AUTH', 'CANNOT_OPEN'],
  ['SQLITE_NOMEM', 'IO'],
  ['SQLITE_CONSTRAINT', 'CONSTRAINT'],
  ['SQLITE_CONSTRAINT_UNIQUE', 'CONFLICT'],
  ['SQLITE_CONSTRAINT_PRIMARYKEY', 'CONFLICT'],
  ['SQLITE_CONSTRAINT_FOREIGNKEY', 'CONSTRAINT'],
  ['SQLITE_CONSTRAINT_TRIGGER', 'CONSTRAINT'],
  ['SQLITE_INTERRUPT', 'SQL'],
  ['SQLITE_TOOBIG', 'SQL'],
  ['SQLITE_MISMATCH', 'SQL'],
  ['SQLITE_SCHEMA', 'SQL'],
];
const UNSAFE = ['SQLITE_IOERR_FSYNC', 'SQLITE_IOERR_DIR_FSYNC'];

const error = (code: string): Error => new Database.SqliteError(`engine says ${code}`, code);

/** Statements like this one fail from now on, whichever way they are run. */
function failStatements(pattern: RegExp, code: string): void {
  const fail = (): never => {
    throw error(code);
  };
  const prepare = Database.prototype.prepare;
  vi.spyOn(Database.prototype, 'prepare').mockImplementation(function (this: Database.Database, sql: string) {
    const statement = prepare.call(this, sql);
    if (!pattern.test(sql)) return statement;
    for (const method of ['run', 'get', 'all', 'iterate'])
      Object.defineProperty(statement, method, { value: fail });
    return statement;
  });
}

function openNumbers(path = join(temporaryFolder(SCRATCH), 'pool.db')): DatabaseManager {
  const db = openDatabase({ path, busyTimeoutMs: 0 });
  db.driver.exec('CREATE TABLE IF NOT EXISTS numbers (n INTEGER PRIMARY KEY)');
  return db;
}

const add = (db: DatabaseManager, n: number): number =>
  db.driver.run('INSERT INTO numbers VALUES (:n)', { n });
const all = (db: DatabaseManager): unknown[] =>
  db.driver.all('SELECT n FROM numbers ORDER BY n', {}, (row) => row.n);

describe.each(CODES)('%s', (engine, code) => {
  it(`is ${code} in a transaction, of which nothing is stored; what was stored before is there`, () => {
    const db = openNumbers();
    add(db, 1);
    failStatements(/^INSERT INTO numbers VALUES \(:n\) --/, engine);
    const work = (): void => {
      add(db, 2);
      db.driver.run('INSERT INTO numbers VALUES (:n) --', { n: 3 });
    };
    const thrown = thrownBy(() => db.transaction(work));
    expect(thrown).toMatchObject({ code, details: { sqlite: engine }, cause: { code: engine } });
    // Nothing of it was committed, so nothing is in doubt.
    expect(thrown).not.toHaveProperty('details.inDoubt');
    expect(db.open).toBe(!UNSAFE.includes(engine));
    if (!db.open) expect(thrownBy(() => add(db, 4))).toMatchObject({ code: 'CLOSED', cause: thrown });
    const again = db.open ? db : openNumbers(db.path);
    expect(again.driver.inTransaction).toBe(false);
    expect(all(again)).toEqual([1]);
    expect(add(again, 5)).toBe(1);
  });

  it(`is ${code} for what only reads, and nothing is in doubt`, () => {
    const db = openNumbers();
    // Else its missing tables would be the explanation.
    db.migrations.up();
    failStatements(/^SELECT 1/, engine);
    const reads = [
      () => db.driver.first('SELECT 1', {}, (row) => row),
      () => db.driver.one('SELECT 1', {}, (row) => row),
      () => db.driver.all('SELECT 1', {}, (row) => row),
      () => [...db.driver.iterate('SELECT 1', {}, (row) => row)],
    ];
    for (const read of UNSAFE.includes(engine) ? reads.slice(-1) : reads) {
      const thrown = thrownBy(read);
      expect(thrown).toMatchObject({ code, details: { sqlite: engine } });
      expect(thrown).not.toHaveProperty('message', expect.stringContaining('in doubt'));
    }
  });
});

describe('an I/O error', () => {
  it.each(['exec', 'pragma'] as const)(
    'of a failed fsync in %s() closes the database, which says why',
    (method) => {
      const db = openNumbers();
      vi.spyOn(Database.prototype, method).mockImplementationOnce(() => {
        throw error('SQLITE_IOERR_FSYNC');
      });
      const thrown = thrownBy(() =>
        method === 'exec' ? db.driver.exec('SELECT 1') : db.driver.pragma('user_version'),
      );
      vi.restoreAllMocks();
      expect(thrown).toMatchObject({ code: 'IO' });
      expect(db.open).toBe(false);
      expect(thrownBy(() => all(db))).toMatchObject({ code: 'CLOSED', cause: thrown });
    },
  );

  it('of a script that commits by itself leaves it in doubt; of one that only reads a page does not', () => {
    const insert = 'INSERT INTO numbers VALUES (1)';
    for (const [engine, inDoubt, script] of [
      ['SQLITE_IOERR_WRITE', true, insert],
      ['SQLITE_IOERR_READ', false, insert],
      ['SQLITE_IOERR_SHORT_READ', false, insert],
      ['SQLITE_NOMEM', false, insert],
      // A failed checkpoint loses nothing.
      ['SQLITE_IOERR_WRITE', false, '  pragma wal_checkpoint'],
    ] as const) {
      const db = openNumbers();
      vi.spyOn(Database.prototype, 'exec').mockImplementationOnce(() => {
        throw error(engine);
      });
      const thrown = thrownBy(() => db.driver.exec(script));
      vi.restoreAllMocks();
      expect(thrown, engine).toMatchObject({ code: 'IO' });
      expect((thrown as { details: { inDoubt?: boolean } }).details.inDoubt === true, engine).toBe(inDoubt);
      expect(db.open, engine).toBe(!inDoubt);
    }
  });

  it('of a checkpoint is thrown by checkpoint(), and not by the commit before it', () => {
    const db = openNumbers();
    const pragma = Database.prototype.pragma;
    vi.spyOn(Database.prototype, 'pragma').mockImplementation(function (this: Database.Database, ...args) {
      if (args[0] === 'wal_checkpoint(TRUNCATE)') throw error('SQLITE_IOERR_WRITE');
      return pragma.apply(this, args);
    });
    expect(add(db, 1)).toBe(1);
    expect(thrownBy(() => db.checkpoint())).toMatchObject({ code: 'IO' });
    expect(thrownBy(() => db.checkpoint())).not.toHaveProperty('details.inDoubt');
    expect(all(db)).toEqual([1]);
    // What is in the log is not lost, so that closing does not fail.
    db.close();
    vi.restoreAllMocks();
    expect(all(openNumbers(db.path))).toEqual([1]);
  });

  it('of the look at the log after a commit is not thrown: the commit counts', () => {
    const db = openNumbers();
    failStatements(/wal_checkpoint/, 'SQLITE_IOERR_READ');
    for (let n = 1; n <= 8; n++) expect(add(db, n)).toBe(1);
    expect(all(db)).toHaveLength(8);
  });

  it('of a failed fsync in a checkpoint closes the database', () => {
    const db = openNumbers();
    const pragma = Database.prototype.pragma;
    vi.spyOn(Database.prototype, 'pragma').mockImplementation(function (this: Database.Database, ...args) {
      if (args[0] === 'wal_checkpoint(TRUNCATE)') throw error('SQLITE_IOERR_FSYNC');
      return pragma.apply(this, args);
    });
    expect(thrownBy(() => db.checkpoint())).toMatchObject({ code: 'IO' });
    vi.restoreAllMocks();
    expect(db.open).toBe(false);
    expect(thrownBy(() => add(db, 1))).toMatchObject({ code: 'CLOSED' });
  });
});

describe('an error of another connection to the same file', () => {
  const of = (code: string, details = {}): ProxyVaultError =>
    new ProxyVaultError('IO', 'It failed there.', { cause: error(code), details });

  it.each([
    ['a failed fsync', of('SQLITE_IOERR_FSYNC'), true],
    ['doubt', of('SQLITE_IOERR_WRITE', { inDoubt: true }), true],
    ['another I/O error', of('SQLITE_IOERR_READ'), false],
    ['what is no error of ours', error('SQLITE_IOERR_FSYNC'), false],
  ])('%s closes this one too: %s %s', (_, reason, closes) => {
    const db = openNumbers();
    db.driver.closeIfUnsafe(reason);
    expect(db.open).toBe(!closes);
    if (closes) expect(thrownBy(() => all(db))).toMatchObject({ code: 'CLOSED', cause: reason });
    db.driver.closeIfUnsafe(reason);
  });
});

describe('an error of the engine itself', () => {
  it('a full file is DISK_FULL, in a transaction and outside, and over when there is space', () => {
    const db = openNumbers();
    db.driver.exec('CREATE TABLE blobs (data BLOB)');
    const fill = (): number => db.driver.run('INSERT INTO blobs VALUES (zeroblob(50000))', {});
    db.driver.pragma(`max_page_count = ${Number(db.driver.pragma('page_count')) + 20}`);
    add(db, 1);
    const work = (): void => {
      add(db, 2);
      for (let n = 0; n < 9; n++) fill();
    };
    expect(thrownBy(() => db.transaction(work))).toMatchObject({ code: 'DISK_FULL' });
    expect(thrownBy(() => db.driver.exec('INSERT INTO blobs VALUES (zeroblob(500000))'))).toMatchObject({
      code: 'DISK_FULL',
    });
    expect(all(db)).toEqual([1]);
    db.driver.pragma('max_page_count = 1000000');
    db.transaction(work);
    expect(all(db)).toEqual([1, 2]);
  });

  it('an old snapshot is BUSY, at once, and the transaction is rolled back', () => {
    const db = openNumbers();
    const other = openNumbers(db.path);
    db.driver.exec('BEGIN');
    expect(all(db)).toEqual([]);
    add(other, 1);
    expect(thrownBy(() => add(db, 2))).toMatchObject({
      code: 'BUSY',
      details: { sqlite: 'SQLITE_BUSY_SNAPSHOT' },
    });
    db.driver.exec('ROLLBACK');
    expect(all(db)).toEqual([1]);
    expect(add(db, 2)).toBe(1);
  });
});
