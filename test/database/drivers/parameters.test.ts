import type { SqlValue } from 'proxyvault/driver';
import { describe, expect, it } from 'vitest';
import { openDatabase, thrownBy } from '../../support/temporary.ts';

const SQL = 'SELECT typeof(:value) AS type, :value AS value';

describe('a parameter', () => {
  it.each<[what: string, value: SqlValue, type: string]>([
    ['a text', 'text', 'text'],
    ['an empty text', '', 'text'],
    ['a number', 1.5, 'real'],
    ['a number without bounds', Number.POSITIVE_INFINITY, 'real'],
    ['a bigint', 9_007_199_254_740_993n, 'integer'],
    ['bytes', Uint8Array.of(0, 255), 'blob'],
    ['a Buffer', Buffer.from('x'), 'blob'],
    ['null', null, 'null'],
  ])('that is %s is stored', (_, value, type) => {
    const { driver } = openDatabase();
    expect(driver.first(SQL, { value }, (row) => row.type)).toBe(type);
  });

  const CANARY = 'canary-4711';
  const wrong: [what: string, value: unknown][] = [
    ['undefined', undefined],
    ['a boolean', true],
    ['a function', () => CANARY],
    ['a symbol', Symbol(CANARY)],
    ['an object', { toString: () => CANARY, valueOf: () => 1 }],
    ['an object of String', new String(CANARY)],
    ['an object of Number', new Number(4711)],
    ['a date', new Date(4711)],
    ['an array', [CANARY]],
    ['a Map', new Map()],
    ['a promise', Promise.resolve(CANARY)],
    ['another typed array', Float64Array.of(4711)],
    ['a DataView', new DataView(new ArrayBuffer(8))],
    ['an ArrayBuffer', new ArrayBuffer(8)],
  ];
  it.each(wrong)('that is %s is rejected, and its name said, not its value', async (_, value) => {
    const db = openDatabase();
    const { driver } = db;
    driver.exec('CREATE TABLE numbers (n)');
    const params = { value: value as SqlValue };
    const insert = 'INSERT INTO numbers VALUES (:value)';
    const ways: (() => unknown)[] = [
      () => driver.first(SQL, params, () => 0),
      () => driver.one(SQL, params, () => 0),
      () => driver.all(SQL, params, () => 0),
      () => driver.run(insert, params),
      () => driver.all(`${insert} RETURNING n`, params, () => 0),
      () => driver.iterate(SQL, params, () => 0).next(),
      () => db.transaction(() => driver.iterate(SQL, params, () => 0).next()),
      () => db.transaction(() => driver.run(insert, params)),
    ];
    const errors = [
      ...ways.map(thrownBy),
      await db.background.all(SQL, params).catch((error: unknown) => error),
    ];
    for (const error of errors) {
      expect(error).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringMatching(/^The parameter value must be a string, a number,/),
        details: { parameter: 'value' },
      });
      expect(JSON.stringify(error) + String(error)).not.toContain('4711');
    }
    expect(driver.all('SELECT n FROM numbers', {}, (row) => row.n)).toEqual([]);
    // It ends its statement, and not the transaction.
    db.transaction(() => {
      expect(thrownBy(() => driver.run(insert, params))).toMatchObject({ code: 'INVALID_INPUT' });
      driver.run(insert, { value: 1 });
    });
    expect(driver.all('SELECT n FROM numbers', {}, (row) => row.n)).toEqual([1]);
  });

  it('that is missing is rejected, one too many is not looked for, and a number of more than 64 bits is rejected', () => {
    const { driver } = openDatabase();
    expect(thrownBy(() => driver.first(SQL, {}, () => 0))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('Missing named parameter "value"'),
    });
    expect(driver.first(SQL, { value: 1, other: 2 }, (row) => row.value)).toBe(1);
    expect(thrownBy(() => driver.first(SQL, { value: 2n ** 64n }, () => 0))).toMatchObject({
      code: 'INVALID_INPUT',
    });
  });
});

it('SQL after a NUL character is not left out without a word', async () => {
  const db = openDatabase();
  db.driver.exec('CREATE TABLE numbers (n); INSERT INTO numbers VALUES (1)');
  const sql = (statement: string): string => `${statement}\0 WHERE n = 2`;
  const rejected = expect.objectContaining({
    code: 'INVALID_INPUT',
    message: expect.stringContaining('NUL'),
  });
  expect(() => db.driver.run(sql('DELETE FROM numbers'), {}, Number)).toThrow(rejected);
  expect(() => db.driver.all(sql('SELECT n FROM numbers'), {}, ({ n }) => n)).toThrow(rejected);
  expect(() => [...db.driver.iterate(sql('SELECT n FROM numbers'), {}, ({ n }) => n)]).toThrow(rejected);
  expect(db.driver.all('SELECT n FROM numbers', {}, ({ n }) => n)).toEqual([1]);
});
