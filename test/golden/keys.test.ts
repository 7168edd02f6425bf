import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { keyringFile } from 'proxyvault/keys';
import { describe, expect, it } from 'vitest';
import {
  GOLDEN_POOLS,
  type GoldenPool,
  keyOptionsOf,
  openGolden,
  openWithKeys,
} from '../support/golden-sets.ts';
import { rowsOf } from '../support/pool.ts';
import { thrownBy } from '../support/temporary.ts';

/** Every login, by the id of its proxy. */
function loginsOf(db: DatabaseManager, encryption: EncryptionService): Record<string, unknown> {
  const credentials = new EncryptedCredentialsRepository(db, encryption);
  const ids = rowsOf(db, 'encrypted_credentials').map(({ proxy_id }) => String(proxy_id));
  return Object.fromEntries(ids.map((id) => [id, credentials.reveal(id)]));
}

const keysOf = (encryption: EncryptionService): unknown[] =>
  encryption.status().keys.map(({ keyId, state, rows }) => ({ keyId, state, rows }));

describe.each(GOLDEN_POOLS)('the pool %s', (_, set, pool) => {
  it('gives every login, and knows its keys and fingerprints', async () => {
    const { db, encryption } = await openWithKeys(set, pool, { resumeRotation: false });
    expect(loginsOf(db, encryption)).toEqual(pool.logins);
    expect(await encryption.verify()).toMatchObject({
      ok: true,
      checked: Object.keys(pool.logins).length,
      failures: [],
    });
    expect(encryption.status()).toMatchObject({
      pinned: pool.kind,
      databaseId: pool.databaseId,
      rotation: pool.rotation && { keyId: pool.rotation.keyId, startedAt: pool.rotation.startedAt },
      problem: null,
    });
    expect(keysOf(encryption)).toEqual(pool.keys.map(({ keyId, state, rows }) => ({ keyId, state, rows })));
    const cipher = encryption.cipherOf(db);
    for (const [id, known] of Object.entries(pool.fingerprints)) {
      const login = pool.logins[id] ?? { username: '', password: '' };
      if (known.username !== '') expect(cipher.fingerprint(login.username)).toBe(known.username);
      if (known.password !== undefined) expect(cipher.passwordFingerprint(login)).toBe(known.password);
    }
    expect(await db.check({ deep: true, encryption })).toMatchObject({
      ok: true,
      rows: [],
      schema: { missing: [], changed: [], extra: [] },
      credentials: { verified: true, failures: [] },
    });
  });

  it('is recovered by its code, then encrypts all logins under a new key and another protection', async () => {
    const { db, keyFile } = openGolden(set, pool);
    db.migrations.up();
    rmSync(keyFile, { force: true });
    // As a person may type it.
    const code = pool.recoveryCode
      .toLowerCase()
      .replaceAll('-', ' ')
      .replaceAll('0', 'o')
      .replaceAll('1', 'l');
    const recovered = await EncryptionService.recover({ database: db, code, keyFile });
    expect(existsSync(keyFile)).toBe(true);
    expect(loginsOf(db, recovered)).toEqual(pool.logins);

    const report = await recovered.rotate();
    expect(report).toMatchObject({ failures: [], logTruncated: true });
    // No key that the set names is left.
    expect(pool.keys.map(({ keyId }) => keyId)).not.toContain(report.keyId);
    expect(keysOf(recovered)).toEqual([
      { keyId: report.keyId, state: 'primary', rows: Object.keys(pool.logins).length },
    ]);
    expect(await recovered.verify()).toMatchObject({ ok: true, unbound: 0, oldBinding: 0 });

    const target = join(dirname(keyFile), 'another', 'key');
    await recovered.protect(keyringFile(target));
    const moved = new EncryptionService({ keyFile: target, database: db });
    expect(loginsOf(db, moved)).toEqual(pool.logins);
    expect(moved.createRecoveryCode()).not.toBe(pool.recoveryCode);
  });

  it('makes no key in the place of one that is lost, and opens with no other', async () => {
    const { db, keyFile } = openGolden(set, pool);
    db.migrations.up();
    rmSync(keyFile, { force: true });
    const lost = {
      ...keyOptionsOf(pool, keyFile),
      ...(pool.environmentKey === undefined ? {} : { env: {} }),
    };
    await expect(EncryptionService.open({ keyFile, ...lost, database: db })).rejects.toMatchObject({
      code: pool.environmentKey === undefined ? 'KEY_MISSING' : 'KEY_MISMATCH',
    });
    expect(existsSync(keyFile)).toBe(false);
    const other = new EncryptionService({
      key: Buffer.from('another key of 32 bytes, exactly'),
      database: db,
    });
    const [id = ''] = Object.keys(pool.logins);
    expect(thrownBy(() => new EncryptedCredentialsRepository(db, other).reveal(id))).toMatchObject({
      code: 'KEY_MISMATCH',
    });
    expect(
      thrownBy(() =>
        new EncryptedCredentialsRepository(db, other).store(id, { username: 'u', password: 'p' }),
      ),
    ).toMatchObject({ code: 'KEY_MISMATCH' });
  });
});

const named = (name: string): typeof GOLDEN_POOLS => GOLDEN_POOLS.filter(([, , pool]) => pool.name === name);

describe.each(named('passphrase'))('the keyring of %s', (_, set, pool) => {
  it('opens by its passphrase, composed or not, and gives its older keys too', async () => {
    const { passphrase = '' } = pool;
    const { db, keyFile, encryption } = await openWithKeys(set, pool, {
      passphrase: passphrase.normalize('NFC'),
    });
    const other = passphrase.normalize('NFD');
    expect(other).not.toBe(passphrase.normalize('NFC'));
    const again = await EncryptionService.open({ keyFile, passphrase: other, database: db });
    expect(loginsOf(db, again)).toEqual(pool.logins);
    const { keys } = JSON.parse(readFileSync(keyFile, 'utf8')) as { keys: { keyId: string }[] };
    expect(keys.length).toBeGreaterThan(1);
    for (const { keyId } of keys) expect(await encryption.hasKey(keyId)).toBe(true);
  });
});

describe.each(named('left-behind'))('the pool %s, whose key file has newer keys since', (_, set, pool) => {
  it('is put under the newest', async () => {
    const { db, encryption } = await openWithKeys(set, pool);
    const newest = set.pools.find(({ name }) => name === 'several-keys')?.keys[0]?.kekId;
    expect(pool.keys[0]?.kekId).not.toBe(newest);
    expect(encryption.keyId()).toBe(newest);
    for (const { kek_id } of rowsOf(db, 'encryption_keys')) expect(kek_id).toBe(newest);
  });
});

describe.each(named('rotating'))('the rotation that was interrupted in %s', (_, set, pool) => {
  it('continues when the keys are opened, and ends', async () => {
    expect(usedKeys(pool)).toHaveLength(2);
    const { db, encryption } = await openWithKeys(set, pool);
    expect(encryption.status().rotation).toBeNull();
    expect(keysOf(encryption)).toEqual([
      { keyId: pool.rotation?.keyId, state: 'primary', rows: Object.keys(pool.logins).length },
    ]);
    expect(loginsOf(db, encryption)).toEqual(pool.logins);
  });
});

function usedKeys({ keys }: GoldenPool): unknown[] {
  return keys.filter(({ rows }) => rows > 0);
}
