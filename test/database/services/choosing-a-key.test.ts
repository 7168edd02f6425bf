import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import envPaths from 'env-paths';
import { EncryptionService } from 'proxyvault/database/services';
import {
  chooseKeyFile,
  chooseKeySource,
  environmentKey,
  explicitKey,
  keyringFile,
  readPassphraseFile,
  systemdCredential,
} from 'proxyvault/keys';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { temporaryFolder, thrownBy } from '../../support/temporary.ts';

const newKey = (): string => randomBytes(32).toString('base64');
const DEFAULT = join(envPaths('proxyvault', { suffix: '' }).config, 'key');

function stub(variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
}

describe('the key source', () => {
  const key = newKey();
  const folder = (): string => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'proxyvault.key'), newKey());
    return folder;
  };

  it('is that of the option key or keyFile, else the first of PROXYVAULT_KEY, PROXYVAULT_KEY_FILE, systemd, the default file', () => {
    const CREDENTIALS_DIRECTORY = folder();
    const env = { PROXYVAULT_KEY: newKey(), PROXYVAULT_KEY_FILE: '/env/file', CREDENTIALS_DIRECTORY };
    const { PROXYVAULT_KEY: _, ...noKey } = env;
    const systemd = join(CREDENTIALS_DIRECTORY, 'proxyvault.key');
    const found = (options: Parameters<typeof chooseKeySource>[0]): unknown[] => {
      const { kind, location } = chooseKeySource(options);
      return [kind, location];
    };
    expect(found({ key, env })).toEqual(['explicit', 'the option `key`']);
    expect(found({ keyFile: '/a/file', env })).toEqual(['key file', '/a/file']);
    expect(found({ env })).toEqual(['environment', 'PROXYVAULT_KEY']);
    expect(found({ env: noKey })).toEqual(['key file', '/env/file']);
    expect(found({ env: { CREDENTIALS_DIRECTORY } })).toEqual(['systemd credential', systemd]);
    // A service that was given another credential keeps its key where everybody else does.
    expect(found({ env: { CREDENTIALS_DIRECTORY: temporaryFolder() } })).toEqual(['key file', DEFAULT]);
    expect(found({ env: {} })).toEqual(['key file', DEFAULT]);
  });

  it('to keep a key in is never the environment nor systemd', () => {
    const env = { PROXYVAULT_KEY: newKey(), CREDENTIALS_DIRECTORY: folder() };
    expect(chooseKeyFile({ env })).toMatchObject({ kind: 'key file', location: DEFAULT });
    expect(chooseKeyFile({ env: { ...env, PROXYVAULT_KEY_FILE: '/f' } }).location).toBe('/f');
    expect(chooseKeyFile({ keyFile: '/g', env: { PROXYVAULT_KEY_FILE: '/f' } }).location).toBe('/g');
  });

  it('that is named and empty is an error, and nothing else is tried', () => {
    stub({ PROXYVAULT_KEY: undefined, PROXYVAULT_KEY_FILE: undefined });
    for (const [options, name] of [
      [{ keyFile: '' }, 'option `keyFile`'],
      [{ keyFile: ' \t' }, 'option `keyFile`'],
      [{ env: { PROXYVAULT_KEY_FILE: '' } }, 'PROXYVAULT_KEY_FILE'],
      [{ env: { PROXYVAULT_KEY: '' } }, 'PROXYVAULT_KEY'],
      [{ key: '' }, 'option `key`'],
    ] as const)
      expect(thrownBy(() => chooseKeySource(options).read())).toMatchObject({
        code: 'KEY_INVALID',
        message: expect.stringContaining(name),
      });
  });

  it('of systemd is a regular file that is there: no link, folder or pipe', () => {
    const key = newKey();
    const put: ((path: string) => void)[] = [
      (path) => {
        writeFileSync(`${path}.real`, key);
        symlinkSync(`${path}.real`, path);
      },
      (path) => void mkdirSync(path),
    ];
    for (const make of put) {
      const CREDENTIALS_DIRECTORY = temporaryFolder();
      make(join(CREDENTIALS_DIRECTORY, 'proxyvault.key'));
      expect(thrownBy(() => systemdCredential({ CREDENTIALS_DIRECTORY }).read())).toMatchObject({
        code: 'KEY_INVALID',
        message: expect.stringContaining('not a regular file'),
      });
    }
    expect(systemdCredential({ CREDENTIALS_DIRECTORY: temporaryFolder() }).read()).toBeNull();
    expect(systemdCredential({}).read()).toBeNull();
  });

  it('is looked up in the variables that are given, else in those of the process', () => {
    const text = newKey();
    const idOf = (options: ConstructorParameters<typeof EncryptionService>[0]): string =>
      new EncryptionService(options).keyId();
    stub({ PROXYVAULT_KEY: text });
    expect(idOf({})).toBe(idOf({ key: text }));
    expect(chooseKeySource({ env: {} }).kind).toBe('key file');
    stub({ PROXYVAULT_KEY: undefined, PROXYVAULT_KEY_FILE: '/process/file' });
    expect(chooseKeySource({}).location).toBe('/process/file');
    expect(chooseKeyFile({}).location).toBe('/process/file');
    stub({ PROXYVAULT_KEY_FILE: undefined, CREDENTIALS_DIRECTORY: folder() });
    expect(chooseKeySource({}).kind).toBe('systemd credential');
    expect(systemdCredential().kind).toBe('systemd credential');
    expect(environmentKey().read()).toBeNull();
  });

  it('is trusted only by the option, or by a variable that is 1 or true', () => {
    const keyFile = join(temporaryFolder(), 'key');
    writeFileSync(keyFile, newKey(), { mode: 0o644 });
    const isTrusted = (options: object): boolean => {
      try {
        return chooseKeySource({ keyFile, ...options }).read() !== null;
      } catch {
        return false;
      }
    };
    const trusting = (value: string): object => ({ env: { PROXYVAULT_TRUST_KEY_FILE: value } });
    expect([{ trustKeyFile: true, env: {} }, trusting('1'), trusting('true')].map(isTrusted)).toEqual([
      true,
      true,
      true,
    ]);
    const not = [
      { env: {} },
      ...['', '0', 'false', 'no'].map(trusting),
      { trustKeyFile: false, ...trusting('1') },
    ];
    expect(not.filter(isTrusted)).toEqual([]);
    stub({ PROXYVAULT_TRUST_KEY_FILE: '1' });
    expect(isTrusted({})).toBe(true);
    expect(isTrusted({ env: {} })).toBe(false);
  });

  it('protects a new key by the option, else by a passphrase, else by safeStorage, else by permissions', async () => {
    const passphrase = 'p';
    const safeStorage = { isAsyncEncryptionAvailable: async () => false } as never;
    const isAsynchronous = (options: object): boolean | undefined =>
      chooseKeySource({ keyFile: join(temporaryFolder(), 'key'), env: {}, ...options }).asynchronous?.();
    expect(isAsynchronous({})).toBe(false);
    expect(isAsynchronous({ passphrase })).toBe(true);
    expect(isAsynchronous({ safeStorage })).toBe(true);
    expect(isAsynchronous({ passphrase, protection: 'permissions' })).toBe(false);
    expect(isAsynchronous({ safeStorage, protection: 'permissions' })).toBe(false);
    expect(isAsynchronous({ env: { PROXYVAULT_PASSPHRASE_FILE: '/f' } })).toBe(true);
    const source = keyringFile(join(temporaryFolder(), 'key'), { safeStorage });
    vi.spyOn(process, 'platform', 'get').mockReturnValue('linux');
    await expect(Promise.resolve(source.create?.())).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    vi.restoreAllMocks();
  });
});

