import { randomBytes } from 'node:crypto';
import fs, { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import type { DatabaseManager } from 'proxyvault/database';
import { EncryptionService } from 'proxyvault/database/services';
import { keyringFile, type SafeStorage } from 'proxyvault/keys';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

/** Protects nothing, and is quick: what is tested here is the file. */
class Storage implements SafeStorage {
  backend = 'kwallet6';
  isAvailable = true;
  /** Set to have what is decrypted encrypted again. */
  shouldReEncrypt = false;
  version = 1;
  getSelectedStorageBackend?: () => string = () => this.backend;
  isAsyncEncryptionAvailable = async (): Promise<boolean> => this.isAvailable;
  encryptStringAsync = async (text: string): Promise<Buffer> => Buffer.from(`${this.version} ${text}`);
  decryptStringAsync = async (blob: Buffer): Promise<{ shouldReEncrypt: boolean; result: string }> => {
    const [, result = ''] = blob.toString().split(' ');
    return { shouldReEncrypt: this.shouldReEncrypt, result };
  };
}

const textOf = (bytes: Buffer): string => bytes.toString('base64');
const idOf = (bytes: Buffer): string => new EncryptionService({ key: textOf(bytes) }).keyId();

/** A keyring with three keys, and what opens it. */
async function makeKeyring(): Promise<{
  keyFile: string;
  ids: string[];
  storage: Storage;
  open: () => Promise<EncryptionService>;
  json: () => { protection: Record<string, unknown>; keys: Record<string, string>[] };
}> {
  vi.spyOn(process, 'platform', 'get').mockReturnValue('linux');
  onTestFinished(() => void vi.restoreAllMocks());
  const storage = new Storage();
  const keyFile = join(temporaryFolder(), 'key');
  const keys = [1, 2, 3].map(() => randomBytes(32));
  const ids = keys.map(idOf);
  const commit = await keyringFile(keyFile, { safeStorage: storage }).prepare?.(keys, null);
  commit?.();
  return {
    keyFile,
    ids,
    storage,
    open: () => EncryptionService.open({ keyFile, safeStorage: storage, env: {} }),
    json: () => JSON.parse(readFileSync(keyFile, 'utf8')),
  };
}

describe('a keyring', () => {
  it('has every key, the one in use first, each wrapped, and none in clear', async () => {
    const { ids, open, json } = await makeKeyring();
    const service = await open();
    expect(service.keyId()).toBe(ids[0]);
    for (const id of ids) expect(await service.hasKey(id)).toBe(true);
    expect(json().keys.map(({ keyId }) => keyId)).toEqual(ids);
    expect(new Set(json().keys.map(({ kekId }) => kekId)).size).toBe(1);
    expect(await service.hasKey('0'.repeat(16))).toBe(false);
  });

  it('may begin with blank lines', async () => {
    const { keyFile, ids, open } = await makeKeyring();
    writeFileSync(keyFile, `\n  ${readFileSync(keyFile, 'utf8')}`);
    expect((await open()).keyId()).toBe(ids[0]);
  });

  it.each([
    ['no keys', { keys: [] }],
    ['another format', { format: 'other' }],
    ['no version', { version: undefined }],
    ['version 0', { version: 0 }],
    ['a field more', { extra: 1 }],
    ['an unknown protection', { protection: { kind: 'rot13' } }],
    ['a protection with a list in it', { protection: { kind: 'safe-storage', backend: [], blob: '' } }],
    ['a key with a field more', { keys: [{ extra: 1 }] }],
  ])('is malformed with %s: restore it', async (_, change) => {
    const { keyFile, open, json } = await makeKeyring();
    writeFileSync(keyFile, JSON.stringify({ ...json(), ...change }));
    await expect(open()).rejects.toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringContaining('is malformed: restore it'),
      details: { path: keyFile, malformed: true },
    });
  });

  it.each([2, 3])('of version %d was made by a newer program', async (version) => {
    const { keyFile, open, json } = await makeKeyring();
    writeFileSync(keyFile, JSON.stringify({ ...json(), version }));
    await expect(open()).rejects.toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringContaining('newer version'),
    });
  });

  it('is damaged if a key was changed, taken from another keyring, or given another name', async () => {
    const { keyFile, open, json } = await makeKeyring();
    const { keys, ...rest } = json();
    const [first = {}, second = {}] = keys;
    for (const changed of [
      [{ ...first, keyId: second.keyId }],
      [{ ...first, keyCheckValue: second.keyCheckValue }],
      [{ ...first, keyCheckValue: '' }],
      [{ ...first, tag: second.tag }],
      [{ ...first, iv: 'no base64' }],
      [first, { ...second, wrappedKey: first.wrappedKey }],
    ]) {
      writeFileSync(keyFile, JSON.stringify({ ...rest, keys: changed }));
      await expect(open()).rejects.toMatchObject({
        code: 'KEY_INVALID',
        message: expect.stringContaining('is damaged'),
        details: { malformed: true },
      });
    }
    // Of one key that another key wraps nothing can be told.
    writeFileSync(keyFile, JSON.stringify({ ...rest, keys: [first, { ...second, kekId: '0'.repeat(16) }] }));
    await expect(open()).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
  });

  it('says what protects it, and needs it', async () => {
    const { keyFile } = await makeKeyring();
    expect(keyringFile(keyFile).protection?.()).toBe('safe-storage');
    await expect(EncryptionService.open({ keyFile, env: {} })).rejects.toMatchObject({
      code: 'KEY_MISSING',
      details: { path: keyFile, protection: 'safe-storage' },
    });
    // How a new one would be protected is no matter for one that is there.
    const source = keyringFile(keyFile, { protection: 'permissions' });
    expect(source.asynchronous?.()).toBe(true);
    writeFileSync(keyFile, `${textOf(randomBytes(32))}\n`);
    expect(source.asynchronous?.()).toBe(false);
    expect(source.protection?.()).toBe('permissions');
  });
});

