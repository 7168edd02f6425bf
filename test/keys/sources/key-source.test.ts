import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it, vi } from 'vitest';
import { useCheapPassphrases } from '../../support/cheap-passphrases.ts';
import { temporaryFolder, thrownBy } from '../../support/temporary.ts';

const POSIX = process.platform !== 'win32';
const env = {};

useCheapPassphrases();

describe('the key file', () => {
  it('is made at the first encryption, whole, 0600 in 0700, and found again after a restart', () => {
    const keyFile = join(temporaryFolder(), 'a', 'b', 'key');
    const first = new EncryptionService({ keyFile });
    expect(existsSync(keyFile)).toBe(false);
    const encrypted = first.encrypt('kept');
    expect(Buffer.from(readFileSync(keyFile, 'utf8'), 'base64')).toHaveLength(32);
    expect(readdirSync(dirname(keyFile))).toEqual(['key']);
    if (POSIX) {
      expect(statSync(keyFile).mode & 0o777).toBe(0o600);
      expect(statSync(dirname(keyFile)).mode & 0o777).toBe(0o700);
    }
    expect(new EncryptionService({ keyFile }).decrypt(encrypted)).toBe('kept');
    expect(first.source()).toEqual({ kind: 'key file', location: keyFile });
  });

  it('is told about when it is made, to a program that asks for it', async () => {
    const keyFile = join(temporaryFolder(), 'key');
    const told: unknown[] = [];
    const onKeyCreated = (source: unknown): void => void told.push(source);
    const service = new EncryptionService({ keyFile, env, onKeyCreated });
    expect(told).toEqual([]);
    service.encrypt('x');
    const made = { kind: 'key file', location: keyFile, protection: 'permissions' };
    expect(told).toEqual([made]);
    new EncryptionService({ keyFile, env, onKeyCreated }).encrypt('y');
    await EncryptionService.open({ keyFile: `${keyFile}2`, env, onKeyCreated });
    expect(told).toEqual([made, { ...made, location: `${keyFile}2` }]);
    expect(thrownBy(() => new EncryptionService({ onKeyCreated: 'x' as never }))).toMatchObject({
      code: 'INVALID_INPUT',
    });
  });

  it('is never made by decrypting or asking', () => {
    const keyFile = join(temporaryFolder(), 'key');
    const encrypted = new EncryptionService({ key: randomBytes(32) }).encrypt('x');
    const lost = new EncryptionService({ keyFile });
    expect(thrownBy(() => lost.decrypt(encrypted))).toMatchObject({
      code: 'KEY_MISSING',
      message: expect.stringContaining(keyFile),
    });
    expect(thrownBy(() => lost.keyId())).toMatchObject({ code: 'KEY_MISSING' });
    expect(existsSync(keyFile)).toBe(false);
  });

  it('is refused, and kept, if it is empty, malformed, a folder or a link', () => {
    const folder = temporaryFolder();
    for (const content of [
      '',
      '\n',
      'not a key',
      randomBytes(31).toString('base64'),
      `${randomBytes(32).toString('base64')} x`,
    ]) {
      const keyFile = join(folder, 'key');
      writeFileSync(keyFile, content, { mode: 0o600 });
      const error = thrownBy(() => new EncryptionService({ keyFile }).encrypt('x'));
      expect(error).toMatchObject({ code: 'KEY_INVALID', message: expect.stringContaining(keyFile) });
      if (content.length > 5) expect(String(error)).not.toContain(content.trim());
      expect(readFileSync(keyFile, 'utf8')).toBe(content);
    }
    mkdirSync(join(folder, 'dir'));
    expect(
      thrownBy(() => new EncryptionService({ keyFile: join(folder, 'dir') }).encrypt('x')),
    ).toMatchObject({ code: 'KEY_INVALID' });
    if (!POSIX) return;
    symlinkSync(join(folder, 'nowhere'), join(folder, 'link'));
    expect(
      thrownBy(() => new EncryptionService({ keyFile: join(folder, 'link') }).encrypt('x')),
    ).toMatchObject({ code: 'KEY_INVALID' });
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
    symlinkSync(join(folder, 'key', 'below'), join(folder, 'through'));
    expect(
      thrownBy(() => new EncryptionService({ keyFile: join(folder, 'through') }).encrypt('x')),
    ).toMatchObject({ code: 'CANNOT_OPEN', details: { errno: 'ENOTDIR' } });
  });

  it.runIf(POSIX)('is refused if others may read it, with the command that closes it to them', () => {
    const keyFile = join(temporaryFolder(), 'key');
    new EncryptionService({ keyFile }).encrypt('x');
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(keyFile, mode);
      expect(thrownBy(() => new EncryptionService({ keyFile }).encrypt('x'))).toMatchObject({
        code: 'KEY_INVALID',
        message: expect.stringContaining(`chmod 600 '${keyFile}'`),
      });
    }
    chmodSync(keyFile, 0o400);
    new EncryptionService({ keyFile }).encrypt('x');
  });
});

