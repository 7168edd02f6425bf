import { createCipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { importProxies } from 'proxyvault';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { environmentKey } from 'proxyvault/keys';
import { describe, expect, it, vi } from 'vitest';
import { bytesOf, loginOf, openPool, type Pool, rowsOf } from '../../support/pool.ts';
import { openDatabase, openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const set = (db: DatabaseManager, sql: string): number => db.driver.run(sql, {});
const keysOf = (db: DatabaseManager): Record<string, unknown>[] => rowsOf(db, 'encryption_keys');

describe('the hierarchy', () => {
  it('has one primary data key, wrapped by the source\u2019s key, and no key in clear anywhere', () => {
    const { db, key, encryption, credentials, ids } = openPool();
    const [row, ...more] = keysOf(db);
    expect(more).toEqual([]);
    expect(row).toMatchObject({ state: 'primary', kek_id: encryption.keyId() });
    expect(row?.key_id).not.toBe(encryption.keyId());
    expect(Buffer.from(String(row?.wrapped_key), 'base64')).toHaveLength(32);
    expect(Buffer.from(String(row?.iv), 'base64')).toHaveLength(12);
    expect(Buffer.from(String(row?.tag), 'base64')).toHaveLength(16);
    expect(String(row?.key_check_value)).toMatch(/^[\da-f]{32}$/);
    expect(credentials.findByProxyId(ids[0] ?? '')).toMatchObject({ keyId: row?.key_id, boundTo: ids[0] });
    const file = bytesOf(db);
    expect(file.includes(key)).toBe(false);
    expect(file.includes(key.toString('base64'))).toBe(false);
  });

  it('is made once, whichever of two services comes first', () => {
    const { db, key, credentials, ids } = openPool();
    const other = new EncryptionService({ key, database: db });
    const theirs = new EncryptedCredentialsRepository(db, other);
    theirs.store(ids[1] ?? '', { username: 'x', password: 'y' });
    expect(credentials.reveal(ids[1] ?? '')).toEqual({ username: 'x', password: 'y' });
    expect(theirs.reveal(ids[0] ?? '')).toEqual(loginOf(0));
    expect(keysOf(db)).toHaveLength(1);
  });

  it('serves a service that was not told the database, and one service serves two', () => {
    const key = randomBytes(32);
    const a = openPool(1, { key });
    const b = openPool(1, { key });
    const untold = new EncryptionService({ key });
    for (const { db, ids } of [a, b])
      expect(new EncryptedCredentialsRepository(db, untold).reveal(ids[0] ?? '')).toEqual(loginOf(0));
    expect(keysOf(a.db)[0]?.key_id).not.toBe(keysOf(b.db)[0]?.key_id);
  });

  it('outlives the rollback of the transaction that made it', () => {
    const db = openMigrated();
    const encryption = new EncryptionService({ key: randomBytes(32), database: db });
    const proxies = new ProxyRepository(db, encryption);
    const input = {
      host: 'h.example',
      port: 1,
      protocol: 'http' as const,
      credentials: { username: 'u', password: 'p' },
    };
    const fail = (): void => {
      proxies.create(input);
      throw new Error('undone');
    };
    expect(thrownBy(() => db.transaction(fail))).toMatchObject({ message: 'undone' });
    expect(keysOf(db)).toEqual([]);
    const { id } = proxies.create(input);
    const again = new EncryptionService({ key: randomBytes(32), database: db });
    expect(thrownBy(() => new EncryptedCredentialsRepository(db, again).reveal(id))).toMatchObject({
      code: 'KEY_MISMATCH',
    });
    expect(new EncryptedCredentialsRepository(db, encryption).reveal(id)?.password).toBe('p');
    // The same identity, though the first key of fingerprints was rolled back.
    expect(proxies.importMany([input])).toEqual({ added: 0, updated: 0, unchanged: 1 });
  });

  it('outlives the rollback of a savepoint inside a transaction that commits', () => {
    const db = openMigrated();
    const key = randomBytes(32);
    const encryption = new EncryptionService({ key, database: db });
    const credentials = new EncryptedCredentialsRepository(db, encryption);
    const { id } = new ProxyRepository(db).create({ host: 'h.example', port: 1, protocol: 'http' });
    db.transaction(() => {
      thrownBy(() =>
        db.transaction(() => {
          credentials.store(id, loginOf(0));
          throw new Error('undone');
        }),
      );
      credentials.save(id, encryption.encrypt('kept'));
    });
    const reader = new EncryptedCredentialsRepository(db, new EncryptionService({ key }));
    expect(reader.reveal(id)?.password).toBe('kept');
  });

  it('needs the tables, and says how to get them', () => {
    const db = openDatabase();
    const encryption = new EncryptionService({ key: randomBytes(32), database: db });
    expect(thrownBy(() => encryption.encrypt('x'))).toMatchObject({
      code: 'MIGRATION_PENDING',
      message: expect.stringContaining('migrations.up()'),
    });
  });
});

describe('binding', () => {
  it('finds out a row that was moved to another database, alone or with its key', () => {
    const key = randomBytes(32);
    const a = openPool(1, { key });
    const b = openPool(1, { key });
    const [id = ''] = b.ids;
    const [row] = rowsOf(a.db, 'encrypted_credentials');
    b.db.driver.run(
      `UPDATE encrypted_credentials SET encrypted_data = :d, iv = :i, auth_tag = :t, key_id = :k`,
      {
        d: String(row?.encrypted_data),
        i: String(row?.iv),
        t: String(row?.auth_tag),
        k: String(row?.key_id),
      },
    );
    expect(thrownBy(() => b.credentials.reveal(id))).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
      details: { proxyId: id },
    });
    // Its key comes along: it is bound to its database too.
    const [dataKey] = keysOf(a.db);
    b.db.driver.run(
      `INSERT INTO encryption_keys VALUES (:key_id, :kek_id, :wrapped_key, :iv, :tag, :key_check_value, 'decrypt-only', 0, :created_at)`,
      Object.fromEntries(
        Object.entries(dataKey ?? {}).filter(([name]) => !['state', 'message_count'].includes(name)),
      ) as Record<string, string>,
    );
    const reader = new EncryptedCredentialsRepository(b.db, new EncryptionService({ key }));
    expect(thrownBy(() => reader.reveal(id))).toMatchObject({ code: 'KEY_INVALID' });
    expect(b.credentials.exists(id)).toBe(true);
  });

  it('finds out a database that was passed off as another', () => {
    const { db, key, ids } = openPool(1);
    set(db, `UPDATE encryption_config SET database_id = 'another'`);
    const reader = new EncryptedCredentialsRepository(db, new EncryptionService({ key }));
    expect(thrownBy(() => reader.reveal(ids[0] ?? ''))).toMatchObject({ code: 'KEY_INVALID' });
  });

  it('does not believe what a row says of its form', () => {
    const { db, credentials, ids } = openPool(1);
    for (const binding of [`'text'`, `'unbound'`, 'NULL']) {
      set(db, `UPDATE encrypted_credentials SET binding = ${binding}`);
      const revealed =
        binding === `'text'`
          ? thrownBy(() => credentials.reveal(ids[0] ?? ''))
          : credentials.reveal(ids[0] ?? '');
      expect(revealed).toMatchObject(binding === `'text'` ? { code: 'CREDENTIAL_CORRUPT' } : loginOf(0));
    }
  });

  it('refuses to save for one proxy what is bound to another', () => {
    const { credentials, encryption, ids } = openPool(2);
    const [a = '', b = ''] = ids;
    const bound = credentials.findByProxyId(a);
    if (!bound) throw new Error('nothing stored');
    expect(thrownBy(() => credentials.save(b, bound))).toMatchObject({ code: 'INVALID_INPUT' });
    credentials.delete(a);
    credentials.save(a, bound);
    expect(credentials.reveal(a)).toEqual(loginOf(0));
    expect(thrownBy(() => encryption.decrypt(bound))).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('reveal'),
    });
    expect(
      thrownBy(() => new EncryptionService({ key: randomBytes(32) }).decrypt({ ...bound })),
    ).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('database'),
    });
  });
});

