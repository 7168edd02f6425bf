import { expect, it } from 'vitest';
import { failureOf, listOf } from '../../../support/modes.ts';
import { fixture, INSERT, type Open, SELECT, steps } from './fixture.ts';

/** What `first`, `one`, `all` and `run` give. */
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
}
