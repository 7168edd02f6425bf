import { join } from 'node:path';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { expectDeathsAt, killWriters, tallyKills } from '../support/killing.ts';
import { openDatabase, openMigrated, temporaryFolder } from '../support/temporary.ts';
import { SCRATCH } from './scratch.ts';

/** Kills in the suite: 60. `PROXYVAULT_KILLS=5000 npm test -- test/faults/crash` for a longer run. */
const KILLS = Number(process.env.PROXYVAULT_KILLS ?? 60);
const TIMEOUT = 60_000 + KILLS * 2000;

const numberIn = (db: DatabaseManager, sql: string): number =>
  Number(db.driver.first(sql, {}, (row) => row.n));

async function assertSound(db: DatabaseManager): Promise<void> {
  expect(await db.check({ deep: true })).toMatchObject({ ok: true, integrity: [], foreignKeys: [] });
}

tallyKills();

describe(`a process that is killed (SIGKILL), ${KILLS} times,`, () => {
  it(
    'while it writes has lost nothing that it had acknowledged, and no transaction is half there',
    async () => {
      const folder = temporaryFolder(SCRATCH);
      const acknowledged: string[] = [];
      // To make the pool takes some 120 changes, and each transaction 47.
      const places = { count: Math.ceil(KILLS * 0.35), changes: 190, others: 23 };
      const last = await killWriters('write', folder, places, (lines) => acknowledged.push(...lines));
      expectDeathsAt([/^write pool\.db-wal/, /^sync pool\.db-wal/], last);
      expect(acknowledged.length).toBeGreaterThan(places.count / 2);

      const db = openMigrated({ path: join(folder, 'pool.db') });
      await assertSound(db);
      const proxies = new ProxyRepository(db);
      const credentials = new EncryptedCredentialsRepository(
        db,
        new EncryptionService({ keyFile: join(folder, 'key'), database: db }),
      );
      for (const id of acknowledged) {
        expect(proxies.findById(id)).toMatchObject({ totalRequests: 1 });
        expect(credentials.reveal(id)?.password).toMatch(/^canary-/);
      }
      const stored = proxies.count();
      expect(stored).toBeGreaterThanOrEqual(acknowledged.length);
      // Each transaction wrote one row to each of these.
      for (const table of [
        'encrypted_credentials',
        'sticky_sessions',
        'rotation_events',
        'proxy_usage_stats',
      ]) {
        expect(numberIn(db, `SELECT count(*) AS n FROM ${table}`)).toBe(stored);
      }
      expect(numberIn(db, 'SELECT sum(request_count) AS n FROM proxy_usage_stats')).toBe(stored);
    },
    TIMEOUT,
  );

  it(
    'while it migrates leaves one version or the other, whole, with all rows',
    async () => {
      const folder = temporaryFolder(SCRATCH);
      const path = join(folder, 'pool.db');
      const before = openMigrated({ path });
      new ProxyRepository(before).createMany(
        Array.from({ length: 300 }, (_, n) => ({
          host: 'h.example',
          port: n + 1,
          protocol: 'http' as const,
        })),
      );
      before.close();
      // A step down with its backup, and the step up again, take some 150.
      const places = { count: Math.ceil(KILLS * 0.4), changes: 300, others: 30 };
      const last = await killWriters('migrate', folder, places, async (lines, number) => {
        if (number % 6 !== 0) return;
        const db = openDatabase({ path });
        const [, version] = lines.at(-1)?.split(' ') ?? [];
        // One further step may have been committed and not yet said.
        if (version !== undefined)
          expect(Math.abs(db.migrations.getCurrentVersion() - Number(version))).toBeLessThanOrEqual(2);
        await assertSound(db);
        expect(numberIn(db, 'SELECT count(*) AS n FROM proxies')).toBe(300);
        db.close();
      });
      expectDeathsAt([/ \.partial$/, / pool\.db-wal$/], last);
      const db = openMigrated({ path });
      await assertSound(db);
      expect(numberIn(db, 'SELECT count(*) AS n FROM proxies')).toBe(300);
    },
    TIMEOUT,
  );

  it(
    'while it imports leaves each list whole or absent, and a repeat counts nothing twice',
    async () => {
      const folder = temporaryFolder(SCRATCH);
      const lists: string[] = [];
      // Each list takes 190.
      const places = { count: Math.ceil(KILLS * 0.25), changes: 500, others: 6 };
      const last = await killWriters('importLists', folder, places, (said) => lists.push(...said));
      expectDeathsAt([/^write pool\.db-wal/, /^sync pool\.db-wal/], last);
      expect(lists.length).toBeGreaterThan(0);
      const db = openMigrated({ path: join(folder, 'pool.db') });
      await assertSound(db);
      const sizes = db.driver.all(
        'SELECT host, count(*) AS n FROM proxies GROUP BY host',
        {},
        (row) => [row.host, row.n] as const,
      );
      expect(new Set(sizes.map(([, size]) => size))).toEqual(new Set([200]));
      const hosts = new Set(sizes.map(([host]) => host));
      for (const list of lists) expect(hosts).toContain(`l${list}.example`);

      const encryption = new EncryptionService({ keyFile: join(folder, 'key'), database: db });
      const proxies = new ProxyRepository(db, encryption);
      const [list = ''] = lists;
      const again = Array.from({ length: 200 }, (_, n) => ({
        host: `l${list}.example`,
        port: n + 1,
        protocol: 'http' as const,
        credentials: { username: `user${n}`, password: `canary-${list}-${n}` },
      }));
      expect(proxies.importMany(again)).toMatchObject({ added: 0, updated: 0, unchanged: 200 });
    },
    TIMEOUT,
  );
});
