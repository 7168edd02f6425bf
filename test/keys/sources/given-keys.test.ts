import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { type KeySource, systemdCredential } from 'proxyvault/keys';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SecretKey } from '../../../src/keys/secret-key.ts';
import { loginOf, openPool, rowsOf } from '../../support/pool.ts';
import { makeSocket, openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const idOf = (key: Buffer): string => new EncryptionService({ key }).keyId();

describe('a credential of systemd', () => {
  const credential = (content: string | Buffer): { CREDENTIALS_DIRECTORY: string } => {
    const CREDENTIALS_DIRECTORY = temporaryFolder();
    // As systemd gives it: readable by a group, which its access list limits.
    writeFileSync(join(CREDENTIALS_DIRECTORY, 'proxyvault.key'), content, { mode: 0o440 });
    return { CREDENTIALS_DIRECTORY };
  };

  it('is the key, as text or as bytes, before the file of the configuration folder', () => {
    const key = randomBytes(32);
    for (const content of [key, key.toString('base64'), `${key.toString('hex')}\n`]) {
      const service = new EncryptionService({ env: credential(content) });
      expect(service.keyId()).toBe(idOf(key));
      expect(service.source().kind).toBe('systemd credential');
    }
    const PROXYVAULT_KEY = randomBytes(32).toString('hex');
    expect(new EncryptionService({ env: { ...credential(key), PROXYVAULT_KEY } }).source().kind).toBe(
      'environment',
    );
  });

  it('that is missing, malformed or a link is an error, and none is made', async () => {
    const CREDENTIALS_DIRECTORY = temporaryFolder();
    const keySource = systemdCredential({ CREDENTIALS_DIRECTORY });
    await expect(EncryptionService.open({ keySource })).rejects.toMatchObject({ code: 'KEY_MISSING' });
    expect(
      thrownBy(() => new EncryptionService({ keySource: systemdCredential({}) }).encrypt('x')),
    ).toMatchObject({
      code: 'KEY_MISSING',
    });
    expect(thrownBy(() => new EncryptionService({ env: credential('x') }).encrypt('x'))).toMatchObject({
      code: 'KEY_INVALID',
    });
    makeSocket(join(CREDENTIALS_DIRECTORY, 'proxyvault.key'));
    expect(thrownBy(() => new EncryptionService({ keySource }).encrypt('x'))).toMatchObject({
      code: 'KEY_INVALID',
    });
  });
});

describe('several keys', () => {
  it('are the one in use and older ones: so is the key in the environment changed', async () => {
    const older = randomBytes(32).toString('base64');
    const newer = randomBytes(32).toString('base64');
    const db = openMigrated();
    const first = await EncryptionService.open({ env: { PROXYVAULT_KEY: older }, database: db });
    new ProxyRepository(db, first).create({
      host: 'h.example',
      port: 1,
      protocol: 'http',
      credentials: loginOf(0),
    });
    await EncryptionService.open({ env: { PROXYVAULT_KEY: `${newer},${older}` }, database: db });
    const after = await EncryptionService.open({ env: { PROXYVAULT_KEY: newer }, database: db });
    expect(await after.verify()).toMatchObject({ ok: true, checked: 1 });
    expect(rowsOf(db, 'encryption_keys')[0]?.kek_id).toBe(after.keyId());
    await expect(
      EncryptionService.open({ env: { PROXYVAULT_KEY: older }, database: db }),
    ).rejects.toMatchObject({
      code: 'KEY_MISMATCH',
    });
  });

  it('are rejected if one of them is invalid', () => {
    const key = randomBytes(32).toString('hex');
    for (const text of [`${key} x`, `${key},`.repeat(2).concat('y'), `# ${key}`]) {
      const error = thrownBy(() => new EncryptionService({ key: text }).encrypt('x'));
      expect(error).toMatchObject({ code: 'KEY_INVALID' });
      expect(inspect(error)).not.toContain(key);
    }
  });
});

describe('an older key that cannot be one', () => {
  const key = randomBytes(32).toString('base64');
  const older = randomBytes(32).toString('base64');
  it.each([
    ['all zeros', Buffer.alloc(32).toString('base64'), 'is all zeros'],
    ['all zeros in hexadecimal', '0'.repeat(64), 'is all zeros'],
    ['quoted', `"${older}"`, 'is in quotation marks'],
    ['badly padded', older.replace('=', ''), 'is badly padded'],
    ['cut short', older.slice(0, 20), 'is 15 bytes long'],
  ])('is named by its place and told what is wrong: %s', (_, text, problem) => {
    const message = expect.stringMatching(
      new RegExp(
        `^(?:The environment variable PROXYVAULT_KEY|The option .key.) does not hold a key: key 2 of 3 ${problem}`,
      ),
    );
    for (const options of [
      { env: { PROXYVAULT_KEY: `${key},${text},${older}` } },
      { key: `${key}\n${text}\n${older}` },
    ]) {
      const error = thrownBy(() => new EncryptionService(options).encrypt('x'));
      expect(error).toMatchObject({ code: 'KEY_INVALID', message });
      for (const secret of [key, older, text]) expect(inspect(error)).not.toContain(secret);
    }
  });

  it('may be 32 equal bytes, since what it encrypted must be read', () => {
    const options = { key: `${key},${Buffer.alloc(32, 7).toString('base64')}` };
    expect(new EncryptionService(options).encrypt('x')).toMatchObject({ keyId: expect.any(String) });
  });
});

describe('a source of the user\u2019s own', () => {
  const of = (read: KeySource['read'], create?: KeySource['create']): KeySource => ({
    kind: 'kms',
    location: 'key/1',
    read,
    ...(create ? { create } : {}),
  });

  it('may answer with a promise, and its buffers are overwritten', async () => {
    const given = randomBytes(32);
    const id = idOf(Buffer.from(given));
    const service = await EncryptionService.open({ keySource: of(async () => given) });
    expect(service.keyId()).toBe(id);
    expect(given.every((byte) => byte === 0)).toBe(true);
    expect(service.decrypt(service.encrypt('x'))).toBe('x');
  });

  it('that gives the buffer again which was overwritten is refused', () => {
    const given = randomBytes(32);
    const source = of(() => given);
    new EncryptionService({ keySource: source }).encrypt('x');
    expect(thrownBy(() => new EncryptionService({ keySource: source }).encrypt('x'))).toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringContaining('new buffer'),
    });
  });

  it('that answers with a promise needs `open`; what it would have said is not an unhandled rejection', async () => {
    const heard: unknown[] = [];
    const hear = (reason: unknown): void => void heard.push(reason);
    process.on('unhandledRejection', hear);
    onTestFinished(() => void process.off('unhandledRejection', hear));
    const service = new EncryptionService({ keySource: of(() => Promise.reject(new Error('later'))) });
    expect(thrownBy(() => service.encrypt('x'))).toMatchObject({ code: 'KEY_LOCKED' });
    await nextTurn();
    expect(heard).toEqual([]);
  });

  it('makes a key when it can and may, and that is what is used', async () => {
    const key = randomBytes(32);
    const made = await EncryptionService.open({
      keySource: of(
        async () => null,
        async () => Buffer.from(key),
      ),
    });
    expect(made.keyId()).toBe(idOf(key));
    const never = await EncryptionService.open({
      keySource: of(
        () => null,
        () => randomBytes(32),
      ),
      create: false,
    });
    expect(thrownBy(() => never.decrypt({ ciphertext: '', iv: '', authTag: '' }))).toMatchObject({
      code: 'KEY_MISSING',
    });
    await expect(EncryptionService.open({ keySource: of(() => null) })).rejects.toMatchObject({
      code: 'KEY_MISSING',
    });
  });

  it.each([[[]], ['text'], [[randomBytes(32), 7]], [randomBytes(16)]])(
    'that gives no key is KEY_INVALID: %#',
    (given) => {
      const service = new EncryptionService({ keySource: of(() => given as never) });
      expect(thrownBy(() => service.encrypt('x'))).toMatchObject({ code: 'KEY_INVALID' });
    },
  );

  it('may be a cloud KMS: the example runs', () => {
    const example = fileURLToPath(new URL('../../../examples/kms-key-source.mts', import.meta.url));
    const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', example], {
      cwd: temporaryFolder(),
      encoding: 'utf8',
    });
    expect({ stdout, stderr }).toEqual({ stdout: 'kept by the KMS example kms\n', stderr: '' });
  });

  it('has its errors passed on', () => {
    const service = new EncryptionService({
      keySource: of(() => {
        throw new TypeError('no network');
      }),
    });
    expect(thrownBy(() => service.encrypt('x'))).toMatchObject({ message: 'no network' });
  });
});

