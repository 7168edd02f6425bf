import { expect, it } from 'vitest';
import { execute, query } from '../../../../src/database/caller-sql.ts';
import { answer, failureOf, listOf } from '../../../support/modes.ts';
import { fixture, INSERT, type Open, SELECT, steps } from './fixture.ts';

/** What `first`, `one`, `all`, `run`, `rows` and `change` give. */
export function describeStatements(open: Open): void {
  it('give rows, mapped: the first, the first or its absence, or all of them but those left out', async () => {
    const { driver, add } = await fixture(open);
    for (let n = 1; n < 6; n++) await add(n);
    const odd = (row: Record<string, unknown>): number | null | undefined =>
      Number(row.n) % 2 === 0 ? undefined : Number(row.n) === 3 ? null : Number(row.n);
    expect(await driver.all(SELECT, {}, odd)).toEqual([1, null, 5]);
    expect(await driver.all(SELECT, {}, odd, (values) => values.length)).toBe(3);
    expect(await listOf(driver.iterate(SELECT, {}, odd))).toEqual([1, null, 5]);
    expect(await driver.first(SELECT, {}, (row) => row)).toEqual({ n: 0 });
    const none = 'SELECT n FROM numbers WHERE n > 9';
    expect(await driver.first(none, {}, () => 'row')).toBeNull();
    expect(await driver.one(none, {}, (row) => row === undefined)).toBe(true);
    expect(await driver.one(SELECT, {}, (row) => row?.n)).toBe(0);
    expect(await driver.all(none, {}, (row) => row)).toEqual([]);
  });

  it('give how many rows they changed', async () => {
    const { driver } = await fixture(open);
    expect(await driver.run('INSERT INTO numbers (n) VALUES (1), (2), (3)', {})).toBe(3);
    expect(await driver.run('UPDATE numbers SET data = NULL WHERE n > 9', {})).toBe(0);
    expect(await driver.run('DELETE FROM numbers WHERE n > 1', {}, (changed) => `${changed} rows`)).toBe(
      '2 rows',
    );
  });

  it('store all rows of a write that gives rows, also if only the first is asked for', async () => {
    const { driver, stored } = await fixture(open);
    const sql = 'INSERT INTO numbers (n) VALUES (1), (2), (3) RETURNING n';
    expect(await driver.first(sql, {}, (row) => row.n)).toBe(1);
    expect(await stored()).toEqual([0, 1, 2, 3]);
  });

  it('pass on what a function throws that maps a row', async () => {
    const { driver, stored } = await fixture(open);
    const mine = new TypeError('mine');
    const fail = (): never => {
      throw mine;
    };
    for (const go of [
      () => driver.first(SELECT, {}, fail),
      () => driver.one(SELECT, {}, fail),
      () => driver.all(SELECT, {}, fail),
      () => driver.all(SELECT, {}, (row) => row, fail),
      () => driver.iterate(SELECT, {}, fail).next(),
      () => driver.transaction(() => steps(driver.run(INSERT, { n: 1 }, fail), null)),
    ])
      expect(await failureOf(go)).toBe(mine);
    expect(await stored()).toEqual([0]);
  });

  it('give an application its rows exactly, and what it changed', async () => {
    const { driver, engine, stored } = await fixture(open);
    await engine.script('CREATE TABLE large (n INTEGER, x REAL)');
    const large = 2n ** 53n + 1n;
    const insert = 'INSERT INTO large (n, x) VALUES (:n, :x)';
    expect(await driver.change(insert, { n: large, x: 0.5 })).toMatchObject({ changes: 1 });
    expect(await driver.change(insert, { n: 7, x: 1 })).toMatchObject({ changes: 1 });
    const select = 'SELECT n, x FROM large WHERE n >= :least ORDER BY n';
    const rows = [
      { n: 7, x: 1 },
      { n: large, x: 0.5 },
    ];
    expect(await driver.rows(select, { least: 0 })).toEqual(rows);
    expect(await driver.rows(`${insert} RETURNING n`, { n: -large, x: null })).toEqual([{ n: -large }]);
    expect(await driver.rows(select, { least: 0 })).toEqual(rows);
    expect(await driver.change('UPDATE large SET x = NULL WHERE n > :n', { n: 0 })).toEqual({ changes: 2 });
    expect(await driver.change('DELETE FROM large WHERE n > :n RETURNING n', { n: 9 })).toEqual({
      changes: 1,
    });
    expect(await driver.change('DELETE FROM large WHERE n > :n', { n: 99 })).toEqual({ changes: 0 });
    expect(
      await failureOf(() =>
        driver.transaction(function* () {
          expect(yield* answer(driver.change(INSERT, { n: 5 }))).toMatchObject({ changes: 1 });
          expect(yield* answer(driver.rows(SELECT, {}))).toEqual([{ n: 0 }, { n: 5 }]);
          throw new Error('mine');
        }),
      ),
    ).toMatchObject({ message: 'mine' });
    expect(await stored()).toEqual([0]);
  });

  it('run nothing of an application that gives no rows where rows are wanted, or that only reads', async () => {
    const { driver, stored } = await fixture(open);
    for (const go of [
      () => driver.rows(INSERT, { n: 1 }),
      () => driver.rows('DELETE FROM numbers', {}),
      () => driver.change(SELECT, {}),
      () => driver.change(INSERT, { n: true as never }),
      () => driver.rows('SELECT :n AS n', {}),
    ])
      expect(await failureOf(go)).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await stored()).toEqual([0]);
  });

  it('of a caller are checked before they run, and a promise rejects', async () => {
    const { driver, stored } = await fixture(open);
    expect(await query(driver, 'SELECT n FROM numbers WHERE n = ?', [false])).toEqual([{ n: 0 }]);
    expect(await execute(driver, 'INSERT INTO numbers (n) VALUES ($n)', { n: 1 })).toMatchObject({
      changes: 1,
    });
    const bad: (() => Promise<unknown>)[] = [
      () => execute(driver, 'COMMIT', []),
      () => execute(driver, INSERT, []),
      () => query(driver, SELECT, [1]),
    ];
    for (const go of bad) {
      const failure = driver.mode === 'async' ? go() : failureOf(go).then((error) => Promise.reject(error));
      await expect(failure).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    }
    expect(await stored()).toEqual([0, 1]);
  });
}
