import crypto, { createSecretKey, randomBytes } from 'node:crypto';
import fs, { writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { EncryptionService } from 'proxyvault/database/services';
import { keyringFile } from 'proxyvault/keys';
import { describe, expect, it, vi } from 'vitest';
import { createRecoveryCode, recoveryKeyOf } from '../../../src/keys/recovery-code.ts';
import { loginOf, openPool } from '../../support/pool.ts';
import { openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

/** Where bytes of keys come from and go to: each argument or result that is a buffer is looked at afterwards. */
const PLACES = [
  [crypto, 'createSecretKey', 'argument'],
  [crypto, 'hkdfSync', 'argument'],
  [crypto, 'randomBytes', 'result'],
  [crypto.Decipheriv.prototype, 'update', 'result'],
  [Object.getPrototypeOf(createSecretKey(randomBytes(32))), 'export', 'result'],
  [fs, 'readFileSync', 'result'],
  [fs, 'writeFileSync', 'argument'],
  [Buffer, 'from', 'result'],
] as const;

/**
 * Runs `work`, and names the function of each buffer that still holds a secret: one of those given, or the bytes or text
 * of any key that was used meanwhile.
 */
async function leftBy(work: () => unknown, secrets: readonly (string | Buffer)[] = []): Promise<string[]> {
  const buffers: { name: string; bytes: Uint8Array }[] = [];
  const keys: Buffer[] = [];
  const seen = (name: string, value: unknown): void => {
    if (!(value instanceof Uint8Array)) return;
    buffers.push({ name, bytes: value });
    if (['createSecretKey', 'hkdfSync'].includes(name)) keys.push(Buffer.concat([value]));
  };
  for (const [target, name, which] of PLACES) {
    const original: (...args: unknown[]) => unknown = target[name];
    vi.spyOn(target, name).mockImplementation(function (this: unknown, ...args: unknown[]) {
      if (which === 'argument') for (const arg of args) seen(name, arg);
      const result = Reflect.apply(original, this, args);
      if (which === 'result') seen(name, result);
      return result;
    });
  }
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    vi.restoreAllMocks();
    syncBuiltinESMExports();
  }
  // Else nothing was looked at.
  expect(buffers).not.toEqual([]);
  const forms = keys.flatMap((key) => [key, key.toString('base64'), key.toString('hex')]);
  return buffers
    .filter(({ bytes }) => [...secrets, ...forms].some((form) => Buffer.concat([bytes]).includes(form)))
    .map(({ name }) => name);
}

const textOf = (bytes: Buffer = randomBytes(32)): string => bytes.toString('base64');

describe('no buffer holds a secret any longer', () => {
  it('after a key was given, or read from a file, the environment or systemd', async () => {
    const folder = temporaryFolder();
    const key = randomBytes(32);
    const bytes = new Uint8Array(32).fill(1, 1);
    for (const [name, content] of [
      ['proxyvault.key', textOf()],
      ['plain', `${textOf()}\n${textOf()}\n`],
    ] as const)
      writeFileSync(join(folder, name), content, { mode: 0o600 });
    const raw = temporaryFolder();
    writeFileSync(join(raw, 'proxyvault.key'), randomBytes(32));
    for (const options of [
      { key },
      { key: textOf() },
      { key: `${textOf()} ${randomBytes(32).toString('hex')}` },
      { env: { PROXYVAULT_KEY: textOf() } },
      { env: { CREDENTIALS_DIRECTORY: folder } },
      { env: { CREDENTIALS_DIRECTORY: raw } },
      { keyFile: join(folder, 'plain') },
      { keySource: { kind: 'kms', location: 'x', read: () => bytes } },
    ])
      expect(await leftBy(() => new EncryptionService(options).keyId())).toEqual([]);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  it.each([
    ['a sound key before a malformed one', (key: Buffer) => `${textOf(key)} x`],
    ['a sound key after a malformed one', (key: Buffer) => `x ${textOf(key)}`],
    ['a key with a line break inside', (key: Buffer) => textOf(key).replace(/^.{20}/, '$&\n')],
    ['a key without its padding', (key: Buffer) => textOf(key).slice(0, -1)],
    ['a key with too many bytes', (key: Buffer) => textOf(Buffer.concat([key, key]))],
  ])('after a text was rejected: %s', async (_, write) => {
    const key = randomBytes(32);
    const secrets = [key.subarray(0, 12), key.subarray(18)];
    expect(
      await leftBy(
        () =>
          expect(thrownBy(() => new EncryptionService({ key: write(key) }))).toMatchObject({
            code: 'KEY_INVALID',
          }),
        secrets,
      ),
    ).toEqual([]);
  });

  it('after a key was made, used, moved, protected and recovered', async () => {
    const keyFile = join(temporaryFolder(), 'config', 'key');
    const db = openMigrated();
    const open = (): EncryptionService => new EncryptionService({ keyFile, database: db });
    expect(await leftBy(() => open().encrypt('x'))).toEqual([]);
    expect(await leftBy(() => open().rotate())).toEqual([]);
    expect(await leftBy(() => open().protect(keyringFile(keyFile)))).toEqual([]);
    const code = open().createRecoveryCode();
    const there = join(temporaryFolder(), 'there');
    expect(await leftBy(() => EncryptionService.recover({ database: db, code, keyFile: there }))).toEqual([]);
    const passphrase = 'correct horse battery staple';
    const service = open();
    expect(await leftBy(() => service.protect(keyringFile(keyFile, { passphrase })))).toEqual([]);
    expect(await leftBy(() => EncryptionService.open({ keyFile, passphrase, database: db }))).toEqual([]);
  });

  it('after a login was revealed, and a forged one rejected', async () => {
    const { credentials, ids, db } = openPool(1);
    const [id = ''] = ids;
    const { password } = loginOf(0);
    expect(await leftBy(() => expect(credentials.reveal(id)?.password).toBe(password), [password])).toEqual(
      [],
    );
    db.driver.run(`UPDATE proxies SET port = 99`, {});
    expect(
      await leftBy(
        () => expect(thrownBy(() => credentials.reveal(id))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' }),
        [password],
      ),
    ).toEqual([]);
  });

  it('after a recovery code was made and read', async () => {
    let code = '';
    const make = (): void => {
      code = createRecoveryCode().code;
    };
    expect(await leftBy(make)).toEqual([]);
    expect(await leftBy(() => recoveryKeyOf(code))).toEqual([]);
  });
});
