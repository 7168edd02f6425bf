import { createDecipheriv, scryptSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseManager, Login } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import type { Row } from 'proxyvault/driver';
import { keyringFile } from 'proxyvault/keys';
import { describe, expect, it } from 'vitest';
import { rowsOf } from '../support/pool.ts';
import {
  bindingOf,
  checkValueOf,
  derived,
  fingerprintKeyOf,
  keyIdOf,
  passwordFingerprint,
  recoveryKeyOf,
  sealed,
  usernameFingerprint,
  wrapped,
} from '../support/stored-format.ts';
import { openMigrated, temporaryFolder } from '../support/temporary.ts';

/** 00 01 02 … 1f. */
const KEY = Buffer.from(Array.from({ length: 32 }, (_, n) => n));
const LOGINS: readonly Login[] = [
  { username: 'user', password: 'p@ss:w\u00f6rd' },
  { username: 'only-a-username', password: '' },
  { username: 'mobile', password: 'pass', rotateUrl: 'https://provider.example/rotate?token=1' },
];

/** Of that key, computed with Python's hmac and hashlib. */
const ANSWERS = {
  keyId: '40f189a8a4006833',
  checkValue: 'b43788be0a541e271d359bd2cfef42e0',
  username: 'bdmEvS-uUlVmBo3baRBzWg',
  password: 'eOazT2uzeFQE-CIX3NAvww',
  scrypt: '91ea4a3fea1037cdab72d9cb8617899fdf06bd16e13e08977a89c06a3d0b25c3',
  /** Of the bytes 00 01 02 … 13. */
  code: '000G-40R4-0M30-E209-185G-R38E-1W81-24GK-WYQB',
  recoveryKey: '6d84707b167983d1a3c0aa8326f362bec68e28e140b9938e1ba0b87a7bbadf23',
};

/** A pool with three logins, and a text that is bound to nothing. */
function openPool(): {
  db: DatabaseManager;
  encryption: EncryptionService;
  proxies: ProxyRepository;
  code: string;
  textId: string;
} {
  const db = openMigrated({ path: ':memory:' });
  const encryption = new EncryptionService({ key: KEY, database: db });
  const proxies = new ProxyRepository(db, encryption);
  LOGINS.forEach((credentials, n) => {
    proxies.create({
      id: `pr\u00f6xy-${n}`,
      host: 'gate.example',
      port: 8000 + n,
      protocol: 'socks5',
      credentials,
    });
  });
  const { id: textId } = proxies.create({ host: 'text.example', port: 80, protocol: 'http' });
  new EncryptedCredentialsRepository(db).save(textId, encryption.encrypt('a text'));
  return { db, encryption, proxies, code: encryption.createRecoveryCode(), textId };
}

/** Unwraps by hand, without a look at what it is bound to. */
function unseal(by: Buffer, wrappedKey: string, iv: string): Buffer {
  const wrapping = derived(by, 'proxyvault key wrapping v1');
  const decipher = createDecipheriv('aes-256-gcm', wrapping, Buffer.from(iv, 'base64'));
  return decipher.update(Buffer.from(wrappedKey, 'base64'));
}

/** The key that a row of the tables of keys holds, which must be the very text that wrapping it here gives. */
function unwrap(by: Buffer, row: Row | undefined, place: readonly [string, string]): Buffer {
  const iv = String(row?.iv);
  const key = unseal(by, String(row?.wrapped_key), iv);
  expect(wrapped(by, key, iv, place)).toEqual({
    keyId: row?.key_id,
    kekId: row?.kek_id,
    wrappedKey: row?.wrapped_key,
    iv,
    tag: row?.tag,
    keyCheckValue: row?.key_check_value,
  });
  return key;
}

const secretOf = (db: DatabaseManager, name: string): Row | undefined =>
  rowsOf(db, 'encryption_secrets').find((row) => row.name === name) as Row | undefined;

/** The row of a credential must be the very ciphertext of this text, under its IV. */
function expectSealed(
  db: DatabaseManager,
  id: string,
  key: Buffer,
  text: string,
  data: string[] | null,
): void {
  const row = rowsOf(db, 'encrypted_credentials').find(({ proxy_id }) => proxy_id === id);
  const { ciphertext, tag } = sealed(key, String(row?.iv), text, data);
  expect(row).toMatchObject({ encrypted_data: ciphertext, auth_tag: tag, key_id: keyIdOf(key) });
  expect(Buffer.from(String(row?.iv), 'base64')).toHaveLength(12);
}

