import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Session, Steps } from 'proxyvault/driver';
import { environmentKey, keyringFile } from 'proxyvault/keys';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { asyncSession } from '../../support/async-engine.ts';
import { openOldBindings } from '../../support/old-bindings.ts';
import { loginOf, openPool, openWithKeyFile, rowsOf } from '../../support/pool.ts';
import { openMigrated, temporaryFolder } from '../../support/temporary.ts';

interface AsyncPool {
  db: DatabaseManager;
  session: Session<'async'>;
  key: Buffer;
  encryption: EncryptionService<'async'>;
  proxies: ProxyRepository<'async'>;
  credentials: EncryptedCredentialsRepository<'async'>;
  ids: string[];
}

/** A pool that is filled through an asynchronous session. */
async function openAsync(count = 3): Promise<AsyncPool> {
  const db = openMigrated();
  const session = asyncSession(db);
  const key = randomBytes(32);
  const encryption = new EncryptionService({ key, database: session });
  const proxies = new ProxyRepository(session, encryption);
  const inputs = Array.from({ length: count }, (_, n) => ({
    host: 'h.example',
    port: n + 1,
    protocol: 'http' as const,
    credentials: loginOf(n),
  }));
  const ids = (await proxies.createMany(inputs)).map(({ id }) => id);
  const credentials = new EncryptedCredentialsRepository(session, encryption);
  return { db, session, key, encryption, proxies, credentials, ids };
}

const keysOf = (db: DatabaseManager): Record<string, unknown>[] => rowsOf(db, 'encryption_keys');
const countOf = (db: DatabaseManager): number =>
  Number(keysOf(db).find(({ state }) => state === 'primary')?.message_count);

