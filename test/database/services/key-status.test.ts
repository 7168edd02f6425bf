import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { type EncryptionOptions, EncryptionService, type KeyStatus } from 'proxyvault/database/services';
import { environmentKey } from 'proxyvault/keys';
import { describe, expect, it } from 'vitest';
import { loginOf, openPool, openWithKeyFile, rowsOf } from '../../support/pool.ts';
import { openMigrated, temporaryFolder } from '../../support/temporary.ts';

const NO_CODE = expect.stringContaining('There is no recovery code: make one');
const statusWith = (options: EncryptionOptions): KeyStatus =>
  new EncryptionService({ env: {}, ...options }).status();
const run = (db: DatabaseManager, sql: string): number => db.driver.run(sql, {});

/** A pool with a key file and so many credentials. */
function openFilePool(count = 2): {
  db: DatabaseManager;
  keyFile: string;
  service: EncryptionService;
  ids: string[];
  credentials: EncryptedCredentialsRepository;
} {
  const { db, keyFile, service, id } = openWithKeyFile();
  const more = Array.from({ length: count - 1 }, (_, n) => ({
    host: 'h.example',
    port: n + 2,
    protocol: 'http' as const,
    credentials: loginOf(n + 1),
  }));
  const made = new ProxyRepository(db, service).createMany(more);
  const credentials = new EncryptedCredentialsRepository(db, service);
  return { db, keyFile, service, credentials, ids: [id, ...made.map((proxy) => proxy.id)] };
}

describe('the status of a sound pool', () => {
  it('before the first credential asks for nothing, and makes no key', () => {
    const keyFile = join(temporaryFolder(), 'key');
    expect(statusWith({ keyFile, database: openMigrated() })).toEqual({
      source: { kind: 'key file', location: keyFile, protection: null },
      pinned: null,
      locked: false,
      sourceProblem: null,
      problem: null,
      databaseId: null,
      keys: [],
      direct: [],
      unbound: 0,
      oldBinding: 0,
      rotation: null,
      recoveryCode: false,
      advice: [],
    });
  });

  it('has each key with its rows, and advises a recovery code until there is one', () => {
    const { db, keyFile, service } = openFilePool(3);
    const [row] = rowsOf(db, 'encryption_keys');
    expect(service.status()).toEqual({
      source: { kind: 'key file', location: keyFile, protection: 'permissions' },
      pinned: 'key file',
      locked: false,
      sourceProblem: null,
      problem: null,
      databaseId: rowsOf(db, 'encryption_config')[0]?.database_id,
      keys: [
        {
          keyId: row?.key_id,
          state: 'primary',
          kekId: service.keyId(),
          createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
          messageCount: 16,
          rows: 3,
          problem: null,
        },
      ],
      direct: [],
      unbound: 0,
      oldBinding: 0,
      rotation: null,
      recoveryCode: false,
      advice: [NO_CODE],
    });
    service.createRecoveryCode();
    expect(service.status()).toMatchObject({ recoveryCode: true, advice: [] });
  });

  it('counts what a rotation has left, each key by itself, and gives no other advice meanwhile', async () => {
    const { db, service, credentials, ids } = openFilePool(5);
    const key = readFileSync(service.source().location, 'utf8').trim();
    credentials.save(ids[4] ?? '', new EncryptionService({ key }).encrypt('direct'));
    const stop = new AbortController();
    const interrupted = service.rotate({ batchSize: 2, signal: stop.signal, onProgress: () => stop.abort() });
    await expect(interrupted).rejects.toMatchObject({ name: 'AbortError' });
    const [state] = rowsOf(db, 'encryption_config');
    const status = service.status();
    expect(status).toMatchObject({
      rotation: { keyId: state?.rotation_key_id, startedAt: expect.stringMatching(/^\d{4}-.*T/), left: 3 },
      direct: [{ keyId: service.keyId(), rows: 1 }],
      unbound: 1,
      advice: [expect.stringContaining('continues with the 3 left'), NO_CODE],
    });
    expect(status.keys.map(({ state, rows }) => ({ state, rows }))).toEqual([
      { state: 'decrypt-only', rows: 2 },
      { state: 'primary', rows: 2 },
    ]);
  });

  it('counts what is bound to no proxy, or under a key of the source, and advises a rotation for either', () => {
    const unbound = openFilePool(3);
    const [a = '', b = ''] = unbound.ids;
    unbound.credentials.save(a, unbound.service.encrypt('x'));
    unbound.credentials.save(b, unbound.service.encrypt('y'));
    expect(unbound.service.status()).toMatchObject({
      unbound: 2,
      direct: [],
      problem: null,
      advice: [expect.stringContaining('bound to no proxy'), NO_CODE],
    });
    const direct = openFilePool(3);
    const key = readFileSync(direct.keyFile, 'utf8').trim();
    const named = new EncryptionService({ key }).encrypt('x');
    const { keyId: _, ...unnamed } = new EncryptionService({ key }).encrypt('y');
    direct.credentials.save(direct.ids[0] ?? '', named);
    direct.credentials.save(direct.ids[1] ?? '', unnamed);
    const status = direct.service.status();
    expect(status).toMatchObject({ unbound: 2, keys: [{ rows: 1 }], problem: null });
    expect(new Set(status.direct)).toEqual(
      new Set([
        { keyId: direct.service.keyId(), rows: 1 },
        { keyId: null, rows: 1 },
      ]),
    );
  });

  it('counts what is bound to the id of its proxy alone, and advises to look at the addresses', () => {
    const { db, service } = openFilePool(3);
    run(db, `UPDATE encrypted_credentials SET binding_version = NULL WHERE rowid IN (1)`);
    expect(service.status()).toMatchObject({
      unbound: 0,
      oldBinding: 1,
      advice: [expect.stringMatching(/^1 credentials are not bound to the address/), NO_CODE],
    });
  });
});