describe('the known answers of the key 00 01 02 … 1f', () => {
  it('are its id, its check value, and fingerprints of usernames and passwords', () => {
    expect(new EncryptionService({ key: KEY }).keyId()).toBe(ANSWERS.keyId);
    expect(keyIdOf(KEY)).toBe(ANSWERS.keyId);
    expect(checkValueOf(KEY)).toBe(ANSWERS.checkValue);
    const fingerprints = new EncryptionService({ key: KEY }).cipherOf(openMigrated({ path: ':memory:' }));
    const direct = new EncryptionService({ key: KEY });
    expect(direct.fingerprint('user')).toBe(ANSWERS.username);
    expect(fingerprints.fingerprint('user')).toBe(ANSWERS.username);
    expect(fingerprints.passwordFingerprint({ username: 'user', password: 'pass' })).toBe(ANSWERS.password);
    expect(usernameFingerprint(fingerprintKeyOf(KEY), 'user')).toBe(ANSWERS.username);
    expect(passwordFingerprint(fingerprintKeyOf(KEY), 'user', 'pass')).toBe(ANSWERS.password);
  });

  it('are a key of a password by scrypt, in Unicode form NFC', () => {
    const salt = Buffer.from('0123456789abcdef');
    for (const password of ['caf\u00e9 \u212b', 'cafe\u0301 A\u030a'])
      expect(new EncryptionService({ key: KEY }).deriveKey(password, salt).toString('hex')).toBe(
        ANSWERS.scrypt,
      );
  });

  it('are a recovery key of a code', () => {
    expect(recoveryKeyOf(ANSWERS.code).toString('hex')).toBe(ANSWERS.recoveryKey);
  });
});

describe('the tables of keys', () => {
  it('have each key wrapped for its place, and the recovery code wraps the key of the source', () => {
    const { db, code } = openPool();
    const [config] = rowsOf(db, 'encryption_config');
    expect(config).toMatchObject({
      id: 1,
      key_source: 'explicit',
      rotation_key_id: null,
      rotation_cursor: null,
    });
    const databaseId = String(config?.database_id);
    expect(databaseId).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    const [primary, ...others] = rowsOf(db, 'encryption_keys');
    expect(others).toEqual([]);
    expect(primary?.state).toBe('primary');
    unwrap(KEY, primary as Row, [databaseId, 'encryption_keys']);
    expect(unwrap(KEY, secretOf(db, 'fingerprint'), [databaseId, 'fingerprint'])).toEqual(
      fingerprintKeyOf(KEY),
    );
    expect(unwrap(KEY, secretOf(db, 'recovery'), [databaseId, 'recovery'])).toEqual(recoveryKeyOf(code));
    expect(unwrap(recoveryKeyOf(code), secretOf(db, 'escrow'), [databaseId, 'escrow'])).toEqual(KEY);
    expect(code).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4}-){8}[0-9A-HJKMNP-TV-Z]{4}$/);
  });

  it('have the credentials of each proxy bound to its place, and fingerprints of their logins', async () => {
    const { db, encryption, textId } = openPool();
    const dataKey = (): { databaseId: string; key: Buffer } => {
      const databaseId = String(rowsOf(db, 'encryption_config')[0]?.database_id);
      const primary = rowsOf(db, 'encryption_keys').find(({ state }) => state === 'primary');
      return { databaseId, key: unwrap(KEY, primary as Row, [databaseId, 'encryption_keys']) };
    };
    const expectLogins = (): void => {
      const { databaseId, key } = dataKey();
      LOGINS.forEach(({ username, password, rotateUrl }, n) => {
        const proxy = { id: `pr\u00f6xy-${n}`, protocol: 'socks5', host: 'gate.example', port: 8000 + n };
        const text = JSON.stringify({ username, password, rotateUrl });
        expectSealed(db, proxy.id, key, text, bindingOf('login', databaseId, proxy, keyIdOf(key)));
        expect(rowsOf(db, 'proxies').find(({ id }) => id === proxy.id)).toMatchObject({
          username_fingerprint: usernameFingerprint(fingerprintKeyOf(KEY), username),
          password_fingerprint:
            password === '' ? '' : passwordFingerprint(fingerprintKeyOf(KEY), username, password),
        });
      });
    };
    expectLogins();
    expectSealed(db, textId, dataKey().key, 'a text', null);
    await encryption.rotate();
    expectLogins();
    const { databaseId, key } = dataKey();
    const proxy = { id: textId, protocol: 'http', host: 'text.example', port: 80 };
    expectSealed(db, textId, key, 'a text', bindingOf('text', databaseId, proxy, keyIdOf(key)));
    const bindings = rowsOf(db, 'encrypted_credentials').map((row) => [row.binding, row.binding_version]);
    expect(bindings.sort()).toEqual([
      ['login', 3],
      ['login', 3],
      ['login', 3],
      ['text', 3],
    ]);
  });

  it('are not used without a database: the key itself encrypts, and associated data are taken as they are', () => {
    const encryption = new EncryptionService({ key: KEY });
    for (const data of [undefined, Buffer.from('mine')]) {
      const { ciphertext, iv, authTag, ...rest } = encryption.encrypt('text', data);
      const decipher = createDecipheriv('aes-256-gcm', KEY, Buffer.from(iv, 'base64'));
      if (data) decipher.setAAD(data);
      decipher.setAuthTag(Buffer.from(authTag, 'base64'));
      expect(decipher.update(ciphertext, 'base64', 'utf8') + decipher.final('utf8')).toBe('text');
      expect(rest).toEqual({ keyId: ANSWERS.keyId });
    }
  });
});

