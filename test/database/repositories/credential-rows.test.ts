import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { type EncryptedData, ProxyVaultError } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { beforeEach, describe, expect, it } from 'vitest';
import { CredentialRowsRepository } from '../../../src/database/repositories/credential-rows.repository.ts';
import { EncryptionConfigRepository } from '../../../src/database/repositories/encryption-config.repository.ts';
import { EncryptionKeysRepository } from '../../../src/database/repositories/encryption-keys.repository.ts';
import { EncryptionSecretsRepository } from '../../../src/database/repositories/encryption-secrets.repository.ts';
import type { WrappedKey } from '../../../src/keys/secret-key.ts';
import { rowsOf } from '../../support/pool.ts';
import { openMigrated, thrownBy } from '../../support/temporary.ts';

const START = Date.UTC(2026, 4, 1);
const ADDRESS = { protocol: 'http', host: 'h.example', port: 1 } as const;
const LOGIN = { username: 'u', password: 'p', rotateUrl: 'https://r.example/' };

let time: { now: number };
let heard: object[];
let db: ReturnType<typeof openMigrated>;
let encryption: EncryptionService;
let proxies: ProxyRepository;
let credentials: EncryptedCredentialsRepository;
let stored: CredentialRowsRepository<'sync'>;

beforeEach(() => {
  time = { now: START };
  heard = [];
  db = openMigrated({
    path: ':memory:',
    clock: () => time.now,
    onInvalidRow: ({ details }) => heard.push(details),
  });
  encryption = new EncryptionService({ key: randomBytes(32), database: db });
  proxies = new ProxyRepository(db, encryption);
  credentials = new EncryptedCredentialsRepository(db, encryption);
  stored = new CredentialRowsRepository(db);
  for (const [n, id] of ['a', 'b', 'c', 'd'].entries())
    proxies.create({ id, host: 'h.example', port: n + 1, protocol: 'http' });
});

