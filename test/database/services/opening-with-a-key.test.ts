import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { type DatabaseManager, initDatabase } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { type KeySource, keyringFile } from 'proxyvault/keys';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { loginOf, openPool, openWithKeyFile, rowsOf } from '../../support/pool.ts';
import { openDatabase, openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const run = (db: DatabaseManager, sql: string): number => db.driver.run(sql, {});
const newKey = (): string => randomBytes(32).toString('base64');
const idOf = (key: string): string => new EncryptionService({ key }).keyId();

describe('open', () => {
  it('makes a key for a pool that needs none yet, unless it is told not to', async () => {
    const keyFile = join(temporaryFolder(), 'key');
    const options = { keyFile, env: {}, database: openMigrated() };
    const without = await EncryptionService.open({ ...options, create: false });
    expect(existsSync(keyFile)).toBe(false);
    expect(thrownBy(() => without.keyId())).toMatchObject({ code: 'KEY_MISSING' });
    const told: unknown[] = [];
    const service = await EncryptionService.open({ ...options, onKeyCreated: (source) => told.push(source) });
    expect(existsSync(keyFile)).toBe(true);
    expect(service.keyId()).toMatch(/^[\da-f]{16}$/);
    expect(told).toEqual([{ kind: 'key file', location: keyFile, protection: 'permissions' }]);
    const keySource = { ...bare(), create: () => randomBytes(32) };
    await EncryptionService.open({ keySource, onKeyCreated: (source) => told.push(source) });
    expect(told[1]).toEqual({ kind: 'kms', location: 'x', protection: null });
    await expect(EncryptionService.open({ keySource: bare(), create: true })).rejects.toMatchObject({
      code: 'KEY_MISSING',
    });
  });

  it('puts data keys under a new key of the source, unless the pool is opened for reading', async () => {
    const { db, key: older, ids } = openPool(2);
    const [before] = rowsOf(db, 'encryption_keys');
    const key = `${newKey()} ${older.toString('base64')}`;
    const reader = openDatabase({ path: db.path, readonly: true });
    const reading = await EncryptionService.open({ key, database: reader });
    expect(new EncryptedCredentialsRepository(reader, reading).reveal(ids[0] ?? '')).toEqual(loginOf(0));
    expect(rowsOf(db, 'encryption_keys')).toEqual([before]);
    const service = await EncryptionService.open({ key, database: db });
    expect(rowsOf(db, 'encryption_keys')[0]?.kek_id).toBe(service.keyId());
    expect(rowsOf(db, 'encryption_secrets').map(({ kek_id }) => kek_id)).toEqual([service.keyId()]);
  });

  it('puts the rest of them there, if a part is there already', async () => {
    const { db, encryption, key: older } = openPool(4);
    const stop = new AbortController();
    await encryption
      .rotate({ batchSize: 2, signal: stop.signal, onProgress: () => stop.abort() })
      .catch(() => undefined);
    const [row] = rowsOf(db, 'encryption_keys');
    const newer = newKey();
    const options = { key: `${newer} ${older.toString('base64')}`, database: db, resumeRotation: false };
    const open = async (): Promise<unknown[]> => {
      await EncryptionService.open(options);
      return rowsOf(db, 'encryption_keys').map(({ kek_id }) => kek_id);
    };
    expect(await open()).toEqual([idOf(newer), idOf(newer)]);
    const { key_id, kek_id, wrapped_key, iv, tag } = row as Record<
      'key_id' | 'kek_id' | 'wrapped_key' | 'iv' | 'tag',
      string
    >;
    db.driver.run(
      `UPDATE encryption_keys SET kek_id = :kek_id, wrapped_key = :wrapped_key, iv = :iv, tag = :tag WHERE key_id = :key_id`,
      { key_id, kek_id, wrapped_key, iv, tag },
    );
    expect(await open()).toEqual([idOf(newer), idOf(newer)]);
  });

  it('finishes a rotation with what is told of it, unless another process holds the pool', async () => {
    const { db, key, encryption } = openPool(6);
    const stop = new AbortController();
    await encryption
      .rotate({ batchSize: 2, signal: stop.signal, onProgress: () => stop.abort() })
      .catch(() => undefined);
    const impatient = initDatabase({ path: db.path, busyTimeoutMs: 0 });
    onTestFinished(() => impatient.close());
    db.driver.exec('BEGIN IMMEDIATE');
    // Each look at the clock is a minute later, so that the wait is over soon.
    let now = performance.now();
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 60_000;
      return now;
    });
    const waiting = await EncryptionService.open({ key, database: impatient });
    clock.mockRestore();
    db.driver.exec('ROLLBACK');
    expect(waiting.status().rotation).toMatchObject({ left: 4 });
    run(db, `UPDATE encryption_keys SET message_count = ${2 ** 32}`);
    await expect(EncryptionService.open({ key, database: db })).rejects.toMatchObject({
      code: 'KEY_EXHAUSTED',
    });
    run(db, `UPDATE encryption_keys SET message_count = 0`);
    const told: unknown[] = [];
    const opened = await EncryptionService.open({ key, database: db, onProgress: (each) => told.push(each) });
    expect(told).toEqual([
      { phase: 'encrypting', done: 4, total: 4 },
      { phase: 'verifying', done: 6, total: 6 },
    ]);
    expect(opened.status().rotation).toBeNull();
  });
});

