import { initDatabase } from 'proxyvault/database';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../src/database/patience.ts';
import { onWaiting, startLockHolder } from '../support/lock-holder.ts';
import { openMigrated, thrownBy } from '../support/temporary.ts';

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
    ];
    const { hold, holdShortly, letGo } = startLockHolder(db.path);
    let waits = 0;
    onWaiting(() => ++waits === 3 && letGo());
    for (const write of writes) {
      await hold();
      waits = 0;
      write();
      expect(waits).toBeGreaterThanOrEqual(3);
    }
    for (const wait of [
      () => db.driver.exec('CREATE TABLE a (x); CREATE TABLE b (x)'),
      () => initDatabase({ path: db.path }).close(),
      () => expect(db.checkpoint()).toMatchObject({ complete: true }),
    ]) {
      await holdShortly();
      wait();
    }
    expect(proxies.findById(id)).toMatchObject({ region: 'US', totalRequests: 1 });
    expect(
      db.driver.all(`SELECT name FROM sqlite_schema WHERE name IN ('a', 'b')`, {}, () => 0),
    ).toHaveLength(2);
  });

  it('ends with BUSY, which says how long it waited, and nothing has happened', async () => {
    const db = openMigrated();
    const impatient = openMigrated({ path: db.path, busyTimeoutMs: 30 });
    const { hold, letGo } = startLockHolder(db.path);
    await hold();
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
    onWaiting(letGo);
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