describe('a damaged key', () => {
  it('harms only what it encrypted', async () => {
    const { db, key, encryption, credentials, ids } = openPool(2);
    const [a = '', b = ''] = ids;
    const kept = rowsOf(db, 'encrypted_credentials')[0];
    const firstKey = keysOf(db)[0];
    await encryption.rotate();
    // The first row again under the first key, which is damaged.
    db.driver.run(
      `INSERT INTO encryption_keys VALUES (:key_id, :kek_id, :wrapped_key, :iv, 'AAAAAAAAAAAAAAAAAAAAAA==', :key_check_value, 'decrypt-only', 0, :created_at)`,
      Object.fromEntries(
        Object.entries(firstKey ?? {}).filter(([name]) => !['tag', 'state', 'message_count'].includes(name)),
      ) as Record<string, string>,
    );
    db.driver.run(
      `UPDATE encrypted_credentials SET encrypted_data = :encrypted_data, iv = :iv, auth_tag = :auth_tag, key_id = :key_id WHERE proxy_id = :proxy_id`,
      Object.fromEntries(
        Object.entries(kept ?? {}).filter(([name]) => !['created_at', 'binding'].includes(name)),
      ) as Record<string, string>,
    );
    const fresh = new EncryptionService({ key, database: db });
    const reader = new EncryptedCredentialsRepository(db, fresh);
    expect(thrownBy(() => reader.reveal(a))).toMatchObject({ code: 'KEY_INVALID' });
    expect(reader.reveal(b)).toEqual(loginOf(1));
    expect(await fresh.verify()).toMatchObject({
      ok: false,
      checked: 2,
      failures: [{ proxyId: a, code: 'KEY_INVALID' }],
    });
    expect(
      fresh
        .status()
        .keys.map(({ problem }) => problem)
        .sort(),
    ).toEqual(['KEY_INVALID', null]);
    expect(fresh.status().advice.join()).toContain('Damaged keys');
    // A rotation continues without it, and does not throw the key away.
    const report = await fresh.rotate();
    expect(report).toMatchObject({ rotated: 1, failures: [{ proxyId: a }] });
    const damaged = (): unknown => keysOf(db).find(({ key_id }) => key_id === firstKey?.key_id);
    const before = damaged();
    expect(before).toBeDefined();
    expect(credentials.reveal(b)).toEqual(loginOf(1));
    // Nor does a move, which leaves it under the key that it is under.
    await fresh.protect(environmentKey({ PROXYVAULT_KEY: randomBytes(32).toString('base64') }));
    expect(damaged()).toEqual(before);
    expect(new EncryptedCredentialsRepository(db, fresh).reveal(b)).toEqual(loginOf(1));
  });

  it('is told by its check value, before it is used', () => {
    const { db, key, ids } = openPool(2);
    set(db, `UPDATE encryption_keys SET key_check_value = '00000000000000000000000000000000'`);
    const reader = new EncryptedCredentialsRepository(db, new EncryptionService({ key }));
    expect(thrownBy(() => reader.reveal(ids[0] ?? ''))).toMatchObject({ code: 'KEY_INVALID' });
    expect(thrownBy(() => reader.store(ids[0] ?? '', loginOf(1)))).toMatchObject({ code: 'KEY_INVALID' });
  });

  it('that is the primary is replaced by a rotation, which names what is lost', async () => {
    const { db, key, ids } = openPool(2);
    set(db, `UPDATE encryption_keys SET tag = 'AAAAAAAAAAAAAAAAAAAAAA=='`);
    const service = new EncryptionService({ key, database: db });
    const report = await service.rotate();
    expect(report.failures.map(({ code }) => code)).toEqual(['KEY_INVALID', 'KEY_INVALID']);
    expect(keysOf(db)).toHaveLength(2);
    const credentials = new EncryptedCredentialsRepository(db, service);
    credentials.store(ids[0] ?? '', loginOf(5));
    expect(credentials.reveal(ids[0] ?? '')).toEqual(loginOf(5));
  });

  it('is not one of another key of the source, which stops a move: nothing is lost then', () => {
    const { db, encryption } = openPool(1);
    set(
      db,
      `UPDATE encryption_secrets SET kek_id = '${new EncryptionService({ key: randomBytes(32) }).keyId()}'`,
    );
    const before = [rowsOf(db, 'encryption_secrets'), keysOf(db)];
    expect(thrownBy(() => encryption.createRecoveryCode())).toMatchObject({ code: 'KEY_MISMATCH' });
    expect([rowsOf(db, 'encryption_secrets'), keysOf(db)]).toEqual(before);
  });

  it('of the fingerprints stops imports, and nothing is made in its place', () => {
    const { db, key } = openPool(1);
    set(db, `DELETE FROM encryption_secrets`);
    const proxies = new ProxyRepository(db, new EncryptionService({ key, database: db }));
    const input = { host: 'n.example', port: 9, protocol: 'http' as const, credentials: loginOf(9) };
    expect(thrownBy(() => proxies.create(input))).toMatchObject({ code: 'KEY_INVALID' });
    expect(rowsOf(db, 'encryption_secrets')).toEqual([]);
  });
});

