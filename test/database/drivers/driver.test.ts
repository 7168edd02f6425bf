import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Steps } from '../../../src/database/drivers/driver.ts';
import { SqliteDriver } from '../../../src/database/drivers/sqlite/driver.ts';
import { ProxyVaultError } from '../../../src/errors.ts';
import { openDatabase, thrownBy } from '../../support/temporary.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

function openNumbers(options: { busyTimeoutMs?: number } = {}) {
  const db = openDatabase(options);
  db.driver.exec('CREATE TABLE numbers (n INTEGER)');
  const { driver } = db;
  return {
    db,
    driver,
    add: (n: number): number => driver.run('INSERT INTO numbers VALUES (:n)', { n }),
    all: (): unknown[] => driver.all('SELECT n FROM numbers ORDER BY n', {}, (row) => row.n),
  };
}

describe('a long transaction', () => {
  it.each([1, 2, 3])('that is not wanted any more at its question %i stores nothing', async (question) => {
    const { db, all } = openNumbers();
    const driver = db.driver as SqliteDriver;
    let asked = 0;
    const steps = function* (): Steps<'sync', void> {
      yield driver.run('INSERT INTO numbers VALUES (1)', {});
    };
    const job = driver.transactionInSlices(steps, {
      pause: () => Promise.resolve(),
      assertWanted: () => {
        if (++asked === question) throw new Error('not wanted');
      },
    });
    await expect(job).rejects.toThrow('not wanted');
    expect(all()).toEqual([]);
    expect(driver.inTransaction).toBe(false);
    driver.run('INSERT INTO numbers VALUES (2)', {});
    expect(all()).toEqual([2]);
  });
});

describe('what follows a transaction', () => {
  it('is done at once outside of one; else once, after the outermost has ended, stored or not', () => {
    const { driver, add } = openNumbers();
    const done: string[] = [];
    const note = (): void => {
      done.push(`${driver.inTransaction ? 'inside' : 'after'}`);
    };
    driver.afterTransaction(note);
    expect(done.splice(0)).toEqual(['after']);
    for (const fails of [false, true]) {
      const work = (): void => {
        add(1);
        driver.atomically(() => {
          driver.afterTransaction(note);
          driver.afterTransaction(note);
        });
        expect(done).toEqual([]);
        if (fails) throw new Error('mine');
      };
      if (fails) expect(thrownBy(() => driver.atomically(work))).toMatchObject({ message: 'mine' });
      else driver.atomically(work);
      expect(done.splice(0)).toEqual(['after']);
    }
  });

  it('cannot make a stored transaction fail by a typed error, and hides no bug', () => {
    const { driver, add, all } = openNumbers();
    driver.atomically(() => {
      add(1);
      driver.afterTransaction(() => {
        throw new ProxyVaultError('BUSY');
      });
    });
    expect(all()).toEqual([1]);
    const bug = (): void =>
      driver.atomically(() =>
        driver.afterTransaction(() => {
          throw new TypeError('a bug');
        }),
      );
    expect(thrownBy(bug)).toMatchObject({ message: 'a bug' });
  });
});

describe('a snapshot', () => {
  it('is of one state, whatever others commit meanwhile, and ends with its work', () => {
    const { db, driver, add, all } = openNumbers();
    const other = openDatabase({ path: db.path });
    const write = (): unknown => other.driver.run('INSERT INTO numbers VALUES (7)', {});
    add(1);
    expect(driver.snapshot(() => [all(), write(), all()])).toEqual([[1], 1, [1]]);
    expect(driver.inTransaction).toBe(false);
    expect(all()).toEqual([1, 7]);
    const failing = (): never => {
      throw new Error('mine');
    };
    expect(thrownBy(() => driver.snapshot(failing))).toMatchObject({ message: 'mine' });
    expect(driver.inTransaction).toBe(false);
    // Inside a transaction that is its state, with what it has written.
    driver.atomically(() => {
      add(2);
      expect(driver.snapshot(all)).toEqual([1, 2, 7]);
      expect(driver.inTransaction).toBe(true);
    });
  });

  it('may be ended by its own work', () => {
    const { driver, add, all } = openNumbers();
    driver.snapshot(() => driver.exec('ROLLBACK'));
    expect(driver.inTransaction).toBe(false);
    add(1);
    expect(all()).toEqual([1]);
  });
});

