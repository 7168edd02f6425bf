import type { Driver, SqlValue } from 'proxyvault/driver';
import { expect, it } from 'vitest';
import { failureOf } from '../../../support/modes.ts';
import { type Open, steps } from './fixture.ts';

const VALUES: [name: string, value: SqlValue, text: string | null][] = [
  ['an empty text', '', ''],
  ['a text with NUL', 'a\0b', 'a\0b'],
  ['a text beyond the basic plane', 'ä😀', 'ä😀'],
  ['a text that is long', 'x'.repeat(100_000), 'x'.repeat(100_000)],
  ['zero', 0, '0'],
  ['a negative integer', -1, '-1'],
  ['an integer of 33 bits', 2 ** 32, '4294967296'],
  ['the largest safe integer', 2 ** 53 - 1, '9007199254740991'],
  ['the smallest safe integer', 1 - 2 ** 53, '-9007199254740991'],
  ['a small bigint', 7n, '7'],
  ['the largest bigint', 2n ** 63n - 1n, '9223372036854775807'],
  ['the smallest bigint', -(2n ** 63n), '-9223372036854775808'],
  ['null', null, null],
];
const FLOATS: [name: string, value: number][] = [
  ['a fraction', 0.1],
  ['the largest number', Number.MAX_VALUE],
  ['the smallest number', Number.MIN_VALUE],
  ['infinity', Number.POSITIVE_INFINITY],
  ['minus infinity', Number.NEGATIVE_INFINITY],
];
const BYTES: [name: string, value: Uint8Array][] = [
  ['bytes', new Uint8Array([0, 1, 255])],
  ['a part of bytes', new Uint8Array([9, 0, 1, 255, 9]).subarray(1, 4)],
  ['a Buffer', Buffer.from([0, 1, 255])],
  ['no bytes', new Uint8Array(0)],
];
const INVALID: [name: string, value: unknown][] = [
  ['a boolean', true],
  ['a function', () => 1],
  ['an object', { toString: () => 'x' }],
  ['an array', [1]],
  ['a Date', new Date(0)],
  ['a symbol', Symbol('x')],
  ['a String', Object('x')],
  ['a bigint of 65 bits', 2n ** 63n],
  ['undefined', undefined],
  ['NaN', Number.NaN],
  ['a DataView', new DataView(new ArrayBuffer(2))],
  ['numbers of 16 bits', new Int16Array([1])],
];
/** Every type of a parameter, through a statement and back, and what is no parameter. */
export function describeParameters(open: Open): void {
  const opened = async (): Promise<Driver<'async'>> => {
    const { engine, driver } = open();
    await engine.script('CREATE TABLE kept (i INTEGER, r REAL, b BLOB, t TEXT)');
    return driver;
  };

  it.each(VALUES)('%s is stored as it is', async (_, value, text) => {
    const driver = await opened();
    const column = typeof value === 'string' ? 't' : 'i';
    await driver.run(`INSERT INTO kept (${column}) VALUES (:value)`, { value });
    const sql = `SELECT CAST(${column} AS TEXT) AS text, ${column} AS value FROM kept WHERE ${column} IS :value`;
    const row = await driver.first(sql, { value }, (row) => row);
    expect(row?.text).toBe(text);
    if (typeof value !== 'bigint') expect(row?.value).toBe(value);
  });

  it.each(FLOATS)('%s is stored as it is', async (_, value) => {
    const driver = await opened();
    const given = (row: { r?: SqlValue }): unknown => row.r;
    expect(await driver.first('INSERT INTO kept (r) VALUES (:value) RETURNING r', { value }, given)).toBe(
      value,
    );
    expect(await driver.first('SELECT r FROM kept WHERE r = :value', { value }, given)).toBe(value);
  });

  it('a negative zero is zero', async () => {
    const driver = await opened();
    await driver.run('INSERT INTO kept (i, r) VALUES (:value, :value)', { value: -0 });
    expect(
      await driver.first('SELECT i + 1 AS i, r + 1 AS r FROM kept WHERE r = 0', {}, (row) => row),
    ).toEqual({ i: 1, r: 1 });
  });

  it('half of a surrogate pair, which UTF-8 does not have, is the replacement character', async () => {
    const driver = await opened();
    const sql = 'INSERT INTO kept (t) VALUES (:value) RETURNING t';
    expect(await driver.first(sql, { value: 'a\ud83db' }, (row) => row.t)).toBe('a\ufffdb');
  });

  it.each(BYTES)('%s are stored as they are', async (_, value) => {
    const driver = await opened();
    await driver.run('INSERT INTO kept (b) VALUES (:value)', { value });
    const found = await driver.first('SELECT b FROM kept WHERE b = :value', { value }, (row) => row.b);
    expect(found).toBeInstanceOf(Uint8Array);
    expect(Buffer.from(found as Uint8Array)).toEqual(Buffer.from(value));
  });

  async function expectRefused(value: unknown): Promise<void> {
    const driver = await opened();
    const params = { value } as never;
    const insert = 'INSERT INTO kept (t) VALUES (:value)';
    const select = 'SELECT :value AS value';
    for (const go of [
      () => driver.run(insert, params),
      () => driver.all(`${insert} RETURNING t`, params, (row) => row),
      () => driver.first(select, params, (row) => row),
      () => driver.one(select, params, (row) => row),
      () => driver.all(select, params, (row) => row),
      () => driver.iterate(select, params, (row) => row).next(),
      () => driver.transaction(() => steps(driver.run(insert, params), null)),
    ])
      expect(await failureOf(go)).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await driver.all('SELECT * FROM kept', {}, (row) => row)).toEqual([]);
  }

  it.each(INVALID)('%s is INVALID_INPUT', (_, value) => expectRefused(value));

  it('that is missing is INVALID_INPUT, also if it is only inherited; one that the statement does not use is not looked for', async () => {
    const driver = await opened();
    const sql = 'SELECT :a AS a';
    for (const params of [{}, { b: 1 }, { A: 1 }])
      expect(await failureOf(() => driver.first(sql, params, (row) => row))).toMatchObject({
        code: 'INVALID_INPUT',
      });
    expect(await driver.first(sql, { a: 1, b: 2 }, (row) => row.a)).toBe(1);
    for (const params of [undefined, null, 1, 'a', [1]])
      expect(await failureOf(() => driver.first(sql, params as never, (row) => row))).toMatchObject({
        code: 'INVALID_INPUT',
      });
  });

  it('is one value wherever its name is', async () => {
    const driver = await opened();
    const sql = 'SELECT :a AS one, :a AS two, :b AS three';
    expect(await driver.first(sql, { a: 'x', b: 'y' }, (row) => row)).toEqual({
      one: 'x',
      two: 'x',
      three: 'y',
    });
  });
}
