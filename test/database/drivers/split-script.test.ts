import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitStatements } from '../../../src/database/drivers/split-script.ts';

describe('splitStatements', () => {
  const split = (script: string): [string, number][] =>
    splitStatements(script, { file: 'f', firstLine: 1 }).map(({ sql, line }) => [sql, line]);

  it.each([
    ['a string', `INSERT INTO t VALUES ('a;''b;')`],
    ['a quoted name', 'SELECT ";" FROM "a;"";b"'],
    ['a name in backticks', 'SELECT `;` FROM `a;``;b`'],
    ['a name in brackets', 'SELECT [;] FROM [a;b]'],
    ['a comment', 'SELECT /* ; */ 1 /* ;\n; */'],
    ['a comment to the end of its line', 'SELECT 1 -- ;\n + 1'],
    ['a trigger', 'CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; SELECT 1; END'],
    ['a temporary trigger', 'CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; SELECT 1; END'],
    [
      'a temporary trigger in full',
      'create temporary trigger t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END',
    ],
    [
      'a trigger with CASE',
      'CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET x = CASE WHEN 1 THEN 2 END; SELECT 1; END',
    ],
  ])('does not end a statement at a semicolon in %s', (_, statement) => {
    const lines = statement.split('\n').length;
    expect(split(`${statement};\n SELECT 2; -- the last\n`)).toEqual([
      [`${statement};`, 1],
      ['SELECT 2;', lines + 1],
    ]);
  });

  it('gives the line on which a statement begins, after comments of several lines and strings', () => {
    expect(split(`/* one\ntwo */\n\nSELECT 'a\nb';\n-- c\nSELECT 2`)).toEqual([
      [`SELECT 'a\nb';`, 4],
      ['SELECT 2', 7],
    ]);
    expect(split(' ;;\n; SELECT 1;;')).toEqual([['SELECT 1;', 2]]);
    expect(split('CREATE;SELECT 1;')).toEqual([
      ['CREATE;', 1],
      ['SELECT 1;', 1],
    ]);
  });

  it('ends a comment where it ends first, and keeps those inside a statement', () => {
    expect(split('/* a */ SELECT 1; /* b */ SELECT /* c */ 2; /* d */')).toEqual([
      ['SELECT 1;', 1],
      ['SELECT /* c */ 2;', 1],
    ]);
  });

  it('keeps every character of every statement, on its line', () => {
    const statement = fc.constantFrom(
      "INSERT INTO t VALUES ('a;''b')",
      'SELECT 1',
      'SELECT "x;y", [z;]',
      'SELECT /* ; */ 2',
      'SELECT -- ;\n 3',
    );
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 10 }), (statements) => {
        const script = statements.map((sql) => `${sql};`).join('\n');
        const split = splitStatements(script, { file: 'f', firstLine: 1 });
        expect(split.map(({ sql }) => sql)).toEqual(statements.map((sql) => `${sql};`));
        const lines = script.split('\n');
        for (const { sql, line } of split) expect(lines[line - 1]).toBe(sql.split('\n')[0]);
      }),
    );
  });
});