describe('the status of a pool whose key is not there', () => {
  const LOST = expect.stringContaining('There is no encryption key');

  it('says that only a backup helps, or the recovery code if there is one', () => {
    const { db, keyFile, service } = openFilePool();
    const text = readFileSync(keyFile, 'utf8');
    rmSync(keyFile);
    const shown = (): KeyStatus => statusWith({ keyFile, database: db });
    expect(shown()).toMatchObject({
      source: { protection: null },
      locked: false,
      sourceProblem: 'KEY_MISSING',
      problem: 'KEY_MISSING',
      keys: [{ rows: 2, problem: 'KEY_MISSING' }],
      advice: [LOST, expect.stringContaining('only a backup of the key helps')],
    });
    writeFileSync(keyFile, text, { mode: 0o600 });
    service.createRecoveryCode();
    rmSync(keyFile);
    expect(shown().advice).toEqual([LOST, expect.stringContaining('`proxyvault key recover`')]);
  });

  it('is no problem while nothing is encrypted', () => {
    const { db, keyFile } = openFilePool(1);
    run(db, 'DELETE FROM encrypted_credentials');
    rmSync(keyFile);
    expect(statusWith({ keyFile, database: db })).toMatchObject({
      sourceProblem: 'KEY_MISSING',
      problem: null,
      keys: [{ rows: 0, problem: 'KEY_MISSING' }],
      advice: [],
    });
  });

  it('but malformed shows what is wrong with it, which may be corrected', () => {
    const { db, keyFile, service } = openFilePool();
    const text = readFileSync(keyFile, 'utf8');
    const malformed = (): KeyStatus => {
      writeFileSync(keyFile, `"${text.trim()}"`);
      const status = statusWith({ keyFile, database: db });
      writeFileSync(keyFile, text);
      return status;
    };
    const QUOTED = expect.stringContaining('is in quotation marks');
    expect(malformed()).toMatchObject({
      problem: 'KEY_MISSING',
      sourceProblem: 'KEY_MISSING',
      advice: [QUOTED],
    });
    service.createRecoveryCode();
    expect(malformed().advice).toEqual([QUOTED, expect.stringContaining('key recover')]);
  });

  it('and is another one says where the right one comes from', () => {
    const { db, keyFile } = openFilePool();
    writeFileSync(keyFile, randomBytes(32).toString('base64'));
    expect(statusWith({ keyFile, database: db })).toMatchObject({
      sourceProblem: null,
      problem: 'KEY_MISMATCH',
      keys: [{ problem: 'KEY_MISMATCH' }],
      advice: [expect.stringMatching(/^The key given \(key file\) is not .* comes from: key file\.$/)],
    });
  });

  it('and comes from another kind of source says which, and nothing of recovery', () => {
    const { db, keyFile, service } = openFilePool();
    service.createRecoveryCode();
    for (const PROXYVAULT_KEY of [randomBytes(32).toString('hex'), readFileSync(keyFile, 'utf8').trim()])
      expect(statusWith({ env: { PROXYVAULT_KEY }, database: db })).toMatchObject({
        source: { kind: 'environment', location: 'PROXYVAULT_KEY', protection: null },
        pinned: 'key file',
        sourceProblem: null,
        problem: 'KEY_MISMATCH',
        advice: [expect.stringMatching(/^The key given \(environment\) is not .* comes from: key file\.$/)],
      });
  });

  it('and is looked for in another kind of source says where it comes from, and nothing of its loss', () => {
    const { db, service } = openFilePool();
    service.createRecoveryCode();
    expect(statusWith({ keySource: environmentKey({}), database: db }).advice).toEqual([
      LOST,
      expect.stringMatching(/^The key given \(environment\) is not .* comes from: key file\.$/),
    ]);
  });

  it('and encrypts credentials by itself is a problem too', () => {
    const key = randomBytes(32);
    const db = openMigrated();
    const { id } = new ProxyRepository(db).create({ host: 'h.example', port: 1, protocol: 'http' });
    new EncryptedCredentialsRepository(db).save(id, new EncryptionService({ key }).encrypt('x'));
    expect(statusWith({ key, database: db })).toMatchObject({ problem: null, direct: [{ rows: 1 }] });
    expect(statusWith({ key: randomBytes(32), database: db })).toMatchObject({
      sourceProblem: null,
      problem: 'KEY_MISMATCH',
    });
    expect(statusWith({ keyFile: join(temporaryFolder(), 'key'), database: db })).toMatchObject({
      sourceProblem: 'KEY_MISSING',
      problem: 'KEY_MISSING',
    });
  });

  it.runIf(process.platform !== 'win32')(
    'because its file is rejected says so, with or without credentials',
    () => {
      const keyFile = join(temporaryFolder(), 'key');
      writeFileSync(keyFile, randomBytes(32).toString('base64'));
      chmodSync(keyFile, 0o644);
      const status = statusWith({ keyFile, database: openMigrated() });
      expect(status).toMatchObject({ sourceProblem: 'KEY_INVALID', problem: 'KEY_INVALID' });
      expect(status.advice).toEqual([expect.stringContaining('chmod 600')]);
      const trusted = statusWith({ keyFile, trustKeyFile: true, database: openMigrated() });
      expect(trusted).toMatchObject({ problem: null, advice: [expect.stringContaining('mode 0644')] });
    },
  );

  it('because it must be waited for is locked, which is no problem', () => {
    const { db } = openPool(1);
    const locked = {
      kind: 'explicit',
      location: 'a safe',
      read: () => Promise.reject(new Error('not now')),
      asynchronous: () => true,
    };
    expect(statusWith({ keySource: locked, database: db })).toMatchObject({
      source: { kind: 'explicit', location: 'a safe', protection: null },
      locked: true,
      sourceProblem: 'KEY_LOCKED',
      problem: null,
      keys: [{ rows: 1, problem: 'KEY_LOCKED' }],
      advice: [expect.stringMatching(/^The key is locked \(explicit\)/), NO_CODE],
    });
    const careless = { ...locked, protection: () => 'passphrase', caution: () => 'Take care.' };
    expect(statusWith({ keySource: careless, database: db }).advice).toEqual([
      expect.stringMatching(/^The key is locked \(passphrase\)/),
      NO_CODE,
      'Take care.',
    ]);
    // What is not accepted is not said to be accepted.
    expect(
      statusWith({ keySource: { ...careless, protection: () => null }, database: db }).advice,
    ).not.toContain('Take care.');
  });

  it.each([0, 1])('because its source fails in another way is that error, with %i credentials', (count) => {
    const { db } = openPool(count);
    const keySource = {
      kind: 'explicit',
      location: 'a safe',
      read: () => {
        throw new TypeError('a bug');
      },
    };
    expect(() => statusWith({ keySource, database: db })).toThrow('a bug');
  });
});

