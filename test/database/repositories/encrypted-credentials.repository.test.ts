import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { EncryptedData } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { answer, failureOf, inTurn, listOf, MODES, openSession } from '../../support/modes.ts';
import { openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

function open(): {
  db: ReturnType<typeof openMigrated>;
  encryption: EncryptionService;
  credentials: EncryptedCredentialsRepository;
  a: string;
  b: string;
} {
  const db = openMigrated();
  const [a = '', b = ''] = new ProxyRepository(db)
    .createMany([1, 2].map((port) => ({ host: 'h.example', port, protocol: 'http' as const })))
    .map(({ id }) => id);
  const encryption = new EncryptionService({ key: randomBytes(32), database: db });
  return { db, encryption, credentials: new EncryptedCredentialsRepository(db, encryption), a, b };
}

describe('save and findByProxyId', () => {
  it('move what the encryption service gives and takes', () => {
    const { credentials, encryption, a } = open();
    const encrypted = encryption.encrypt('my-password');
    expect(credentials.save(a, encrypted)).toBeUndefined();
    expect(credentials.findByProxyId(a)).toEqual(encrypted);
    expect(encryption.decrypt(credentials.findByProxyId(a))).toBe('my-password');
    credentials.save(a, encryption.encrypt('second'));
    expect(encryption.decrypt(credentials.findByProxyId(a))).toBe('second');
    expect(credentials.count()).toBe(1);
    expect(credentials.delete(a)).toBe(true);
    expect(credentials.delete(a)).toBe(false);
    expect(credentials.findByProxyId(a)).toBeNull();
    expect(thrownBy(() => encryption.decrypt(credentials.findByProxyId(a)))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('refuse a proxy that is none, and data that is none', () => {
    const { credentials, encryption, a } = open();
    expect(thrownBy(() => credentials.save('nobody', encryption.encrypt('x')))).toMatchObject({
      code: 'NOT_FOUND',
    });
    for (const data of [null, 'text', {}, { ciphertext: 1, iv: '', authTag: '' }]) {
      expect(thrownBy(() => credentials.save(a, data as unknown as EncryptedData))).toMatchObject({
        code: 'INVALID_INPUT',
      });
    }
    expect(credentials.count()).toBe(0);
  });

  it('add stores the login of a proxy in the transaction that adds it, and nothing outside of one', () => {
    const { db, encryption, credentials } = open();
    const login = { username: 'u', password: 'p' };
    const input = { host: 'new.example', port: 1, protocol: 'http' } as const;
    const proxies = new ProxyRepository(db, encryption);
    const bound = new EncryptedCredentialsRepository(db, encryption);
    const first = db.transaction(() => {
      const created = proxies.create(input);
      bound.add(created, login);
      return created;
    });
    expect(bound.reveal(first)).toEqual(login);
    const second = proxies.create({ ...input, port: 2 });
    for (const add of [
      () => bound.add(second, login),
      () => db.transaction(() => bound.add(second.id as never, login)),
    ])
      expect(thrownBy(add)).toMatchObject({ code: 'INVALID_INPUT' });
    expect(credentials.count()).toBe(1);
  });

  it('take data that says no key', () => {
    const { credentials, encryption, a } = open();
    const { ciphertext, iv, authTag } = encryption.encrypt('plain');
    credentials.save(a, { ciphertext, iv, authTag });
    expect(credentials.findByProxyId(a)).toEqual({ ciphertext, iv, authTag });
    expect(credentials.reveal(a)).toEqual({ username: '', password: 'plain' });
  });
});

describe('store and reveal', () => {
  it('round-trip a login', () => {
    const { credentials, a, b } = open();
    const login = { username: 'üser:@%#', password: 'p@ss:w%rd#/?\u{1F511}' };
    credentials.store(a, login);
    expect(credentials.reveal(a)).toEqual(login);
    expect(credentials.exists(a)).toBe(true);
    expect(credentials.exists(b)).toBe(false);
    expect(credentials.reveal(b)).toBeNull();
  });

  it('find out that two rows were swapped, and name the proxy', () => {
    const { credentials, db, a, b } = open();
    credentials.store(a, { username: 'a', password: 'canary-a' });
    credentials.store(b, { username: 'b', password: 'canary-b' });
    db.driver.exec(`
      UPDATE encrypted_credentials SET (encrypted_data, iv, auth_tag) =
        (SELECT encrypted_data, iv, auth_tag FROM encrypted_credentials AS other WHERE other.proxy_id = '${a}')
      WHERE proxy_id = '${b}'`);
    const error = thrownBy(() => credentials.reveal(b));
    expect(error).toMatchObject({ code: 'CREDENTIAL_CORRUPT', details: { proxyId: b } });
    expect(String(error)).not.toContain('canary');
    expect(credentials.reveal(a)).toEqual({ username: 'a', password: 'canary-a' });
  });

  it('outlive a migration that goes down and up again', () => {
    const { credentials, db, a } = open();
    credentials.store(a, { username: 'u', password: 'p' });
    db.migrations.to(1);
    db.migrations.up();
    expect(credentials.findByProxyId(a)?.keyId).toBeUndefined();
    expect(credentials.reveal(a)).toEqual({ username: 'u', password: 'p' });
  });

  it('need a key', () => {
    const { db, a } = open();
    expect(
      thrownBy(() => new EncryptedCredentialsRepository(db).store(a, { username: 'u', password: 'p' })),
    ).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('EncryptionService'),
    });
  });
});

it('what is authenticated and no login is INVALID_ROW, and its text is in no error', () => {
  const { db, encryption, credentials, a } = open();
  const address = { protocol: 'http' as const, host: 'h.example', port: 1 };
  credentials.save(a, encryption.cipherOf(db).seal(a, address, 'login', 'canary-text'));
  const error = thrownBy(() => credentials.reveal(a));
  expect(error).toMatchObject({ code: 'INVALID_ROW' });
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary');
});

describe('a database that has ciphertext', () => {
  it('without its key is KEY_MISSING, and no key is made', () => {
    const { credentials, db, a, b } = open();
    credentials.store(a, { username: 'u', password: 'p' });
    const keyFile = join(temporaryFolder(), 'config', 'key');
    const lost = new EncryptedCredentialsRepository(db, new EncryptionService({ keyFile, database: db }));
    expect(thrownBy(() => lost.reveal(a))).toMatchObject({
      code: 'KEY_MISSING',
      message: expect.stringContaining(keyFile),
    });
    expect(thrownBy(() => lost.store(b, { username: 'u', password: 'p' }))).toMatchObject({
      code: 'KEY_MISSING',
    });
    expect(existsSync(keyFile)).toBe(false);
  });

  it('refuses another key, whether or not the service knows the database', () => {
    const { credentials, db, a, b } = open();
    credentials.store(a, { username: 'u', password: 'p' });
    const before = credentials.findByProxyId(a);
    for (const database of [db, undefined]) {
      const other = new EncryptedCredentialsRepository(
        db,
        new EncryptionService({ key: randomBytes(32), database }),
      );
      expect(thrownBy(() => other.reveal(a))).toMatchObject({ code: 'KEY_MISMATCH' });
      expect(thrownBy(() => other.store(b, { username: 'u', password: 'p' }))).toMatchObject({
        code: 'KEY_MISMATCH',
      });
    }
    expect(credentials.findByProxyId(a)).toEqual(before);
    expect(credentials.count()).toBe(1);
  });

  it('takes a new key when the only credential is replaced', () => {
    const { credentials, db, a } = open();
    credentials.store(a, { username: 'u', password: 'p' });
    const other = new EncryptedCredentialsRepository(db, new EncryptionService({ key: randomBytes(32) }));
    other.store(a, { username: 'u', password: 'new' });
    expect(other.reveal(a)?.password).toBe('new');
  });
});
