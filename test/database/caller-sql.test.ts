import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import type { DatabaseManager, SqlParameter, SqlParameters } from 'proxyvault/database';
import { ProxyRepository, RotationEventsRepository } from 'proxyvault/database/repositories';
import { describe, expect, it } from 'vitest';
import { onWaiting, startLockHolder } from '../support/lock-holder.ts';
import { openDatabase, openMigrated, thrownBy } from '../support/temporary.ts';

const CANARY = 'canary-4711';

function openNotes(): DatabaseManager {
  const db = openDatabase({ path: ':memory:' });
  db.execute('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, done INTEGER, any_value)');
  return db;
}

const countOf = (db: DatabaseManager): unknown => db.query('SELECT count(*) AS n FROM notes')[0]?.n;

describe('a statement that is rejected', () => {
  it.each<[sql: string, says: string]>([
    ['BEGIN', 'db.transaction'],
    ['begin immediate', 'db.transaction'],
    ['COMMIT', 'db.transaction'],
    ['END', 'db.transaction'],
    ['/* now */ ROLLBACK', 'db.transaction'],
    ['-- now\nSAVEPOINT a', 'db.transaction'],
    ['RELEASE a', 'db.transaction'],
    ['ROLLBACK TO a', 'db.transaction'],
    ['PRAGMA foreign_keys = OFF', 'initDatabase'],
    ['PRAGMA user_version', 'pragma_table_info'],
    ['EXPLAIN PRAGMA foreign_keys = OFF', 'initDatabase'],
    ['EXPLAIN /* ; */ QUERY PLAN PRAGMA foreign_keys = OFF', 'initDatabase'],
    ['VACUUM', 'db.backup'],
    ["VACUUM INTO 'copy.db'", 'db.backup'],
    ["ATTACH 'other.db' AS other", 'other file'],
    ['DETACH other', 'other file'],
    ['CREATE TEMP TABLE notes (id)', 'could hide'],
    ['create temporary view notes AS SELECT 1 AS id', 'could hide'],
    ['CREATE TABLE temp.notes (id)', 'could hide'],
    ['CREATE TABLE IF NOT EXISTS "temp" . notes (id)', 'could hide'],
    ['CREATE VIEW [Temp].notes AS SELECT 1 AS id', 'could hide'],
    ['CREATE VIRTUAL TABLE temp.notes USING fts5(text)', 'could hide'],
    ['', 'no statement'],
    [' ; -- nothing', 'no statement'],
    ['DELETE FROM notes; DELETE FROM notes', 'has 2 statements'],
    ['DELETE FROM notes;;COMMIT', 'has 2 statements'],
    ['DELETE FROM notes /* open', 'never closed'],
    ["DELETE FROM notes WHERE text = 'open", 'never closed'],
    ['DELETE FROM notes\0 WHERE id = 99', 'NUL'],
    ['DELETE FROM notes WHERE id = ? AND text = :text', 'one kind'],
    ['DELETE FROM notes WHERE id = ?3 AND text = ?1', 'no ?2'],
    ['DELETE FROM notes WHERE id = ?0', 'from 1 to'],
    ['DELETE FROM notes WHERE id = $99999', 'from 1 to'],
  ])('%j changes nothing, in a transaction too, which stays as it was', (sql, says) => {
    const db = openNotes();
    db.execute('INSERT INTO notes (id) VALUES (1)');
    for (const way of ['query', 'execute'] as const) {
      expect(thrownBy(() => db[way](sql))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining(says),
      });
      db.transaction(() => {
        db.execute('INSERT INTO notes (id) VALUES (NULL)');
        expect(thrownBy(() => db[way](sql))).toMatchObject({ code: 'INVALID_INPUT' });
      });
    }
    expect(countOf(db)).toBe(3);
    expect(db.driver.pragma('foreign_keys')).toBe(1);
    expect(db.driver.inTransaction).toBe(false);
  });

  it.each([undefined, null, 7, ['SELECT 1'], { sql: 'SELECT 1' }])('%j is no text', (sql) => {
    const db = openNotes();
    for (const way of ['query', 'execute'] as const)
      expect(thrownBy(() => db[way](sql as never))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('gives no rows in query(), or only reads in execute(), and names the other', () => {
    const db = openNotes();
    for (const sql of ['DELETE FROM notes', 'INSERT INTO notes (id) VALUES (9)', 'CREATE TABLE other (x)'])
      expect(thrownBy(() => db.query(sql))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('execute()'),
      });
    for (const sql of ['SELECT 1', 'VALUES (1)', 'WITH a AS (SELECT 1) SELECT * FROM a', 'EXPLAIN SELECT 1'])
      expect(thrownBy(() => db.execute(sql))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('query()'),
      });
    expect(countOf(db)).toBe(0);
    expect(db.query("SELECT name FROM sqlite_schema WHERE name = 'other'")).toEqual([]);
  });
});