describe('an asynchronous session', () => {
  it('has promises for values in the types of its service', () => {
    const service = new EncryptionService({ key: randomBytes(32), database: asyncSession(openMigrated()) });
    expectTypeOf(service).toEqualTypeOf<EncryptionService<'async'>>();
    expectTypeOf(service.fingerprint).returns.toEqualTypeOf<Promise<string>>();
    expectTypeOf(new EncryptionService({ key: randomBytes(32) })).toEqualTypeOf<EncryptionService>();
    expectTypeOf<ReturnType<EncryptionService['fingerprint']>>().toEqualTypeOf<string>();
  });

  it('has data keys under the key of the source, as a synchronous one, and each reads what the other stores', async () => {
    const { db, key, credentials, ids } = await openAsync();
    const [a = '', b = ''] = ids;
    const service = new EncryptionService({ key, database: db });
    expect(keysOf(db)).toMatchObject([{ state: 'primary', kek_id: service.keyId() }]);
    const there = new EncryptedCredentialsRepository(db, service);
    expect(ids.map((id) => there.reveal(id))).toEqual([0, 1, 2].map(loginOf));
    there.store(a, loginOf(7));
    expect(await credentials.reveal(a)).toEqual(loginOf(7));
    await service.rotate();
    expect(await credentials.reveal(b)).toEqual(loginOf(1));
    await credentials.store(b, loginOf(8));
    expect(there.reveal(b)).toEqual(loginOf(8));
    expect(keysOf(db)).toHaveLength(1);
    // Each has the same identities.
    const input = { host: 'h.example', port: 1, protocol: 'http' as const, credentials: loginOf(7) };
    expect(new ProxyRepository(db, service).importMany([input])).toMatchObject({ unchanged: 1 });
  });

  it('reads what a synchronous one stored before it was opened', async () => {
    const { db, key, ids } = openPool();
    const encryption = new EncryptionService({ key });
    const credentials = new EncryptedCredentialsRepository(asyncSession(db), encryption);
    for (const [n, id] of ids.entries()) expect(await credentials.reveal(id)).toEqual(loginOf(n));
    expect(keysOf(db)).toHaveLength(1);
  });

  it('does not replace a lost key', async () => {
    const { db, keyFile, id, service } = openWithKeyFile();
    const before = keysOf(db);
    rmSync(keyFile);
    const session = asyncSession(db);
    const lost = new EncryptionService({ keyFile, env: {}, database: session });
    const credentials = new EncryptedCredentialsRepository(session, lost);
    await expect(credentials.store(id, loginOf(1))).rejects.toMatchObject({ code: 'KEY_MISSING' });
    await expect(credentials.reveal(id)).rejects.toMatchObject({ code: 'KEY_MISSING' });
    await expect(lost.encrypt('x')).rejects.toMatchObject({ code: 'KEY_MISSING' });
    await expect(EncryptionService.open({ keyFile, env: {}, database: session })).rejects.toMatchObject({
      code: 'KEY_MISSING',
    });
    expect(existsSync(keyFile)).toBe(false);
    expect(keysOf(db)).toEqual(before);
    expect(service.status().keys).toHaveLength(1);
  });

  it('takes no other key', async () => {
    const { db, ids } = openPool();
    const before = [keysOf(db), rowsOf(db, 'encrypted_credentials')];
    const session = asyncSession(db);
    const stranger = new EncryptionService({ key: randomBytes(32), database: session });
    const credentials = new EncryptedCredentialsRepository(session, stranger);
    for (const work of [
      () => credentials.store(ids[0] ?? '', loginOf(1)),
      () => credentials.reveal(ids[0] ?? ''),
      () => stranger.encrypt('x'),
      () => stranger.fingerprint('x'),
      () => stranger.verify(),
      () => stranger.rotate(),
      () => stranger.protect(environmentKey({ PROXYVAULT_KEY: randomBytes(32).toString('hex') })),
      () => stranger.createRecoveryCode(),
      () => EncryptionService.open({ key: randomBytes(32), database: session }),
    ])
      await expect(work()).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
    expect([keysOf(db), rowsOf(db, 'encrypted_credentials')]).toEqual(before);
  });

  it('rejects what a synchronous one throws', async () => {
    const { encryption } = await openAsync(1);
    for (const work of [
      () => encryption.encrypt('\ud800'),
      () => encryption.encrypt('x', 'text' as never),
      () => encryption.fingerprint(7 as never),
      () => encryption.rotate({ batchSize: 0 }),
      () => encryption.verify({ onProgress: 7 as never }),
      () => encryption.protect({} as never),
    ])
      await expect(work()).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(encryption.decrypt(null)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    encryption.destroy();
    for (const work of [() => encryption.encrypt('x'), () => encryption.status()])
      await expect(work()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('decrypts texts for a service that was not told the database', async () => {
    const { key, credentials, encryption, ids } = await openAsync(1);
    await credentials.save(ids[0] ?? '', await encryption.encrypt('canary'));
    const stored = await credentials.findByProxyId(ids[0] ?? '');
    expect(await encryption.decrypt(stored)).toBe('canary');
    expect(await new EncryptionService({ key }).decrypt(stored)).toBe('canary');
  });

  it('reads what older versions stored, and binds it by a rotation', async () => {
    const { db, key, ids } = openOldBindings();
    db.migrations.up();
    const session = asyncSession(db);
    const encryption = new EncryptionService({ key, database: session });
    const credentials = new EncryptedCredentialsRepository(session, encryption);
    const revealed = async (): Promise<unknown[]> => {
      const logins: unknown[] = [];
      for (const id of ids) logins.push((await credentials.reveal(id))?.password);
      return logins;
    };
    const before = await revealed();
    expect(before).toContain('canary-direct');
    expect(await encryption.rotate()).toMatchObject({ rotated: 5, bound: 5, failures: [] });
    expect(await revealed()).toEqual(before);
    expect(await encryption.verify()).toMatchObject({ ok: true, oldBinding: 0, unbound: 0 });
  });
});

describe('the management of keys over an asynchronous session', () => {
  it('rotates, verifies, and tells the status', async () => {
    const { db, encryption, credentials, ids } = await openAsync(5);
    const [old] = keysOf(db);
    expect(await encryption.verify()).toMatchObject({ ok: true, checked: 5 });
    const report = await encryption.rotate({ batchSize: 2 });
    expect(report).toMatchObject({ rotated: 5, failures: [], retired: [old?.key_id], resumed: false });
    expect(await encryption.status()).toMatchObject({
      problem: null,
      rotation: null,
      keys: [{ keyId: report.keyId, state: 'primary', rows: 5, messageCount: 5 }],
    });
    for (const [n, id] of ids.entries()) expect(await credentials.reveal(id)).toEqual(loginOf(n));
  });

  it('continues a rotation that was interrupted', async () => {
    const { session, key, encryption, credentials, ids } = await openAsync(5);
    const stop = new AbortController();
    const onProgress = (): void => stop.abort();
    await expect(encryption.rotate({ batchSize: 2, signal: stop.signal, onProgress })).rejects.toThrow();
    const { rotation, keys } = await encryption.status();
    expect({ left: rotation?.left, keys: keys.length }).toEqual({ left: 3, keys: 2 });
    for (const [n, id] of ids.entries()) expect(await credentials.reveal(id)).toEqual(loginOf(n));
    const opened = await EncryptionService.open({ key, database: session });
    expect(await opened.status()).toMatchObject({
      rotation: null,
      keys: [{ keyId: rotation?.keyId, rows: 5 }],
    });
    for (const [n, id] of ids.entries()) expect(await credentials.reveal(id)).toEqual(loginOf(n));
  });

  it('rotates while others store, and loses nothing', async () => {
    const { session, key, encryption, credentials, ids } = await openAsync(6);
    const other = new EncryptedCredentialsRepository(
      session,
      new EncryptionService({ key, database: session }),
    );
    const [report] = await Promise.all([
      encryption.rotate({ batchSize: 1 }),
      ...ids.map((id, n) => other.store(id, loginOf(n + 10))),
    ]);
    expect(report.failures).toEqual([]);
    for (const [n, id] of ids.entries()) expect(await credentials.reveal(id)).toEqual(loginOf(n + 10));
    expect(await encryption.verify()).toMatchObject({ ok: true, checked: 6 });
  });

  it('moves the key, and what the old one opened the new one does', async () => {
    const { db, keyFile, id } = openWithKeyFile();
    const session = asyncSession(db);
    const service = await EncryptionService.open({ keyFile, env: {}, database: session });
    const target = join(temporaryFolder(), 'key');
    await service.protect(keyringFile(target));
    const credentials = new EncryptedCredentialsRepository(session, service);
    expect(await credentials.reveal(id)).toEqual(loginOf(0));
    rmSync(keyFile);
    const fresh = await EncryptionService.open({ keyFile: target, env: {}, database: session });
    expect(await new EncryptedCredentialsRepository(session, fresh).reveal(id)).toEqual(loginOf(0));
    expect(await fresh.status()).toMatchObject({ problem: null, source: { location: target } });
  });

  it('restores a lost key by its code, and no other database\u2019s', async () => {
    const { db, keyFile, id, service } = openWithKeyFile();
    const session = asyncSession(db);
    const first = await new EncryptionService({
      keySource: keyringFile(keyFile),
      database: session,
    }).createRecoveryCode();
    const code = await new EncryptionService({
      keySource: keyringFile(keyFile),
      database: session,
    }).createRecoveryCode();
    rmSync(keyFile);
    await expect(
      EncryptionService.recover({ database: session, code: first, keyFile }),
    ).rejects.toMatchObject({
      code: 'KEY_MISMATCH',
    });
    expect(existsSync(keyFile)).toBe(false);
    const recovered = await EncryptionService.recover({ database: session, code, keyFile });
    expect(await new EncryptedCredentialsRepository(session, recovered).reveal(id)).toEqual(loginOf(0));
    expect(service.status()).toMatchObject({ problem: null, recoveryCode: true });
  });

  it('is not for the inside of a transaction', async () => {
    const { session, encryption } = await openAsync(1);
    const within = session.driver.transaction(function* (): Steps<'async', unknown> {
      return yield encryption.verify();
    });
    await expect(within).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('the first key', () => {
  it('is made once, whoever comes first', async () => {
    const db = openMigrated();
    const key = randomBytes(32);
    const inputs = [1, 2, 3, 4].map((port) => ({
      host: 'h.example',
      port,
      protocol: 'http' as const,
      credentials: loginOf(port),
    }));
    const made = await Promise.all(
      inputs.map((input) => {
        const session = asyncSession(db);
        return new ProxyRepository(session, new EncryptionService({ key, database: session })).create(input);
      }),
    );
    expect(keysOf(db)).toHaveLength(1);
    const reader = new EncryptedCredentialsRepository(db, new EncryptionService({ key, database: db }));
    for (const { id, port } of made) expect(reader.reveal(id)).toEqual(loginOf(port));
  });

  it('goes with a transaction that is rolled back, and the next one makes another', async () => {
    const db = openMigrated();
    const session = asyncSession(db);
    const encryption = new EncryptionService({ key: randomBytes(32), database: session });
    const proxies = new ProxyRepository(session, encryption);
    const input = { host: 'h.example', port: 1, protocol: 'http' as const, credentials: loginOf(0) };
    const undone = session.driver.transaction(function* (): Steps<'async', void> {
      yield proxies.create(input);
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(keysOf(db)).toEqual([]);
    const { id } = await proxies.create(input);
    expect(await new EncryptedCredentialsRepository(session, encryption).reveal(id)).toEqual(loginOf(0));
  });
});

describe('the count of messages', () => {
  it('has a block that one transaction counted spent by no other before it has committed', async () => {
    const { db, session, key } = await openAsync(1);
    const encryption = new EncryptionService({ key, database: session });
    // So that the next message must be counted.
    for (let n = 0; n < 16; n++) await encryption.encrypt('x');
    const before = countOf(db);
    let release: (value?: unknown) => void = () => undefined;
    const isReleased = new Promise((resolve) => {
      release = resolve;
    });
    let counted: () => void = () => undefined;
    const hasCounted = new Promise<void>((resolve) => {
      counted = resolve;
    });
    const first = session.driver.transaction(function* (): Steps<'async', void> {
      yield encryption.encrypt('x');
      counted();
      yield isReleased;
      throw new Error('undone');
    });
    await hasCounted;
    let isStored = false;
    const second = session.driver
      .transaction(function* (): Steps<'async', void> {
        for (let n = 0; n < 20; n++) yield encryption.encrypt('x');
      })
      .then(() => {
        isStored = true;
      });
    // Far more turns of the event loop than the second takes for itself.
    for (let n = 0; n < 200; n++) await session.driver.one('SELECT 1', {}, () => undefined);
    expect(isStored).toBe(false);
    release();
    await expect(first).rejects.toThrow('undone');
    await second;
    expect(countOf(db)).toBeGreaterThanOrEqual(before + 21);
  });

  it('is paid for what was rolled back, as soon as the transaction has ended', async () => {
    const { db, session, key } = await openAsync(1);
    const encryption = new EncryptionService({ key, database: session });
    const before = countOf(db);
    const undone = session.driver.transaction(function* (): Steps<'async', void> {
      for (let n = 0; n < 20; n++) yield encryption.encrypt('x');
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(countOf(db)).toBe(before + 20);
  });

  it('is kept for a key although a late message of the key before it is counted meanwhile', async () => {
    const { db, session } = await openAsync(0);
    const service = new EncryptionService({ key: randomBytes(32), database: session });
    await service.encrypt('the first');
    const late = Promise.withResolvers<void>();
    let isArmed = true;
    // The answer to one count outside of a transaction is slow.
    const { driver } = session;
    const first = driver.first.bind(driver);
    driver.first = (sql, params, map) => {
      const answer = first(sql, params, map);
      if (!isArmed || driver.scope !== null || !sql.includes('message_count + :messages')) return answer;
      isArmed = false;
      return late.promise.then(() => answer);
    };
    const slow: Promise<unknown>[] = [];
    while (isArmed) {
      slow.push(service.encrypt('x'));
      await new Promise(setImmediate);
    }
    await service.rotate();
    const before = countOf(db);
    await driver
      .transaction(function* (): Steps<'async', void> {
        for (let n = 0; n < 5; n++) yield service.encrypt('x');
        late.resolve();
        yield Promise.all(slow);
        yield service.encrypt('x');
        throw new Error('undone');
      })
      .catch(() => undefined);
    expect(countOf(db) - before).toBe(6);
  });

  it('continues in the blocks of a nested transaction, once that has returned', async () => {
    const { db, session, key } = await openAsync(1);
    const encryption = new EncryptionService({ key, database: session });
    const before = countOf(db);
    await session.driver.transaction(function* (): Steps<'async', void> {
      yield session.driver.transaction(function* (): Steps<'async', void> {
        yield encryption.encrypt('x');
      });
      for (let n = 0; n < 15; n++) yield encryption.encrypt('x');
    });
    expect(countOf(db)).toBe(before + 16);
    await encryption.encrypt('x');
    expect(countOf(db)).toBe(before + 16 + 32);
  });
});

/** The session, on which each transaction and each savepoint is played twice: the first play is undone at its end. */
function playingTwice(session: Session<'async'>): Session<'async'> {
  const { driver } = session;
  const twice = <T>(steps: () => Steps<'async', T>): Promise<T> =>
    driver.transaction(function* (): Steps<'async', T> {
      try {
        yield driver.transaction(function* (): Steps<'async', void> {
          yield* steps();
          throw new Error('once more');
        });
      } catch (error) {
        if (!(error instanceof Error && error.message === 'once more')) throw error;
      }
      return yield* steps();
    });
  const doubled = new Proxy(driver, {
    get(target, name) {
      if (name === 'transaction') return twice;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { ...session, driver: doubled };
}

it('every transaction may be played again', async () => {
  const db = openMigrated();
  const session = playingTwice(asyncSession(db));
  const keyFile = join(temporaryFolder(), 'key');
  const encryption = new EncryptionService({ keyFile, env: {}, database: session });
  const input = { host: 'h.example', port: 1, protocol: 'http' as const, credentials: loginOf(0) };
  const { id } = await new ProxyRepository(session, encryption).create(input);
  const credentials = new EncryptedCredentialsRepository(session, encryption);
  expect(await credentials.reveal(id)).toEqual(loginOf(0));
  await credentials.store(id, loginOf(1));
  expect(await encryption.rotate()).toMatchObject({
    rotated: 1,
    failures: [],
    retired: [expect.any(String)],
  });
  const target = join(temporaryFolder(), 'moved');
  await encryption.protect(keyringFile(target));
  const code = await encryption.createRecoveryCode();
  rmSync(target);
  const recovered = await EncryptionService.recover({ database: session, code, keyFile: target });
  expect(await new EncryptedCredentialsRepository(session, recovered).reveal(id)).toEqual(loginOf(1));
  expect(await recovered.status()).toMatchObject({ problem: null, keys: [{ rows: 1 }], rotation: null });
  expect(keysOf(db)).toHaveLength(1);
});