describe('a source that was read', () => {
  it('is current until its text changes, and only if it gave keys', async () => {
    const { keyFile, storage } = await makeKeyring();
    const source = keyringFile(keyFile, { safeStorage: storage });
    expect(source.isCurrent?.()).toBe(false);
    await source.read();
    expect(source.isCurrent?.()).toBe(true);
    const text = readFileSync(keyFile, 'utf8');
    writeFileSync(keyFile, text.replace('\n', '\n\n'));
    expect(source.isCurrent?.()).toBe(false);
    writeFileSync(keyFile, 'malformed');
    expect(thrownBy(() => source.read())).toMatchObject({ code: 'KEY_INVALID' });
    expect(source.isCurrent?.()).toBe(false);
    // What it had read before is no more what it knows of the file.
    writeFileSync(keyFile, text);
    expect(source.isCurrent?.()).toBe(false);
  });

  it('is read again when its file is back, so that the key can be moved then', async () => {
    const { keyFile, storage } = await makeKeyring();
    const text = readFileSync(keyFile);
    const db = openMigrated();
    const service = await EncryptionService.open({ keyFile, safeStorage: storage, env: {}, database: db });
    service.encrypt('x');
    rmSync(keyFile);
    await expect(service.verify()).rejects.toMatchObject({ code: 'KEY_MISSING' });
    writeFileSync(keyFile, text, { mode: 0o600 });
    await service.protect(keyringFile(keyFile, { safeStorage: storage }));
    expect(await service.verify()).toMatchObject({ failures: [] });
  });

  it('keeps what opens it when a program clears its own options', async () => {
    const { keyFile, storage } = await makeKeyring();
    const options: { safeStorage?: Storage | undefined } = { safeStorage: storage };
    const source = keyringFile(keyFile, options);
    options.safeStorage = undefined;
    expect(await source.read()).toHaveLength(3);
  });

  it('is read again by what changes keys: another process may have put a new key there', async () => {
    const { keyFile, ids, storage, open } = await makeKeyring();
    const service = await open();
    const source = keyringFile(keyFile, { safeStorage: storage });
    const keys = [...((await source.read()) as Buffer[])];
    const newer = randomBytes(32);
    const id = idOf(newer);
    (await source.prepare?.([newer, ...keys], source.revision?.() ?? null))?.();
    expect(await service.hasKey(id)).toBe(false);
    const after = await open();
    expect(after.keyId()).toBe(id);
    expect(await after.hasKey(ids[2] ?? '')).toBe(true);
  });
});

