import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { loginOf, openPool, openWithKeyFile, rowsOf } from '../../support/pool.ts';
import { openDatabase, openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const run = (db: DatabaseManager, sql: string): number => db.driver.run(sql, {});
const keysOf = (db: DatabaseManager): Record<string, unknown>[] => rowsOf(db, 'encryption_keys');
const secretsOf = (db: DatabaseManager): Record<string, unknown>[] => rowsOf(db, 'encryption_secrets');
const DAMAGE = `tag = 'AAAAAAAAAAAAAAAAAAAAAA=='`;

/** A pool without data keys: some proxies, and ciphertext that a key of its own encrypted by itself. */
function openDirect(key: Buffer, count = 2): { db: DatabaseManager; ids: string[] } {
  const db = openMigrated();
  const inputs = Array.from({ length: count + 1 }, (_, n) => ({
    host: 'h.example',
    port: n + 1,
    protocol: 'http' as const,
  }));
  const ids = new ProxyRepository(db).createMany(inputs).map(({ id }) => id);
  for (const id of ids.slice(0, count))
    new EncryptedCredentialsRepository(db).save(id, new EncryptionService({ key }).encrypt(id));
  return { db, ids };
}

const credentialsOf = (db: DatabaseManager, key: Buffer): EncryptedCredentialsRepository =>
  new EncryptedCredentialsRepository(db, new EncryptionService({ key, database: db }));

describe('a first data key', () => {
  it('is not made beside ciphertext of a foreign key, by anything that encrypts', async () => {
    const { db, ids } = openDirect(randomBytes(32));
    const service = new EncryptionService({ key: randomBytes(32), database: db });
    const credentials = new EncryptedCredentialsRepository(db, service);
    const [first = '', , free = ''] = ids;
    const input = { host: 'n.example', port: 9, protocol: 'http' as const, credentials: loginOf(9) };
    for (const work of [
      () => credentials.store(free, loginOf(0)),
      () => credentials.store(first, loginOf(0)),
      () => service.encrypt('x'),
      () => service.fingerprint('x'),
      () => service.createRecoveryCode(),
      () => new ProxyRepository(db, service).create(input),
    ])
      expect(thrownBy(work)).toMatchObject({ code: 'KEY_MISMATCH' });
    await expect(service.rotate()).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
    expect([keysOf(db), secretsOf(db), rowsOf(db, 'encryption_config')]).toEqual([[], [], []]);
  });

  it("is made beside what the source's own key encrypted, which stays readable", () => {
    const key = randomBytes(32);
    const { db, ids } = openDirect(key);
    const credentials = credentialsOf(db, key);
    credentials.store(ids[2] ?? '', loginOf(2));
    expect(ids.slice(0, 2).map((id) => credentials.reveal(id)?.password)).toEqual(ids.slice(0, 2));
    expect(credentials.reveal(ids[2] ?? '')).toEqual(loginOf(2));
    // Also what does not name its key.
    run(db, `UPDATE encrypted_credentials SET key_id = NULL`);
    const fresh = credentialsOf(db, key);
    expect(ids.slice(0, 2).map((id) => fresh.reveal(id)?.password)).toEqual(ids.slice(0, 2));
    expect(fresh.reveal(ids[2] ?? '')).toEqual(loginOf(2));
  });

  it('is made when the only credential of a lost key is replaced', () => {
    const { db, ids } = openDirect(randomBytes(32), 1);
    const credentials = credentialsOf(db, randomBytes(32));
    credentials.store(ids[0] ?? '', loginOf(5));
    expect(credentials.reveal(ids[0] ?? '')).toEqual(loginOf(5));
    expect(keysOf(db)).toHaveLength(1);
  });

  it('is made beside ciphertext that names no key, but not without the key of the source', () => {
    const { db, ids } = openDirect(randomBytes(32));
    run(db, `UPDATE encrypted_credentials SET key_id = NULL`);
    const keyFile = join(temporaryFolder(), 'key');
    const lost = new EncryptedCredentialsRepository(
      db,
      new EncryptionService({ keyFile, env: {}, database: db }),
    );
    expect(thrownBy(() => lost.store(ids[2] ?? '', loginOf(2)))).toMatchObject({ code: 'KEY_MISSING' });
    expect(existsSync(keyFile)).toBe(false);
    const credentials = credentialsOf(db, randomBytes(32));
    credentials.store(ids[2] ?? '', loginOf(2));
    expect(credentials.reveal(ids[2] ?? '')).toEqual(loginOf(2));
    expect(thrownBy(() => credentials.reveal(ids[0] ?? ''))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
  });

  it.runIf(process.platform !== 'win32')('is not made for a pool that every user may write', async () => {
    const { path } = openMigrated();
    const keyFile = join(temporaryFolder(), 'key');
    chmodSync(dirname(path), 0o777);
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    onTestFinished(() => void vi.restoreAllMocks());
    const db = openDatabase({ path });
    const service = new EncryptionService({ keyFile, env: {}, database: db });
    expect(thrownBy(() => service.encrypt('x'))).toMatchObject({ code: 'CANNOT_OPEN' });
    const opened = EncryptionService.open({ keyFile, env: {}, database: db });
    await expect(opened).rejects.toMatchObject({ code: 'CANNOT_OPEN' });
    expect(existsSync(keyFile)).toBe(false);
    expect(keysOf(db)).toEqual([]);
  });

  it('is not made if the database asks for another kind of source, nor is a key file', async () => {
    const { db, keyFile } = openWithKeyFile();
    run(db, 'DELETE FROM encrypted_credentials');
    const env = { PROXYVAULT_KEY: randomBytes(32).toString('hex') };
    const service = new EncryptionService({ env, database: db });
    const before = [keysOf(db), secretsOf(db)];
    for (const work of [() => service.encrypt('x'), () => service.createRecoveryCode()])
      expect(thrownBy(work)).toMatchObject({ code: 'KEY_MISMATCH', details: { pinned: 'key file' } });
    run(db, `UPDATE encryption_config SET key_source = 'environment'`);
    rmSync(keyFile);
    for (const work of [
      () => EncryptionService.open({ keyFile, env: {}, database: db }),
      async () => new EncryptionService({ keyFile, env: {}, database: db }).encrypt('x'),
    ])
      await expect(work()).rejects.toMatchObject({
        code: 'KEY_MISMATCH',
        details: { pinned: 'environment', given: 'key file' },
      });
    expect(readdirSync(dirname(keyFile))).toEqual([]);
    expect([keysOf(db), secretsOf(db)]).toEqual(before);
  });
});

describe('a data key after the primary was lost', () => {
  it('is not made beside one that does not open, as long as anything may need that', () => {
    const { db, key, ids } = openPool(2);
    run(db, `UPDATE encryption_keys SET state = 'decrypt-only', ${DAMAGE}`);
    const before = [keysOf(db), secretsOf(db)];
    const credentials = credentialsOf(db, key);
    expect(thrownBy(() => credentials.store(ids[0] ?? '', loginOf(5)))).toMatchObject({
      code: 'KEY_INVALID',
    });
    expect([keysOf(db), secretsOf(db)]).toEqual(before);
  });

  it('is made beside one that opens: the id, the fingerprints and what it encrypted stay', () => {
    const { db, key, ids } = openPool(2);
    run(db, `UPDATE encryption_keys SET state = 'decrypt-only'`);
    const [config] = rowsOf(db, 'encryption_config');
    const secrets = secretsOf(db);
    const credentials = credentialsOf(db, key);
    credentials.store(ids[0] ?? '', loginOf(5));
    expect(credentials.reveal(ids[0] ?? '')).toEqual(loginOf(5));
    expect(credentials.reveal(ids[1] ?? '')).toEqual(loginOf(1));
    expect(
      keysOf(db)
        .map(({ state }) => state)
        .sort(),
    ).toEqual(['decrypt-only', 'primary']);
    expect(rowsOf(db, 'encryption_config')).toEqual([config]);
    expect(secretsOf(db)).toEqual(secrets);
  });

  it('is made in place of keys and secrets that nothing needs, under a new key of the source', () => {
    const { db, keyFile, id, service } = openWithKeyFile();
    service.createRecoveryCode();
    const [config] = rowsOf(db, 'encryption_config');
    run(db, 'DELETE FROM encrypted_credentials');
    rmSync(keyFile);
    const fresh = new EncryptionService({ keyFile, env: {}, database: db });
    const credentials = new EncryptedCredentialsRepository(db, fresh);
    credentials.store(id, loginOf(5));
    expect(credentials.reveal(id)).toEqual(loginOf(5));
    const wrappedBy = (rows: Record<string, unknown>[]): unknown[] => rows.map(({ kek_id }) => kek_id);
    expect(wrappedBy(keysOf(db))).toEqual([fresh.keyId()]);
    expect(wrappedBy(secretsOf(db))).toEqual([fresh.keyId()]);
    expect(fresh.status()).toMatchObject({ recoveryCode: false, problem: null });
    expect(rowsOf(db, 'encryption_config')).toEqual([config]);
  });
});

describe('a data key', () => {
  it('that another source wraps stops what needs the key, and damaged ones only what they encrypted', async () => {
    const { db, key, ids } = openPool(3);
    const service = new EncryptionService({ key, database: db });
    run(db, `UPDATE encryption_keys SET kek_id = '0123456789abcdef'`);
    const foreign = new EncryptionService({ key, database: db });
    const { details } = thrownBy(() => foreign.encrypt('x')) as { details: object };
    expect(details).toMatchObject({ needed: '0123456789abcdef', found: service.keyId() });
    await expect(foreign.verify()).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
    await expect(EncryptionService.open({ key, database: db })).rejects.toMatchObject({
      code: 'KEY_MISMATCH',
    });
    expect(thrownBy(() => foreign.createRecoveryCode())).toMatchObject({ code: 'KEY_MISMATCH' });
    // A malformed name says nothing of the key that wraps it: the key in use is tried, and opening writes its name.
    run(db, `UPDATE encryption_keys SET kek_id = 'x'`);
    expect(await service.verify()).toMatchObject({ ok: true, checked: ids.length });
    await EncryptionService.open({ key, database: db });
    expect(keysOf(db).map(({ kek_id }) => kek_id)).toEqual([service.keyId()]);
  });

  it('of which the row says nothing is found among all: each of the database, and of the source', async () => {
    const { db, key, encryption, credentials, ids } = openPool(4);
    const stop = new AbortController();
    await encryption
      .rotate({ batchSize: 2, signal: stop.signal, onProgress: () => stop.abort() })
      .catch(() => undefined);
    const older = randomBytes(32);
    const source = `${key.toString('hex')} ${older.toString('hex')}`;
    credentials.delete(ids[3] ?? '');
    run(db, `UPDATE encrypted_credentials SET key_id = NULL`);
    const { ciphertext, iv, authTag } = new EncryptionService({ key: older }).encrypt('direct');
    credentials.save(ids[3] ?? '', { ciphertext, iv, authTag });
    const reader = new EncryptedCredentialsRepository(
      db,
      new EncryptionService({ key: source, database: db }),
    );
    expect(ids.map((id) => reader.reveal(id)?.password)).toEqual([
      ...[0, 1, 2].map((n) => loginOf(n).password),
      'direct',
    ]);
  });

  it('that cannot be had is not called damage', () => {
    const { db, keyFile, id } = openWithKeyFile();
    rmSync(keyFile);
    const reader = new EncryptedCredentialsRepository(
      db,
      new EncryptionService({ keyFile, env: {}, database: db }),
    );
    expect(thrownBy(() => reader.reveal(id))).toMatchObject({ code: 'KEY_MISSING' });
    run(db, 'DELETE FROM encryption_config');
    const fresh = new EncryptedCredentialsRepository(
      db,
      new EncryptionService({ keyFile, env: {}, database: db }),
    );
    expect(thrownBy(() => fresh.reveal(id))).toMatchObject({
      code: 'INVALID_ROW',
      details: { table: 'encryption_config', column: 'database_id' },
    });
  });

  it('that is gone makes its rows damaged; without any other key it is a mismatch', () => {
    const { db, key, encryption, ids } = openPool(1);
    run(db, `UPDATE encrypted_credentials SET key_id = '0123456789abcdef'`);
    const reader = (): EncryptedCredentialsRepository => credentialsOf(db, key);
    expect(thrownBy(() => reader().reveal(ids[0] ?? ''))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
    run(db, 'DELETE FROM encryption_keys');
    expect(thrownBy(() => reader().reveal(ids[0] ?? ''))).toMatchObject({
      code: 'KEY_MISMATCH',
      details: { needed: '0123456789abcdef', found: encryption.keyId() },
    });
  });

  it('of the fingerprints that was replaced is taken at once', async () => {
    const { db, encryption } = openPool(1);
    const before = encryption.fingerprint('u');
    const other = openPool(1, { key: randomBytes(32) });
    expect(other.encryption.fingerprint('u')).not.toBe(before);
    run(db, `DELETE FROM encryption_secrets`);
    await encryption.verify();
    expect(thrownBy(() => encryption.fingerprint('u'))).toMatchObject({ code: 'KEY_INVALID' });
  });
});
