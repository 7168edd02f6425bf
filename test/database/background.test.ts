import { createRequire } from 'node:module';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { DatabaseManager } from 'proxyvault/database';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openDatabase, thrownBy } from '../support/temporary.ts';

function openNumbers(count: number, options: { maxReaders?: number } = {}): DatabaseManager {
  const db = openDatabase(options);
  db.driver.exec('CREATE TABLE numbers (n INTEGER PRIMARY KEY, label TEXT, data BLOB)');
  db.driver.run(
    `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :count)
     INSERT INTO numbers SELECT n, 'number ' || n, x'00ff' FROM c`,
    { count },
  );
  return db;
}

/** Calls `act` when background threads have been asked so often: for a query, and for more of its rows. */
function atQuestion(nth: number, act: () => void): void {
  const ask = Worker.prototype.postMessage;
  let asked = 0;
  const spy = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker, message) {
    ask.call(this, message);
    if (++asked === nth) act();
  });
  onTestFinished(() => spy.mockRestore());
}

const toNumber = (row: Record<string, unknown>): number => Number(row.n);

describe('iterate', () => {
  it('streams a snapshot while the same process writes', () => {
    const db = openNumbers(5000);
    let seen = 0;
    for (const n of db.driver.iterate('SELECT n FROM numbers ORDER BY n', {}, toNumber)) {
      seen++;
      expect(n).toBe(seen);
      if (n % 100 === 0) db.driver.run('INSERT INTO numbers (n) VALUES (:n)', { n: 100_000 + n });
    }
    expect(seen).toBe(5000);
    expect(db.driver.first('SELECT count(*) AS n FROM numbers', {}, toNumber)).toBe(5050);
  });

  it('gives its connection back at the end, on break and on a throw', () => {
    const db = openNumbers(10, { maxReaders: 1 });
    const open = (): IterableIterator<number> => db.driver.iterate('SELECT n FROM numbers', {}, toNumber);
    for (let round = 0; round < 3; round++) {
      for (const n of open()) if (n === 2) break;
      expect(() => {
        for (const _ of open()) throw new Error('mine');
      }).toThrow('mine');
      expect([...open()]).toHaveLength(10);
    }
  });

  it('says when every read connection is streaming, and continues when one is free', () => {
    const db = openNumbers(10, { maxReaders: 2 });
    const streams = [1, 2].map(() => db.driver.iterate('SELECT n FROM numbers', {}, toNumber));
    for (const stream of streams) stream.next();
    const third = (): number[] => [...db.driver.iterate('SELECT n FROM numbers', {}, toNumber)];
    expect(thrownBy(third)).toMatchObject({ code: 'BUSY', message: expect.stringContaining('maxReaders') });
    streams[0]?.return?.();
    expect(third()).toHaveLength(10);
  });

  it('ends with CLOSED, not early, when the database is closed under it', () => {
    const db = openNumbers(10);
    const stream = db.driver.iterate('SELECT n FROM numbers', {}, toNumber);
    stream.next();
    db.close();
    expect(thrownBy(() => stream.next())).toMatchObject({ code: 'CLOSED' });
  });

  it('sees the own writes of a transaction', () => {
    const db = openNumbers(3);
    const seen = db.transaction(() => {
      db.driver.run('INSERT INTO numbers (n) VALUES (4)', {});
      return [...db.driver.iterate('SELECT n FROM numbers', {}, toNumber)];
    });
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it('refuses to write', () => {
    const db = openNumbers(1);
    const deleting = (): unknown[] => [...db.driver.iterate('DELETE FROM numbers RETURNING n', {}, toNumber)];
    expect(thrownBy(deleting)).toMatchObject({ code: 'READ_ONLY' });
  });
});

describe('background.all', () => {
  it('gives integers as a query does: those that a number cannot hold as bigints', async () => {
    const db = openNumbers(1);
    const sql =
      'SELECT 9007199254740993 AS large, -9223372036854775808 AS least, 9007199254740991 AS n, 1.5 AS real, data FROM numbers';
    const [row] = await db.background.all(sql);
    expect(row).toMatchObject({
      large: 9007199254740993n,
      least: -(2n ** 63n),
      n: 9007199254740991,
      real: 1.5,
    });
    expect(Buffer.from(row?.data as Uint8Array)).toEqual(Buffer.from([0, 255]));
    expect(db.query(sql)[0]).toMatchObject({ large: row?.large, least: row?.least, n: row?.n });
  });

  it('says MIGRATION_PENDING before up(), and SQL for what is wrong by itself after it', async () => {
    const db = openDatabase();
    const query = (): Promise<unknown> => db.background.all('SELECT count(*) FROM proxies');
    await expect(query()).rejects.toMatchObject({
      code: 'MIGRATION_PENDING',
      message: expect.stringContaining('db.migrations.up()'),
    });
    db.migrations.up();
    await expect(query()).resolves.toHaveLength(1);
    await expect(db.background.all('SELECT * FROM no_such_table')).rejects.toMatchObject({ code: 'SQL' });
  });

  it('gives the rows that a query on the main thread gives, of every type', async () => {
    const db = openNumbers(1200);
    const sql =
      'SELECT n, label, data, n / 2.0 AS half, NULL AS missing FROM numbers WHERE n <= :most ORDER BY n';
    const rows = await db.background.all(sql, { most: 1100 });
    expect(rows).toHaveLength(1100);
    expect(rows[1099]).toMatchObject({ n: 1100, label: 'number 1100', half: 550, missing: null });
    expect(rows[0]?.data).toEqual(Uint8Array.of(0, 255));
  });

  it('answers many queries at once, each with its own rows', async () => {
    const db = openNumbers(600);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        db.background.all('SELECT n FROM numbers WHERE n > :i', { i: i * 10 }),
      ),
    );
    expect(answers.map((rows) => rows.length)).toEqual(Array.from({ length: 20 }, (_, i) => 600 - i * 10));
  });

  it('types its errors, refuses to write, and continues', async () => {
    const db = openNumbers(1);
    db.migrations.up();
    await expect(db.background.all('SELECT * FROM nowhere')).rejects.toMatchObject({ code: 'SQL' });
    await expect(db.background.all('DELETE FROM numbers RETURNING n')).rejects.toMatchObject({
      code: 'READ_ONLY',
    });
    await expect(db.background.all('SELECT :n', {})).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    const uncloneable = { f: (() => 1) as unknown as string };
    await expect(db.background.all('SELECT :f', uncloneable)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(await db.background.all('SELECT count(*) AS n FROM numbers')).toEqual([{ n: 1 }]);
  });

  it.each([1, 2, 3, 10])(
    'stops at an abort, after %i questions to its thread, and serves the next query whole',
    async (questions) => {
      const db = openNumbers(50_000);
      const controller = new AbortController();
      atQuestion(questions, () => controller.abort());
      const query = db.background.all('SELECT * FROM numbers', {}, { signal: controller.signal });
      await expect(query).rejects.toMatchObject({ name: 'AbortError' });
      expect(await db.background.all('SELECT n FROM numbers WHERE n <= 700')).toHaveLength(700);
    },
  );

  it('sends the parameters that it has checked, though they change while it waits for a thread', async () => {
    const db = openDatabase({ backgroundWorkers: 1 });
    const sql = 'SELECT :n AS n';
    let reads = 0;
    const changing = {
      get n() {
        return reads++ === 0 ? 7 : Number.NaN;
      },
    };
    expect(await db.background.all(sql, changing)).toEqual([{ n: 7 }]);
    const params = { n: 8 };
    const answers = [db.background.all(sql, { n: 1 }), db.background.all(sql, params)];
    params.n = Number.NaN;
    expect(await Promise.all(answers)).toEqual([[{ n: 1 }], [{ n: 8 }]]);
  });

  it('is refused when the database is closed meanwhile, and its threads end', async () => {
    const db = openNumbers(50_000);
    const inTheMiddle = new Promise<void>((resolve) => atQuestion(10, resolve));
    const queries = [1, 2, 3].map(() => db.background.all('SELECT * FROM numbers'));
    const settled = Promise.allSettled(queries);
    await inTheMiddle;
    await db[Symbol.asyncDispose]();
    for (const result of await settled)
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'CLOSED' } });
  });

  it('takes no answer that comes late, to a query before it', async () => {
    const db = openNumbers(600);
    await db.background.all('SELECT 1');
    const ask = Worker.prototype.postMessage;
    const spy = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (
      this: Worker,
      message,
    ) {
      ask.call(this, message);
      if (message.type === 'query')
        this.emit('message', { type: 'rows', id: message.id - 1, rows: [['late']], done: true });
    });
    onTestFinished(() => spy.mockRestore());
    const rows = await db.background.all('SELECT n FROM numbers');
    expect(rows.map(toNumber)).toEqual(Array.from({ length: 600 }, (_, n) => n + 1));
  });

  it('is refused from the moment on at which the database is being closed', async () => {
    const db = openNumbers(1);
    const closed = db[Symbol.asyncDispose]();
    expect(db.open).toBe(true);
    await expect(db.background.all('SELECT 1')).rejects.toMatchObject({ code: 'CLOSED' });
    await closed;
    await expect(db.background.all('SELECT 1')).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('runs as many queries at once as it has threads, and the others after them', async () => {
    const long = `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1500000) SELECT count(*) AS n FROM c`;
    for (const [backgroundWorkers, order] of [
      [1, ['long', 'short']],
      [2, ['short', 'long']],
    ] as const) {
      const db = openDatabase({ backgroundWorkers });
      // Both threads are there before.
      await Promise.all([1, 2].map(() => db.background.all('SELECT 1')));
      const ended: string[] = [];
      const run = async (name: string, sql: string): Promise<void> => {
        await db.background.all(sql);
        ended.push(name);
      };
      await Promise.all([run('long', long), run('short', 'SELECT 1')]);
      expect(ended).toEqual(order);
    }
  });

  it('finds the engine too if the program has emptied the cache of modules, as programs that reload themselves do', async () => {
    const { cache } = createRequire(import.meta.url);
    const engine = Object.entries(cache).filter(([file]) => /[\\/]better-sqlite3[\\/]/.test(file));
    expect(engine.length).toBeGreaterThan(0);
    onTestFinished(() => void Object.assign(cache, Object.fromEntries(engine)));
    for (const [file] of engine) delete cache[file];
    const db = openNumbers(1);
    expect(await db.background.all('SELECT n FROM numbers')).toEqual([{ n: 1 }]);
  });

  it('works for a database in memory', async () => {
    const db = openDatabase({ path: ':memory:' });
    expect(await db.background.all('SELECT :x AS x', { x: 'y' })).toEqual([{ x: 'y' }]);
    db.driver.exec('CREATE TABLE numbers (n)');
    await expect(db.background.all('INSERT INTO numbers VALUES (1) RETURNING n')).rejects.toMatchObject({
      code: 'READ_ONLY',
    });
    expect(db.driver.run('INSERT INTO numbers VALUES (1)', {})).toBe(1);
  });

  it('leaves the event loop free while it scans', async () => {
    const db = openNumbers(50_000);
    await db.background.all('SELECT 1');
    const sql = `SELECT count(*) AS n FROM numbers, (VALUES (1), (2), (3), (4), (5), (6), (7), (8)) WHERE label LIKE '%9%8%7%'`;
    let isDone = false;
    const scan = db.background.all(sql).finally(() => {
      isDone = true;
    });
    let turns = 0;
    for (; !isDone; turns++) await nextTurn();
    await scan;
    // The same query on the main thread would give one or two.
    expect(turns).toBeGreaterThan(20);
  });
});

it.each(['a file', ':memory:'])(
  'a background read of %s rejects wrong options, and does not throw them',
  async (place) => {
    const db = openDatabase(place === ':memory:' ? { path: place } : {});
    for (const options of [null, { sgnal: undefined }, { signal: 5 }, { signal: {} }, { signal: null }])
      await expect(db.background.all('SELECT 1', {}, options as never)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      });
  },
);
