import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EncryptionService } from 'proxyvault/database/services';
import { keyringFile } from 'proxyvault/keys';
import { beforeEach, expect, it, vi } from 'vitest';
import { openWithKeyFile } from '../../support/pool.ts';
import { temporaryFolder } from '../../support/temporary.ts';

/** The operating system's keychain: what it keeps, and what it was asked for. The real one is in keychain.test.ts. */
const keychain = {
  entries: new Map<string, string>(),
  asked: [] as unknown[],
  /** What happens instead of storing an entry. */
  set: undefined as ((account: string, text: string) => void) | undefined,
  isLoaded: true,
};

vi.mock('@napi-rs/keyring', () => ({
  get AsyncEntry() {
    if (!keychain.isLoaded)
      throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
    return class {
      readonly #account: string;
      constructor(...args: [service: string, account: string, options: object]) {
        keychain.asked.push(args);
        this.#account = args[1];
      }
      async setPassword(text: string): Promise<void> {
        if (keychain.set) keychain.set(this.#account, text);
        else keychain.entries.set(this.#account, text);
      }
      async getPassword(): Promise<string | null> {
        return keychain.entries.get(this.#account) ?? null;
      }
      async deletePassword(): Promise<boolean> {
        return keychain.entries.delete(this.#account);
      }
    };
  },
}));

beforeEach(() => {
  Object.assign(keychain, { entries: new Map(), asked: [], set: undefined, isLoaded: true });
});

const newFile = (): string => join(temporaryFolder(), 'key');
const open = (keyFile: string): Promise<EncryptionService> =>
  EncryptionService.open({ keySource: keyringFile(keyFile, { protection: 'keychain' }) });

it('each keyring has an entry of its own, by its name in the file, in the Secret Service and not in keyutils', async () => {
  const [one, two] = [newFile(), newFile()];
  const [first, second] = [await open(one), await open(two)];
  expect(keychain.entries.size).toBe(2);
  const { protection } = JSON.parse(readFileSync(one, 'utf8'));
  expect(protection).toEqual({
    kind: 'keychain',
    service: 'proxyvault',
    account: expect.stringMatching(/^keyring-[\da-f]{16}$/),
  });
  expect(Buffer.from(keychain.entries.get(protection.account) ?? '', 'base64')).toHaveLength(32);
  for (const asked of keychain.asked)
    expect(asked).toEqual([
      'proxyvault',
      expect.stringMatching(/^keyring-/),
      { linux: { store: 'secret-service' } },
    ]);
  // It opens with any service, since the file says what protects it.
  expect((await EncryptionService.open({ keyFile: one, env: {} })).keyId()).toBe(first.keyId());
  expect((await EncryptionService.open({ keyFile: two, env: {} })).keyId()).toBe(second.keyId());
  expect(keychain.entries.size).toBe(2);
});

it.each([
  ['nothing', () => undefined],
  ['another text', (account: string) => keychain.entries.set(account, randomBytes(32).toString('base64'))],
])('a keychain that keeps %s is not used, and the key stays where it is', async (_, set) => {
  const { keyFile, service } = openWithKeyFile();
  const before = readFileSync(keyFile, 'utf8');
  keychain.set = set;
  await expect(service.protect(keyringFile(keyFile, { protection: 'keychain' }))).rejects.toMatchObject({
    code: 'UNSUPPORTED',
  });
  expect(readFileSync(keyFile, 'utf8')).toBe(before);
});

it('an entry that is gone, is no key, or is another key opens nothing, and no key is made', async () => {
  const keyFile = newFile();
  await open(keyFile);
  const text = readFileSync(keyFile, 'utf8');
  const { account } = JSON.parse(text).protection;
  for (const [entry, code] of [
    [null, 'KEY_MISSING'],
    ['', 'KEY_MISSING'],
    [randomBytes(16).toString('base64'), 'KEY_MISSING'],
    [randomBytes(33).toString('base64'), 'KEY_MISSING'],
    [randomBytes(32).toString('base64'), 'KEY_MISMATCH'],
  ] as const) {
    keychain.entries.clear();
    if (entry !== null) keychain.entries.set(account, entry);
    await expect(open(keyFile)).rejects.toMatchObject({ code, message: expect.stringContaining('keychain') });
    expect(readFileSync(keyFile, 'utf8')).toBe(text);
    expect(keychain.entries.size).toBe(entry === null ? 0 : 1);
  }
});

it('of two processes that make a keyring at once, the second takes its entry away again', async () => {
  const keyFile = newFile();
  const first = await open(keyFile);
  const text = readFileSync(keyFile, 'utf8');
  rmSync(keyFile);
  // The first one's file appears while the second one stores its entry.
  keychain.set = (account, entry) => {
    keychain.entries.set(account, entry);
    writeFileSync(keyFile, text, { mode: 0o600 });
  };
  expect((await open(keyFile)).keyId()).toBe(first.keyId());
  expect([...keychain.entries.keys()]).toEqual([JSON.parse(text).protection.account]);
});

it('without its package says how to install it: UNSUPPORTED to protect, KEY_MISSING to open', async () => {
  const [made, fresh] = [newFile(), newFile()];
  await open(made);
  keychain.isLoaded = false;
  const message = expect.stringContaining('npm install @napi-rs/keyring');
  await expect(open(fresh)).rejects.toMatchObject({ code: 'UNSUPPORTED', message, details: { path: fresh } });
  await expect(open(made)).rejects.toMatchObject({ code: 'KEY_MISSING', message, details: { path: made } });
});

it('that is out of reach says what to do: UNSUPPORTED to protect, KEY_MISSING to open', async () => {
  const made = newFile();
  await open(made);
  keychain.set = () => {
    throw new Error('locked');
  };
  vi.spyOn(keychain.entries, 'get').mockImplementation(() => {
    throw new Error('locked');
  });
  const message = expect.stringContaining('unlocked keychain');
  await expect(open(newFile())).rejects.toMatchObject({ code: 'UNSUPPORTED', message });
  await expect(open(made)).rejects.toMatchObject({ code: 'KEY_MISSING', message });
});
