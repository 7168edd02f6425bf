import type { DatabaseManager, Driver, Mode, Result, Steps } from 'proxyvault/database';
import { expect, it } from 'vitest';
import type { SqliteDriver } from '../../../src/database/drivers/sqlite/driver.ts';
import { openDatabase } from '../../support/temporary.ts';

/** What makes the engine leave a transaction, or must not make it store a part. */
const FATAL: [name: string, sql: string, code: string][] = [
  ['a full disk', 'INSERT INTO numbers VALUES (1000, zeroblob(1000000))', 'DISK_FULL'],
  ['a trigger that raises ROLLBACK', 'INSERT INTO forbidden VALUES (1)', 'CONSTRAINT'],
  ['a conflict with OR ROLLBACK', 'INSERT OR ROLLBACK INTO numbers VALUES (0, NULL)', 'CONFLICT'],
  ['COMMIT by hand', '-- a comment\n commit', 'INVALID_INPUT'],
  ['END by hand', ' ; END TRANSACTION', 'INVALID_INPUT'],
  ['ROLLBACK by hand', '/* a comment */ ROLLBACK', 'INVALID_INPUT'],
];

const DEEPEST = 4;

/** Settled as a value, whatever the mode. */
async function outcomeOf(work: () => unknown): Promise<unknown> {
  try {
    return { returned: await work() };
  } catch (error) {
    return error;
  }
}

interface Fixture<M extends Mode> {
  db: DatabaseManager;
  driver: Driver<M>;
  add: (n: number) => Result<M, number>;
  stored: () => unknown[];
}

