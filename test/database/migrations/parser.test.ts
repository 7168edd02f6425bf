import fc from 'fast-check';
import { parseMigration } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { splitStatements } from '../../../src/database/migrations/statements.ts';
import { thrownBy } from '../../support/temporary.ts';

const parse = (text: string, name = '001_tasks.sql'): ReturnType<typeof parseMigration> =>
  parseMigration('app', name, text);

const GOOD = `-- Migration: 001_tasks
-- Description: Add tasks

-- Up
CREATE TABLE tasks (id TEXT);
CREATE INDEX idx ON tasks(id);

-- Down
DROP TABLE tasks;
`;

describe('parseMigration refuses, with file and line,', () => {
  const cases: [what: string, text: string, at: string, says: string][] = [
    ['a missing name', GOOD.replace(/^-- Migration.*\n/, ''), '001_tasks.sql:1', '-- Migration: NNN_name'],
    ['another name', GOOD.replace('001_tasks', '001_other'), '001_tasks.sql:1', '001_other'],
    ['a missing description', GOOD.replace(/-- Description.*\n/, ''), '001_tasks.sql:1', 'Description'],
    ['an empty description', GOOD.replace(' Add tasks', ''), '001_tasks.sql:2', 'needs a text'],
    ['a missing Up', GOOD.replace('-- Up\n', ''), '001_tasks.sql:4', 'before the line "-- Up"'],
    [
      'SQL before Up',
      GOOD.replace('\n\n-- Up', '\nSELECT 1;\n-- Up'),
      '001_tasks.sql:3',
      'before the line "-- Up"',
    ],
    ['a second Up', `${GOOD}-- Up\nSELECT 1;`, '001_tasks.sql:10', 'twice'],
    ['a second Down', `${GOOD}-- Down\nSELECT 1;`, '001_tasks.sql:10', 'twice'],
    [
      'Down before Up',
      GOOD.replace('-- Up', '-- X').replace('-- Down', '-- Up').replace('-- X', '-- Down'),
      '001_tasks.sql:4',
      'before "-- Up"',
    ],
    ['a marker in another case', GOOD.replace('-- Up', '-- UP'), '001_tasks.sql:4', 'exactly so'],
    ['an empty Up', GOOD.replace(/CREATE.*\n/g, ''), '001_tasks.sql:4', 'no statement'],
    [
      'a Down of comments only',
      GOOD.replace('DROP TABLE tasks;', '-- nothing;'),
      '001_tasks.sql:8',
      'no statement',
    ],
    ['COMMIT', GOOD.replace('CREATE INDEX', 'COMMIT;\nCREATE INDEX'), '001_tasks.sql:6', 'COMMIT'],
    [
      'begin in lower case behind a comment',
      GOOD.replace('DROP', '/* x */ begin; DROP'),
      '001_tasks.sql:9',
      'BEGIN',
    ],
    ['a pragma', GOOD.replace('DROP', 'PRAGMA foreign_keys = OFF; DROP'), '001_tasks.sql:9', 'PRAGMA'],
    ['an open string', GOOD.replace('(id TEXT)', "(id TEXT DEFAULT 'x)"), '001_tasks.sql:5', 'never closed'],
    ['an open comment', GOOD.replace('DROP', '/* DROP'), '001_tasks.sql:9', 'never closed'],
  ];
  it.each(cases)('%s', (_, text, at, says) => {
    const error = thrownBy(() => parse(text));
    expect(error).toMatchObject({ code: 'MIGRATION_INVALID', message: expect.stringContaining(says) });
    expect(String((error as Error).message)).toMatch(new RegExp(`^${at}: `));
  });

  it.each(['tasks.sql', '1_tasks.sql', '001-tasks.sql', '001_Tasks.sql', '../001_x.sql', '001_.sql'])(
    'the file name %s',
    (name) => {
      expect(thrownBy(() => parse(GOOD, name))).toMatchObject({ code: 'MIGRATION_INVALID' });
    },
  );
});

describe('parseMigration', () => {
  it('gives both sections', () => {
    expect(parse(GOOD)).toMatchObject({
      namespace: 'app',
      version: 1,
      name: '001_tasks',
      description: 'Add tasks',
      up: 'CREATE TABLE tasks (id TEXT);\nCREATE INDEX idx ON tasks(id);\n',
      down: 'DROP TABLE tasks;\n',
    });
  });

  it('takes a file without Down as one that cannot be undone', () => {
    expect(parse(GOOD.slice(0, GOOD.indexOf('-- Down'))).down).toBeNull();
  });

  it('has one checksum for CRLF, LF and a byte order mark, and another for another text', () => {
    const { checksum } = parse(GOOD);
    expect(parse(GOOD.replaceAll('\n', '\r\n')).checksum).toBe(checksum);
    expect(parse(`\uFEFF${GOOD}`).checksum).toBe(checksum);
    expect(parse(GOOD.replace('Add', 'add')).checksum).not.toBe(checksum);
  });

  it('lets transaction words stand in strings, names, comments and triggers', () => {
    const up = `CREATE TABLE tasks (id TEXT DEFAULT 'COMMIT; BEGIN', "rollback;" TEXT, [end;] TEXT); -- COMMIT;
/* ROLLBACK; */
CREATE TRIGGER t AFTER INSERT ON tasks BEGIN
  UPDATE tasks SET id = CASE WHEN id = ';' THEN 'x' ELSE 'END;' END;
  DELETE FROM tasks;
END;`;
    const migration = parse(GOOD.replace(/CREATE TABLE.*\nCREATE.*\n/, `${up}\n`));
    expect(
      splitStatements(migration.up, { file: 'f', firstLine: 1 }).map(({ keyword, line }) => [keyword, line]),
    ).toEqual([
      ['CREATE', 1],
      ['CREATE', 3],
    ]);
  });

  it('throws nothing but its typed error, whatever the text', () => {
    const pieces = [
      '-- Migration: 001_tasks\n',
      '-- Description: d\n',
      '-- Up\n',
      '-- Down\n',
      'SELECT 1;',
      "'",
      '"',
      '/*',
      '*/',
      '[',
      '--',
      '\r\n',
      'BEGIN',
      'END',
      ';',
      'CREATE TRIGGER ',
    ];
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string()), { maxLength: 30 }), (parts) => {
        try {
          parse(parts.join(''));
        } catch (error) {
          expect(error).toMatchObject({ code: 'MIGRATION_INVALID' });
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('splitStatements', () => {
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