describe('the passphrase', () => {
  it('is the first line of the file that PROXYVAULT_PASSPHRASE_FILE names', async () => {
    const folder = temporaryFolder();
    const [keyFile, file] = [join(folder, 'key'), join(folder, 'passphrase')];
    writeFileSync(file, 'from a file\r\nsecond line\n');
    const made = await EncryptionService.open({ keyFile, env: { PROXYVAULT_PASSPHRASE_FILE: file } });
    const opened = await EncryptionService.open({ keyFile, passphrase: 'from a file', env });
    expect(opened.keyId()).toBe(made.keyId());
    await expect(
      EncryptionService.open({ keyFile, env: { PROXYVAULT_PASSPHRASE_FILE: join(folder, 'nowhere') } }),
    ).rejects.toMatchObject({ code: 'KEY_MISSING', message: expect.stringContaining('nowhere') });
    await expect(EncryptionService.open({ keyFile, passphrase: '\uD800', env })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });
});

describe('the order of sources', () => {
  const a = randomBytes(32);
  const b = randomBytes(32);
  const idOf = (key: Buffer): string => new EncryptionService({ key }).keyId();

  it('is explicit key, explicit file, PROXYVAULT_KEY, PROXYVAULT_KEY_FILE', () => {
    const file = join(temporaryFolder(), 'key');
    writeFileSync(file, `${b.toString('base64')}\n`, { mode: 0o600 });
    const both = { PROXYVAULT_KEY: a.toString('hex'), PROXYVAULT_KEY_FILE: '/nowhere' };
    expect(new EncryptionService({ key: b, env: both }).keyId()).toBe(idOf(b));
    expect(new EncryptionService({ keyFile: file, env: both }).keyId()).toBe(idOf(b));
    expect(new EncryptionService({ env: both }).keyId()).toBe(idOf(a));
    expect(new EncryptionService({ env: { PROXYVAULT_KEY_FILE: file } }).keyId()).toBe(idOf(b));
    expect(new EncryptionService({ key: a.toString('base64'), env }).keyId()).toBe(idOf(a));
  });

  it('is never fallen through by a key given in the wrong place', () => {
    for (const options of [a, a.toString('hex'), { keyfile: 'x' }, null]) {
      expect(thrownBy(() => new EncryptionService(options as never))).toMatchObject({
        code: 'INVALID_INPUT',
      });
    }
  });

  it('ends at a variable that is set, even empty or malformed: nothing else is tried or made', () => {
    for (const PROXYVAULT_KEY of ['', 'abc', randomBytes(16).toString('hex')]) {
      expect(thrownBy(() => new EncryptionService({ env: { PROXYVAULT_KEY } }).encrypt('x'))).toMatchObject({
        code: 'KEY_INVALID',
        message: expect.stringContaining('PROXYVAULT_KEY'),
      });
    }
    expect(thrownBy(() => new EncryptionService({ env: { PROXYVAULT_KEY_FILE: ' ' } }))).toMatchObject({
      code: 'KEY_INVALID',
    });
    expect(thrownBy(() => new EncryptionService({ key: randomBytes(31) }).encrypt('x'))).toMatchObject({
      code: 'KEY_INVALID',
    });
  });

  it.runIf(process.platform === 'linux')('ends in the configuration folder of the platform', () => {
    const config = temporaryFolder();
    vi.stubEnv('XDG_CONFIG_HOME', config);
    vi.stubEnv('PROXYVAULT_KEY', undefined);
    vi.stubEnv('PROXYVAULT_KEY_FILE', undefined);
    const encrypted = new EncryptionService().encrypt('x');
    expect(existsSync(join(config, 'proxyvault', 'key'))).toBe(true);
    expect(new EncryptionService().decrypt(encrypted)).toBe('x');
    vi.unstubAllEnvs();
  });
});

describe('a source that is given as such', () => {
  const key = randomBytes(32);
  const whole = { kind: 'kms', location: 'eu-1', read: () => Uint8Array.from(key) };

  it.each([
    ['without read', { kind: whole.kind, location: whole.location }],
    ['without its kind', { location: whole.location, read: whole.read }],
    ['without its location', { kind: whole.kind, read: whole.read }],
    ['null', null],
    ['a text', 'key'],
  ])('is rejected if it cannot be one: %s', (_, keySource) => {
    const error = thrownBy(() => new EncryptionService({ keySource: keySource as never }));
    expect(error).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/^The option `keySource` must be a key source/),
    });
  });

  it.each([{ key }, { keyFile: 'key' }, { passphrase: 'x' }])(
    'is rejected with another option of the key, of which one would be ignored: %o',
    (option) => {
      expect(new EncryptionService({ keySource: whole, env }).encrypt('x')).toBeDefined();
      expect(thrownBy(() => new EncryptionService({ keySource: whole, ...option }))).toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('contradict'),
      });
    },
  );
});