describe('a database that is closed', () => {
  it('in read-only work, or by whoever hears of a script, is closed, and nothing was done', () => {
    const { db, driver } = openNumbers();
    driver.readOnly(() => db.close());
    expect(driver.open).toBe(false);
    const path = db.path;
    const closing = openDatabase({ path, verbose: (sql) => sql.includes('other') && closing.close() });
    expect(thrownBy(() => closing.driver.exec('CREATE TABLE other (n)'))).toMatchObject({ code: 'CLOSED' });
    const again = openDatabase({ path });
    expect(again.driver.all('SELECT name FROM sqlite_schema', {}, (row) => row.name)).toEqual(['numbers']);
  });

  it('is not optimized: an error that is not the engine\u2019s is a bug, and not hidden', () => {
    const { db, driver } = openNumbers();
    driver.optimize();
    db.close();
    expect(() => driver.optimize()).toThrow(TypeError);
  });
});

describe('read-only work', () => {
  it('cannot write, and writing works again afterwards, also if it throws', () => {
    const { driver, add, all } = openNumbers();
    const write = (): number => add(1);
    expect(thrownBy(() => driver.readOnly(write))).toMatchObject({ code: 'READ_ONLY' });
    expect(write()).toBe(1);
    expect(driver.readOnly(all)).toEqual([1]);
    expect(write()).toBe(1);
  });
});

describe('a lock that another connection holds', () => {
  it('is waited for by our own means: SQLite itself is told not to wait before and after a script', () => {
    const { driver } = openNumbers({ busyTimeoutMs: 77 });
    const heard: unknown[] = [];
    const exec = Database.prototype.exec;
    vi.spyOn(Database.prototype, 'exec').mockImplementation(function (this: Database.Database, sql) {
      heard.push(this.pragma('busy_timeout', { simple: true }));
      return exec.call(this, sql);
    });
    const script = (): void => driver.exec('CREATE TABLE a (x); CREATE TABLE b (x)');
    script();
    expect(driver.pragma('busy_timeout')).toBe(0);
    expect(thrownBy(script)).toMatchObject({ code: 'SQL' });
    expect(driver.pragma('busy_timeout')).toBe(0);
    driver.atomically(() => driver.exec('SELECT 1'));
    // Several statements cannot be repeated, so SQLite waits; inside a transaction nobody does.
    expect(heard).toEqual([77, 77, 0]);
  });

  it('is not waited for by a checkpoint if a stream of this thread holds it', () => {
    const { driver, add } = openNumbers({ busyTimeoutMs: 3000 });
    add(1);
    const stream = driver.iterate('SELECT n FROM numbers', {}, (row) => row.n);
    stream.next();
    add(2);
    const pragma = vi.spyOn(Database.prototype, 'pragma');
    expect(driver.checkpoint().complete).toBe(false);
    expect(pragma.mock.calls.filter(([sql]) => sql === 'wal_checkpoint(TRUNCATE)')).toHaveLength(1);
    stream.return?.();
    expect(driver.checkpoint()).toMatchObject({ complete: true });
  });
});

