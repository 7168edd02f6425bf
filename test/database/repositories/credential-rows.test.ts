import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { type DatabaseManager, type EncryptedData, ProxyVaultError } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Session } from 'proxyvault/driver';
import { beforeEach, describe, expect, it } from 'vitest';
import { CredentialRowsRepository } from '../../../src/database/repositories/credential-rows.repository.ts';
import { EncryptionConfigRepository } from '../../../src/database/repositories/encryption-config.repository.ts';
import { EncryptionKeysRepository } from '../../../src/database/repositories/encryption-keys.repository.ts';
import { EncryptionSecretsRepository } from '../../../src/database/repositories/encryption-secrets.repository.ts';
import type { WrappedKey } from '../../../src/keys/secret-key.ts';
import { answer, failureOf, MODES, openSession } from '../../support/modes.ts';
import { rowsOf } from '../../support/pool.ts';

const START = Date.UTC(2026, 4, 1);
const ADDRESS = { protocol: 'http', host: 'h.example', port: 1 } as const;
const LOGIN = { username: 'u', password: 'p', rotateUrl: 'https://r.example/' };

describe.each(MODES)('in mode %s', (mode) => {
  let time: { now: number };
  let heard: object[];
  let db: DatabaseManager;
  let session: Session<'async'>;
  let encryption: EncryptionService<'async'>;
  let proxies: ProxyRepository<'async'>;
  let credentials: EncryptedCredentialsRepository<'async'>;
  let stored: CredentialRowsRepository<'async'>;

  beforeEach(async () => {
    time = { now: START };
    heard = [];
    ({ db, session } = openSession(mode, {
      clock: () => time.now,
      onInvalidRow: ({ details }) => heard.push(details),
    }));
    encryption = new EncryptionService<'async'>({ key: randomBytes(32), database: session });
    proxies = new ProxyRepository(session, encryption);
    credentials = new EncryptedCredentialsRepository(session, encryption);
    stored = new CredentialRowsRepository(session);
    await proxies.createMany(
      ['a', 'b', 'c', 'd'].map((id, n) => ({ id, host: 'h.example', port: n + 1, protocol: 'http' })),
    );
  });

  const inTransaction = (work: () => Promise<void>): Promise<void> =>
    session.driver.transaction(() => answer(work()));

  describe('a stored credential', () => {
    const forms = async (): Promise<Record<string, EncryptedData>> => {
      const cipher = encryption.cipherOf(session);
      const { keyId, ...nameless } = await encryption.encrypt('plain');
      const { address: _, ...boundToId } = await cipher.seal('a', ADDRESS, 'login', JSON.stringify(LOGIN));
      return {
        nameless,
        unbound: { ...nameless, keyId },
        login: await cipher.seal('a', ADDRESS, 'login', JSON.stringify(LOGIN)),
        text: await cipher.seal('a', ADDRESS, 'text', 'plain'),
        boundToId,
      };
    };

    it.each([{ username: 'canary' }, { username: 'canary', password: 7 }, ['canary'], 'canary', null])(
      'that a newer version has written in a form of its own is INVALID_ROW, and not quoted: %j',
      async (login) => {
        const sealed = await encryption.cipherOf(session).seal('a', ADDRESS, 'login', JSON.stringify(login));
        await credentials.save('a', sealed);
        const error = await failureOf(() => credentials.reveal('a'));
        expect(error).toMatchObject({
          code: 'INVALID_ROW',
          details: { table: 'encrypted_credentials', id: 'a' },
        });
        expect(inspect(error, { depth: null })).not.toContain('canary');
      },
    );

    it('is read back in the form that it was given in, whatever form it replaces', async () => {
      const given = Object.values(await forms());
      for (const before of given)
        for (const after of given) {
          await credentials.save('a', before);
          time.now += 1000;
          await credentials.save('a', after);
          expect(await credentials.findByProxyId('a')).toEqual(after);
          const replaced = rowsOf(db, 'encrypted_credentials');
          await credentials.delete('a');
          await credentials.save('a', after);
          expect(replaced).toEqual(rowsOf(db, 'encrypted_credentials'));
        }
      for (const form of given) {
        await credentials.save('a', form);
        for (const other of given) {
          expect(await stored.swap('a', { ...form, authTag: 'AAAA' }, other)).toBe(false);
          expect(await stored.swap('a', { ...form, iv: 'AAAA' }, other)).toBe(false);
          expect(await stored.swap('a', { ...form, ciphertext: 'AAAA' }, other)).toBe(false);
        }
        expect(await credentials.findByProxyId('a')).toEqual(form);
      }
    });

    it('is swapped as a whole, for the address that its proxy has', async () => {
      const { login, text } = (await forms()) as { login: EncryptedData; text: EncryptedData };
      await credentials.save('a', text);
      for (const other of [{ port: 2 }, { host: 'x.example' }, { protocol: 'https' as const }])
        expect(await stored.swap('a', text, { ...login, address: { ...ADDRESS, ...other } })).toBe(false);
      const named = { ...login, keyId: '0123456789abcdef' };
      expect(await stored.swap('a', text, named)).toBe(true);
      expect(await credentials.findByProxyId('a')).toEqual(named);
      expect(await stored.swap('b', text, named)).toBe(false);
    });

    it('is of its proxy and address only', async () => {
      const { login, boundToId } = (await forms()) as { login: EncryptedData; boundToId: EncryptedData };
      for (const [work, code] of [
        [() => credentials.save('b', login), 'INVALID_INPUT'],
        [() => credentials.save('b', boundToId), 'INVALID_INPUT'],
        [() => credentials.save('a', { ...login, address: { ...ADDRESS, port: 2 } }), 'NOT_FOUND'],
        [() => credentials.save('a', { ...login, address: { ...ADDRESS, host: 'x.example' } }), 'NOT_FOUND'],
        [() => credentials.save('a', { ...login, address: { ...ADDRESS, protocol: 'https' } }), 'NOT_FOUND'],
        [async () => credentials.save('nobody', await encryption.encrypt('x')), 'NOT_FOUND'],
        [() => credentials.store({ id: 'a', ...ADDRESS, port: 2 }, LOGIN), 'NOT_FOUND'],
        [() => credentials.store('nobody', LOGIN), 'NOT_FOUND'],
        [() => credentials.store({ id: 'a', ...ADDRESS, protocol: 'ftp' as never }, LOGIN), 'INVALID_INPUT'],
        [() => inTransaction(() => credentials.add('a' as never, LOGIN)), 'INVALID_INPUT'],
        [() => credentials.add({ id: 'a', ...ADDRESS }, LOGIN), 'INVALID_INPUT'],
      ] as const)
        expect(await failureOf(work)).toMatchObject({ code });
      expect(await credentials.count()).toBe(0);
      await credentials.store({ id: 'a', ...ADDRESS }, LOGIN);
      expect(await credentials.reveal({ id: 'a', ...ADDRESS })).toEqual(LOGIN);
      for (const other of [{ port: 2 }, { host: 'x.example' }, { protocol: 'https' as const }])
        expect(await failureOf(() => credentials.reveal({ id: 'a', ...ADDRESS, ...other }))).toMatchObject({
          code: 'CONFLICT',
        });
    });

    it('is a password without a username, if it was saved as a text', async () => {
      const { text, unbound } = (await forms()) as { text: EncryptedData; unbound: EncryptedData };
      for (const form of [text, unbound]) {
        await credentials.save('a', form);
        expect(await credentials.reveal('a')).toEqual({ username: '', password: 'plain' });
      }
    });

    it('makes the identity of its proxy unknown, if it was saved as ciphertext', async () => {
      const twin = { host: 'h.example', port: 1, protocol: 'http' } as const;
      await credentials.store('a', LOGIN);
      expect(await proxies.hasUnidentified()).toBe(false);
      await credentials.save('a', await encryption.encrypt('x'));
      expect(await proxies.hasUnidentified(twin)).toBe(true);
      await proxies.create({ ...twin, credentials: LOGIN });
      expect(
        await failureOf(() => proxies.create({ ...twin, credentials: { username: '', password: 'x' } })),
      ).toMatchObject({
        code: 'CONFLICT',
        details: { existingId: 'a' },
      });
    });

    it('is not stored in a pool that may hold none, also if its key is there', async () => {
      await credentials.store('a', LOGIN);
      const before = rowsOf(db, 'encrypted_credentials');
      const { driver, engine, clock } = session;
      const exposed = new EncryptedCredentialsRepository(
        {
          driver,
          engine,
          clock,
          assertMayHoldCredentials() {
            throw new ProxyVaultError('CANNOT_OPEN', 'everybody may write it');
          },
        },
        encryption,
      );
      for (const work of [
        async () => exposed.save('a', await encryption.encrypt('x')),
        () => exposed.store('a', LOGIN),
        () => inTransaction(() => exposed.add({ id: 'a', ...ADDRESS }, LOGIN)),
      ])
        expect(await failureOf(work)).toMatchObject({ code: 'CANNOT_OPEN' });
      expect(rowsOf(db, 'encrypted_credentials')).toEqual(before);
    });
  });

  describe('the keys of credentials', () => {
    it('are counted and paged by what the rows say', async () => {
      const rows = [null, 'k1', 'k2'].flatMap((keyId) =>
        [null, 'unbound', 'login', 'text'].flatMap((binding) =>
          [null, 3].map((version) => ({ keyId, binding, version })),
        ),
      );
      rows.push({ keyId: 'k1', binding: 'login', version: 3 });
      await session.driver.transaction(function* () {
        for (const [n, { keyId, binding, version }] of rows.entries()) {
          const id = `z${String(n).padStart(2, '0')}`;
          yield proxies.create({ id, host: 'z.example', port: n + 1, protocol: 'http' });
          yield session.driver.run(
            `INSERT INTO encrypted_credentials (proxy_id, encrypted_data, iv, auth_tag, key_id, binding, binding_version, created_at)
           VALUES (:id, 'AAAA', 'AAAA', 'AAAA', :keyId, :binding, :version, '2026-01-01 00:00:00.000')`,
            { id, keyId, binding, version },
          );
        }
      });
      const boundTo = ({ binding, version }: (typeof rows)[number]): string =>
        binding === null || binding === 'unbound' ? 'none' : version === 3 ? 'address' : 'id';
      const counts = new Map<string, number>();
      for (const row of rows) {
        const name = `${row.keyId ?? ''} ${boundTo(row)}`;
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      expect(
        (await stored.countByKey()).map(({ keyId, binding, rows: n }) => [`${keyId ?? ''} ${binding}`, n]),
      ).toEqual([...counts].sort(([one], [other]) => (one < other ? -1 : 1)));
      expect([...(await stored.keyIds())].sort()).toEqual(['k1', 'k2', null]);
      const wanted = (notUnder?: string): string[] =>
        rows.flatMap((row, n) =>
          notUnder !== undefined && row.keyId === notUnder && boundTo(row) === 'address'
            ? []
            : [`z${String(n).padStart(2, '0')}`],
        );
      for (const notUnder of [undefined, 'k1', 'k2', 'k3'])
        for (const limit of [1, 7, 25, 100]) {
          const ids: string[] = [];
          for (let after = ''; ; ) {
            const page = await stored.page(after, limit, notUnder);
            expect(page.length).toBeLessThanOrEqual(limit);
            if (page.length === 0) break;
            ids.push(...page.map(({ proxyId }) => proxyId));
            after = ids.at(-1) ?? '';
          }
          expect(ids).toEqual(wanted(notUnder));
          if (notUnder !== undefined) expect(await stored.countNotUnder(notUnder)).toBe(ids.length);
        }
      db.driver.run(`DELETE FROM encrypted_credentials WHERE proxy_id > 'z00' AND key_id IS NULL`, {});
      expect(await stored.keyIds('z00')).not.toContain(null);
      expect(await stored.keyIds('z01')).toContain(null);
      // A malformed row says so, and takes no other with it.
      db.driver.exec(
        `PRAGMA ignore_check_constraints = on; UPDATE encrypted_credentials SET binding = 'x' WHERE proxy_id = 'z09'`,
      );
      const page = await stored.page('z08', 2);
      expect(page.map(({ proxyId, problem }) => [proxyId, problem?.code])).toEqual([
        ['z09', 'INVALID_ROW'],
        ['z10', undefined],
      ]);
      expect(page[1]?.address).toEqual({ protocol: 'http', host: 'z.example', port: 11 });
    });

    it('are those that ciphertext may be saved under', async () => {
      const foreign = new EncryptionService({ key: randomBytes(32) }).encrypt('x');
      const other = new EncryptionService({ key: randomBytes(32) }).encrypt('y');
      // Without keys of the database: that of the others, whatever the one that is replaced has.
      await credentials.save('a', foreign);
      await credentials.save('a', other);
      await credentials.save('b', other);
      expect(await failureOf(() => credentials.save('a', foreign))).toMatchObject({
        code: 'KEY_MISMATCH',
        details: { needed: other.keyId, found: foreign.keyId },
      });
      for (const id of ['a', 'b']) await credentials.delete(id);
      // With them: those alone, by their own id or that of the key which wraps them.
      await credentials.store('c', LOGIN);
      const [{ key_id: keyId, kek_id: kekId } = {}] = rowsOf(db, 'encryption_keys');
      for (const known of [keyId, kekId]) await credentials.save('a', { ...foreign, keyId: String(known) });
      expect(await failureOf(() => credentials.save('b', foreign))).toMatchObject({ code: 'KEY_MISMATCH' });
      await credentials.delete('c');
      await credentials.delete('a');
      expect(await failureOf(() => credentials.save('b', foreign))).toMatchObject({
        code: 'KEY_MISMATCH',
        details: { needed: null },
      });
    });
  });

  describe('the records of keys', () => {
    const wrapped = (n: number): WrappedKey => ({
      keyId: `${n}`.repeat(16),
      kekId: `${n}`.repeat(16),
      wrappedKey: 'AAAA',
      iv: `AAA${n}`,
      tag: `AAB${n}`,
      keyCheckValue: `${n}`.repeat(32),
    });

    it('are read back oldest first, and change one by one', async () => {
      const keys = new EncryptionKeysRepository(session);
      expect(await keys.primaryId()).toBeNull();
      time.now += 5;
      await keys.add(wrapped(2), 'decrypt-only');
      time.now -= 5;
      await keys.add(wrapped(3), 'primary');
      await keys.add(wrapped(1), 'decrypt-only');
      const states = async (): Promise<(string | number)[][]> =>
        (await keys.findAll()).map(({ keyId, state, messageCount }) => [
          keyId.slice(0, 1),
          state,
          messageCount,
        ]);
      expect(await states()).toEqual([
        ['1', 'decrypt-only', 0],
        ['3', 'primary', 0],
        ['2', 'decrypt-only', 0],
      ]);
      expect(await keys.add(wrapped(1), 'decrypt-only')).toBe(0);
      const { keyId } = wrapped(3);
      expect(await keys.primaryId()).toBe(keyId);
      expect(await keys.reserve(keyId, 3, 10)).toBe(3);
      expect(await keys.reserve(keyId, 7, 10)).toBe(10);
      expect(await keys.reserve(keyId, 1, 10)).toBeNull();
      expect(await keys.reserve('nobody', 1, 10)).toBeNull();
      const again = { ...wrapped(4), keyId };
      expect(await keys.rewrap(again)).toBe(1);
      expect((await keys.findAll())[1]).toEqual({
        ...again,
        state: 'primary',
        messageCount: 10,
        createdAt: new Date(START).toISOString(),
      });
      expect(await keys.demotePrimary()).toBe(1);
      expect(await keys.primaryId()).toBeNull();
    });

    it('go if nothing needs them: no row of theirs, none that names no key, and not the primary', async () => {
      const keys = new EncryptionKeysRepository(session);
      const save = (id: string, keyId?: string): Promise<void> =>
        credentials.save(id, { ciphertext: 'AAAA', iv: 'AAAA', authTag: 'AAAA', keyId });
      await keys.add(wrapped(1), 'primary');
      await keys.add(wrapped(2), 'decrypt-only');
      await keys.add(wrapped(3), 'decrypt-only');
      await save('a', wrapped(2).keyId);
      await save('b');
      expect(await keys.deleteUnused()).toEqual([]);
      await credentials.delete('b');
      expect(await keys.deleteUnused()).toEqual([wrapped(3).keyId]);
      await credentials.delete('a');
      expect(await keys.deleteUnused()).toEqual([wrapped(2).keyId]);
      expect(await keys.findAll()).toHaveLength(1);
      expect(await keys.deleteAll()).toBe(1);
    });

    it('take a safe value in place of a malformed one, and say so', async () => {
      const keys = new EncryptionKeysRepository(session);
      await keys.add(wrapped(1), 'primary');
      db.driver.exec(`PRAGMA ignore_check_constraints = on;
      UPDATE encryption_keys SET state = 'x', message_count = -1, created_at = 'x', iv = x'00'`);
      expect(await keys.findAll()).toEqual([
        {
          ...wrapped(1),
          iv: '',
          state: 'decrypt-only',
          messageCount: Number.MAX_SAFE_INTEGER,
          createdAt: '0000-01-01T00:00:00.000Z',
        },
      ]);
      expect(heard.map((details) => (details as { column: string }).column).sort()).toEqual([
        'created_at',
        'message_count',
        'state',
      ]);
      db.driver.exec(`UPDATE encryption_keys SET key_id = 'x'`);
      expect(await keys.findAll()).toEqual([]);
    });

    it('of other secrets are found by their name, and replaced as a whole', async () => {
      const secrets = new EncryptionSecretsRepository(session);
      expect(await secrets.find('escrow')).toBeNull();
      await secrets.save('recovery', wrapped(1));
      expect(await secrets.find('escrow')).toBeNull();
      await secrets.save('escrow', wrapped(2));
      await secrets.save('escrow', wrapped(3));
      expect(await secrets.find('escrow')).toEqual(wrapped(3));
      expect(await secrets.find('recovery')).toEqual(wrapped(1));
      expect(await secrets.deleteAll()).toBe(2);
    });

    it('of the configuration keep the id of the database, and how far a rotation is', async () => {
      const config = new EncryptionConfigRepository(session);
      expect(await config.get()).toBeNull();
      await config.pin('one', 'file');
      await config.pin('two', 'keychain');
      const pinned = { databaseId: 'one', keySource: 'keychain' };
      expect(await config.get()).toEqual({ ...pinned, rotation: null });
      const [one, two] = [wrapped(1).keyId, wrapped(2).keyId];
      await config.startRotation(one);
      expect((await config.get())?.rotation).toEqual({
        keyId: one,
        cursor: '',
        startedAt: new Date(START).toISOString(),
      });
      expect(await config.advanceRotation(one, 'p')).toBe(true);
      expect(await config.advanceRotation(two, 'q')).toBe(false);
      expect((await config.get())?.rotation?.cursor).toBe('p');
      time.now += 1000;
      await config.startRotation(two);
      expect((await config.get())?.rotation).toEqual({
        keyId: two,
        cursor: '',
        startedAt: new Date(time.now).toISOString(),
      });
      db.driver.exec(`UPDATE encryption_config SET rotation_started_at = 'x'`);
      expect(await config.get()).toEqual({ ...pinned, rotation: null });
      expect(heard).toMatchObject([{ table: 'encryption_config', column: 'rotation_started_at' }]);
      await config.endRotation();
      expect(rowsOf(db, 'encryption_config')).toMatchObject([
        { rotation_key_id: null, rotation_cursor: null, rotation_started_at: null },
      ]);
      expect(await config.advanceRotation(two, 'r')).toBe(false);
    });
  });
});