const MANY = 3000;
const LIST = Array.from({ length: MANY }, (_, n) => `h${n}.example:80:user${n}:pass-${n}\n`).join('');

function undoneAfter(store: (n: number) => void): never {
  for (let n = 0; n < MANY; n++) store(n);
  throw new Error('undone');
}

describe('messages', () => {
  it('are counted before they are encrypted: never too few, across processes and rollbacks', () => {
    const { db, encryption, credentials, ids } = openPool(3);
    const counted = (): number => Number(keysOf(db)[0]?.message_count);
    expect(counted()).toBeGreaterThanOrEqual(3);
    for (let n = 0; n < 100; n++) encryption.encrypt('x');
    expect(counted()).toBeGreaterThanOrEqual(103);
    expect(counted()).toBeLessThan(103 + 512);
    const before = counted();
    thrownBy(() =>
      db.transaction(() => {
        for (let n = 0; n < 1000; n++) credentials.store(ids[0] ?? '', loginOf(n));
        throw new Error('undone');
      }),
    );
    for (let n = 0; n < 300; n++) credentials.store(ids[0] ?? '', loginOf(0));
    expect(counted()).toBeGreaterThanOrEqual(before + 1000);
  });

  it.each<[string, (pool: Pool, login: (n: number) => void) => unknown]>([
    ['a transaction', ({ db }, store) => db.transaction(() => undoneAfter(store))],
    [
      'a savepoint of a transaction that commits',
      ({ db }, store) => db.transaction(() => void thrownBy(() => db.transaction(() => undoneAfter(store)))),
    ],
    [
      'a transaction after a savepoint',
      ({ db }, store) =>
        db.transaction(() => {
          thrownBy(() => db.transaction(() => undoneAfter(store)));
          store(0);
          throw new Error('undone');
        }),
    ],
    [
      'an import in a long transaction',
      ({ db, encryption }) =>
        importProxies(db, LIST, {
          encryption,
          onProgress: ({ phase, done }) => {
            if (phase === 'storing' && done === MANY) throw new Error('undone');
          },
        }),
    ],
    [
      'an import whose database is closed meanwhile',
      ({ db, encryption }) =>
        importProxies(db, LIST, {
          encryption,
          onProgress: ({ phase, done }) => void (phase === 'storing' && done === MANY && db.close()),
        }),
    ],
    ['a dry run', ({ db, encryption }) => importProxies(db, LIST, { encryption, dryRun: true })],
  ])('stay counted after they were rolled back: %s', async (_, work) => {
    const pool = openPool(3);
    const { db, key, credentials, ids } = pool;
    await (async () => work(pool, (n) => credentials.store(ids[0] ?? '', loginOf(n))))().catch(
      () => undefined,
    );
    await db[Symbol.asyncDispose]();
    // Another process sees it too.
    const again = openDatabase({ path: db.path });
    const status = new EncryptionService({ key, database: again }).status();
    expect(status.keys[0]?.messageCount).toBeGreaterThanOrEqual(3 + MANY);
    expect(status.keys[0]?.messageCount).toBeLessThan(MANY + 10_000);
    expect(new ProxyRepository(again).count()).toBe(3);
  });

  it('are not used up by transactions that fail: only what was encrypted is counted after each', () => {
    const { db, credentials, encryption, ids } = openPool(1);
    const failures = 200;
    for (let n = 0; n < failures; n++) {
      const failed = thrownBy(() =>
        db.transaction(() => {
          credentials.store(ids[0] ?? '', loginOf(n));
          throw new Error('undo');
        }),
      );
      expect(failed).toMatchObject({ message: 'undo' });
    }
    const [key] = encryption.status().keys;
    expect(key?.messageCount).toBeGreaterThanOrEqual(failures + 1);
    expect(key?.messageCount).toBeLessThan(failures + 5_000);
  });

  it('warn once at 2^30, and are refused past 2^32 with what to do', async () => {
    const { db, key: firstKey, credentials, ids } = openPool(1);
    const encryption = new EncryptionService({ key: firstKey, database: db });
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    set(db, `UPDATE encryption_keys SET message_count = ${2 ** 30}`);
    encryption.encrypt('x');
    encryption.encrypt('x');
    expect(warn).toHaveBeenCalledOnce();
    expect(String(warn.mock.calls[0]?.[0])).toContain('key rotate');
    warn.mockRestore();
    expect(encryption.status().advice.join()).toContain('2^30');

    const { db: full, key, ids: fullIds } = openPool(1);
    set(full, `UPDATE encryption_keys SET message_count = ${2 ** 32 - 1}`);
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const last = new EncryptionService({ key, database: full });
    last.encrypt('the last one');
    expect(thrownBy(() => last.encrypt('one too many'))).toMatchObject({
      code: 'KEY_EXHAUSTED',
      message: expect.stringContaining('key rotate'),
    });
    const store = new EncryptedCredentialsRepository(full, last);
    expect(thrownBy(() => store.store(fullIds[0] ?? '', loginOf(7)))).toMatchObject({
      code: 'KEY_EXHAUSTED',
    });
    expect(store.reveal(fullIds[0] ?? '')).toEqual(loginOf(0));
    await last.rotate();
    store.store(fullIds[0] ?? '', loginOf(7));
    expect(store.reveal(fullIds[0] ?? '')).toEqual(loginOf(7));
    expect(credentials.reveal(ids[0] ?? '')).toEqual(loginOf(0));
    vi.restoreAllMocks();
  });
});

