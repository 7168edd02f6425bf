import { describe, expect, it } from 'vitest';
import { readCallerStatement } from '../../../src/database/drivers/placeholders.ts';

describe('the parameters of a caller\u2019s statement', () => {
  it.each<[given: string, sql: string, names: string[], positions: number | null]>([
    ['SELECT 1', 'SELECT 1', [], 0],
    ['SELECT ?,?', 'SELECT :p1,:p2', ['p1', 'p2'], 2],
    ['SELECT ?2, ?1, ?', 'SELECT :p2, :p1, :p3', ['p1', 'p2', 'p3'], 3],
    ['SELECT $2 + $1', 'SELECT :p2 + :p1', ['p1', 'p2'], 2],
    ['SELECT :a, @b, $c', 'SELECT :a, :b, :c', ['a', 'b', 'c'], null],
    ['SELECT x::text, :a::text', 'SELECT x::text, :a::text', ['a'], null],
    ['SELECT a$b, : a, @ a, $', 'SELECT a$b, : a, @ a, $', [], 0],
    [
      'SELECT \'?\', "?", `?`, [?] -- ?\n, ? /* ? */',
      'SELECT \'?\', "?", `?`, [?] -- ?\n, :p1 /* ? */',
      ['p1'],
      1,
    ],
    ['  -- before\n SELECT ?; -- after', 'SELECT :p1;', ['p1'], 1],
  ])('%j', (given, sql, names, positions) => {
    const found = readCallerStatement(given);
    expect({ ...found, names: [...found.names].sort() }).toEqual({ sql, names, positions });
  });

  it('are read again after many other statements', () => {
    const sql = (i: number): string => `SELECT ${i}, ?`;
    const first = readCallerStatement(sql(0));
    expect(readCallerStatement(sql(0))).toBe(first);
    for (let i = 1; i <= 300; i++) readCallerStatement(sql(i));
    expect(readCallerStatement(sql(0))).not.toBe(first);
    expect(readCallerStatement(sql(0))).toEqual(first);
  });
});