describe('a plain backup of a key that is protected now', () => {
  it('goes when a pool is opened whose keys are under it, and not before', async () => {
    const { keyFile, storage } = await makeKeyring();
    const keys = (await keyringFile(keyFile, { safeStorage: storage }).read()) as Buffer[];
    writeFileSync(`${keyFile}.bak`, `${textOf(keys[0] ?? randomBytes(32))}\n`, { mode: 0o600 });
    const open = (database?: DatabaseManager): Promise<EncryptionService> =>
      EncryptionService.open({ keyFile, safeStorage: storage, env: {}, database });
    await open();
    const db = openMigrated();
    const service = await open(db);
    expect(existsSync(`${keyFile}.bak`)).toBe(true);
    service.encrypt('x');
    await open(db);
    expect(existsSync(`${keyFile}.bak`)).toBe(false);
  });
});

describe('what Electron wants encrypted again', () => {
  it('is stored, with every key, and nothing else of the file changes', async () => {
    const { storage, ids, open, json } = await makeKeyring();
    const before = json();
    storage.version = 2;
    await open();
    expect(json()).toEqual(before);
    storage.shouldReEncrypt = true;
    await open();
    const { blob } = json().protection;
    expect(Buffer.from(String(blob), 'base64').toString()).toMatch(/^2 /);
    expect(json()).toEqual({ ...before, protection: { ...before.protection, blob } });
    expect(await (await open()).hasKey(ids[2] ?? '')).toBe(true);
  });

  it('and cannot be stored now opens all the same, and is stored later', async () => {
    const { storage, ids, open, json } = await makeKeyring();
    const before = json();
    Object.assign(storage, { version: 2, shouldReEncrypt: true });
    const rename = vi.spyOn(fs, 'renameSync').mockImplementation(() => {
      throw Object.assign(new Error('EACCES'), { code: 'EACCES', syscall: 'rename' });
    });
    syncBuiltinESMExports();
    expect((await open()).keyId()).toBe(ids[0]);
    expect(json()).toEqual(before);
    rename.mockRestore();
    syncBuiltinESMExports();
    await open();
    expect(json()).not.toEqual(before);
  });

  it('and fails for another reason is an error', async () => {
    const { storage, open } = await makeKeyring();
    storage.shouldReEncrypt = true;
    const rename = vi.spyOn(fs, 'renameSync').mockImplementation(() => {
      throw new TypeError('a bug');
    });
    syncBuiltinESMExports();
    await expect(open()).rejects.toThrow('a bug');
    rename.mockRestore();
    syncBuiltinESMExports();
  });
});

describe('safeStorage', () => {
  it.each([
    ['is not available', (storage: Storage) => void Object.assign(storage, { isAvailable: false })],
    ['protects by a constant', (storage: Storage) => void Object.assign(storage, { backend: 'basic_text' })],
    ['is not ready', (storage: Storage) => void Object.assign(storage, { backend: 'unknown' })],
    [
      'does not say its backend on Linux',
      (storage: Storage) => void Object.assign(storage, { getSelectedStorageBackend: undefined }),
    ],
  ])('that %s is UNSUPPORTED to protect and KEY_MISSING to open', async (_, spoil) => {
    const { storage, open, keyFile } = await makeKeyring();
    spoil(storage);
    await expect(open()).rejects.toMatchObject({ code: 'KEY_MISSING', details: { path: keyFile } });
    const fresh = keyringFile(`${keyFile}2`, { safeStorage: storage });
    await expect(Promise.resolve(fresh.create?.())).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await expect(fresh.prepare?.([randomBytes(32)], null)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('with another backend than the one stored is not tried', async () => {
    const { storage, open } = await makeKeyring();
    storage.backend = 'gnome_libsecret';
    const decrypt = vi.spyOn(storage, 'decryptStringAsync');
    await expect(open()).rejects.toMatchObject({
      code: 'KEY_MISMATCH',
      details: { stored: 'kwallet6', found: 'gnome_libsecret' },
    });
    expect(decrypt).not.toHaveBeenCalled();
  });

  it('that does not decrypt is KEY_MISMATCH, with its own error as the cause', async () => {
    const { storage, open } = await makeKeyring();
    const cause = new Error('from Electron');
    storage.decryptStringAsync = () => Promise.reject(cause);
    await expect(open()).rejects.toMatchObject({ code: 'KEY_MISMATCH', cause });
  });
});