/** What the contract in drivers/driver.ts says about transactions, for every driver. */
export function describeTransactions<M extends Mode>(
  open: (db: DatabaseManager, onConnect: (connection: SqliteDriver) => void) => Driver<M>,
): void {
  function fixture(): Fixture<M> {
    const db = openDatabase();
    db.driver.exec(`
      CREATE TABLE numbers (n INTEGER PRIMARY KEY, data BLOB);
      CREATE TABLE forbidden (n INTEGER);
      CREATE TRIGGER forbid BEFORE INSERT ON forbidden BEGIN SELECT RAISE(ROLLBACK, 'not here'); END;
      INSERT INTO numbers VALUES (0, NULL);
    `);
    const limit = (connection: SqliteDriver): unknown =>
      connection.pragma(`max_page_count = ${Number(connection.pragma('page_count')) + 20}`);
    limit(db.driver);
    const driver = open(db, limit);
    return {
      db,
      driver,
      add: (n) => driver.run('INSERT INTO numbers VALUES (:n, NULL)', { n }),
      stored: () => db.driver.all('SELECT n FROM numbers ORDER BY n', {}, (row) => row.n),
    };
  }

  /** Every way to the engine; each of them must throw in a transaction that is lost. */
  function waysOf({ driver, add }: Fixture<M>): [name: string, go: () => Result<M, unknown>][] {
    const sql = 'SELECT n FROM numbers';
    return [
      ['run', () => add(77)],
      ['first', () => driver.first(sql, {}, (row) => row.n)],
      ['one', () => driver.one(sql, {}, (row) => row?.n)],
      ['all', () => driver.all(sql, {}, (row) => row.n)],
      [
        'all of INSERT … RETURNING',
        () => driver.all('INSERT INTO numbers VALUES (78, NULL) RETURNING n', {}, (row) => row.n),
      ],
      ['iterate', () => driver.iterate(sql, {}, (row) => row.n).next() as Result<M, unknown>],
      ['SAVEPOINT', () => driver.run('SAVEPOINT mine', {})],
      ['BEGIN', () => driver.run('BEGIN', {})],
      [
        'transaction',
        () =>
          driver.transaction(function* (): Steps<M, void> {
            yield add(79);
          }),
      ],
    ];
  }

  const cases = FATAL.flatMap(([name, sql, code]) =>
    Array.from({ length: DEEPEST }, (_, i) => [name, i + 1, sql, code] as const),
  );

  it.each(cases)(
    '%s at depth %i: nothing is stored, and the outermost throws it',
    async (_name, deepest, sql, code) => {
      // Caught at every depth (0), or at this one alone.
      for (let catching = 0; catching <= deepest; catching++) {
        const test = fixture();
        const caught: unknown[] = [];
        const survived: string[] = [];
        const level = function* (depth: number): Steps<M, string> {
          yield test.add(depth);
          try {
            yield depth < deepest
              ? test.driver.transaction(() => level(depth + 1))
              : test.driver.run(sql, {});
          } catch (error) {
            caught.push(error);
            if (catching !== 0 && catching !== depth) throw error;
          }
          for (const [name, go] of waysOf(test)) {
            try {
              yield go();
              survived.push(name);
            } catch (error) {
              caught.push(error);
            }
          }
          return 'returned normally';
        };

        const thrown = await outcomeOf(() => test.driver.transaction(() => level(1)));

        expect(thrown).toMatchObject({ name: 'ProxyVaultError', code });
        expect(thrown).toBe(caught[0]);
        expect(survived).toEqual([]);
        for (const error of caught.slice(1)) expect(error).toMatchObject({ code });
        expect(caught.at(-1)).toMatchObject({ message: expect.stringContaining('return from it') });
        expect(test.stored()).toEqual([0]);
        expect(test.db.driver.inTransaction).toBe(false);

        await test.driver.transaction(function* (): Steps<M, void> {
          yield test.add(1);
        });
        expect(test.stored()).toEqual([0, 1]);
      }
    },
  );

  it('an error that only ends its statement leaves the transaction, at every depth', async () => {
    const test = fixture();
    const level = function* (depth: number): Steps<M, void> {
      yield test.add(depth * 10);
      try {
        yield test.driver.transaction(function* (): Steps<M, void> {
          yield test.add(depth * 10 + 1);
          yield test.add(0);
        });
      } catch (error) {
        expect(error).toMatchObject({ code: 'CONFLICT' });
      }
      yield test.add(depth * 10 + 2);
      if (depth < DEEPEST) yield test.driver.transaction(() => level(depth + 1));
    };
    await test.driver.transaction(() => level(1));
    expect(test.stored()).toEqual([0, 10, 12, 20, 22, 30, 32, 40, 42]);
  });

  it('an error of the caller wins over none, and the first cause over an error of the caller', async () => {
    const test = fixture();
    const mine = new Error('mine');
    const after = (sql: string) =>
      outcomeOf(() =>
        test.driver.transaction(function* (): Steps<M, void> {
          try {
            yield test.driver.run(sql, {});
          } catch {
            // The caller has an error of its own.
          }
          throw mine;
        }),
      );
    expect(await after('INSERT INTO numbers VALUES (0, NULL)')).toBe(mine);
    expect(await after('INSERT INTO forbidden VALUES (1)')).toMatchObject({ code: 'CONSTRAINT' });
    expect(test.stored()).toEqual([0]);
  });

  it('savepoints by hand may be used and left', async () => {
    const test = fixture();
    await test.driver.transaction(function* (): Steps<M, void> {
      yield test.driver.run('SAVEPOINT mine', {});
      yield test.add(1);
      yield test.driver.run('ROLLBACK TRANSACTION TO SAVEPOINT mine', {});
      yield test.add(2);
      yield test.driver.run('RELEASE mine', {});
    });
    expect(test.stored()).toEqual([0, 2]);
  });

  it('what follows a transaction runs once after it, committed or not, and outside of it', async () => {
    const test = fixture();
    for (const isUndone of [false, true]) {
      const seen: unknown[] = [];
      const followUp = (): void => void seen.push(test.driver.scope);
      await outcomeOf(() =>
        test.driver.transaction(function* (): Steps<M, void> {
          test.driver.afterTransaction(followUp);
          yield test.driver.transaction(function* (): Steps<M, void> {
            test.driver.afterTransaction(followUp);
            yield test.add(isUndone ? 1 : 2);
          });
          expect(seen).toEqual([]);
          if (isUndone) throw new Error('undone');
        }),
      );
      expect(seen).toEqual([null]);
    }
    expect(test.stored()).toEqual([0, 2]);
  });
}