describe('the status of a damaged pool', () => {
  const DAMAGE = `tag = 'AAAAAAAAAAAAAAAAAAAAAA=='`;

  it('names damaged keys, which are a problem while they encrypt something', async () => {
    const { db, keyFile, service } = openFilePool(2);
    service.createRecoveryCode();
    const [first] = rowsOf(db, 'encryption_keys');
    run(db, `UPDATE encryption_keys SET ${DAMAGE}`);
    const shown = (): KeyStatus => statusWith({ keyFile, database: db });
    expect(shown()).toMatchObject({
      sourceProblem: null,
      problem: 'KEY_INVALID',
      keys: [{ problem: 'KEY_INVALID' }],
      advice: [`Damaged keys: ${String(first?.key_id)}. Restore a backup of the database.`],
    });
    run(db, 'DELETE FROM encrypted_credentials');
    expect(shown()).toMatchObject({ problem: null, keys: [{ problem: 'KEY_INVALID', rows: 0 }] });
  });

  it('says that the key of the fingerprints is damaged, and does not if only the key is another', () => {
    const { db, keyFile, service } = openFilePool(1);
    service.createRecoveryCode();
    run(db, `UPDATE encryption_secrets SET ${DAMAGE} WHERE name = 'fingerprint'`);
    const fingerprints = expect.stringContaining('key of the fingerprints is damaged');
    expect(statusWith({ keyFile, database: db })).toMatchObject({ problem: null, advice: [fingerprints] });
    writeFileSync(keyFile, randomBytes(32).toString('base64'));
    expect(statusWith({ keyFile, database: db }).advice).not.toContainEqual(fingerprints);
  });

  it('says that its id is gone', () => {
    const { db, keyFile } = openFilePool(1);
    run(db, 'DELETE FROM encryption_config');
    expect(statusWith({ keyFile, database: db })).toMatchObject({
      problem: 'INVALID_ROW',
      databaseId: null,
      pinned: null,
      keys: [{ problem: 'INVALID_ROW' }],
      advice: [expect.stringContaining('The row of encryption_config is missing')],
    });
  });
});