describe('a key file', () => {
  it('is the key in base64, and older keys below a comment', async () => {
    const keyFile = join(temporaryFolder(), 'key');
    const db = openMigrated({ path: ':memory:' });
    const encryption = new EncryptionService({ keyFile, database: db });
    encryption.encrypt('x');
    const first = readFileSync(keyFile, 'utf8');
    expect(first).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    await encryption.protect(keyringFile(keyFile));
    await encryption.protect(keyringFile(keyFile));
    const text = readFileSync(keyFile, 'utf8');
    expect(text).toMatch(
      /^[A-Za-z0-9+/]{43}=\n# Older keys, which only decrypt:\n(?:[A-Za-z0-9+/]{43}=\n){2}$/,
    );
    expect(text.endsWith(first)).toBe(true);
    expect(keyIdOf(Buffer.from(text.slice(0, 44), 'base64'))).toBe(encryption.keyId());
    expect(existsSync(`${keyFile}.bak`)).toBe(true);
  });

  it('under a passphrase has its keys wrapped by what scrypt gives for its NFC', async () => {
    const keyFile = join(temporaryFolder(), 'key');
    const passphrase = 'cafe\u0301 \u{1f511}';
    const db = openMigrated({ path: ':memory:' });
    const encryption = await EncryptionService.open({ key: KEY, database: db });
    await encryption.protect(keyringFile(keyFile, { passphrase }));
    const text = readFileSync(keyFile, 'utf8');
    const { protection, keys } = JSON.parse(text) as {
      protection: { salt: string };
      keys: Record<string, string>[];
    };
    const salt = Buffer.from(protection.salt, 'base64');
    expect(salt).toHaveLength(16);
    const options = { N: 131_072, r: 8, p: 1, maxmem: 256 * 1024 * 1024 };
    const protecting = scryptSync('caf\u00e9 \u{1f511}', salt, 32, options);
    const unwrapped = keys.map(({ wrappedKey = '', iv = '' }) => unseal(protecting, wrappedKey, iv));
    const [key = Buffer.alloc(0)] = unwrapped;
    expect(encryption.keyId()).toBe(keyIdOf(key));
    const expected = {
      format: 'proxyvault keyring',
      version: 1,
      protection: { kind: 'passphrase', kdf: 'scrypt', n: 131_072, r: 8, p: 1, salt: protection.salt },
      keys: unwrapped.map((each, n) =>
        wrapped(protecting, each, keys[n]?.iv ?? '', ['keyring', 'passphrase']),
      ),
    };
    expect(text).toBe(`${JSON.stringify(expected, null, 2)}\n`);
  });
});
