import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { expectDeathsAt, killWriters, shim, tallyKills } from '../support/killing.ts';
import { openDatabase, openMigrated, temporaryFolder } from '../support/temporary.ts';
import { SCRATCH } from './scratch.ts';

/** Kills in the suite: 32. `PROXYVAULT_KEY_KILLS=1000 npm test -- test/faults/key-crash` for a longer run. */
const KILLS = Number(process.env.PROXYVAULT_KEY_KILLS ?? 32);
const TIMEOUT = 60_000 + KILLS * 2000;
const PROXIES = 200;

/** A pool of proxies with a login each. */
function fill(): { folder: string; path: string; keyFile: string; expected: Map<string, string> } {
  const folder = temporaryFolder(SCRATCH);
  const path = join(folder, 'pool.db');
  const keyFile = join(folder, 'key');
  const db = openMigrated({ path });
  const encryption = new EncryptionService({ keyFile, database: db });
  const created = new ProxyRepository(db, encryption).createMany(
    Array.from({ length: PROXIES }, (_, n) => ({
      host: 'h.example',
      port: n + 1,
      protocol: 'http' as const,
      credentials: { username: 'u', password: `canary-${n}` },
    })),
  );
  db.close();
  return { folder, path, keyFile, expected: new Map(created.map(({ id }, n) => [id, `canary-${n}`])) };
}

tallyKills();

describe(`a process that is killed (SIGKILL), ${KILLS} times,`, () => {
  it(
    'while it rotates the keys and stores leaves every credential readable, as it was acknowledged',
    async () => {
      const { folder, path, keyFile, expected } = fill();
      let interrupted = 0;
      // A rotation takes some 600 changes: 200 credentials, ten in a batch, and one that is stored between two batches.
      const places = { count: Math.ceil(KILLS * 0.65), changes: 700, others: 85 };
      const last = await killWriters('rotate', folder, places, (lines, number) => {
        for (const line of lines) {
          const [id = '', password] = line.split(' ');
          if (password !== undefined) expected.set(id, password);
        }
        const db = openDatabase({ path });
        const encryption = new EncryptionService({ keyFile, database: db });
        const { rotation } = encryption.status();
        if (rotation !== null) interrupted++;
        const credentials = new EncryptedCredentialsRepository(db, encryption);
        let unsaid = 0;
        for (const [id, password] of expected) {
          const revealed = credentials.reveal(id);
          // One may have been stored and not yet said.
          if (revealed?.password !== password) {
            unsaid++;
            expect(revealed?.password).toMatch(new RegExp(`^canary-${number}-`));
            expected.set(id, revealed?.password ?? '');
          }
        }
        expect(unsaid).toBeLessThanOrEqual(1);
        db.close();
      });
      expectDeathsAt([/^write pool\.db-wal/, /^sync pool\.db-wal/], last);
      // Most deaths were in the middle of a rotation.
      if (shim.path) expect(interrupted).toBeGreaterThan(places.count / 2);

      const db = openDatabase({ path });
      const encryption = await EncryptionService.open({ keyFile, database: db });
      expect(encryption.status()).toMatchObject({
        rotation: null,
        keys: [{ state: 'primary', rows: PROXIES }],
      });
      expect(await encryption.verify()).toMatchObject({ ok: true, checked: PROXIES });
      expect(await db.check({ deep: true })).toMatchObject({ ok: true });
    },
    TIMEOUT,
  );

  it(
    'while it moves the key leaves a key file that opens the database',
    async () => {
      const { folder, path, keyFile, expected } = fill();
      // Each move takes 31.
      const places = { count: Math.ceil(KILLS * 0.35), changes: 93, others: 60 };
      const last = await killWriters('protect', folder, places, async () => {
        const db = openDatabase({ path });
        const encryption = await EncryptionService.open({ keyFile, database: db });
        expect(await encryption.verify()).toMatchObject({ ok: true, checked: PROXIES });
        const [key] = encryption.status().keys;
        expect(key?.kekId).toBe(encryption.keyId());
        db.close();
      });
      expectDeathsAt([/ pool\.db-wal$/, / key\b| \.tmp$/], last);
      const db = openDatabase({ path });
      rmSync(`${keyFile}.bak`, { force: true });
      const credentials = new EncryptedCredentialsRepository(db, new EncryptionService({ keyFile }));
      for (const [id, password] of expected) expect(credentials.reveal(id)?.password).toBe(password);
      expect(existsSync(keyFile)).toBe(true);
    },
    TIMEOUT,
  );
});
