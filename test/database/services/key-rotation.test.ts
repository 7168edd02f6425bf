import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService, type KeyRotationProgress } from 'proxyvault/database/services';
import { keyringFile } from 'proxyvault/keys';
import { describe, expect, it } from 'vitest';
import { numberOfRuns } from '../../support/number-of-runs.ts';
import { bytesOf, loginOf, openPool, rowsOf } from '../../support/pool.ts';
import { openDatabase, openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const keyIds = (db: DatabaseManager): unknown[] => rowsOf(db, 'encryption_keys').map(({ key_id }) => key_id);

describe('rotate', () => {
  it('encrypts every credential again, says how far it is, and retires the old key', async () => {
    const { db, encryption, credentials, ids } = openPool(1201);
    const [old] = keyIds(db);
    const before = rowsOf(db, 'encrypted_credentials');
    const heard: KeyRotationProgress[] = [];
    const report = await encryption.rotate({ onProgress: (progress) => heard.push(progress) });
    expect(report).toEqual({
      keyId: keyIds(db)[0],
      resumed: false,
      rotated: 1201,
      bound: 0,
      failures: [],
      retired: [old],
      logTruncated: true,
    });
    expect(heard[0]).toEqual({ phase: 'encrypting', done: 500, total: 1201 });
    expect(heard.at(-1)).toEqual({ phase: 'verifying', done: 1201, total: 1201 });
    const after = rowsOf(db, 'encrypted_credentials');
    expect(new Set(after.map(({ key_id }) => key_id))).toEqual(new Set([report.keyId]));
    expect(new Set([...before, ...after].map(({ iv }) => iv)).size).toBe(2402);
    ids.forEach((id, n) => {
      expect(credentials.reveal(id)).toEqual(loginOf(n));
    });
    expect(encryption.status()).toMatchObject({ rotation: null, unbound: 0, keys: [{ rows: 1201 }] });
    // When a credential was stored is not when its key was changed.
    expect(after.map(({ created_at }) => created_at)).toEqual(before.map(({ created_at }) => created_at));
  });

  it('leaves no old ciphertext in the file or its log', async () => {
    const { db, encryption } = openPool(300);
    const old = rowsOf(db, 'encrypted_credentials').map(({ encrypted_data }) => String(encrypted_data));
    const [{ wrapped_key: wrapped } = {}] = rowsOf(db, 'encryption_keys');
    const found = (): number => {
      const bytes = bytesOf(db);
      return [...old, String(wrapped)].filter((text) => bytes.includes(text)).length;
    };
    expect(found()).toBe(301);
    await encryption.rotate();
    expect(found()).toBe(0);
  });

  it('binds what the plain way stored, which still works', async () => {
    const { db, encryption, credentials, ids, key } = openPool(2);
    const [a = '', b = ''] = ids;
    credentials.save(a, encryption.encrypt('my-password'));
    credentials.save(b, new EncryptionService({ key }).encrypt('direct'));
    expect(encryption.status()).toMatchObject({
      unbound: 2,
      direct: [{ keyId: encryption.keyId(), rows: 1 }],
    });
    expect(await encryption.rotate()).toMatchObject({ rotated: 2, bound: 2 });
    expect(encryption.status()).toMatchObject({ unbound: 0, direct: [] });
    for (const service of [encryption, new EncryptionService({ key })]) {
      expect(service.decrypt(credentials.findByProxyId(a))).toBe('my-password');
      expect(service.decrypt(credentials.findByProxyId(b))).toBe('direct');
    }
    expect(credentials.reveal(a)).toEqual({ username: '', password: 'my-password' });
    // Now two rows that were swapped are found out.
    db.driver.exec(`
      UPDATE encrypted_credentials SET (encrypted_data, iv, auth_tag) =
        (SELECT encrypted_data, iv, auth_tag FROM encrypted_credentials AS other WHERE other.proxy_id = '${a}')
      WHERE proxy_id = '${b}'`);
    expect(thrownBy(() => encryption.decrypt(credentials.findByProxyId(b)))).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
    });
  });

  it('continues where it was interrupted, by itself when the service is opened', async () => {
    const { db, encryption, credentials, ids, key } = openPool(1000);
    const stop = new AbortController();
    const interrupted = encryption.rotate({
      batchSize: 100,
      signal: stop.signal,
      onProgress: ({ done }) => done >= 300 && stop.abort(new Error('enough')),
    });
    await expect(interrupted).rejects.toThrow('enough');
    const [target] = rowsOf(db, 'encryption_config').map(({ rotation_key_id }) => rotation_key_id);
    expect(encryption.status()).toMatchObject({ rotation: { keyId: target, left: 700 } });
    expect(encryption.status().advice.join()).toContain('key rotate');
    // Everyone reads meanwhile, and new credentials are under the new key.
    ids.forEach((id, n) => {
      expect(credentials.reveal(id)).toEqual(loginOf(n));
    });
    credentials.store(ids[999] ?? '', loginOf(7));
    expect(credentials.findByProxyId(ids[999] ?? '')?.keyId).toBe(target);

    await expect(EncryptionService.open({ key, database: db, onProgress: 7 as never })).rejects.toMatchObject(
      { code: 'INVALID_INPUT' },
    );
    const left = await EncryptionService.open({ key, database: db, resumeRotation: false });
    expect(left.status().rotation).toMatchObject({ left: 699 });
    const heard: number[] = [];
    const opened = await EncryptionService.open({
      key,
      database: db,
      onProgress: ({ done }) => heard.push(done),
    });
    expect(heard.length).toBeGreaterThan(1);
    expect(opened.status()).toMatchObject({ rotation: null, keys: [{ keyId: target, rows: 1000 }] });
    expect(await opened.verify()).toMatchObject({ ok: true, checked: 1000 });
  });

  it('is left alone where the database may not be written', async () => {
    const { db, encryption, key } = openPool(60);
    const stop = new AbortController();
    await encryption
      .rotate({ batchSize: 5, signal: stop.signal, onProgress: () => stop.abort() })
      .catch(() => null);
    const reader = openDatabase({ path: db.path, readonly: true });
    const opened = await EncryptionService.open({ key, database: reader });
    expect(opened.status().rotation).toMatchObject({ left: 55 });
    expect(await opened.verify()).toMatchObject({ ok: true, checked: 60 });
    await expect(opened.rotate()).rejects.toMatchObject({ code: 'READ_ONLY' });
  });

  it('resumes rather than begin another one, and two at once do no harm', async () => {
    const { db, encryption, key } = openPool(600);
    const stop = new AbortController();
    await expect(
      encryption.rotate({ batchSize: 50, signal: stop.signal, onProgress: () => stop.abort() }),
    ).rejects.toMatchObject({ name: 'AbortError' });
    const second = new EncryptionService({ key, database: db });
    const reports = await Promise.all([
      encryption.rotate({ batchSize: 7 }),
      second.rotate({ batchSize: 11 }),
    ]);
    expect(new Set(reports.map(({ keyId }) => keyId)).size).toBe(1);
    expect(reports.every(({ resumed }) => resumed)).toBe(true);
    expect(reports[0].rotated + reports[1].rotated).toBe(550);
    expect(await second.verify()).toMatchObject({ ok: true, checked: 600 });
    expect(keyIds(db)).toHaveLength(1);
  });

  it('loses nothing of what others store meanwhile, with keys they had read before', async () => {
    const { db, encryption, ids, key } = openPool(400);
    // Another process, as it were: a service of its own, whose keys are read before the rotation and again only when needed.
    const other = new EncryptionService({ key, database: db });
    const theirs = new EncryptedCredentialsRepository(db, other);
    theirs.store(ids[0] ?? '', loginOf(0));
    let n = 0;
    const expected = new Map(ids.map((id, index) => [id, loginOf(index)]));
    await encryption.rotate({
      batchSize: 20,
      onProgress: () => {
        const id = ids[(n * 37) % ids.length] ?? '';
        const login = loginOf(10_000 + n++);
        theirs.store(id, login);
        expected.set(id, login);
        const plain = ids[(n * 53 + 1) % ids.length] ?? '';
        theirs.save(plain, other.encrypt(`plain-${n}`));
        expected.set(plain, { username: '', password: `plain-${n}` });
      },
    });
    expect(n).toBeGreaterThan(20);
    await encryption.rotate();
    for (const [id, login] of expected) expect(theirs.reveal(id)).toEqual(login);
  });

  it('refuses to save what a key encrypted that is retired', async () => {
    const { encryption, credentials, ids } = openPool(2);
    const early = encryption.encrypt('early');
    await encryption.rotate();
    expect(thrownBy(() => credentials.save(ids[0] ?? '', early))).toMatchObject({
      code: 'KEY_MISMATCH',
      message: expect.stringContaining('rotated'),
    });
    expect(credentials.reveal(ids[0] ?? '')).toEqual(loginOf(0));
  });

  it('is noticed by a process that only encrypts: nothing it gives is under a key that is gone', async () => {
    const { db, encryption, credentials, ids, key } = openPool(2);
    const other = new EncryptionService({ key, database: db });
    for (let n = 0; n < 20; n++) other.encrypt('before');
    const early = Array.from({ length: 20 }, (_, n) => other.encrypt(`early-${n}`));
    await encryption.rotate();
    for (const data of early)
      expect(thrownBy(() => credentials.save(ids[0] ?? '', data))).toMatchObject({ code: 'KEY_MISMATCH' });
    const { ciphertext, iv, authTag, keyId } = other.encrypt('late');
    expect(keyId).toBe(keyIds(db)[0]);
    // Even in the form that does not say its key.
    credentials.save(ids[0] ?? '', { ciphertext, iv, authTag });
    const fresh = new EncryptedCredentialsRepository(db, new EncryptionService({ key, database: db }));
    expect(fresh.reveal(ids[0] ?? '')?.password).toBe('late');
  });

  it('is refused inside a transaction, and begins nothing if it was aborted before', async () => {
    const { db, encryption } = openPool(1);
    const before = rowsOf(db, 'encryption_keys');
    const pending: Promise<unknown>[] = [];
    db.transaction(() => {
      pending.push(encryption.rotate(), encryption.verify());
    });
    for (const each of pending) await expect(each).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(encryption.rotate({ signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(rowsOf(db, 'encryption_keys')).toEqual(before);
  });

  it('to a key that is damaged meanwhile starts again', async () => {
    const { db, encryption, key } = openPool(40);
    const stop = new AbortController();
    await encryption
      .rotate({ batchSize: 5, signal: stop.signal, onProgress: () => stop.abort() })
      .catch(() => null);
    db.driver.run(`UPDATE encryption_keys SET tag = 'AAAAAAAAAAAAAAAAAAAAAA==' WHERE state = 'primary'`, {});
    const opened = await EncryptionService.open({ key, database: db });
    expect(opened.status().rotation).toBeNull();
    expect((await opened.verify()).failures).toHaveLength(5);
  });

  it('to a key that is gone is an error that names it, and changes nothing', async () => {
    const { db, encryption, key } = openPool(10);
    const stop = new AbortController();
    await encryption
      .rotate({ batchSize: 5, signal: stop.signal, onProgress: () => stop.abort() })
      .catch(() => null);
    const [{ rotation_key_id: needed } = {}] = rowsOf(db, 'encryption_config');
    db.driver.run(`DELETE FROM encryption_keys WHERE state = 'primary'`, {});
    const tables = (): unknown =>
      ['encryption_keys', 'encryption_config', 'encrypted_credentials'].map((name) => rowsOf(db, name));
    const before = tables();
    await expect(new EncryptionService({ key, database: db }).rotate()).rejects.toMatchObject({
      code: 'KEY_MISMATCH',
      details: { needed },
    });
    expect(tables()).toEqual(before);
  });

  it('by a process whose key file was moved away from it changes nothing', async () => {
    const folder = temporaryFolder();
    const db = openMigrated();
    const [from, to] = [join(folder, 'from'), join(folder, 'to')];
    const stale = new EncryptionService({ keyFile: from, database: db });
    const { id } = new ProxyRepository(db, stale).create({
      host: 'h.example',
      port: 1,
      protocol: 'http',
      credentials: loginOf(0),
    });
    const mover = new EncryptionService({ keyFile: from, database: db });
    await mover.protect(keyringFile(to));
    await expect(stale.rotate()).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
    const fresh = new EncryptionService({ keyFile: to, database: db });
    expect(new EncryptedCredentialsRepository(db, fresh).reveal(id)).toEqual(loginOf(0));
    expect(await fresh.rotate()).toMatchObject({ rotated: 1, failures: [] });
  });

  it('leaves a damaged credential as it is, names it, and keeps its key', async () => {
    const { db, encryption, credentials, ids } = openPool(3);
    const [old] = keyIds(db);
    db.driver.run(
      `UPDATE encrypted_credentials SET auth_tag = 'AAAAAAAAAAAAAAAAAAAAAA==' WHERE proxy_id = :id`,
      {
        id: ids[1] ?? '',
      },
    );
    const report = await encryption.rotate();
    expect(report).toMatchObject({ rotated: 2, retired: [] });
    expect(report.failures).toMatchObject([{ proxyId: ids[1], code: 'CREDENTIAL_CORRUPT' }]);
    expect(keyIds(db)).toContain(old);
    expect(credentials.reveal(ids[2] ?? '')).toEqual(loginOf(2));
    credentials.store(ids[1] ?? '', loginOf(5));
    expect((await encryption.rotate()).retired).toHaveLength(2);
  });

  it('reads a backup that is restored from before it', async () => {
    const { db, encryption, key, ids } = openPool(5);
    const backup = join(temporaryFolder(), 'backup.db');
    await db.backup(backup);
    await encryption.rotate();
    await encryption.rotate();
    const restored = openDatabase({ path: backup });
    const service = await EncryptionService.open({ key, database: restored });
    expect(await service.verify()).toMatchObject({ ok: true, checked: 5 });
    expect(new EncryptedCredentialsRepository(restored, service).reveal(ids[4] ?? '')).toEqual(loginOf(4));
  });

  it('refuses another\u2019s key, and changes nothing', async () => {
    const { db } = openPool(3);
    const before = [rowsOf(db, 'encryption_keys'), rowsOf(db, 'encryption_config')];
    const stranger = new EncryptionService({ key: randomBytes(32), database: db });
    await expect(stranger.rotate()).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
    await expect(stranger.verify()).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
    expect([rowsOf(db, 'encryption_keys'), rowsOf(db, 'encryption_config')]).toEqual(before);
  });

  it('of an empty pool makes a key, and of a pool in memory works too', async () => {
    for (const db of [openMigrated(), openMigrated({ path: ':memory:' })]) {
      const encryption = new EncryptionService({ key: randomBytes(32), database: db });
      expect(await encryption.rotate()).toMatchObject({ rotated: 0, failures: [] });
      expect(keyIds(db)).toHaveLength(1);
    }
  });

  it('takes only what it can', () => {
    const { encryption } = openPool(1);
    for (const options of [
      { batchSize: 0 },
      { batchSize: 1.5 },
      { batch: 1 },
      { onProgress: 7 },
      { signal: {} },
    ]) {
      expect(thrownBy(() => encryption.rotate(options as never))).toMatchObject({ code: 'INVALID_INPUT' });
    }
    const untold = new EncryptionService({ key: randomBytes(32) });
    for (const work of [
      () => untold.rotate(),
      () => untold.verify(),
      () => untold.status(),
      () => untold.createRecoveryCode(),
    ])
      expect(thrownBy(work)).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('database'),
      });
  });
});

