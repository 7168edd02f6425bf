import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SafeStorage as ElectronSafeStorage } from 'electron';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';
import { keyringFile, type SafeStorage } from 'proxyvault/keys';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import { loginOf } from '../../support/pool.ts';
import { openMigrated, temporaryFolder } from '../../support/temporary.ts';

/** What Electron documents of its asynchronous methods; Electron itself does not run here. */
class StandIn implements SafeStorage {
  backend = 'gnome_libsecret';
  ready = true;
  /** The application's key in the keychain; a second one stands for a key that was rotated. */
  keys = [randomBytes(32)];

  async isAsyncEncryptionAvailable(): Promise<boolean> {
    return this.ready;
  }

  async encryptStringAsync(plainText: string): Promise<Buffer> {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.keys[0] ?? '', iv);
    const body = Buffer.concat([cipher.update(plainText, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), body]);
  }

  async decryptStringAsync(encrypted: Buffer): Promise<{ shouldReEncrypt: boolean; result: string }> {
    for (const [index, key] of this.keys.entries()) {
      const decipher = createDecipheriv('aes-256-gcm', key, encrypted.subarray(0, 12));
      decipher.setAuthTag(encrypted.subarray(12, 28));
      const body = decipher.update(encrypted.subarray(28));
      try {
        decipher.final();
        return { result: body.toString('utf8'), shouldReEncrypt: index > 0 };
      } catch {
        // The next key, then.
      }
    }
    throw new Error('Error while decrypting the ciphertext provided to safeStorage.decryptStringAsync.');
  }

  getSelectedStorageBackend(): string {
    return this.backend;
  }
}

async function openProtected(): Promise<{ storage: StandIn; keyFile: string; read: () => Promise<unknown> }> {
  vi.spyOn(process, 'platform', 'get').mockReturnValue('linux');
  const storage = new StandIn();
  const keyFile = join(temporaryFolder(), 'key');
  const db = openMigrated();
  const service = await EncryptionService.open({ keyFile, safeStorage: storage, database: db });
  const { id } = new ProxyRepository(db, service).create({
    host: 'h.example',
    port: 1,
    protocol: 'http',
    credentials: loginOf(0),
  });
  const read = async (): Promise<unknown> => {
    const again = await EncryptionService.open({ keyFile, safeStorage: storage, database: db });
    return new EncryptedCredentialsRepository(db, again).reveal(id);
  };
  return { storage, keyFile, read };
}

describe('Electron\u2019s safeStorage', () => {
  it('is used by methods that Electron declares', () => {
    expectTypeOf<ElectronSafeStorage>().toExtend<SafeStorage>();
  });

  it('protects the key, and its backend is stored', async () => {
    const { keyFile, read } = await openProtected();
    expect(JSON.parse(readFileSync(keyFile, 'utf8'))).toMatchObject({
      protection: { kind: 'safe-storage', backend: 'gnome_libsecret' },
    });
    expect(await read()).toEqual(loginOf(0));
  });

  it('with another backend is refused, and nothing is switched', async () => {
    const { storage, keyFile, read } = await openProtected();
    const before = readFileSync(keyFile, 'utf8');
    storage.backend = 'kwallet6';
    await expect(read()).rejects.toMatchObject({
      code: 'KEY_MISMATCH',
      details: { stored: 'gnome_libsecret', found: 'kwallet6' },
    });
    expect(readFileSync(keyFile, 'utf8')).toBe(before);
  });

  it.each(['basic_text', 'unknown'])('with the backend %s counts as unavailable', async (backend) => {
    const { storage, read } = await openProtected();
    storage.backend = backend;
    await expect(read()).rejects.toMatchObject({ code: 'KEY_MISSING' });
    const fresh = join(temporaryFolder(), 'key');
    await expect(EncryptionService.open({ keyFile: fresh, safeStorage: storage })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
  });

  it('that is not ready is unavailable', async () => {
    const { storage, read } = await openProtected();
    storage.ready = false;
    await expect(read()).rejects.toMatchObject({
      code: 'KEY_MISSING',
      message: expect.stringContaining('ready'),
    });
  });

  it('encrypts anew when it is told to', async () => {
    const { storage, keyFile, read } = await openProtected();
    const before = readFileSync(keyFile, 'utf8');
    storage.keys.unshift(randomBytes(32));
    expect(await read()).toEqual(loginOf(0));
    expect(readFileSync(keyFile, 'utf8')).not.toBe(before);
    storage.keys.pop();
    expect(await read()).toEqual(loginOf(0));
  });

  it('of another application does not open it, and an application that gives none is told', async () => {
    const { storage, keyFile, read } = await openProtected();
    storage.keys = [randomBytes(32)];
    await expect(read()).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
    await expect(EncryptionService.open({ keyFile })).rejects.toMatchObject({
      code: 'KEY_MISSING',
      message: expect.stringContaining('safeStorage'),
    });
  });

  it('may be on macOS and Windows, where there is no backend to choose', async () => {
    const platform = vi.spyOn(process, 'platform', 'get').mockReturnValue('darwin');
    const storage: SafeStorage = new StandIn();
    Object.defineProperty(storage, 'getSelectedStorageBackend', { value: undefined });
    const keyFile = join(temporaryFolder(), 'key');
    const service = await EncryptionService.open({ keyFile, safeStorage: storage });
    expect(JSON.parse(readFileSync(keyFile, 'utf8'))).toMatchObject({ protection: { backend: 'darwin' } });
    expect(
      (await EncryptionService.open({ keySource: keyringFile(keyFile, { safeStorage: storage }) })).keyId(),
    ).toBe(service.keyId());
    platform.mockRestore();
  });
});