describe('a passphrase file', () => {
  it('gives its first line, whatever ends it', () => {
    const file = join(temporaryFolder(), 'p');
    for (const [content, line] of [
      ['one', 'one'],
      ['one\n', 'one'],
      ['one\r\ntwo\r\n', 'one'],
      ['one\ntwo', 'one'],
      [' one \n', ' one '],
      ['', ''],
      ['\ntwo', ''],
    ] as const) {
      writeFileSync(file, content);
      expect(readPassphraseFile(file)).toBe(line);
    }
  });

  it('that is missing is KEY_MISSING; one that cannot be read is another error', () => {
    const folder = temporaryFolder();
    expect(thrownBy(() => readPassphraseFile(join(folder, 'none')))).toMatchObject({
      code: 'KEY_MISSING',
      details: { path: join(folder, 'none') },
    });
    mkdirSync(join(folder, 'folder'));
    expect(thrownBy(() => readPassphraseFile(join(folder, 'folder')))).toMatchObject({ code: 'CANNOT_OPEN' });
  });

  it('is that of the given variables, and is not read if a passphrase is given', async () => {
    const keyFile = join(temporaryFolder(), 'key');
    stub({ PROXYVAULT_PASSPHRASE_FILE: '/nowhere' });
    const env = { PROXYVAULT_PASSPHRASE_FILE: '/elsewhere' };
    const made = await EncryptionService.open({ keyFile, passphrase: 'p', env });
    expect(existsSync(keyFile)).toBe(true);
    await expect(EncryptionService.open({ keyFile, env })).rejects.toMatchObject({
      code: 'KEY_MISSING',
      details: { path: '/elsewhere' },
    });
    const file = join(temporaryFolder(), 'passphrase');
    writeFileSync(file, 'p\n');
    const given = { PROXYVAULT_PASSPHRASE_FILE: file };
    expect((await EncryptionService.open({ keyFile, env: given })).keyId()).toBe(made.keyId());
  });
});