describe('any sequence of storing, saving, rotating and moving down and up', () => {
  it('leaves every credential readable', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('store' as const),
        at: fc.nat(4),
        value: fc.string({ minLength: 1, maxLength: 9 }),
      }),
      fc.record({ kind: fc.constant('save' as const), at: fc.nat(4), value: fc.string({ maxLength: 9 }) }),
      fc.record({ kind: fc.constant('direct' as const), at: fc.nat(4), value: fc.string({ maxLength: 9 }) }),
      fc.record({ kind: fc.constant('rotate' as const) }),
      fc.record({ kind: fc.constant('reopen' as const) }),
      fc.record({ kind: fc.constant('migrate' as const), to: fc.integer({ min: 1, max: 2 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const { db, key, ids, ...pool } = openPool(5);
        let { encryption } = pool;
        const expected = new Map<string, object>(ids.map((id, n) => [id, loginOf(n)]));
        for (const each of steps) {
          const credentials = new EncryptedCredentialsRepository(db, encryption);
          if (each.kind === 'rotate') await encryption.rotate({ batchSize: 2 });
          else if (each.kind === 'reopen') encryption = new EncryptionService({ key, database: db });
          else if (each.kind === 'migrate') {
            db.migrations.to(each.to);
            db.migrations.up();
          } else {
            const id = ids[each.at] ?? '';
            const password = each.value.replaceAll(/\p{Cc}/gu, 'x');
            const service = each.kind === 'direct' ? new EncryptionService({ key }) : encryption;
            if (each.kind === 'store') credentials.store(id, { username: 'u', password });
            else credentials.save(id, service.encrypt(password));
            expected.set(id, { username: each.kind === 'store' ? 'u' : '', password });
          }
        }
        const reader = new EncryptedCredentialsRepository(db, new EncryptionService({ key }));
        for (const [id, login] of expected) expect(reader.reveal(id)).toEqual(login);
        expect(new ProxyRepository(db).count()).toBe(5);
        db.close();
      }),
      { numRuns: numberOfRuns(30) },
    );
  });
});