describe('with ciphertext present', () => {
  function openWithFile(): { db: DatabaseManager; keyFile: string; id: string } {
    const keyFile = join(temporaryFolder(), 'config', 'key');
    const db = openMigrated();
    const encryption = new EncryptionService({ keyFile, database: db });
    const { id } = new ProxyRepository(db, encryption).create({
      host: 'h.example',
      port: 1,
      protocol: 'http',
      credentials: loginOf(0),
    });
    return { db, keyFile, id };
  }

  it.each([
    ['missing', null, 'KEY_MISSING'],
    ['empty', '', 'KEY_MISSING'],
    ['malformed', 'no key at all', 'KEY_MISSING'],
    ['malformed JSON', '{"format":"proxyvault keyring"', 'KEY_MISSING'],
    ['foreign', `${randomBytes(32).toString('base64')}\n`, 'KEY_MISMATCH'],
  ])('a %s key file stops everything, and nothing is made', async (_, content, code) => {
    const { db, keyFile, id } = openWithFile();
    if (content === null) rmSync(keyFile);
    else writeFileSync(keyFile, content, { mode: 0o600 });
    const before = [keysOf(db), rowsOf(db, 'encrypted_credentials'), readdirSync(dirname(keyFile))];
    for (const database of [db, undefined]) {
      const encryption = new EncryptionService({ keyFile, database });
      const credentials = new EncryptedCredentialsRepository(db, encryption);
      const error = thrownBy(() => credentials.reveal(id));
      expect(error).toMatchObject({ code, message: expect.stringContaining(keyFile) });
      expect(inspect(error, { depth: 9 })).not.toMatch(/canary|no key at all/);
      const another = new ProxyRepository(db, encryption);
      const input = { host: 'n.example', port: 2, protocol: 'http' as const, credentials: loginOf(1) };
      expect(thrownBy(() => another.create(input))).toMatchObject({ code });
      if (database) expect(thrownBy(() => encryption.encrypt('x'))).toMatchObject({ code });
    }
    await expect(EncryptionService.open({ keyFile, database: db })).rejects.toMatchObject({ code });
    const lost = new EncryptionService({ keyFile, database: db });
    expect(() => lost.status()).not.toThrow();
    await expect(lost.rotate()).rejects.toMatchObject({ code });
    await expect(lost.verify()).rejects.toMatchObject({ code });
    expect([keysOf(db), rowsOf(db, 'encrypted_credentials'), readdirSync(dirname(keyFile))]).toEqual(before);
  });

  it('a missing key is not made even where the only credential is replaced', () => {
    const { db, keyFile, id } = openWithFile();
    rmSync(keyFile);
    const credentials = new EncryptedCredentialsRepository(
      db,
      new EncryptionService({ keyFile, database: db }),
    );
    expect(thrownBy(() => credentials.store(id, loginOf(1)))).toMatchObject({ code: 'KEY_MISSING' });
    expect(readdirSync(dirname(keyFile))).toEqual([]);
  });

  it('of a data key that the pool does not have, a missing key file is what must come back first', () => {
    const { db, keyFile, id } = openWithFile();
    const encryption = new EncryptionService({ keyFile, database: db });
    const stored = new EncryptedCredentialsRepository(db, encryption).findByProxyId(id);
    rmSync(keyFile);
    const lost = new EncryptionService({ keyFile, database: db });
    const foreign = { ...stored, keyId: new EncryptionService({ key: randomBytes(32) }).keyId() };
    expect(thrownBy(() => lost.decrypt(foreign as never))).toMatchObject({ code: 'KEY_MISSING' });
  });

  it('another kind of source is refused, even if it has the same key', () => {
    const { db, keyFile, id } = openWithFile();
    const PROXYVAULT_KEY = readFileSync(keyFile, 'utf8').trim();
    const switched = new EncryptionService({ env: { PROXYVAULT_KEY }, database: db });
    expect(thrownBy(() => new EncryptedCredentialsRepository(db, switched).reveal(id))).toMatchObject({
      code: 'KEY_MISMATCH',
      details: { pinned: 'key file', given: 'environment' },
    });
    // A program that hands over the key itself has it from wherever it wants.
    const explicit = new EncryptionService({ key: PROXYVAULT_KEY });
    expect(new EncryptedCredentialsRepository(db, explicit).reveal(id)).toEqual(loginOf(0));
  });

  it('a source of another kind makes no key of its own', async () => {
    const { db, keyFile } = openWithFile();
    db.driver.run('DELETE FROM encrypted_credentials', {});
    const PROXYVAULT_KEY = randomBytes(32).toString('hex');
    await expect(EncryptionService.open({ env: { PROXYVAULT_KEY }, database: db })).rejects.toMatchObject({
      code: 'KEY_MISMATCH',
    });
    const older = readFileSync(keyFile, 'utf8').trim();
    const explicit = await EncryptionService.open({ key: `${PROXYVAULT_KEY} ${older}`, database: db });
    // Its keys are under the new one now; the kind of source is still the file.
    expect(rowsOf(db, 'encryption_config')[0]?.key_source).toBe('key file');
    expect(keysOf(db)[0]?.kek_id).toBe(explicit.keyId());
  });

  it('the key may come back while the service lives', () => {
    const { db, keyFile, id } = openWithFile();
    const text = readFileSync(keyFile, 'utf8');
    writeFileSync(keyFile, '');
    const credentials = new EncryptedCredentialsRepository(
      db,
      new EncryptionService({ keyFile, database: db }),
    );
    expect(thrownBy(() => credentials.reveal(id))).toMatchObject({ code: 'KEY_MISSING' });
    writeFileSync(keyFile, text);
    expect(credentials.reveal(id)).toEqual(loginOf(0));
  });
});