describe('the text of a key', () => {
  const key = randomBytes(32);
  const [base64, hex] = [key.toString('base64'), key.toString('hex')];
  const older = randomBytes(32);
  const read = (text: string): string[] =>
    [explicitKey(text).read()].flat().map((bytes) => Buffer.from(bytes as Uint8Array).toString('base64'));

  it('may be in either form and case, among comments, blank lines, commas and white space', () => {
    const two = [base64, older.toString('base64')];
    for (const text of [base64, hex, hex.toUpperCase(), `\n${base64}\n`, `# a\n\t # b\n${hex}\n # c`])
      expect(read(text)).toEqual([base64]);
    for (const between of [' ', ',', '\n', ', ', '\r\n', '\t', '\n# older\n', '\n  # older\n'])
      expect(read(`${base64}${between}${older.toString('hex')}`)).toEqual(two);
  });

  it('may begin with a zero, and is no placeholder then', () => {
    for (const start of ['00', '0000', '0001']) {
      const text = start + hex.slice(start.length);
      expect(read(text)).toEqual([Buffer.from(text, 'hex').toString('base64')]);
      const bytes = Buffer.from(text, 'hex');
      for (const options of [
        { key: text },
        { key: bytes },
        { keySource: { kind: 'kms', location: 'x', read: () => Buffer.from(bytes) } },
      ])
        expect(new EncryptionService(options).keyId()).toMatch(/^[\da-f]{16}$/);
    }
  });

  it.each([
    ['the first of two', `x ${base64}`, 'key 1 of 2 '],
    ['the last of three', `${base64} ${hex} x`, 'key 3 of 3 '],
    ['the only one', 'x', 'key: it is'],
    [
      'a placeholder before an older key',
      `${'0'.repeat(64)} ${base64}`,
      'key 1 of 2 is all zeros.*openssl rand',
    ],
    [
      'a placeholder among older keys',
      `${base64} ${'0'.repeat(64)}`,
      'key 2 of 2 is all zeros.*older key there, or remove',
    ],
    ['in quotes of any kind', `\`${base64}\``, 'quotation marks'],
    ['with a name and a colon', `key:${base64}`, 'name or a prefix'],
    ['with a name and an equals sign', `key=${hex}`, 'name or a prefix'],
    [
      'of 34 bytes in hexadecimal',
      `${hex}0000`,
      'has 68 hexadecimal digits, so it is 34 bytes long and not 32',
    ],
    [
      'of 33 bytes in base64',
      Buffer.alloc(33, 'a').toString('base64'),
      'is 33 bytes long in base64, and not 32',
    ],
    [
      'of 31 bytes in base64, with padding',
      Buffer.alloc(31, 'a').toString('base64'),
      'is 31 bytes long in base64, and not 32',
    ],
    ['cut in two', `${base64.slice(0, 9)},${base64.slice(9)}`, 'a comma inside'],
    ['cut in three', `${base64.slice(0, 9)} ${base64.slice(9, 20)} ${base64.slice(20)}`, 'white space'],
  ])('says what is wrong with %s, and shows nothing of it', (_, text, problem) => {
    const error = thrownBy(() => read(text));
    expect(error).toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringMatching(problem),
      details: { malformed: true },
    });
    for (const part of text.split(/[\s,:='"`]+/).filter((word) => word.length > 8))
      expect(String(error)).not.toContain(part);
  });

  it('is 32 bytes: other numbers and placeholders of bytes are rejected', () => {
    for (const bytes of [0, 16, 31, 33, 64])
      expect(thrownBy(() => explicitKey(randomBytes(bytes)).read())).toMatchObject({ code: 'KEY_INVALID' });
    for (const bytes of [31, 33, 64])
      for (const given of [randomBytes(bytes), [randomBytes(32), randomBytes(bytes)]]) {
        const keySource = { kind: 'kms', location: 'x', read: () => given };
        expect(thrownBy(() => new EncryptionService({ keySource }).keyId())).toMatchObject({
          code: 'KEY_INVALID',
        });
      }
    expect(thrownBy(() => explicitKey(Buffer.alloc(32, 9)).read())).toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringContaining('option `key`'),
    });
  });
});