describe('parameters that are rejected', () => {
  const INSERT = 'INSERT INTO notes (text, done) VALUES (:text, :done)';
  const BY_POSITION = 'INSERT INTO notes (text, done) VALUES (?, ?)';

  it.each<[params: unknown, says: string]>([
    [undefined, 'text, done'],
    [[], 'give an object'],
    [['a', 1], 'give an object'],
    [{}, 'parameter text is missing'],
    [{ text: 'a' }, 'parameter done is missing'],
    [{ text: 'a', Done: 1 }, '"Done"'],
    [{ text: 'a', done: 1, more: 1 }, '"more"'],
    [{ ':text': 'a', done: 1 }, 'without : @ or $'],
    [Object.create({ text: 'a', done: 1 }), 'must be an array'],
    [new Map([['text', 'a']]), 'must be an array'],
    [null, 'must be an array'],
    [CANARY, 'must be an array'],
    [new Date(), 'must be an array'],
    [Buffer.from('ab'), 'must be an array'],
  ])('by name: %o', (params, says) => {
    const db = openNotes();
    const error = thrownBy(() => db.execute(INSERT, params as SqlParameters));
    expect(error).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining(says) });
    expect(String(error)).not.toContain(CANARY);
    expect(countOf(db)).toBe(0);
  });

  it('by name: what every object inherits is missing', () => {
    const db = openNotes();
    expect(thrownBy(() => db.query('SELECT :constructor AS a', {}))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('parameter constructor is missing'),
    });
  });

  it.each<[params: unknown, says: string]>([
    [undefined, 'takes 2 parameters, and 0 were given'],
    [['a'], 'takes 2 parameters, and 1 were given'],
    [['a', 1, 2], 'takes 2 parameters, and 3 were given'],
    [{ text: 'a', done: 1 }, 'give an array'],
    [{ p1: 'a', p2: 1 }, 'give an array'],
    [{}, 'give an array'],
    // biome-ignore lint/suspicious/noSparseArray: the hole is the point
    [['a', ,], 'parameter 2 is undefined'],
  ])('by position: %o', (params, says) => {
    const db = openNotes();
    expect(thrownBy(() => db.execute(BY_POSITION, params as SqlParameters))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(says),
    });
    expect(countOf(db)).toBe(0);
  });

  it.each<[value: unknown, says: string]>([
    [undefined, 'is undefined: give null'],
    ['\ud800', 'half a surrogate pair'],
    [Number.NaN, 'not a finite number'],
    [Number.POSITIVE_INFINITY, 'not a finite number'],
    [2n ** 63n, '64 bits'],
    [-(2n ** 63n) - 1n, '64 bits'],
    [new Date(Number.NaN), 'invalid Date'],
    [new Date(8.64e15), 'years 0 to 9999'],
    [{ canary: CANARY }, 'of the type object'],
    [[CANARY], 'of the type object'],
    [() => CANARY, 'of the type function'],
    [Symbol(CANARY), 'of the type symbol'],
    [new String(CANARY), 'of the type object'],
    [Promise.resolve(CANARY), 'of the type object'],
    [new Float64Array([4711]), 'of the type object'],
    [new ArrayBuffer(2), 'of the type object'],
  ])('%o: the error names the parameter, and never its value', (value, says) => {
    const db = openNotes();
    const tries: [name: string, work: () => unknown][] = [
      ['done', () => db.execute(INSERT, { text: CANARY, done: value as SqlParameter })],
      ['2', () => db.execute(BY_POSITION, [CANARY, value as SqlParameter])],
      ['2', () => db.query(`${BY_POSITION} RETURNING id`, [CANARY, value as SqlParameter])],
    ];
    for (const [parameter, work] of tries) {
      const error = thrownBy(work);
      expect(error).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining(says),
        details: { parameter },
      });
      expect(JSON.stringify(error) + String(error)).not.toContain('4711');
    }
    expect(countOf(db)).toBe(0);
  });
});

