import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { openDatabase, openMigrated, temporaryFolder } from '../support/temporary.ts';

const WRITER = fileURLToPath(new URL('../fixtures/writer.mjs', import.meta.url));

/** Kills in the suite: 200. `PROXYVAULT_KILLS=5000 npm test -- test/faults/crash` for a longer run. */
const KILLS = Number(process.env.PROXYVAULT_KILLS ?? 200);
const TIMEOUT = 60_000 + KILLS * 2000;

/** Starts a writer, kills it at a random moment of its work, and gives the lines that it had finished. */
async function killDuring(mode: string, folder: string, seed: number): Promise<string[]> {
  const child = spawn(
    process.execPath,
    [WRITER, mode, join(folder, 'pool.db'), join(folder, 'key'), String(seed)],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const closed = once(child, 'close');
  // One in four dies while it starts, opens or migrates; the others some time after their first commit.
  if (seed % 4 !== 0) await Promise.race([once(child.stdout, 'data'), closed]);
  await new Promise((resolve) => setTimeout(resolve, Math.random() * (seed % 4 === 0 ? 150 : 60)));
  child.kill('SIGKILL');
  await closed;
  expect(errors).toBe('');
  return output.split('\n').slice(0, -1);
}

async function rounds(count: number, round: (seed: number) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= count; seed++) await round(seed);
}

const number = (db: DatabaseManager, sql: string): number => Number(db.driver.first(sql, {}, (row) => row.n));

async function assertSound(db: DatabaseManager): Promise<void> {
  expect(await db.check({ deep: true })).toMatchObject({ ok: true, integrity: [], foreignKeys: [] });
}

describe(`a process that is killed (SIGKILL), ${KILLS} times,`, () => {
  it(
    'while it writes has lost nothing that it had acknowledged, and no transaction is half there',
    async () => {
      const folder = temporaryFolder();
      const acknowledged: string[] = [];
      await rounds(Math.ceil(KILLS * 0.4), async (seed) => {
        acknowledged.push(...(await killDuring('write', folder, seed)));
      });
      // Three of four children had committed at least once.
      expect(acknowledged.length).toBeGreaterThan(KILLS * 0.2);

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
        expect(number(db, `SELECT count(*) AS n FROM ${table}`)).toBe(stored);
      }
      expect(number(db, 'SELECT sum(request_count) AS n FROM proxy_usage_stats')).toBe(stored);
    },
    TIMEOUT,
  );

  it(
    'while it migrates leaves one version or the other, whole, with all rows',
    async () => {
      const folder = temporaryFolder();
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
      await rounds(Math.ceil(KILLS * 0.3), async (seed) => {
        const lines = await killDuring('migrate', folder, seed);
        if (seed % 10 !== 0) return;
        const db = openDatabase({ path });
        const [, version] = lines.at(-1)?.split(' ') ?? [];
        // One further step may have been committed and not yet said.
        if (version !== undefined)
          expect(Math.abs(db.migrations.getCurrentVersion() - Number(version))).toBeLessThanOrEqual(2);
        await assertSound(db);
        expect(number(db, 'SELECT count(*) AS n FROM proxies')).toBe(300);
        db.close();
      });
      const db = openMigrated({ path });
      await assertSound(db);
      expect(number(db, 'SELECT count(*) AS n FROM proxies')).toBe(300);
    },
    TIMEOUT,
  );

  it(
    'while it imports leaves each list whole or absent, and a repeat counts nothing twice',
    async () => {
      const folder = temporaryFolder();
      const lists: string[] = [];
      await rounds(Math.ceil(KILLS * 0.3), async (seed) => {
        lists.push(...(await killDuring('importLists', folder, seed)));
      });
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
