import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type DatabaseManager, initDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it, vi } from 'vitest';
import { openMigrated, temporaryFolder, thrownBy } from '../support/temporary.ts';

const ENDLESS = `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :most) SELECT count(*) AS n FROM c, (SELECT count(*) FROM proxies)`;

const add = (db: DatabaseManager, port: number): unknown =>
  new ProxyRepository(db).create({ host: 'h.example', port, protocol: 'http' });

/** One background query fails, and the database is closed while another is under way. */
const FAILING = `
  import { initDatabase } from 'proxyvault/database';
  const db = initDatabase({ path: process.argv[1] });
  await db.background.all('SELECT 1 AS x');
  const long = db.background.all(${JSON.stringify(ENDLESS)}, { most: 2_000_000 });
  await Promise.all([db.background.all('SELECT nonsense'), long]).catch(() => {});
  await db[Symbol.asyncDispose]();
  console.log('closed');
`;

/** How many proxies a copy of the file alone has. */
function countInCopy({ path }: DatabaseManager): number {
  const copy = join(temporaryFolder(), 'copy.db');
  copyFileSync(path, copy);
  using db = initDatabase({ path: copy });
  return new ProxyRepository(db).count();
}

describe('after close() the file alone is the whole pool', () => {
  it('if background queries were run and streams are open', async () => {
    const db = openMigrated();
    add(db, 1);
    await Promise.all([db.background.all('SELECT 1 AS x'), db.background.all('SELECT 2 AS x')]);
    const stream = new ProxyRepository(db).iterate();
    stream.next();
    add(db, 2);
    db.close();
    expect(countInCopy(db)).toBe(2);
    expect(readdirSync(dirname(db.path))).toEqual(['pool.db']);
    expect(thrownBy(() => stream.next())).toMatchObject({ code: 'CLOSED' });
  });

  it('if a background query was in the middle of its result', async () => {
    const db = openMigrated();
    const query = db.background.all(
      `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000000) SELECT n FROM c, (SELECT count(*) FROM proxies)`,
    );
    const refused = expect(query).rejects.toMatchObject({ code: 'CLOSED' });
    await new Promise((resolve) => setImmediate(resolve));
    add(db, 1);
    db.close();
    expect(countInCopy(db)).toBe(1);
    await refused;
    await db[Symbol.asyncDispose]();
    expect(readdirSync(dirname(db.path))).toEqual(['pool.db']);
  });

  it('and a program does not end before that, as when another query has failed meanwhile', () => {
    const { path } = openMigrated();
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', FAILING, path], {
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'closed\n' });
  });

  it('at the latest after asyncDispose, if a background query has a long step', async () => {
    const db = openMigrated();
    await db.background.all('SELECT 1 AS x');
    const query = db.background.all(ENDLESS, { most: 6_000_000 });
    const refused = expect(query).rejects.toMatchObject({ code: 'CLOSED' });
    add(db, 1);
    const wait = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
    db.close();
    const waits = wait.mock.calls.map(([, , , milliseconds]) => milliseconds ?? Number.POSITIVE_INFINITY);
    wait.mockRestore();
    // It waits for the query for a second, not for as long as that takes.
    expect(waits).not.toEqual([]);
    expect(waits.filter((milliseconds) => !(milliseconds <= 1000))).toEqual([]);
    expect(readdirSync(dirname(db.path))).toContain('pool.db-wal');
    await db[Symbol.asyncDispose]();
    await refused;
    expect(countInCopy(db)).toBe(1);
    expect(readdirSync(dirname(db.path))).toEqual(['pool.db']);
  });

  it('while another process has it open, and after that process has left its readers', async () => {
    const db = openMigrated();
    const script = `
      const { initDatabase } = await import('proxyvault/database');
      const db = initDatabase({ path: ${JSON.stringify(db.path)} });
      db.driver.all('SELECT count(*) FROM proxies', {}, () => 0);
      console.log('open');
      process.stdin.once('data', () => db.close());`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    add(db, 1);
    db.close();
    expect(countInCopy(db)).toBe(1);
    child.stdin.end('close');
    await once(child, 'close');
    expect(readdirSync(dirname(db.path))).toEqual(['pool.db']);
  });

  it('if a read-only connection of this process stays open', () => {
    const db = openMigrated();
    const reader = initDatabase({ path: db.path, readonly: true });
    reader.driver.all('SELECT count(*) FROM proxies', {}, () => 0);
    add(db, 1);
    db.close();
    expect(countInCopy(db)).toBe(1);
    reader.close();
    expect(countInCopy(db)).toBe(1);
  });

  it('if the statistics of the planner cannot be updated', () => {
    const db = openMigrated();
    add(db, 1);
    db.driver.pragma('query_only = ON');
    db.close();
    expect(db.open).toBe(false);
    expect(countInCopy(db)).toBe(1);
  });

  it('and a read-only one changes nothing', () => {
    const db = openMigrated();
    db.close();
    const before = statSync(db.path).mtimeMs;
    initDatabase({ path: db.path, readonly: true }).close();
    expect(statSync(db.path).mtimeMs).toBe(before);
  });

  it('and one in memory closes as always', async () => {
    await using db = openMigrated({ path: ':memory:' });
    db.close();
    expect(db.open).toBe(false);
  });
});