describe('parameters', () => {
  it.each<[what: string, value: SqlParameter, type: string, stored: unknown]>([
    ['true', true, 'integer', 1],
    ['false', false, 'integer', 0],
    ['a whole number', 5, 'integer', 5],
    ['minus zero', -0, 'integer', 0],
    ['a fraction', 0.5, 'real', 0.5],
    ['a large number', 1e300, 'real', 1e300],
    ['a small bigint', 7n, 'integer', 7],
    ['the largest safe integer', 2 ** 53 - 1, 'integer', 2 ** 53 - 1],
    ['one more', 2n ** 53n, 'integer', 2n ** 53n],
    ['one that a number cannot hold', 2n ** 53n + 1n, 'integer', 2n ** 53n + 1n],
    ['the smallest safe integer', 1n - 2n ** 53n, 'integer', 1 - 2 ** 53],
    ['the largest bigint', 2n ** 63n - 1n, 'integer', 2n ** 63n - 1n],
    ['the smallest bigint', -(2n ** 63n), 'integer', -(2n ** 63n)],
    ['a time', new Date('2026-02-03T04:05:06.007Z'), 'text', '2026-02-03 04:05:06.007'],
    ['a time of another realm', runInNewContext('new Date(0)'), 'text', '1970-01-01 00:00:00.000'],
    ['bytes', Uint8Array.of(0, 255), 'blob', Buffer.from([0, 255])],
    ['a Buffer', Buffer.from('x'), 'blob', Buffer.from('x')],
    ['text', 'a\0b \u{1f600}', 'text', 'a\0b \u{1f600}'],
    ['null', null, 'null', null],
  ])('%s is stored and comes back', (_, value, type, stored) => {
    const db = openNotes();
    db.execute('INSERT INTO notes (any_value) VALUES (?)', [value]);
    const sql = 'SELECT typeof(any_value) AS type, any_value AS value FROM notes';
    expect(db.query(sql)).toEqual([{ type, value: stored }]);
    expect(db.query('SELECT typeof(:v) AS type, :v AS value', { v: value })).toEqual([
      { type, value: stored },
    ]);
  });

  it('are what a literal would be: a whole number in a text column has no fraction', () => {
    const db = openNotes();
    db.execute('INSERT INTO notes (text) VALUES (?)', [5]);
    expect(db.query('SELECT text, 3 / :two AS half FROM notes', { two: 2 })).toEqual([
      { text: '5', half: 1 },
    ]);
  });

  it('sort with the times of the pool, so that a Date compares with its columns', () => {
    const db = openMigrated({ path: ':memory:', clock: () => Date.UTC(2026, 0, 2, 12) });
    const proxies = new ProxyRepository(db);
    const { id } = proxies.create({ host: 'h.example', port: 1, protocol: 'http' });
    new RotationEventsRepository(db).append({ previousProxyId: null, newProxyId: id, reason: 'manual' });
    const since = (at: string): unknown =>
      db.query('SELECT count(*) AS n FROM rotation_events WHERE timestamp >= ?', [new Date(at)])[0]?.n;
    expect([since('2026-01-02T11:59:59.999Z'), since('2026-01-02T12:00:00.001Z')]).toEqual([1, 0]);
  });

  it.each<[sql: string, params: SqlParameters, row: unknown[]]>([
    ['SELECT :a, @b, $c, :a + 1', { a: 1, b: 2, c: 3 }, [1, 2, 3, 2]],
    ['SELECT ?, ?, ?', [1, 2, 3], [1, 2, 3]],
    ['SELECT ?2, ?1, ?', [1, 2, 3], [2, 1, 3]],
    ['SELECT $2, $1', [1, 2], [2, 1]],
    ['SELECT ?+?', [1, 2], [3]],
    [`SELECT '?', "a?", ':b', ? -- ?\n/* :c */ FROM (SELECT 5 AS "a?")`, [1], ['?', 5, ':b', 1]],
    ['SELECT [a?] FROM (SELECT 5 AS `a?`)', [], [5]],
    [`SELECT 'it''s ?', ?;`, ['x'], ["it's ?", 'x']],
    ['SELECT :größe, :_1, :a$b', { größe: 1, _1: 2, a$b: 3 }, [1, 2, 3]],
    ['SELECT :p1', { p1: 1 }, [1]],
    ['SELECT :constructor, :__proto__', JSON.parse('{"constructor":1,"__proto__":2}'), [1, 2]],
    ['SELECT \'{"a":1}\' ->> ?', ['$.a'], [1]],
    ['SELECT CASE WHEN ? THEN 1 ELSE 2 END', [false], [2]],
    ['SELECT 1', {}, [1]],
    ['SELECT :a', runInNewContext('({ a: 1 })'), [1]],
    ['SELECT :a', Object.assign(Object.create(null), { a: 1 }), [1]],
  ])('%s', (sql, params, expected) => {
    const db = openNotes();
    expect(Object.values(db.query(sql, params)[0] ?? {})).toEqual(expected);
  });

  it('come back as they were, whatever text is between them', () => {
    const db = openNotes();
    const value = fc.oneof(
      fc.string({ unit: 'binary-ascii' }),
      fc.integer(),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
      fc.constant(null),
    );
    const between = fc.constantFrom(' ', '\n', '/* ? :x */', '-- ?\n', '', '\'?\' AS "?",');
    fc.assert(
      fc.property(fc.array(fc.tuple(between, value), { minLength: 1, maxLength: 8 }), (list) => {
        const values = list.map(([, each]) => each);
        const sql = (name: (i: number) => string): string =>
          `SELECT ${list.map(([text], i) => `${text}${name(i)} AS c${i}`).join(', ')}`;
        const read = (row: Record<string, unknown> = {}): unknown[] => values.map((_, i) => row[`c${i}`]);
        expect(
          read(
            db.query(
              sql(() => '?'),
              values,
            )[0],
          ),
        ).toEqual(values);
        const named = Object.fromEntries(values.map((each, i) => [`n${i}`, each]));
        expect(
          read(
            db.query(
              sql((i) => `:n${i}`),
              named,
            )[0],
          ),
        ).toEqual(values);
      }),
    );
  });

  it('are read once, before the statement runs', () => {
    const db = openNotes();
    let reads = 0;
    const params = {
      get text() {
        reads++;
        return 'once';
      },
    };
    db.execute('INSERT INTO notes (text) VALUES (:text)', params);
    expect([reads, countOf(db)]).toEqual([1, 1]);
  });
});

