import type { DatabaseManager } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { onWaiting, startLockHolder } from '../support/lock-holder.ts';
import { openDatabase, openMigrated, thrownBy } from '../support/temporary.ts';

function openNumbers(): { db: DatabaseManager; add: (n: number) => void; all: () => unknown[] } {
  const db = openDatabase({ busyTimeoutMs: 50 });
  db.driver.exec('CREATE TABLE numbers (n INTEGER PRIMARY KEY)');
  return {
    db,
    add: (n) => void db.driver.run('INSERT INTO numbers VALUES (:n)', { n }),
    all: () => db.driver.all('SELECT n FROM numbers ORDER BY n', {}, (row) => row.n),
  };
}

describe('transaction', () => {
  it('refuses an async function by name, before it begins', () => {
    const { db, all, add } = openNumbers();
    const importEverything = async (): Promise<void> => add(1);
    expect(thrownBy(() => db.transaction(importEverything))).toMatchObject({
      code: 'ASYNC_TRANSACTION',
      message: expect.stringContaining('importEverything'),
    });
    expect(all()).toEqual([]);
  });

  it('rolls back a plain function that returns a promise', () => {
    const { db, add, all } = openNumbers();
    expect(thrownBy(() => db.transaction(() => Promise.resolve(add(1))))).toMatchObject({
      code: 'ASYNC_TRANSACTION',
    });
    expect(all()).toEqual([]);
  });

  it('refuses generators and what is no function', () => {
    const { db } = openNumbers();
    const generator = function* (): Generator<number> {
      yield 1;
    };
    for (const work of [generator, 7, null]) {
      expect(thrownBy(() => db.transaction(work as unknown as () => number))).toMatchObject({
        code: 'INVALID_INPUT',
      });
    }
  });

  it('stores all and gives what the function returns', () => {
    const { db, add, all } = openNumbers();
    const result = db.transaction(() => {
      add(1);
      add(2);
      return 'done';
    });
    expect(result).toBe('done');
    expect(all()).toEqual([1, 2]);
    expect(db.driver.inTransaction).toBe(false);
  });

  it('stores nothing when the function throws, and passes the error on', () => {
    const { db, add, all } = openNumbers();
    const mine = new Error('mine');
    expect(
      thrownBy(() =>
        db.transaction(() => {
          add(1);
          throw mine;
        }),
      ),
    ).toBe(mine);
    expect(all()).toEqual([]);
    expect(db.driver.inTransaction).toBe(false);
  });

  it('nests: an inner one fails alone if its error is caught', () => {
    const { db, add, all } = openNumbers();
    db.transaction(() => {
      add(1);
      const failing = (): void =>
        db.transaction(() => {
          add(2);
          db.transaction(() => add(3));
          add(1);
        });
      expect(thrownBy(failing)).toMatchObject({ code: 'CONFLICT' });
      db.transaction(() => add(4));
    });
    expect(all()).toEqual([1, 4]);
  });

  it('nests: an outer one takes the inner with it', () => {
    const { db, add, all } = openNumbers();
    expect(() =>
      db.transaction(() => {
        db.transaction(() => add(1));
        throw new Error('outer');
      }),
    ).toThrow('outer');
    expect(all()).toEqual([]);
  });

  it('takes the write lock at its beginning, so that another process waits its turn or gets BUSY', async () => {
    const { db, all } = openNumbers();
    const { hold, letGo } = startLockHolder(db.path);
    await hold();
    let entered = false;
    expect(
      thrownBy(() =>
        db.transaction(() => {
          entered = true;
        }),
      ),
    ).toMatchObject({ code: 'BUSY' });
    expect(entered).toBe(false);
    // The one that waits its turn has begun when the other has ended.
    const patient = openDatabase({ path: db.path });
    onWaiting(letGo);
    patient.transaction(() => patient.driver.run('INSERT INTO numbers VALUES (9)', {}));
    expect(all()).toEqual([9]);
  });

  it('runs a repository\u2019s steps and gives each step its result', () => {
    const { db, all } = openNumbers();
    const changed = db.driver.transaction(function* () {
      const first = yield db.driver.run('INSERT INTO numbers VALUES (1), (2)', {});
      const second = yield db.driver.first('SELECT max(n) AS n FROM numbers', {}, (row) => row.n);
      return [first, second];
    });
    expect(changed).toEqual([2, 2]);
    expect(all()).toEqual([1, 2]);
  });
});

describe('engine errors', () => {
  it('are typed: constraint, conflict, SQL, parameters', () => {
    const { db, add } = openNumbers();
    const migrated = openMigrated({ path: ':memory:' });
    db.driver.exec('CREATE TABLE strict_one (v TEXT NOT NULL CHECK (length(v) < 3))');
    add(1);
    const cases: [code: string, work: () => unknown][] = [
      ['CONFLICT', () => add(1)],
      ['CONSTRAINT', () => db.driver.run('INSERT INTO strict_one VALUES (NULL)', {})],
      ['CONSTRAINT', () => db.driver.run('INSERT INTO strict_one VALUES (:v)', { v: 'canary-secret' })],
      // The tables of the pool are not there yet, and that may be why.
      ['MIGRATION_PENDING', () => db.driver.run('INSERT INTO nowhere VALUES (1)', {})],
      ['SQL', () => migrated.driver.run('INSERT INTO nowhere VALUES (1)', {})],
      ['SQL', () => migrated.driver.run('SELEC 1', {})],
      ['INVALID_INPUT', () => db.driver.run('INSERT INTO numbers VALUES (:missing)', {})],
    ];
    for (const [code, work] of cases) {
      const error = thrownBy(work);
      expect(error).toMatchObject({ name: 'ProxyVaultError', code });
      expect(String(error)).not.toContain('canary');
    }
  });
});
