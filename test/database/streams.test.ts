import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Database from 'better-sqlite3';
import { exportProxies } from 'proxyvault';
import type { DatabaseManager } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it, vi } from 'vitest';
import { openMigrated, thrownBy } from '../support/temporary.ts';

const SQL = 'SELECT id FROM proxies ORDER BY id';

function openPool(maxReaders: number): DatabaseManager {
  const db = openMigrated({ maxReaders });
  new ProxyRepository(db).createMany(
    [1, 2, 3].map((port) => ({ host: 'h.example', port, protocol: 'http' as const })),
  );
  return db;
}

const stream = (db: DatabaseManager): IterableIterator<unknown> =>
  db.driver.iterate(SQL, {}, (row) => row.id);
const read = (db: DatabaseManager): number => [...stream(db)].length;

/** Leaves streams in the middle, and no reference to them. */
function drop(db: DatabaseManager, count: number): void {
  for (let i = 0; i < count; i++) {
    expect(stream(db).next().done).toBe(false);
  }
}

function isFree(db: DatabaseManager): boolean {
  try {
    return read(db) === 3;
  } catch {
    return false;
  }
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

/** Collects garbage until `done`, which finalizers that run between two turns bring about. */
async function collectUntil(done: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100 && !done(); turn++) {
    await nextTurn();
    collectGarbage();
  }
}

it('of a database in memory are of that database', () => {
  const db = openMigrated({ path: ':memory:' });
  new ProxyRepository(db).create({ host: 'h.example', port: 1, protocol: 'http' });
  expect(read(db)).toBe(1);
});

describe('a stream', () => {
  it('that was never read from holds nothing', () => {
    const db = openPool(1);
    const streams = Array.from({ length: 100 }, () => stream(db));
    expect(read(db)).toBe(3);
    expect(streams[0]?.next().done).toBe(false);
    expect(thrownBy(() => streams[1]?.next())).toMatchObject({ code: 'BUSY' });
    streams[0]?.return?.();
    expect(streams[2]?.next().done).toBe(false);
  });

  it('prepares a SQL text once per connection, and at most 20 texts stay', () => {
    const db = openPool(1);
    read(db);
    const prepare = vi.spyOn(Database.prototype, 'prepare');
    for (let i = 0; i < 100; i++) {
      read(db);
      for (const _ of stream(db)) break;
    }
    expect(prepare).not.toHaveBeenCalled();
    for (let i = 0; i < 30; i++) [...db.driver.iterate(`SELECT ${i} AS n`, {}, (row) => row.n)];
    [...db.driver.iterate('SELECT 29 AS n', {}, (row) => row.n)];
    expect(prepare).toHaveBeenCalledTimes(30);
    [...db.driver.iterate('SELECT 0 AS n', {}, (row) => row.n)];
    expect(prepare).toHaveBeenCalledTimes(31);
    prepare.mockRestore();
  });

  it('has the columns that the table has now, when its statement was prepared before', () => {
    const db = openPool(1);
    db.driver.exec('CREATE TABLE notes (a TEXT); INSERT INTO notes VALUES (1)');
    const rows = (): unknown[] => [...db.driver.iterate('SELECT * FROM notes', {}, (row) => row)];
    expect(rows()).toEqual([{ a: '1' }]);
    db.driver.exec('ALTER TABLE notes RENAME COLUMN a TO b; ALTER TABLE notes ADD COLUMN c TEXT');
    expect(rows()).toEqual([{ b: '1', c: null }]);
  });

  it('gives its connection back when the function that maps a row throws, and passes its error on', () => {
    const db = openPool(1);
    const mine = new TypeError('mine');
    for (let round = 0; round < 3; round++) {
      expect(
        thrownBy(() => [
          ...db.driver.iterate(SQL, {}, () => {
            throw mine;
          }),
        ]),
      ).toBe(mine);
      expect(
        thrownBy(() => [...db.driver.iterate(`SELECT json('{') AS j`, {}, (row) => row.j)]),
      ).toMatchObject({
        code: 'SQL',
      });
      expect(thrownBy(() => [...db.driver.iterate('SELECT :missing', {}, (row) => row)])).toMatchObject({
        code: 'INVALID_INPUT',
      });
    }
    expect(read(db)).toBe(3);
  });

  it('that is dropped in the middle says what to do, and is free when it is collected', async () => {
    const db = openPool(4);
    drop(db, 4);
    expect(thrownBy(() => read(db))).toMatchObject({
      code: 'BUSY',
      message: expect.stringMatching(/finish .* or leave .* raise maxReaders.* garbage-collected/),
    });
    expect(thrownBy(() => [...exportProxies(db)])).toMatchObject({ code: 'BUSY' });
    await collectUntil(() => isFree(db));
    expect(read(db)).toBe(3);
    // Its connection serves again, and writes are not held up.
    expect(db.checkpoint()).toMatchObject({ complete: true });
  });

  it('of an export that was left, or dropped, gives its connection back', async () => {
    const db = openPool(1);
    for (let round = 0; round < 3; round++) for (const _ of exportProxies(db)) break;
    expect([...exportProxies(db)].join('').match(/h\.example/g)).toHaveLength(3);
    const begin = (): void => {
      const pieces = exportProxies(db);
      pieces.next();
      pieces.next();
    };
    begin();
    expect(thrownBy(() => read(db))).toMatchObject({ code: 'BUSY' });
    await collectUntil(() => isFree(db));
    expect(read(db)).toBe(3);
  });

  it('that is collected after close() does no harm', async () => {
    const db = openPool(2);
    drop(db, 2);
    const held = openPool(1);
    const kept = stream(held);
    kept.next();
    db.close();
    held.close();
    let turns = 0;
    await collectUntil(() => turns++ === 5);
    expect(thrownBy(() => kept.next())).toMatchObject({ code: 'CLOSED' });
    expect(kept.return?.()).toMatchObject({ done: true });
    expect(thrownBy(() => read(db))).toMatchObject({ code: 'CLOSED' });
  });
});
