import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { environmentKey, keyringFile } from 'proxyvault/keys';
import { describe, expect, it } from 'vitest';
import { createRecoveryCode, recoveryKeyOf } from '../../../src/keys/recovery-code.ts';
import { bytesOf, loginOf, openPool, openWithKeyFile, rowsOf } from '../../support/pool.ts';
import { openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const run = (db: DatabaseManager, sql: string): number => db.driver.run(sql, {});
const newKey = (): string => randomBytes(32).toString('base64');
const idOf = (key: string): string => new EncryptionService({ key }).keyId();
const newFile = (): string => join(temporaryFolder(), 'key');
const keysIn = (file: string): string[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
const wrappersOf = (db: DatabaseManager, table: string): unknown[] => [
  ...new Set(rowsOf(db, table).map(({ kek_id }) => kek_id)),
];

describe('protect', () => {
  it('puts every key of the database under the new one, and pins the new kind of source', async () => {
    const { db, service } = openWithKeyFile();
    const code = service.createRecoveryCode();
    const PROXYVAULT_KEY = newKey();
    const moved = environmentKey({ PROXYVAULT_KEY });
    await service.protect(moved);
    expect(service.source()).toEqual({ kind: 'environment', location: 'PROXYVAULT_KEY' });
    expect(service.keyId()).toBe(idOf(PROXYVAULT_KEY));
    expect(wrappersOf(db, 'encryption_keys')).toEqual([service.keyId()]);
    const secrets = Object.fromEntries(
      rowsOf(db, 'encryption_secrets').map(({ name, kek_id, key_id }) => [name, { kek_id, key_id }]),
    );
    const recovery = recoveryKeyOf(code).id;
    expect(secrets).toEqual({
      fingerprint: { kek_id: service.keyId(), key_id: secrets.fingerprint?.key_id },
      recovery: { kek_id: service.keyId(), key_id: recovery },
      escrow: { kek_id: recovery, key_id: service.keyId() },
    });
    expect(rowsOf(db, 'encryption_config')).toMatchObject([{ key_source: 'environment' }]);
    expect(rowsOf(db, 'encryption_keys')).toHaveLength(1);
    // The code restores the key that is in use now.
    const keyFile = newFile();
    const recovered = await EncryptionService.recover({ database: db, code, keyFile });
    expect(keysIn(keyFile)).toEqual([PROXYVAULT_KEY]);
    expect(recovered.source().kind).toBe('key file');
    expect(rowsOf(db, 'encryption_config')).toMatchObject([{ key_source: 'key file' }]);
    expect(await recovered.verify()).toMatchObject({ ok: true, checked: 1 });
  });

  it('of an empty pool makes its first keys', async () => {
    const db = openMigrated();
    const keyFile = newFile();
    const service = new EncryptionService({ keyFile, env: {}, database: db });
    await service.protect(keyringFile(keyFile));
    expect(rowsOf(db, 'encryption_keys')).toMatchObject([{ state: 'primary', kek_id: service.keyId() }]);
    expect(existsSync(keyFile)).toBe(true);
  });

  it('within a file takes a new key each time, before all that were there', async () => {
    const { keyFile, service } = openWithKeyFile();
    const ids = [service.keyId()];
    for (let move = 0; move < 3; move++) {
      await service.protect(keyringFile(keyFile));
      ids.unshift(service.keyId());
    }
    expect(new Set(ids).size).toBe(4);
    expect(keysIn(keyFile).map(idOf)).toEqual(ids);
  });

  it('into another file keeps the keys that are there, and leaves the old file as it is', async () => {
    const a = openWithKeyFile();
    const b = openWithKeyFile();
    const [old] = keysIn(a.keyFile);
    const theirs = keysIn(b.keyFile);
    await a.service.protect(keyringFile(b.keyFile));
    expect(keysIn(b.keyFile).slice(1)).toEqual(theirs);
    expect(keysIn(a.keyFile)).toEqual([old]);
    for (const { db, id } of [a, b]) {
      const service = new EncryptionService({ keyFile: b.keyFile, env: {}, database: db });
      expect(new EncryptedCredentialsRepository(db, service).reveal(id)).toEqual(loginOf(0));
    }
  });

  it('adopts the keys of the source that encrypt something by themselves, and no others', async () => {
    const [newer, older, unused] = [newKey(), newKey(), newKey()];
    const db = openMigrated();
    const proxies = new ProxyRepository(db);
    const ids = [1, 2].map((port) => proxies.create({ host: 'h.example', port, protocol: 'http' }).id);
    const [first = '', second = ''] = ids;
    const credentials = new EncryptedCredentialsRepository(db);
    credentials.save(first, new EncryptionService({ key: older }).encrypt('of older'));
    const before = new EncryptionService({ key: `${newer} ${older} ${unused}`, database: db });
    const target = newKey();
    await before.protect(environmentKey({ PROXYVAULT_KEY: target }));
    expect(rowsOf(db, 'encryption_keys').map(({ key_id }) => key_id)).toContain(idOf(older));
    expect(rowsOf(db, 'encryption_keys').map(({ key_id }) => key_id)).not.toContain(idOf(unused));
    expect(
      rowsOf(db, 'encryption_keys')
        .map(({ state }) => state)
        .sort(),
    ).toEqual(['decrypt-only', 'primary']);
    const reader = new EncryptionService({ env: { PROXYVAULT_KEY: target }, database: db });
    expect(reader.decrypt(credentials.findByProxyId(first))).toBe('of older');
    // What does not name its key may be of any.
    const { keyId: _, ...unnamed } = new EncryptionService({ key: target }).encrypt('of target');
    credentials.save(second, unnamed);
    const last = newKey();
    await reader.protect(environmentKey({ PROXYVAULT_KEY: last }));
    const after = new EncryptionService({ env: { PROXYVAULT_KEY: last }, database: db });
    expect(after.decrypt(credentials.findByProxyId(second))).toBe('of target');
  });

  it('that fails within the database leaves the file as it was, and the pool with its old key', async () => {
    const { db, keyFile, id, service } = openWithKeyFile();
    const before = readFileSync(keyFile, 'utf8');
    db.driver.exec(
      `CREATE TRIGGER no_secrets BEFORE UPDATE ON encryption_secrets BEGIN SELECT RAISE(ABORT, 'full'); END`,
    );
    for (const target of [keyringFile(keyFile), keyringFile(newFile())])
      await expect(service.protect(target)).rejects.toMatchObject({ code: 'CONSTRAINT' });
    db.driver.exec('DROP TRIGGER no_secrets');
    expect(readFileSync(keyFile, 'utf8')).toBe(before);
    expect(existsSync(`${keyFile}.bak`)).toBe(false);
    const credentials = new EncryptedCredentialsRepository(db, service);
    expect(credentials.reveal(id)).toEqual(loginOf(0));
    expect(service.source().location).toBe(keyFile);
  });

  it('leaves nothing in the log that the old key wraps', async () => {
    const { db, service } = openWithKeyFile();
    const [{ wrapped_key: wrapped } = {}] = rowsOf(db, 'encryption_secrets');
    await service.protect(environmentKey({ PROXYVAULT_KEY: newKey() }));
    expect(bytesOf(db).includes(String(wrapped))).toBe(false);
  });

  it.each([null, undefined, {}, { read: 'x' }, 'path'])('takes a key source, and not %j', (source) => {
    const { encryption } = openPool(0);
    expect(thrownBy(() => encryption.protect(source as never))).toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('recover', () => {
  it('puts the key after those that the file has, once, and changes none of them', async () => {
    const { db, keyFile, service } = openWithKeyFile();
    const code = service.createRecoveryCode();
    const [key] = keysIn(keyFile);
    const other = openWithKeyFile();
    const [theirs] = keysIn(other.keyFile);
    for (let time = 0; time < 2; time++) {
      await EncryptionService.recover({ database: db, code, keyFile: other.keyFile });
      expect(keysIn(other.keyFile)).toEqual([theirs, key]);
    }
    // `replace` is for a file that cannot be opened: what can be read stays.
    await EncryptionService.recover({ database: db, code, keyFile: other.keyFile, replace: true });
    expect(keysIn(other.keyFile)).toEqual([theirs, key]);
  });

  it('tells the code of another pool from damage, and names both keys', async () => {
    const { db, service } = openWithKeyFile();
    const { id: needed } = recoveryKeyOf(service.createRecoveryCode());
    const { code, key } = createRecoveryCode();
    await expect(EncryptionService.recover({ database: db, code, keyFile: newFile() })).rejects.toMatchObject(
      {
        code: 'KEY_MISMATCH',
        details: { needed, found: key.id },
      },
    );
  });

  it('needs a source that stores keys, and the id of the database', async () => {
    const { db, service } = openWithKeyFile();
    const code = service.createRecoveryCode();
    const keySource = { kind: 'kms', location: 'x', read: () => null };
    await expect(EncryptionService.recover({ database: db, code, keySource })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('kms'),
    });
    const keyFile = newFile();
    run(db, 'DELETE FROM encryption_config');
    await expect(EncryptionService.recover({ database: db, code, keyFile })).rejects.toMatchObject({
      code: 'INVALID_ROW',
    });
    expect(existsSync(keyFile)).toBe(false);
  });

  it('trusts a mounted key file if it is told to', async () => {
    const { db, service } = openWithKeyFile();
    const code = service.createRecoveryCode();
    const keyFile = newFile();
    writeFileSync(keyFile, newKey(), { mode: 0o644 });
    const options = { database: db, code, keyFile, env: {} };
    await expect(EncryptionService.recover(options)).rejects.toMatchObject({ code: 'CONFLICT' });
    const trusting = EncryptionService.recover({ ...options, trustKeyFile: true });
    await expect(trusting).rejects.toMatchObject({ code: 'KEY_INVALID' });
  });

  it('restores every data key, though some were wrapped by an older key of the source', async () => {
    const { db, key: older } = openPool(3);
    const key = `${newKey()} ${older.toString('base64')}`;
    const code = new EncryptionService({ key, database: db }).createRecoveryCode();
    const recovered = await EncryptionService.recover({ database: db, code, keyFile: newFile() });
    expect(await recovered.verify()).toMatchObject({ ok: true, checked: 3 });
    expect(recovered.keyId()).toBe(idOf(key));
  });
});

/** Secrets of codes, and their check characters: the first 20 bits of SHA-256 in base 32. */
const CHECKS = [
  ['0000000000000000000000000000000000000000', 'VS3W'],
  ['0842108401084210840108421084210000000001', 'MECT'],
  ['ffffffffffffffffffffffffffffffffffffffff', 'KA6W'],
  ['0100000000000000000000000000000000000000', '47Y3'],
] as const;

describe('a recovery code', () => {
  const secret = (hex: string): string => {
    const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
    const bits = [...Buffer.from(hex, 'hex')].map((byte) => byte.toString(2).padStart(8, '0')).join('');
    return (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join('');
  };

  it('may begin or end with zeros, and has all its 160 bits drawn', () => {
    for (const [hex, check] of CHECKS) expect(recoveryKeyOf(secret(hex) + check).id).toMatch(/^[\da-f]{16}$/);
    const codes = Array.from({ length: 64 }, () =>
      createRecoveryCode().code.replaceAll('-', '').slice(0, 32),
    );
    for (let at = 0; at < 32; at++) expect(new Set(codes.map((code) => code[at])).size).toBeGreaterThan(8);
  });

  it('is read with any slip found out that one hand makes', () => {
    const { code, key } = createRecoveryCode();
    const written = code.replaceAll('-', '');
    for (const form of [code, written, code.toLowerCase(), code.replaceAll('-', ' - '), `\t${code}\r\n`])
      expect(recoveryKeyOf(form).id).toBe(key.id);
    for (let at = 0; at < written.length; at++) {
      const other = written[at] === 'A' ? 'B' : 'A';
      const wrong = written.slice(0, at) + other + written.slice(at + 1);
      const error = thrownBy(() => recoveryKeyOf(wrong));
      expect(error).toMatchObject({ code: 'INVALID_INPUT' });
      expect(String(error)).not.toContain(wrong);
    }
    for (const wrong of [`${code}A`, code.slice(0, -1), code.replace(/^./, 'U'), code.replace(/.$/, '!')])
      expect(thrownBy(() => recoveryKeyOf(wrong))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('has 0 and 1 read from O, I and L, in either case', () => {
    const [hex = '', check = ''] = CHECKS[1] ?? [];
    const written = secret(hex) + check;
    const { id } = recoveryKeyOf(written);
    expect(written).toMatch(/0.*1.*0/);
    for (const one of ['I', 'i', 'L', 'l'])
      for (const zero of ['O', 'o'])
        expect(recoveryKeyOf(written.replaceAll('1', one).replaceAll('0', zero)).id).toBe(id);
  });
});