/** A source that has no key and can make none. */
function bare(): KeySource {
  return { kind: 'kms', location: 'x', read: () => null };
}

describe('a source that must be waited for', () => {
  function slow(keys: string[]): KeySource & { reads: () => number } {
    let reads = 0;
    return {
      kind: 'explicit',
      location: 'a safe',
      read: async () => {
        reads++;
        return keys.map((key) => Buffer.from(key, 'base64'));
      },
      asynchronous: () => true,
      reads: () => reads,
    };
  }

  it('is asked by open and unlock, once, and never where nobody can wait', async () => {
    const keys = [newKey(), newKey(), newKey()];
    const keySource = slow(keys);
    const service = new EncryptionService({ keySource });
    for (const use of [() => service.encrypt('x'), () => service.keyId(), () => service.fingerprint('x')])
      expect(thrownBy(use)).toMatchObject({
        code: 'KEY_LOCKED',
        details: { kind: 'explicit', location: 'a safe' },
      });
    expect(keySource.reads()).toBe(0);
    expect(await service.unlock()).toBe(true);
    expect(service.keyId()).toBe(idOf(keys[0] ?? ''));
    for (const key of keys) expect(await service.hasKey(idOf(key))).toBe(true);
    expect(await service.hasKey(idOf(newKey()))).toBe(false);
    expect(keySource.reads()).toBe(1);
  });

  it('is not asked again for a key that it does not have', async () => {
    const { db, key } = openPool(1);
    const keySource = slow([key.toString('base64')]);
    const service = await EncryptionService.open({ keySource, database: db });
    run(db, `UPDATE encryption_keys SET kek_id = '0123456789abcdef'`);
    expect(new EncryptionService({ key, database: db }).status().problem).toBe('KEY_MISMATCH');
    expect(service.status()).toMatchObject({ problem: 'KEY_MISMATCH', sourceProblem: null });
    expect(keySource.reads()).toBe(1);
  });

  it('has why it failed told by each use after unlock, until it succeeds', async () => {
    const key = newKey();
    let given: () => Promise<Buffer | null> = async () => null;
    const keySource: KeySource = {
      kind: 'kms',
      location: 'x',
      asynchronous: () => true,
      read: () => given(),
    };
    const service = new EncryptionService({ keySource });
    const code = (): unknown => (thrownBy(() => service.encrypt('x')) as { code?: string }).code;
    expect(await service.unlock()).toBe(false);
    expect(code()).toBe('KEY_MISSING');
    given = async () => randomBytes(31);
    expect(await service.unlock()).toBe(false);
    expect(code()).toBe('KEY_INVALID');
    given = () => Promise.reject(new TypeError('a bug'));
    await expect(service.unlock()).rejects.toThrow('a bug');
    given = async () => Buffer.from(key, 'base64');
    expect(await service.unlock()).toBe(true);
    expect(service.keyId()).toBe(idOf(key));
  });

  it('that only turns out to answer later is locked, and its failure later is nobody\u2019s', async () => {
    const rejected: unknown[] = [];
    const listen = (reason: unknown): void => void rejected.push(reason);
    process.on('unhandledRejection', listen);
    const service = new EncryptionService({
      keySource: { kind: 'kms', location: 'x', read: () => Promise.reject(new Error('later')) },
    });
    expect(thrownBy(() => service.encrypt('x'))).toMatchObject({ code: 'KEY_LOCKED' });
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', listen);
    expect(rejected).toEqual([]);
  });
});