describe('a stored credential', () => {
  const forms = (): Record<string, EncryptedData> => {
    const cipher = encryption.cipherOf(db);
    const { keyId, ...nameless } = encryption.encrypt('plain');
    const { address: _, ...boundToId } = cipher.seal('a', ADDRESS, 'login', JSON.stringify(LOGIN));
    return {
      nameless,
      unbound: { ...nameless, keyId },
      login: cipher.seal('a', ADDRESS, 'login', JSON.stringify(LOGIN)),
      text: cipher.seal('a', ADDRESS, 'text', 'plain'),
      boundToId,
    };
  };

  it.each([{ username: 'canary' }, { username: 'canary', password: 7 }, ['canary'], 'canary', null])(
    'that a newer version has written in a form of its own is INVALID_ROW, and not quoted: %j',
    (login) => {
      const sealed = encryption.cipherOf(db).seal('a', ADDRESS, 'login', JSON.stringify(login));
      credentials.save('a', sealed);
      const error = thrownBy(() => credentials.reveal('a'));
      expect(error).toMatchObject({
        code: 'INVALID_ROW',
        details: { table: 'encrypted_credentials', id: 'a' },
      });
      expect(inspect(error, { depth: null })).not.toContain('canary');
    },
  );

  it('is read back in the form that it was given in, whatever form it replaces', () => {
    const given = Object.values(forms());
    for (const before of given)
      for (const after of given) {
        credentials.save('a', before);
        time.now += 1000;
        credentials.save('a', after);
        expect(credentials.findByProxyId('a')).toEqual(after);
        const replaced = rowsOf(db, 'encrypted_credentials');
        credentials.delete('a');
        credentials.save('a', after);
        expect(replaced).toEqual(rowsOf(db, 'encrypted_credentials'));
      }
    for (const form of given) {
      credentials.save('a', form);
      for (const other of given) {
        expect(stored.swap('a', { ...form, authTag: 'AAAA' }, other)).toBe(false);
        expect(stored.swap('a', { ...form, iv: 'AAAA' }, other)).toBe(false);
        expect(stored.swap('a', { ...form, ciphertext: 'AAAA' }, other)).toBe(false);
      }
      expect(credentials.findByProxyId('a')).toEqual(form);
    }
  });

  it('is swapped as a whole, for the address that its proxy has', () => {
    const { login, text } = forms() as { login: EncryptedData; text: EncryptedData };
    credentials.save('a', text);
    for (const other of [{ port: 2 }, { host: 'x.example' }, { protocol: 'https' as const }])
      expect(stored.swap('a', text, { ...login, address: { ...ADDRESS, ...other } })).toBe(false);
    const named = { ...login, keyId: '0123456789abcdef' };
    expect(stored.swap('a', text, named)).toBe(true);
    expect(credentials.findByProxyId('a')).toEqual(named);
    expect(stored.swap('b', text, named)).toBe(false);
  });

  it('is of its proxy and address only', () => {
    const { login, boundToId } = forms() as { login: EncryptedData; boundToId: EncryptedData };
    for (const [work, code] of [
      [() => credentials.save('b', login), 'INVALID_INPUT'],
      [() => credentials.save('b', boundToId), 'INVALID_INPUT'],
      [() => credentials.save('a', { ...login, address: { ...ADDRESS, port: 2 } }), 'NOT_FOUND'],
      [() => credentials.save('a', { ...login, address: { ...ADDRESS, host: 'x.example' } }), 'NOT_FOUND'],
      [() => credentials.save('a', { ...login, address: { ...ADDRESS, protocol: 'https' } }), 'NOT_FOUND'],
      [() => credentials.save('nobody', encryption.encrypt('x')), 'NOT_FOUND'],
      [() => credentials.store({ id: 'a', ...ADDRESS, port: 2 }, LOGIN), 'NOT_FOUND'],
      [() => credentials.store('nobody', LOGIN), 'NOT_FOUND'],
      [() => credentials.store({ id: 'a', ...ADDRESS, protocol: 'ftp' as never }, LOGIN), 'INVALID_INPUT'],
      [() => db.transaction(() => credentials.add('a' as never, LOGIN)), 'INVALID_INPUT'],
      [() => credentials.add({ id: 'a', ...ADDRESS }, LOGIN), 'INVALID_INPUT'],
    ] as const)
      expect(thrownBy(work)).toMatchObject({ code });
    expect(credentials.count()).toBe(0);
    credentials.store({ id: 'a', ...ADDRESS }, LOGIN);
    expect(credentials.reveal({ id: 'a', ...ADDRESS })).toEqual(LOGIN);
    for (const other of [{ port: 2 }, { host: 'x.example' }, { protocol: 'https' as const }])
      expect(thrownBy(() => credentials.reveal({ id: 'a', ...ADDRESS, ...other }))).toMatchObject({
        code: 'CONFLICT',
      });
  });

  it('is a password without a username, if it was saved as a text', () => {
    const { text, unbound } = forms() as { text: EncryptedData; unbound: EncryptedData };
    for (const form of [text, unbound]) {
      credentials.save('a', form);
      expect(credentials.reveal('a')).toEqual({ username: '', password: 'plain' });
    }
  });

  it('makes the identity of its proxy unknown, if it was saved as ciphertext', () => {
    const twin = { host: 'h.example', port: 1, protocol: 'http' } as const;
    credentials.store('a', LOGIN);
    expect(proxies.hasUnidentified()).toBe(false);
    credentials.save('a', encryption.encrypt('x'));
    expect(proxies.hasUnidentified(twin)).toBe(true);
    proxies.create({ ...twin, credentials: LOGIN });
    expect(
      thrownBy(() => proxies.create({ ...twin, credentials: { username: '', password: 'x' } })),
    ).toMatchObject({
      code: 'CONFLICT',
      details: { existingId: 'a' },
    });
  });

  it('is not stored in a pool that may hold none, also if its key is there', () => {
    credentials.store('a', LOGIN);
    const before = rowsOf(db, 'encrypted_credentials');
    const { driver, engine, clock } = db;
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
      () => exposed.save('a', encryption.encrypt('x')),
      () => exposed.store('a', LOGIN),
      () => driver.transaction(() => exposed.add({ id: 'a', ...ADDRESS }, LOGIN) as never),
    ])
      expect(thrownBy(work)).toMatchObject({ code: 'CANNOT_OPEN' });
    expect(rowsOf(db, 'encrypted_credentials')).toEqual(before);
  });
});

