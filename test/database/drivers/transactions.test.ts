import Database from 'better-sqlite3';
import { describe, expect, it, vi } from 'vitest';
import { openDatabase, openMigrated, thrownBy } from '../../support/temporary.ts';

describe('what only the SQLite driver has', () => {
  it.each([
    'COMMIT',
    'INSERT INTO numbers VALUES (2); COMMIT; BEGIN',
    'INSERT INTO numbers VALUES (2); ROLLBACK; -- and then\n BEGIN; INSERT INTO numbers VALUES (3)',
    'END; /* never closed',
    "END; SELECT 'never closed",
  ])('exec refuses %j inside a transaction, and runs none of it', (script) => {
    const { driver } = openDatabase();
    driver.exec('CREATE TABLE numbers (n INTEGER PRIMARY KEY)');
    const survived: string[] = [];
    const thrown = thrownBy(() =>
      driver.atomically(() => {
        driver.run('INSERT INTO numbers VALUES (1)', {});
        for (const go of [
          () => driver.exec(script),
          () => driver.exec('INSERT INTO numbers VALUES (4)'),
          () => driver.pragma('user_version = 7'),
          () => driver.readOnly(() => undefined),
        ]) {
          try {
            go();
            survived.push(String(go));
          } catch {
            // As it should be.
          }
        }
      }),
    );
    expect(thrown).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('COMMIT') });
    expect(survived).toEqual([]);
    expect(driver.first('SELECT n FROM numbers', {}, (row) => row.n)).toBeNull();
    expect(driver.pragma('user_version')).toBe(0);
    expect(driver.run('INSERT INTO numbers VALUES (5)', {})).toBe(1);
  });

  it('runs a script with a trigger, CASE … END and OR ROLLBACK inside a transaction', () => {
    const { driver } = openDatabase();
    driver.atomically(() =>
      driver.exec(`
        CREATE TABLE numbers (n INTEGER PRIMARY KEY, "end; commit" TEXT DEFAULT 'rollback; end');
        CREATE TRIGGER t AFTER INSERT ON numbers BEGIN
          UPDATE numbers SET n = CASE n WHEN 1 THEN 2 ELSE n END; -- end;
        END;
        INSERT OR ROLLBACK INTO numbers (n) VALUES (1)`),
    );
    expect(driver.all('SELECT n FROM numbers', {}, (row) => row.n)).toEqual([2]);
  });

  it('a COMMIT that was run outside a transaction is looked at again inside one', () => {
    const { driver } = openDatabase();
    driver.exec('CREATE TABLE numbers (n INTEGER PRIMARY KEY)');
    driver.run('BEGIN', {});
    driver.run('COMMIT', {});
    expect(
      thrownBy(() =>
        driver.atomically(() => {
          driver.run('INSERT INTO numbers VALUES (1)', {});
          driver.run('COMMIT', {});
        }),
      ),
    ).toMatchObject({ code: 'INVALID_INPUT' });
    expect(driver.first('SELECT n FROM numbers', {}, (row) => row.n)).toBeNull();
  });

  it('a transaction inside one that was begun by hand is a savepoint', () => {
    const { driver } = openDatabase();
    driver.exec('CREATE TABLE numbers (n INTEGER PRIMARY KEY); BEGIN IMMEDIATE');
    expect(
      thrownBy(() =>
        driver.atomically(() => {
          driver.run('INSERT INTO numbers VALUES (1)', {});
          throw new Error('mine');
        }),
      ),
    ).toMatchObject({ message: 'mine' });
    driver.atomically(() => driver.run('INSERT INTO numbers VALUES (2)', {}));
    driver.exec('COMMIT');
    expect(driver.all('SELECT n FROM numbers', {}, (row) => row.n)).toEqual([2]);
  });

  it('a transaction that has ended unnoticed is lost, before a savepoint begins another one', () => {
    const prepared = vi.spyOn(Database.prototype, 'prepare');
    const { driver } = openDatabase();
    driver.exec('CREATE TABLE numbers (n INTEGER)');
    const add = (): number => driver.run('INSERT INTO numbers VALUES (1)', {});
    add();
    const connection = prepared.mock.contexts.at(-1) as Database.Database;
    vi.restoreAllMocks();
    for (const go of [() => undefined, add, () => driver.atomically(() => undefined)]) {
      const work = (): unknown => {
        connection.exec('ROLLBACK');
        return go();
      };
      expect(thrownBy(() => driver.atomically(work))).toMatchObject({
        code: 'SQL',
        message: expect.stringContaining('ended before its function returned'),
      });
      expect(driver.inTransaction).toBe(false);
    }
  });

  it('cannot be closed in a transaction that is lost, and says so', () => {
    const db = openDatabase();
    db.driver.exec('CREATE TABLE numbers (n INTEGER PRIMARY KEY); INSERT INTO numbers VALUES (1)');
    const thrown = thrownBy(() =>
      db.transaction(() => {
        expect(thrownBy(() => db.driver.run('INSERT OR ROLLBACK INTO numbers VALUES (1)', {}))).toMatchObject(
          {
            code: 'CONFLICT',
          },
        );
        expect(db.driver.scope).toMatchObject({ isUndone: false });
        expect(thrownBy(() => db.close())).toMatchObject({ code: 'INVALID_INPUT' });
      }),
    );
    expect(thrown).toMatchObject({ code: 'CONFLICT' });
    expect(db.open).toBe(true);
  });
});

it('RELEASE of a savepoint that the caller has begun by hand does not commit a transaction inside it', () => {
  const db = openMigrated();
  const add = (): number =>
    db.driver.run(
      `INSERT INTO rotation_events (reason, timestamp) VALUES ('manual', '2026-01-01 00:00:00.000')`,
      {},
    );
  db.driver.exec('SAVEPOINT a');
  const error = thrownBy(() =>
    db.transaction(() => {
      add();
      db.driver.exec('RELEASE a');
      add();
    }),
  );
  expect(error).toMatchObject({ code: 'INVALID_INPUT' });
  db.driver.exec('RELEASE a');
  expect(db.driver.one('SELECT count(*) AS n FROM rotation_events', {}, (row) => row?.n)).toBe(0);
});