describe('query and execute', () => {
  it.each(['words', 'WORDS', 'main.words', '"words"', '[words]', '`words`', 'main . "words"'])(
    'give no row id of a table that has none, and not that of an earlier statement: %s',
    (name) => {
      const db = openNotes();
      db.execute('CREATE TABLE words (word TEXT PRIMARY KEY) WITHOUT ROWID');
      expect(db.execute('INSERT INTO notes (id) VALUES (41)')).toEqual({ changes: 1, lastInsertRowid: 41 });
      expect(db.execute(`INSERT INTO ${name} VALUES (?)`, ['a'])).toEqual({ changes: 1 });
      expect(db.execute(`WITH v AS (SELECT 'b') INSERT INTO ${name} SELECT * FROM v`)).toEqual({
        changes: 1,
      });
    },
  );

  it('refuse a column that an object cannot hold, and run nothing', () => {
    const db = openNotes();
    const inserts = 'INSERT INTO notes (id) VALUES (1) RETURNING id AS __proto__';
    for (const sql of ['SELECT 1 AS __proto__', 'SELECT NULL AS "__proto__", 2 AS b', inserts])
      expect(thrownBy(() => db.query(sql))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('rename it with AS'),
      });
    expect(countOf(db)).toBe(0);
    expect(db.query('SELECT :__proto__ AS value', JSON.parse('{"__proto__":5}'))).toEqual([{ value: 5 }]);
  });

  it('give rows as plain objects, and what was changed', () => {
    const db = openNotes();
    const insert = 'INSERT INTO notes (text) VALUES (?)';
    expect(db.execute(insert, ['a'])).toEqual({ changes: 1, lastInsertRowid: 1 });
    expect(db.execute(insert, ['b'])).toEqual({ changes: 1, lastInsertRowid: 2 });
    const rows = db.query<{ id: number; text: string }>('SELECT id, text FROM notes ORDER BY id');
    expect(rows.map(({ id, text }) => id + text)).toEqual(['1a', '2b']);
    expect(Object.getPrototypeOf(rows[0])).toBe(Object.prototype);
    expect(db.query('SELECT id FROM notes WHERE id > 9')).toEqual([]);
    expect(db.execute('UPDATE notes SET done = ?', [true])).toEqual({ changes: 2 });
    expect(db.query('INSERT INTO notes (text) VALUES (?), (?) RETURNING id', ['c', 'd'])).toEqual([
      { id: 3 },
      { id: 4 },
    ]);
    expect(db.execute('DELETE FROM notes WHERE id > 1 RETURNING id')).toEqual({ changes: 3 });
    expect(countOf(db)).toBe(1);
  });

  it('give a row id only if the statement has inserted that row', () => {
    const db = openNotes();
    db.execute('INSERT INTO notes (id) VALUES (41)');
    db.execute('CREATE UNIQUE INDEX one ON notes (text)');
    const upsert = `INSERT INTO notes (text) VALUES ('x') ON CONFLICT (text) DO`;
    expect(db.execute(`${upsert} NOTHING`)).toEqual({ changes: 1, lastInsertRowid: 42 });
    expect(db.execute(`${upsert} NOTHING`)).toEqual({ changes: 0 });
    expect(db.execute(`${upsert} UPDATE SET done = 1`)).toEqual({ changes: 1 });
    expect(db.execute('CREATE TABLE other (x)')).toEqual({ changes: 0 });
    expect(db.execute('REPLACE INTO notes (id) VALUES (7)')).toEqual({ changes: 1, lastInsertRowid: 7 });
    expect(db.execute('WITH v(n) AS (SELECT 8) INSERT INTO notes (id) SELECT n FROM v')).toEqual({
      changes: 1,
      lastInsertRowid: 8,
    });
    expect(db.execute('WITH v(n) AS (SELECT 9) REPLACE INTO notes (id) SELECT n FROM v')).toEqual({
      changes: 1,
      lastInsertRowid: 9,
    });
    const large = 2n ** 62n;
    expect(db.execute('INSERT INTO notes (id) VALUES (?)', [large])).toEqual({
      changes: 1,
      lastInsertRowid: large,
    });
  });

  it('belong to the transaction around them, with the repositories', () => {
    const db = openMigrated({ path: ':memory:' });
    db.execute('CREATE TABLE targets (proxy_id TEXT NOT NULL REFERENCES proxies (id) ON DELETE CASCADE)');
    const proxies = new ProxyRepository(db);
    const add = (port: number): string => {
      const { id } = proxies.create({ host: 'h.example', port, protocol: 'http' });
      db.execute('INSERT INTO targets VALUES (?)', [id]);
      return id;
    };
    const sizes = (): unknown[] => [
      proxies.list().items.length,
      db.query('SELECT count(*) AS n FROM targets')[0]?.n,
    ];
    const id = db.transaction(() => add(1));
    expect(() =>
      db.transaction(() => {
        add(2);
        expect(sizes()).toEqual([2, 2]);
        throw new Error('mine');
      }),
    ).toThrow('mine');
    db.transaction(() => {
      expect(thrownBy(() => db.execute('INSERT INTO targets VALUES (?)', ['nobody']))).toMatchObject({
        code: 'CONSTRAINT',
      });
      expect(() =>
        db.transaction(() => {
          add(3);
          throw new Error('inner');
        }),
      ).toThrow('inner');
    });
    expect(sizes()).toEqual([1, 1]);
    proxies.delete(id);
    expect(sizes()).toEqual([0, 0]);
  });

  it('see a column that a migration adds, and keep the statements of the pool as they are', () => {
    const db = openNotes();
    db.execute('INSERT INTO notes (id, any_value) VALUES (1, ?)', [2n ** 60n]);
    const sql = 'SELECT * FROM notes';
    expect(Object.keys(db.query(sql)[0] ?? {})).toHaveLength(4);
    db.execute('ALTER TABLE notes ADD COLUMN more TEXT');
    expect(Object.keys(db.query(sql)[0] ?? {})).toHaveLength(5);
    expect(db.driver.all('SELECT id FROM notes', {}, ({ id }) => id)).toEqual([1]);
    expect(db.query('SELECT id FROM notes')).toEqual([{ id: 1 }]);
    expect(db.driver.all('SELECT id FROM notes', {}, ({ id }) => id)).toEqual([1]);
  });

  it('may make an ordinary table whose name begins with temp', () => {
    const db = openNotes();
    for (const sql of [
      'CREATE TABLE temp (id)',
      'CREATE TABLE temperatures (id)',
      'CREATE TABLE main.temporary (id)',
      'CREATE INDEX i ON temp (id)',
    ])
      expect(db.execute(sql)).toEqual({ changes: 0 });
    expect(db.query('SELECT temp.id FROM temp')).toEqual([]);
  });

  it('fail as everything else does', () => {
    const db = openMigrated();
    db.execute('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)');
    db.execute('INSERT INTO notes VALUES (1, ?)', ['a']);
    const reading = openDatabase({ path: db.path, readonly: true });
    const fresh = openDatabase();
    const cases: [code: string, work: () => unknown][] = [
      ['CONFLICT', () => db.execute('INSERT INTO notes VALUES (1, ?)', [CANARY])],
      ['CONSTRAINT', () => db.execute('INSERT INTO notes VALUES (2, ?)', [null])],
      ['SQL', () => db.query('SELECT * FROM nowhere')],
      ['SQL', () => db.query('SELEC 1')],
      ['MIGRATION_PENDING', () => fresh.query('SELECT * FROM proxies')],
      ['READ_ONLY', () => reading.execute('DELETE FROM notes')],
      ['READ_ONLY', () => reading.query('DELETE FROM notes RETURNING id')],
      ['READ_ONLY', () => reading.execute('CREATE TABLE other (x)')],
    ];
    for (const [code, work] of cases) {
      const error = thrownBy(work);
      expect(error).toMatchObject({ name: 'ProxyVaultError', code });
      expect(String(error)).not.toContain(CANARY);
    }
    expect(reading.query('SELECT text FROM notes')).toEqual([{ text: 'a' }]);
    db.close();
    expect(thrownBy(() => db.query('SELECT 1'))).toMatchObject({ code: 'CLOSED' });
    expect(thrownBy(() => db.execute('DELETE FROM notes'))).toMatchObject({ code: 'CLOSED' });
  });

  it('wait for the lock of another process, and read meanwhile', async () => {
    const db = openDatabase({ busyTimeoutMs: 50 });
    db.execute('CREATE TABLE notes (id INTEGER PRIMARY KEY)');
    const { hold, letGo } = startLockHolder(db.path);
    await hold();
    expect(thrownBy(() => db.execute('INSERT INTO notes VALUES (1)'))).toMatchObject({ code: 'BUSY' });
    expect(thrownBy(() => db.query('INSERT INTO notes VALUES (2) RETURNING id'))).toMatchObject({
      code: 'BUSY',
    });
    expect(db.query('SELECT id FROM notes')).toEqual([]);
    const patient = openDatabase({ path: db.path });
    onWaiting(letGo);
    expect(patient.execute('INSERT INTO notes VALUES (?)', [3])).toEqual({ changes: 1, lastInsertRowid: 3 });
    expect(db.query('SELECT id FROM notes')).toEqual([{ id: 3 }]);
  });

  it('show their text to whoever hears of SQL, and never a value', () => {
    const heard: string[] = [];
    const db = openDatabase({ path: ':memory:', verbose: (sql) => void heard.push(sql) });
    db.query('SELECT ? AS a', [CANARY]);
    expect(heard).toContain('SELECT :p1 AS a');
    expect(heard.join()).not.toContain(CANARY);
  });
});