describe('the keys of credentials', () => {
  it('are counted and paged by what the rows say', () => {
    const rows = [null, 'k1', 'k2'].flatMap((keyId) =>
      [null, 'unbound', 'login', 'text'].flatMap((binding) =>
        [null, 3].map((version) => ({ keyId, binding, version })),
      ),
    );
    rows.push({ keyId: 'k1', binding: 'login', version: 3 });
    db.transaction(() => {
      for (const [n, { keyId, binding, version }] of rows.entries()) {
        const id = `z${String(n).padStart(2, '0')}`;
        proxies.create({ id, host: 'z.example', port: n + 1, protocol: 'http' });
        db.driver.run(
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
      stored.countByKey().map(({ keyId, binding, rows: n }) => [`${keyId ?? ''} ${binding}`, n]),
    ).toEqual([...counts].sort(([one], [other]) => (one < other ? -1 : 1)));
    expect([...stored.keyIds()].sort()).toEqual(['k1', 'k2', null]);
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
          const page = stored.page(after, limit, notUnder);
          expect(page.length).toBeLessThanOrEqual(limit);
          if (page.length === 0) break;
          ids.push(...page.map(({ proxyId }) => proxyId));
          after = ids.at(-1) ?? '';
        }
        expect(ids).toEqual(wanted(notUnder));
        if (notUnder !== undefined) expect(stored.countNotUnder(notUnder)).toBe(ids.length);
      }
    db.driver.run(`DELETE FROM encrypted_credentials WHERE proxy_id > 'z00' AND key_id IS NULL`, {});
    expect(stored.keyIds('z00')).not.toContain(null);
    expect(stored.keyIds('z01')).toContain(null);
    // A malformed row says so, and takes no other with it.
    db.driver.exec(
      `PRAGMA ignore_check_constraints = on; UPDATE encrypted_credentials SET binding = 'x' WHERE proxy_id = 'z09'`,
    );
    const page = stored.page('z08', 2);
    expect(page.map(({ proxyId, problem }) => [proxyId, problem?.code])).toEqual([
      ['z09', 'INVALID_ROW'],
      ['z10', undefined],
    ]);
    expect(page[1]?.address).toEqual({ protocol: 'http', host: 'z.example', port: 11 });
  });

  it('are those that ciphertext may be saved under', () => {
    const foreign = new EncryptionService({ key: randomBytes(32) }).encrypt('x');
    const other = new EncryptionService({ key: randomBytes(32) }).encrypt('y');
    // Without keys of the database: that of the others, whatever the one that is replaced has.
    credentials.save('a', foreign);
    credentials.save('a', other);
    credentials.save('b', other);
    expect(thrownBy(() => credentials.save('a', foreign))).toMatchObject({
      code: 'KEY_MISMATCH',
      details: { needed: other.keyId, found: foreign.keyId },
    });
    for (const id of ['a', 'b']) credentials.delete(id);
    // With them: those alone, by their own id or that of the key which wraps them.
    credentials.store('c', LOGIN);
    const [{ key_id: keyId, kek_id: kekId } = {}] = rowsOf(db, 'encryption_keys');
    for (const known of [keyId, kekId]) credentials.save('a', { ...foreign, keyId: String(known) });
    expect(thrownBy(() => credentials.save('b', foreign))).toMatchObject({ code: 'KEY_MISMATCH' });
    credentials.delete('c');
    credentials.delete('a');
    expect(thrownBy(() => credentials.save('b', foreign))).toMatchObject({
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

  it('are read back oldest first, and change one by one', () => {
    const keys = new EncryptionKeysRepository(db);
    expect(keys.primaryId()).toBeNull();
    time.now += 5;
    keys.add(wrapped(2), 'decrypt-only');
    time.now -= 5;
    keys.add(wrapped(3), 'primary');
    keys.add(wrapped(1), 'decrypt-only');
    const states = (): (string | number)[][] =>
      keys.findAll().map(({ keyId, state, messageCount }) => [keyId.slice(0, 1), state, messageCount]);
    expect(states()).toEqual([
      ['1', 'decrypt-only', 0],
      ['3', 'primary', 0],
      ['2', 'decrypt-only', 0],
    ]);
    expect(keys.add(wrapped(1), 'decrypt-only')).toBe(0);
    const { keyId } = wrapped(3);
    expect(keys.primaryId()).toBe(keyId);
    expect(keys.reserve(keyId, 3, 10)).toBe(3);
    expect(keys.reserve(keyId, 7, 10)).toBe(10);
    expect(keys.reserve(keyId, 1, 10)).toBeNull();
    expect(keys.reserve('nobody', 1, 10)).toBeNull();
    const again = { ...wrapped(4), keyId };
    expect(keys.rewrap(again)).toBe(1);
    expect(keys.findAll()[1]).toEqual({
      ...again,
      state: 'primary',
      messageCount: 10,
      createdAt: new Date(START).toISOString(),
    });
    expect(keys.demotePrimary()).toBe(1);
    expect(keys.primaryId()).toBeNull();
  });

  it('go if nothing needs them: no row of theirs, none that names no key, and not the primary', () => {
    const keys = new EncryptionKeysRepository(db);
    const save = (id: string, keyId?: string): void => {
      credentials.save(id, { ciphertext: 'AAAA', iv: 'AAAA', authTag: 'AAAA', keyId });
    };
    keys.add(wrapped(1), 'primary');
    keys.add(wrapped(2), 'decrypt-only');
    keys.add(wrapped(3), 'decrypt-only');
    save('a', wrapped(2).keyId);
    save('b');
    expect(keys.deleteUnused()).toEqual([]);
    credentials.delete('b');
    expect(keys.deleteUnused()).toEqual([wrapped(3).keyId]);
    credentials.delete('a');
    expect(keys.deleteUnused()).toEqual([wrapped(2).keyId]);
    expect(keys.findAll()).toHaveLength(1);
    expect(keys.deleteAll()).toBe(1);
  });

  it('take a safe value in place of a malformed one, and say so', () => {
    const keys = new EncryptionKeysRepository(db);
    keys.add(wrapped(1), 'primary');
    db.driver.exec(`PRAGMA ignore_check_constraints = on;
      UPDATE encryption_keys SET state = 'x', message_count = -1, created_at = 'x', iv = x'00'`);
    expect(keys.findAll()).toEqual([
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
    expect(keys.findAll()).toEqual([]);
  });

  it('of other secrets are found by their name, and replaced as a whole', () => {
    const secrets = new EncryptionSecretsRepository(db);
    expect(secrets.find('escrow')).toBeNull();
    secrets.save('recovery', wrapped(1));
    expect(secrets.find('escrow')).toBeNull();
    secrets.save('escrow', wrapped(2));
    secrets.save('escrow', wrapped(3));
    expect(secrets.find('escrow')).toEqual(wrapped(3));
    expect(secrets.find('recovery')).toEqual(wrapped(1));
    expect(secrets.deleteAll()).toBe(2);
  });

  it('of the configuration keep the id of the database, and how far a rotation is', () => {
    const config = new EncryptionConfigRepository(db);
    expect(config.get()).toBeNull();
    config.pin('one', 'file');
    config.pin('two', 'keychain');
    const pinned = { databaseId: 'one', keySource: 'keychain' };
    expect(config.get()).toEqual({ ...pinned, rotation: null });
    const [one, two] = [wrapped(1).keyId, wrapped(2).keyId];
    config.startRotation(one);
    expect(config.get()?.rotation).toEqual({
      keyId: one,
      cursor: '',
      startedAt: new Date(START).toISOString(),
    });
    expect(config.advanceRotation(one, 'p')).toBe(true);
    expect(config.advanceRotation(two, 'q')).toBe(false);
    expect(config.get()?.rotation?.cursor).toBe('p');
    time.now += 1000;
    config.startRotation(two);
    expect(config.get()?.rotation).toEqual({
      keyId: two,
      cursor: '',
      startedAt: new Date(time.now).toISOString(),
    });
    db.driver.exec(`UPDATE encryption_config SET rotation_started_at = 'x'`);
    expect(config.get()).toEqual({ ...pinned, rotation: null });
    expect(heard).toMatchObject([{ table: 'encryption_config', column: 'rotation_started_at' }]);
    config.endRotation();
    expect(rowsOf(db, 'encryption_config')).toMatchObject([
      { rotation_key_id: null, rotation_cursor: null, rotation_started_at: null },
    ]);
    expect(config.advanceRotation(two, 'r')).toBe(false);
  });
});