describe('a source', () => {
  it('that can make a key and makes none is KEY_MISSING', () => {
    const keySource = { kind: 'explicit', location: 'a safe', read: () => null, create: () => null as never };
    expect(thrownBy(() => new EncryptionService({ keySource }).encrypt('x'))).toMatchObject({
      code: 'KEY_MISSING',
      message: expect.stringContaining('a safe'),
    });
  });

  it('without a key is KEY_MISSING to ask for its keys', async () => {
    const service = new EncryptionService({ keySource: bare() });
    await expect(service.hasKey('0123456789abcdef')).rejects.toMatchObject({
      code: 'KEY_MISSING',
      details: { kind: 'kms', location: 'x' },
    });
    expect(thrownBy(() => service.encrypt('x'))).toMatchObject({ code: 'KEY_MISSING' });
  });

  it('to which a key was added is read again when ciphertext needs it', async () => {
    const { db, keyFile, service: first } = openWithKeyFile();
    const reader = new EncryptionService({ keyFile, env: {}, database: db });
    const credentials = new EncryptedCredentialsRepository(db, reader);
    expect(reader.status().problem).toBeNull();
    await first.protect(keyringFile(keyFile));
    await first.rotate();
    const { id } = new ProxyRepository(db, first).create({
      host: 'n.example',
      port: 2,
      protocol: 'http',
      credentials: loginOf(7),
    });
    expect(credentials.reveal(id)).toEqual(loginOf(7));
  });

  it('that is emptied is KEY_MISSING for ciphertext, with what is wrong with it as the cause', async () => {
    const { db, keyFile } = openWithKeyFile();
    writeFileSync(keyFile, '');
    const service = new EncryptionService({ keyFile, env: {}, database: db });
    for (const error of [
      thrownBy(() => service.encrypt('x')),
      await service.verify().catch((reason: unknown) => reason),
      await EncryptionService.open({ keyFile, env: {}, database: db }).catch((reason: unknown) => reason),
    ])
      expect(error).toMatchObject({
        code: 'KEY_MISSING',
        details: { malformed: true },
        cause: { code: 'KEY_INVALID' },
      });
    run(db, 'DELETE FROM encrypted_credentials');
    run(db, 'DELETE FROM encryption_keys');
    const unneeded = new EncryptionService({ keyFile, env: {}, database: db });
    await expect(unneeded.verify()).rejects.toMatchObject({ code: 'KEY_INVALID' });
    const opening = EncryptionService.open({ keyFile, env: {}, database: db });
    await expect(opening).rejects.toMatchObject({ code: 'KEY_INVALID' });
  });
});

