import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type DatabaseManager, initDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../src/database/patience.ts';
import { openMigrated, thrownBy } from '../support/temporary.ts';

/** Another process that holds the write lock for so many milliseconds each time it is told to; resolves once it does. */
function startHolder({ path }: DatabaseManager): (milliseconds: number) => Promise<void> {
  const script = `
    const { initDatabase } = await import('proxyvault/database');
    const db = initDatabase({ path: ${JSON.stringify(path)} });
    process.stdin.on('data', (milliseconds) => db.transaction(() => {
      console.log('locked');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(milliseconds));
    }));
    process.stdin.on('end', () => db.close());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    child.stdin.end();
    await once(child, 'close');
  });
  return async (milliseconds) => {
    child.stdin.write(String(milliseconds));
    await once(child.stdout, 'data');
  };
}

it('a patient job says at its end how long it waited in all', async () => {
  const db = openMigrated();
  const other = openMigrated({ path: db.path, busyTimeoutMs: 1 });
  const now = performance.now.bind(performance);
  let elapsed = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + elapsed);
  onTestFinished(() => clock.mockRestore());
  let tries = 0;
  const job = (): void => {
    if (++tries === 3) elapsed = 40_000;
    other.transaction(() => undefined);
  };
  db.driver.exec('BEGIN IMMEDIATE');
  const error: unknown = await patiently(job).catch((reason: unknown) => reason);
  db.driver.exec('ROLLBACK');
  expect(error).toMatchObject({ code: 'BUSY', message: expect.stringMatching(/after 4\d{4} ms/) });
  expect(tries).toBe(3);
  await patiently(job);
});

describe('a write while another process holds the lock', () => {
  it('waits its turn: a statement, one that returns rows, a transaction, several statements, opening', async () => {
    const db = openMigrated();
    const proxies = new ProxyRepository(db);
    const { id } = proxies.create({ host: 'h.example', port: 1, protocol: 'http' });
    const writes: (() => unknown)[] = [
      () => db.driver.run(`UPDATE proxies SET region = 'EU'`, {}),
      () => proxies.update(id, { region: 'US' }),
      () => proxies.updateStats(id, true, 5),
      () => db.driver.exec('CREATE TABLE a (x); CREATE TABLE b (x)'),
    ];
    const hold = startHolder(db);
    for (const write of writes) {
      await hold(100);
      write();
    }
    await hold(100);
    initDatabase({ path: db.path }).close();
    await hold(100);
    expect(db.checkpoint()).toMatchObject({ complete: true });
    expect(proxies.findById(id)).toMatchObject({ region: 'US', totalRequests: 1 });
    expect(
      db.driver.all(`SELECT name FROM sqlite_schema WHERE name IN ('a', 'b')`, {}, () => 0),
    ).toHaveLength(2);
  });

  it('ends with BUSY, which says how long it waited, and nothing has happened', async () => {
    const db = openMigrated();
    const impatient = openMigrated({ path: db.path, busyTimeoutMs: 30 });
    await startHolder(db)(1500);
    const writes: (() => unknown)[] = [
      () => impatient.driver.run(`INSERT INTO proxy_tags VALUES ('a', 'b', 'c')`, {}),
      () => impatient.transaction(() => impatient.driver.run('DELETE FROM proxies', {})),
      () => impatient.driver.pragma('user_version = 7'),
    ];
    for (const write of writes) {
      const error = thrownBy(write);
      expect(error).toMatchObject({ code: 'BUSY', details: { waitedMs: expect.any(Number) } });
      expect(String(error)).toMatch(/after \d+ ms/);
    }
    expect(impatient.checkpoint().complete).toBe(false);
    // The patient one waits until it is free.
    db.driver.run('DELETE FROM proxies', {});
    expect(db.checkpoint().complete).toBe(true);
    expect(db.driver.pragma('user_version')).toBe(0);
  });

  it('is not repeated inside a transaction that reads an old snapshot', () => {
    const db = openMigrated();
    const other = openMigrated({ path: db.path });
    db.driver.exec('BEGIN');
    db.driver.all('SELECT count(*) FROM proxies', {}, () => 0);
    other.driver.run(`UPDATE rotation_config SET strategy = 'random'`, {});
    other.driver.exec('CREATE TABLE newer (x)');
    const error = thrownBy(() => db.driver.run('DELETE FROM proxies', {}));
    expect(error).toMatchObject({ code: 'BUSY', details: { sqlite: 'SQLITE_BUSY_SNAPSHOT' } });
    expect(error).not.toHaveProperty('details.waitedMs');
    db.driver.exec('ROLLBACK');
    expect(db.driver.run('DELETE FROM proxies', {})).toBe(0);
  });
});
