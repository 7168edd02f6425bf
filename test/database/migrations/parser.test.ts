import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitStatements } from '../../../src/database/drivers/split-script.ts';
import { parseMigration, sectionStatements } from '../../../src/database/migrations/parser.ts';
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
    [
      'no section at all',
      GOOD.slice(0, GOOD.indexOf('\n\n-- Up')),
      '001_tasks.sql:2',
      'the line "-- Up" is missing',
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
    ['a marker with two blanks', GOOD.replace('-- Up', '--  Up'), '001_tasks.sql:4', 'exactly so'],
    ['a marker without a blank', GOOD.replace('-- Down', '--Down'), '001_tasks.sql:8', 'exactly so'],
    ['a second name', `-- Migration: 001_tasks\n${GOOD}`, '001_tasks.sql:2', 'twice'],
    [
      'a second description',
      GOOD.replace('\n\n-- Up', '\n-- Description: again\n-- Up'),
      '001_tasks.sql:3',
      'twice',
    ],
    [
      'Down after the header alone',
      GOOD.replace('-- Up', '-- Down\nSELECT 1;\n-- Up').replace(/-- Down\nDROP[\s\S]*/, ''),
      '001_tasks.sql:4',
      'before "-- Up"',
    ],
    [
      'an Up that has only a comment',
      GOOD.replace(/CREATE[\s\S]*?(?=\n-- Down)/, '/* later; */\n'),
      '001_tasks.sql:4',
      'no statement',
    ],
    ['an open string', GOOD.replace('(id TEXT)', "(id TEXT DEFAULT 'x)"), '001_tasks.sql:5', 'never closed'],
    ['an open comment', GOOD.replace('DROP', '/* DROP'), '001_tasks.sql:9', 'never closed'],
  ];
  it.each(cases)('%s', (_, text, at, says) => {
    const error = thrownBy(() => parse(text));
    expect(error).toMatchObject({ code: 'MIGRATION_INVALID', message: expect.stringContaining(says) });
    expect(String((error as Error).message)).toMatch(new RegExp(`^${at}: `));
  });

  it.each([
    'BEGIN IMMEDIATE',
    'COMMIT',
    'END',
    'END TRANSACTION',
    'ROLLBACK',
    'SAVEPOINT a',
    'RELEASE a',
    'PRAGMA user_version = 1',
    'VACUUM',
    "ATTACH 'x' AS y",
    'DETACH y',
    'EXPLAIN PRAGMA foreign_keys = ON',
  ])('%s, in either section, also as a later statement without a semicolon', (statement) => {
    const says = expect.stringMatching(new RegExp(`${statement.split(' ')[0]} may not stand in a migration`));
    for (const text of [
      GOOD.replace('CREATE INDEX idx ON tasks(id);', `${statement};`),
      GOOD.replace('DROP TABLE tasks;', `DROP TABLE tasks;\n${statement.toLowerCase()}`),
    ])
      expect(thrownBy(() => parse(text))).toMatchObject({ code: 'MIGRATION_INVALID', message: says });
  });

  it.each([
    '01_tasks.sql',
    '1234567890_tasks.sql',
    '001_tasks_.sql',
    '001_a__b.sql',
    '001_tasks.sql.sql',
    '001_t\u00e4sks.sql',
    '1_tasks.sql',
    'tasks.sql',
    '001-tasks.sql',
    '001_Tasks.sql',
    '../001_x.sql',
    '001_.sql',
  ])('the file name %s', (name) => {
    const text = GOOD.replace('001_tasks', name.replace(/\.sql$/, ''));
    expect(thrownBy(() => parse(text, name))).toMatchObject({
      code: 'MIGRATION_INVALID',
      message: expect.stringContaining('a migration is named NNN_lower_case_words.sql'),
    });
  });
});

describe('parseMigration', () => {
  it('takes names with numbers of three to nine digits', () => {
    for (const [name, version] of [
      ['001_tasks', 1],
      ['123456789_tasks', 123_456_789],
      ['010_a1_b2', 10],
    ] as const)
      expect(parse(GOOD.replace('001_tasks', name), `${name}.sql`)).toMatchObject({ name, version });
  });

  it('takes comments that begin like a marker, and header lines inside a section, as comments', () => {
    const up = `-- Up to here nothing was stored.
-- Down keeps the table.
-- Description: of the columns
CREATE TABLE tasks (id TEXT);
-- Migration: 000_other
CREATE INDEX idx ON tasks(id);
`;
    const migration = parse(GOOD.replace(/CREATE[\s\S]*?\n\n/, `${up}\n`));
    expect(migration).toMatchObject({
      name: '001_tasks',
      description: 'Add tasks',
      up,
      down: 'DROP TABLE tasks;\n',
    });
    expect(sectionStatements(migration, 'up').map(({ line }) => line)).toEqual([8, 10]);
    expect(sectionStatements(migration, 'down').map(({ sql, line }) => [sql, line])).toEqual([
      ['DROP TABLE tasks;', 13],
    ]);
  });

  it('allows blank lines and comments before the sections', () => {
    expect(parse(`-- A licence.\n\n${GOOD}`)).toMatchObject({
      name: '001_tasks',
      firstLine: { up: 7, down: 11 },
    });
  });

  it('hashes the text as UTF-8', () => {
    const text = GOOD.replace('Add tasks', 'Add \u00fc\u5bc6\u{1f511}');
    expect(parse(text).checksum).toBe(createHash('sha256').update(Buffer.from(text, 'utf8')).digest('hex'));
    expect(parse(`\uFEFF${text.replaceAll('\n', '\r\n')}`)).toEqual(parse(text));
  });

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
    const migration = parse(GOOD.slice(0, GOOD.indexOf('-- Down')));
    expect(migration.down).toBeNull();
    expect(sectionStatements(migration, 'down')).toEqual([]);
    expect(sectionStatements(migration, 'up')).toHaveLength(2);
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