describe('what version 0.1.0 stored', () => {
  /** A row as that version wrote it: under the source's key itself, with its first form of associated data. */
  function writeOld(db: DatabaseManager, key: Buffer, id: string, bound: boolean): void {
    const parts = ['proxyvault login v1', 'encrypted_credentials', id].map((part) => Buffer.from(part));
    const aad = Buffer.concat(
      parts.flatMap((part) => [Buffer.from(Uint32Array.of(part.length).buffer), part]),
    );
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
    if (bound) cipher.setAAD(aad);
    const text = bound ? JSON.stringify({ username: 'old', password: 'canary-old' }) : 'canary-old';
    const data = cipher.update(text, 'utf8', 'base64') + cipher.final('base64');
    const keyId = Buffer.from(hkdfSync('sha256', key, '', 'proxyvault key id v1', 8)).toString('hex');
    db.driver.run(
      `INSERT INTO encrypted_credentials (proxy_id, encrypted_data, iv, auth_tag, key_id) VALUES (:id, :data, :iv, :tag, :key)`,
      {
        id,
        data,
        iv: iv.toString('base64'),
        tag: cipher.getAuthTag().toString('base64'),
        key: keyId,
      },
    );
  }

  it('is read, stays beside new rows, and is bound under a data key by a rotation', async () => {
    const db = openMigrated();
    db.migrations.to(2);
    const key = randomBytes(32);
    const ids = [1, 2].map((port) => {
      const id = `old-${port}`;
      db.driver.run(
        `INSERT INTO proxies (id, name, host, port, protocol, username_fingerprint) VALUES (:id, 'n', 'h.example', :port, 'http', :f)`,
        {
          id,
          port,
          f: new EncryptionService({ key }).fingerprint('old'),
        },
      );
      writeOld(db, key, id, port === 1);
      return id;
    });
    db.migrations.up();
    const encryption = new EncryptionService({ key, database: db });
    const credentials = new EncryptedCredentialsRepository(db, encryption);
    const revealed = [
      { username: 'old', password: 'canary-old' },
      { username: '', password: 'canary-old' },
    ];
    expect(ids.map((id) => credentials.reveal(id))).toEqual(revealed);
    expect(await encryption.verify()).toMatchObject({ ok: true, checked: 2, unbound: 1, oldBinding: 1 });
    expect(encryption.status()).toMatchObject({ direct: [{ keyId: encryption.keyId(), rows: 2 }] });
    // The identity of the old version is that of this one.
    const proxies = new ProxyRepository(db, encryption);
    const again = {
      host: 'h.example',
      port: 1,
      protocol: 'http' as const,
      credentials: { username: 'old', password: 'canary-old' },
    };
    expect(proxies.importMany([again])).toEqual({ added: 0, updated: 0, unchanged: 1 });
    expect(await encryption.rotate()).toMatchObject({ rotated: 2, bound: 2, failures: [] });
    expect(ids.map((id) => credentials.reveal(id))).toEqual(revealed);
    expect(encryption.status()).toMatchObject({ direct: [], unbound: 0 });
    // The specification's own way still works, by a service that knows no database.
    expect(new EncryptionService({ key }).decrypt(credentials.findByProxyId(ids[1] ?? ''))).toBe(
      'canary-old',
    );
  });
});
