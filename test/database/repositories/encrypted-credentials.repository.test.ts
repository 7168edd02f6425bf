import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { DatabaseManager, EncryptedData } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Session } from 'proxyvault/driver';
import { describe, expect, it } from 'vitest';
import { answer, failureOf, MODES, openSession } from '../../support/modes.ts';
import { temporaryFolder } from '../../support/temporary.ts';

describe.each(MODES)('in mode %s', (mode) => {
  async function open(): Promise<{
    db: DatabaseManager;
    session: Session<'async'>;
    encryption: EncryptionService<'async'>;
    credentials: EncryptedCredentialsRepository<'async'>;
    a: string;
    b: string;
  }> {
    const { db, session } = openSession(mode);
    const [a = '', b = ''] = (
      await new ProxyRepository(session).createMany(
        [1, 2].map((port) => ({ host: 'h.example', port, protocol: 'http' as const })),
      )
    ).map(({ id }) => id);
    const encryption = new EncryptionService<'async'>({ key: randomBytes(32), database: session });
    return {
      db,
      session,
      encryption,
      credentials: new EncryptedCredentialsRepository(session, encryption),
      a,
      b,
    };
  }

  describe('save and findByProxyId', () => {
    it('move what the encryption service gives and takes', async () => {
      const { credentials, encryption, a } = await open();
      const encrypted = await encryption.encrypt('my-password');
      expect(await credentials.save(a, encrypted)).toBeUndefined();
      expect(await credentials.findByProxyId(a)).toEqual(encrypted);
      expect(await encryption.decrypt(await credentials.findByProxyId(a))).toBe('my-password');
      await credentials.save(a, await encryption.encrypt('second'));
      expect(await encryption.decrypt(await credentials.findByProxyId(a))).toBe('second');
      expect(await credentials.count()).toBe(1);
      expect(await credentials.delete(a)).toBe(true);
      expect(await credentials.delete(a)).toBe(false);
      expect(await credentials.findByProxyId(a)).toBeNull();
      expect(
        await failureOf(async () => encryption.decrypt(await credentials.findByProxyId(a))),
      ).toMatchObject({
        code: 'NOT_FOUND',
      });
    });

    it('refuse an unknown proxy, and invalid data', async () => {
      const { credentials, encryption, a } = await open();
      expect(
        await failureOf(async () => credentials.save('nobody', await encryption.encrypt('x'))),
      ).toMatchObject({
        code: 'NOT_FOUND',
      });
      for (const data of [null, 'text', {}, { ciphertext: 1, iv: '', authTag: '' }]) {
        expect(await failureOf(() => credentials.save(a, data as unknown as EncryptedData))).toMatchObject({
          code: 'INVALID_INPUT',
        });
      }
      expect(await credentials.count()).toBe(0);
    });

    it('add stores the login of a proxy in the transaction that adds it, and nothing outside of one', async () => {
      const { session, encryption, credentials } = await open();
      const login = { username: 'u', password: 'p' };
      const input = { host: 'new.example', port: 1, protocol: 'http' } as const;
      const proxies = new ProxyRepository(session, encryption);
      const bound = new EncryptedCredentialsRepository(session, encryption);
      const first = await session.driver.transaction(function* () {
        const created = yield* answer(proxies.create(input));
        yield* answer(bound.add(created, login));
        return created;
      });
      expect(await bound.reveal(first)).toEqual(login);
      const second = await proxies.create({ ...input, port: 2 });
      for (const add of [
        () => bound.add(second, login),
        () => session.driver.transaction(() => answer(bound.add(second.id as never, login))),
      ])
        expect(await failureOf(add)).toMatchObject({ code: 'INVALID_INPUT' });
      expect(await credentials.count()).toBe(1);
    });

    it('take data that says no key', async () => {
      const { credentials, encryption, a } = await open();
      const { ciphertext, iv, authTag } = await encryption.encrypt('plain');
      await credentials.save(a, { ciphertext, iv, authTag });
      expect(await credentials.findByProxyId(a)).toEqual({ ciphertext, iv, authTag });
      expect(await credentials.reveal(a)).toEqual({ username: '', password: 'plain' });
    });
  });

  describe('store and reveal', () => {
    it('round-trip a login', async () => {
      const { credentials, a, b } = await open();
      const login = { username: 'üser:@%#', password: 'p@ss:w%rd#/?\u{1F511}' };
      await credentials.store(a, login);
      expect(await credentials.reveal(a)).toEqual(login);
      expect(await credentials.exists(a)).toBe(true);
      expect(await credentials.exists(b)).toBe(false);
      expect(await credentials.reveal(b)).toBeNull();
    });

    it('find out that two rows were swapped, and name the proxy', async () => {
      const { credentials, db, a, b } = await open();
      await credentials.store(a, { username: 'a', password: 'canary-a' });
      await credentials.store(b, { username: 'b', password: 'canary-b' });
      db.driver.exec(`
      UPDATE encrypted_credentials SET (encrypted_data, iv, auth_tag) =
        (SELECT encrypted_data, iv, auth_tag FROM encrypted_credentials AS other WHERE other.proxy_id = '${a}')
      WHERE proxy_id = '${b}'`);
      const error = await failureOf(() => credentials.reveal(b));
      expect(error).toMatchObject({ code: 'CREDENTIAL_CORRUPT', details: { proxyId: b } });
      expect(String(error)).not.toContain('canary');
      expect(await credentials.reveal(a)).toEqual({ username: 'a', password: 'canary-a' });
    });

    it('outlive a migration that goes down and up again', async () => {
      const { credentials, db, a } = await open();
      await credentials.store(a, { username: 'u', password: 'p' });
      db.migrations.to(1);
      db.migrations.up();
      expect((await credentials.findByProxyId(a))?.keyId).toBeUndefined();
      expect(await credentials.reveal(a)).toEqual({ username: 'u', password: 'p' });
    });

    it('need a key', async () => {
      const { session, a } = await open();
      expect(
        await failureOf(() =>
          new EncryptedCredentialsRepository(session).store(a, { username: 'u', password: 'p' }),
        ),
      ).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('EncryptionService'),
      });
    });
  });

  it('what is authenticated and no login is INVALID_ROW, and its text is in no error', async () => {
    const { session, encryption, credentials, a } = await open();
    const address = { protocol: 'http' as const, host: 'h.example', port: 1 };
    await credentials.save(a, await encryption.cipherOf(session).seal(a, address, 'login', 'canary-text'));
    const error = await failureOf(() => credentials.reveal(a));
    expect(error).toMatchObject({ code: 'INVALID_ROW' });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary');
  });

  describe('a database that has ciphertext', () => {
    it('without its key is KEY_MISSING, and no key is made', async () => {
      const { credentials, session, a, b } = await open();
      await credentials.store(a, { username: 'u', password: 'p' });
      const keyFile = join(temporaryFolder(), 'config', 'key');
      const lost = new EncryptedCredentialsRepository(
        session,
        new EncryptionService<'async'>({ keyFile, database: session }),
      );
      expect(await failureOf(() => lost.reveal(a))).toMatchObject({
        code: 'KEY_MISSING',
        message: expect.stringContaining(keyFile),
      });
      expect(await failureOf(() => lost.store(b, { username: 'u', password: 'p' }))).toMatchObject({
        code: 'KEY_MISSING',
      });
      expect(existsSync(keyFile)).toBe(false);
    });

    it('refuses another key, whether or not the service knows the database', async () => {
      const { credentials, session, a, b } = await open();
      await credentials.store(a, { username: 'u', password: 'p' });
      const before = await credentials.findByProxyId(a);
      for (const database of [session, undefined]) {
        const other = new EncryptedCredentialsRepository(
          session,
          new EncryptionService<'async'>({ key: randomBytes(32), database }),
        );
        expect(await failureOf(() => other.reveal(a))).toMatchObject({ code: 'KEY_MISMATCH' });
        expect(await failureOf(() => other.store(b, { username: 'u', password: 'p' }))).toMatchObject({
          code: 'KEY_MISMATCH',
        });
      }
      expect(await credentials.findByProxyId(a)).toEqual(before);
      expect(await credentials.count()).toBe(1);
    });

    it('takes a new key when the only credential is replaced', async () => {
      const { credentials, session, a } = await open();
      await credentials.store(a, { username: 'u', password: 'p' });
      const other = new EncryptedCredentialsRepository(
        session,
        new EncryptionService({ key: randomBytes(32) }),
      );
      await other.store(a, { username: 'u', password: 'new' });
      expect((await other.reveal(a))?.password).toBe('new');
    });
  });
});