describe('a service', () => {
  it('shows its source and nothing more', () => {
    const keySource = { ...bare(), secret: 'canary', read: () => Buffer.from(randomBytes(32)) };
    const service = new EncryptionService({ keySource });
    service.encrypt('x');
    expect(service.source()).toEqual({ kind: 'kms', location: 'x' });
    expect(JSON.parse(JSON.stringify(service))).toEqual({
      service: 'EncryptionService',
      source: { kind: 'kms', location: 'x' },
      key: '[redacted]',
    });
    expect(inspect(service, { showHidden: true, depth: 9 })).toBe(
      'EncryptionService { source: kms, key: [redacted] }',
    );
  });

  it('is closed at the end of its block', () => {
    let outlived: EncryptionService;
    {
      using service = new EncryptionService({ key: randomBytes(32) });
      service.encrypt('x');
      outlived = service;
    }
    expect(thrownBy(() => outlived.encrypt('x'))).toMatchObject({ code: 'CLOSED' });
    expect(thrownBy(() => outlived.keyId())).toMatchObject({ code: 'CLOSED' });
  });

  it('takes bytes as associated data, and the same for decryption, with a database and without', () => {
    for (const service of [new EncryptionService({ key: randomBytes(32) }), openPool(0).encryption]) {
      const data = randomBytes(20);
      const encrypted = service.encrypt('x', data);
      expect(service.decrypt(encrypted, data)).toBe('x');
      for (const other of [undefined, randomBytes(20), data.subarray(1)])
        expect(thrownBy(() => service.decrypt(encrypted, other))).toMatchObject({
          code: 'CREDENTIAL_CORRUPT',
        });
      for (const wrong of ['text', 7, null, [1]]) {
        expect(thrownBy(() => service.encrypt('x', wrong as never))).toMatchObject({ code: 'INVALID_INPUT' });
        expect(thrownBy(() => service.decrypt(encrypted, wrong as never))).toMatchObject({
          code: 'INVALID_INPUT',
        });
      }
      for (const text of ['\ud800', 7, undefined]) {
        expect(thrownBy(() => service.encrypt(text as string))).toMatchObject({ code: 'INVALID_INPUT' });
        expect(thrownBy(() => service.fingerprint(text as string))).toMatchObject({ code: 'INVALID_INPUT' });
      }
      for (const nothing of [null, undefined])
        expect(thrownBy(() => service.decrypt(nothing as never))).toMatchObject({ code: 'NOT_FOUND' });
      expect(service.generateKey()).toHaveLength(32);
    }
  });

  it('says that what a retired key encrypted is of another key', async () => {
    const { encryption } = openPool(1);
    const early = encryption.encrypt('early');
    await encryption.rotate();
    expect(thrownBy(() => encryption.decrypt(early))).toMatchObject({
      code: 'KEY_MISMATCH',
      details: { needed: early.keyId, found: encryption.keyId() },
    });
  });

  it('decrypts with the keys of the database where the credential was read, at the address that it has there', async () => {
    const key = randomBytes(32);
    const [a, b] = [openPool(1, { key }), openPool(1, { key })];
    const [id = ''] = b.ids;
    b.credentials.save(id, b.encryption.encrypt('of b'));
    expect(a.encryption.decrypt(b.credentials.findByProxyId(id))).toBe('of b');
    await b.encryption.rotate();
    const bound = b.credentials.findByProxyId(id);
    expect(a.encryption.decrypt(bound)).toBe('of b');
    // A copy does not know where it was read.
    expect(thrownBy(() => a.encryption.decrypt({ ...bound } as never))).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
    });
    expect(b.encryption.decrypt({ ...bound } as never)).toBe('of b');
    expect(thrownBy(() => new EncryptionService({ key }).decrypt({ ...bound } as never))).toMatchObject({
      code: 'INVALID_INPUT',
    });
    const { address: _, ...unaddressed } = { ...bound };
    expect(thrownBy(() => b.encryption.decrypt(unaddressed as never))).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
    });
    run(b.db, `UPDATE proxies SET port = 99`);
    expect(thrownBy(() => b.encryption.decrypt(b.credentials.findByProxyId(id)))).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
      message: expect.stringContaining('address'),
    });
  });

  it('gives no login as a text', () => {
    const { encryption, credentials, ids } = openPool(1);
    const login = credentials.findByProxyId(ids[0] ?? '');
    expect(thrownBy(() => encryption.decrypt(login))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('login'),
    });
    // One that does not say what it is, is a login.
    const { content: _, ...untold } = { ...login };
    expect(thrownBy(() => encryption.decrypt(untold as never))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('has fingerprints of the database, which are not those of the key alone', () => {
    const { db, encryption, key } = openPool(1);
    expect(encryption.fingerprint('u')).toBe(encryption.cipherOf(db).fingerprint('u'));
    const moved = openPool(1, { key: randomBytes(32) });
    expect(moved.encryption.fingerprint('u')).not.toBe(new EncryptionService({ key }).fingerprint('u'));
  });

  it('verifies another database if it is told to', async () => {
    const key = randomBytes(32);
    const [a, b] = [openPool(1, { key }), openPool(3, { key })];
    expect(await a.encryption.verify({ database: b.db })).toMatchObject({ ok: true, checked: 3 });
    expect(await a.encryption.verify()).toMatchObject({ ok: true, checked: 1 });
    expect(() => a.encryption.verify({ onProgress: 7 as never })).toThrow(/onProgress/);
  });

  it('rotates in batches of 1 to 10,000', () => {
    const { encryption } = openPool(0);
    for (const batchSize of [0, 10_001, 1.5])
      expect(thrownBy(() => encryption.rotate({ batchSize }))).toMatchObject({ code: 'INVALID_INPUT' });
  });
});