describe('destroy', () => {
  it('forgets the keys: every later use is CLOSED', async () => {
    const { encryption, credentials, ids, db } = openPool(1);
    const encrypted = encryption.encrypt('x');
    const cipher = encryption.cipherOf(db);
    encryption.destroy();
    const uses = [
      () => encryption.encrypt('x'),
      () => encryption.decrypt(encrypted),
      () => encryption.keyId(),
      () => encryption.fingerprint('x'),
      () => credentials.reveal(ids[0] ?? ''),
      () => credentials.store(ids[0] ?? '', loginOf(1)),
      () => encryption.createRecoveryCode(),
      () => encryption.status(),
      () => cipher.seal('x', { protocol: 'http', host: 'h.example', port: 1 }, 'text', 'y'),
    ];
    for (const use of uses) expect(thrownBy(use)).toMatchObject({ code: 'CLOSED' });
    await expect(encryption.rotate()).rejects.toMatchObject({ code: 'CLOSED' });
    encryption.destroy();
    using scoped = new EncryptionService({ key: randomBytes(32), database: db });
    expect(scoped.source().kind).toBe('explicit');
  });
});

describe('a key that is looked at', () => {
  it('shows its id and nothing else', () => {
    const bytes = randomBytes(32);
    const forms = [bytes.toString('hex'), bytes.toString('base64'), inspect(bytes)];
    const key = SecretKey.from(Buffer.from(bytes));
    const wrapped = SecretKey.generate().wrap(key, 'place');
    const { encryption } = openPool(1, { key: Buffer.from(bytes) });
    for (const object of [key, wrapped, encryption, encryption.status(), { nested: [key] }]) {
      for (const text of [
        inspect(object, { depth: 9, showHidden: true }),
        JSON.stringify(object),
        String(object),
      ])
        for (const form of forms) expect(text).not.toContain(form);
    }
    expect(inspect(key)).toContain(key.id);
    expect(JSON.stringify(key)).toContain('[redacted]');
  });
});