describe('a key that cannot be used', () => {
  const key = Buffer.from(Array.from({ length: 32 }, (_, n) => 255 - n));
  const [base64, hex] = [key.toString('base64'), key.toString('hex')];

  it.each([
    ['', 'empty'],
    [`"${base64}"`, 'quotation marks'],
    [`'${hex}'`, 'quotation marks'],
    [`\u201c${base64}\u201d`, 'quotation marks'],
    [`PROXYVAULT_KEY=${base64}`, 'a name or a prefix'],
    [`base64:${base64}`, 'a name or a prefix'],
    [`0x${hex}`, '0x'],
    [base64.slice(0, -1), 'ends? with one `=`, and has none'],
    [`${base64}=`, 'badly padded'],
    [`${base64.slice(0, -2)}B=`, 'damaged base64'],
    [base64.replaceAll('/', '_').replaceAll('+', '-'), 'base64url'],
    [`${base64.slice(0, 20)}\n${base64.slice(20)}`, 'line break'],
    [`${hex.slice(0, 32)} ${hex.slice(32)}`, 'white space'],
    [hex.slice(1), '63 hexadecimal digits, an odd number'],
    [hex.slice(2), '31 bytes long and not 32'],
    [`${hex}00`, '33 bytes long and not 32'],
    [randomBytes(16).toString('base64'), '16 bytes long in base64'],
    [randomBytes(64).toString('base64'), '64 bytes long in base64'],
    [`${base64.slice(0, -2)}\u00e9=`, 'neither base64 nor hexadecimal'],
    ['0'.repeat(64), 'all zeros'],
    [Buffer.alloc(32).toString('base64'), 'all zeros'],
    ['f'.repeat(64), 'the same byte 32 times'],
    [Buffer.alloc(32, 7).toString('base64'), 'the same byte 32 times'],
    [`${base64} ${hex.slice(1)}`, 'key 2 of 2 .*odd number'],
  ])('%j is said to be so, wherever it comes from, and never shown', (text, problem) => {
    const keyFile = join(temporaryFolder(), 'key');
    writeFileSync(keyFile, text, { mode: 0o600 });
    for (const [options, where] of [
      [{ env: { PROXYVAULT_KEY: text } }, 'PROXYVAULT_KEY'],
      [{ key: text }, 'option `key`'],
      [{ keyFile }, keyFile],
    ] as const) {
      const error = thrownBy(() => new EncryptionService(options).encrypt('x'));
      expect(error).toMatchObject({ code: 'KEY_INVALID', message: expect.stringContaining(where) });
      expect(String(error)).toMatch(new RegExp(problem));
      for (const part of [base64.slice(0, 12), hex.slice(8, 20)]) expect(String(error)).not.toContain(part);
    }
  });

  it('as bytes is refused too if it is visibly no random one', () => {
    for (const byte of [0, 1, 255]) {
      for (const options of [
        { key: Buffer.alloc(32, byte) },
        { keySource: { kind: 'kms', location: 'x', read: () => Buffer.alloc(32, byte) } },
      ])
        expect(thrownBy(() => new EncryptionService(options).encrypt('x'))).toMatchObject({
          code: 'KEY_INVALID',
        });
    }
    // A pool that was encrypted with such a key can still be moved to a real one.
    const text = `${base64},${Buffer.alloc(32, 7).toString('base64')}`;
    expect(new EncryptionService({ key: text }).keyId()).toBe(new EncryptionService({ key }).keyId());
  });
});