describe('the write-ahead log', () => {
  it('is left alone by a driver that leaves it to another, and moved by every other', () => {
    const { db } = openNumbers();
    const options = { path: db.path, readonly: false, durability: 'full', busyTimeoutMs: 0 } as const;
    const leaving = new SqliteDriver({ ...options, maxReaders: 1, log: null, leavesLog: true });
    const size = (): number => statSync(db.path).size;
    const before = size();
    const fill = `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3000) INSERT INTO numbers SELECT n FROM c, (SELECT 1 UNION SELECT 2 UNION SELECT 3)`;
    // More than the thousand pages at which SQLite moves the log by itself.
    for (let n = 0; n < 60; n++) leaving.exec(fill);
    expect(statSync(`${db.path}-wal`).size).toBeGreaterThan(1000 * 4096);
    expect(size()).toBe(before);
    expect(leaving.checkpoint()).toEqual({ complete: true, walPages: 0, movedPages: 0 });
    expect(size()).toBe(before);
    leaving.close();
    expect(size()).toBe(before);
    expect(db.checkpoint().complete).toBe(true);
    expect(size()).toBeGreaterThan(before);
  });

  it('cannot be moved by a driver that only reads, and is not touched when that one closes', () => {
    const { db, driver, add } = openNumbers();
    add(1);
    const before = statSync(`${db.path}-wal`).size;
    const reading = openDatabase({ path: db.path, readonly: true });
    expect(thrownBy(() => reading.checkpoint())).toMatchObject({
      code: 'READ_ONLY',
      details: { path: db.path },
    });
    reading.close();
    expect(statSync(`${db.path}-wal`).size).toBe(before);
    expect(driver.checkpoint()).toMatchObject({ complete: true });
  });

  it.each(['run', 'first', 'all', 'exec', 'transaction'] as const)(
    'is looked at after every eighth commit, by %s()',
    (way) => {
      const { driver, add } = openNumbers();
      add(0);
      let looks = 0;
      const prepare = Database.prototype.prepare;
      vi.spyOn(Database.prototype, 'prepare').mockImplementation(function (this: Database.Database, sql) {
        if (sql.includes('wal_checkpoint')) looks++;
        return prepare.call(this, sql);
      });
      const ways = {
        run: add,
        first: (n: number) =>
          driver.first('INSERT INTO numbers VALUES (:n) RETURNING n', { n }, (row) => row.n),
        all: (n: number) => driver.all('INSERT INTO numbers VALUES (:n) RETURNING n', { n }, (row) => row.n),
        exec: (n: number) => driver.exec(`INSERT INTO numbers VALUES (${n})`),
        transaction: (n: number) => driver.atomically(() => add(n)),
      };
      const commit: (n: number) => unknown = ways[way];
      for (let n = 0; n < 8; n++) commit(n);
      expect(looks).toBe(1);
    },
  );
});

describe('a script inside a transaction', () => {
  it.each([
    ['INSERT INTO numbers VALUES (2); COMMIT; /* still open', false],
    ['INSERT INTO numbers VALUES (2); END', false],
    [`INSERT INTO numbers VALUES (2); COMMIT; SELECT 'still open`, false],
    ['INSERT INTO numbers VALUES (2); /* no COMMIT, and still open', true],
    [`INSERT INTO numbers SELECT 2 WHERE 'COMMIT' = 'COMMIT' -- ROLLBACK`, true],
    ['SAVEPOINT a; INSERT INTO numbers VALUES (3); ROLLBACK TO a; INSERT INTO numbers VALUES (2)', true],
  ])('may not end it, whatever is open at its end: %s', (script, isFine) => {
    const { driver, add, all } = openNumbers();
    const work = (): void =>
      driver.atomically(() => {
        add(1);
        driver.exec(script);
      });
    if (isFine) work();
    else expect(thrownBy(work)).toMatchObject({ code: 'INVALID_INPUT' });
    expect(all()).toEqual(isFine ? [1, 2] : []);
  });
});

describe('rows', () => {
  it('for which the function gives undefined are left out, without holes, and null stays', () => {
    const { driver, add } = openNumbers();
    for (let n = 0; n < 6; n++) add(n);
    const odd = (row: Record<string, unknown>): number | null | undefined =>
      Number(row.n) % 2 === 0 ? undefined : Number(row.n) === 3 ? null : Number(row.n);
    const sql = 'SELECT n FROM numbers ORDER BY n';
    expect(driver.all(sql, {}, odd)).toEqual([1, null, 5]);
    expect(driver.all(sql, {}, odd, (values) => values.length)).toBe(3);
    expect([...driver.iterate(sql, {}, odd)]).toEqual([1, null, 5]);
    expect(driver.first(sql, {}, () => 'row')).toBe('row');
    expect(driver.first('SELECT n FROM numbers WHERE n > 9', {}, () => 'row')).toBeNull();
    expect(driver.one('SELECT n FROM numbers WHERE n > 9', {}, (row) => row === undefined)).toBe(true);
  });

  it('that a write gives are stored, all of them, also if only the first is asked for', () => {
    const { driver, all } = openNumbers();
    const sql = 'INSERT INTO numbers VALUES (1), (2), (3) RETURNING n';
    expect(driver.first(sql, {}, (row) => row.n)).toBe(1);
    expect(all()).toEqual([1, 2, 3]);
  });
});
