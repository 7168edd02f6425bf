import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EncryptionService } from 'proxyvault/database/services';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder, thrownBy } from '../../support/temporary.ts';

/** What scrypt was asked for: the passphrase, the salt's length and the options. It is cheap here. */
const asked: { passphrase: string; salt: number; N: number; r: number; p: number; maxmem: number }[] = [];

vi.mock('node:crypto', async (importOriginal) => {
  const crypto = await importOriginal<typeof import('node:crypto')>();
  type Done = (error: Error | null, key: Buffer) => void;
  type Options = { N: number; r: number; p: number; maxmem: number };
  const scrypt = (text: string, salt: Buffer, length: number, options: Options, done: Done): void => {
    asked.push({ passphrase: text, salt: salt.length, ...options });
    const { N, r, p } = options;
    crypto.scrypt(text, Buffer.concat([salt, Buffer.from(`${N} ${r} ${p}`)]), length, { N: 2 }, done);
  };
  const scryptSync = (text: string, salt: Buffer, length: number, options: Options): Buffer => {
    asked.push({ passphrase: text, salt: salt.length, ...options });
    return crypto.scryptSync(text, salt, length, { N: 2 });
  };
  return { ...crypto, scrypt, scryptSync };
});

afterEach(() => {
  asked.length = 0;
});

const open = (keyFile: string, passphrase: string): Promise<EncryptionService> =>
  EncryptionService.open({ keyFile, passphrase, env: {} });

async function make(passphrase = 'p'): Promise<{ keyFile: string; id: string }> {
  const keyFile = join(temporaryFolder(), 'key');
  return { keyFile, id: (await open(keyFile, passphrase)).keyId() };
}

describe('scrypt', () => {
  it('has N = 2^17, r = 8, p = 1 and 16 bytes of salt for a new keyring, other ones each time', async () => {
    const { keyFile } = await make();
    const cost = { N: 2 ** 17, r: 8, p: 1 };
    expect(asked[0]).toMatchObject({ ...cost, salt: 16 });
    const { protection } = JSON.parse(readFileSync(keyFile, 'utf8'));
    expect(protection).toEqual({
      kind: 'passphrase',
      kdf: 'scrypt',
      n: 2 ** 17,
      r: 8,
      p: 1,
      salt: expect.any(String),
    });
    const other = JSON.parse(readFileSync((await make()).keyFile, 'utf8'));
    expect(other.protection.salt).not.toBe(protection.salt);
  });

  const salt = (bytes: number): string => Buffer.alloc(bytes, 7).toString('base64');

  it.each([
    { n: 2 ** 15 },
    { n: 2 ** 20 },
    { n: 2 ** 19, r: 16 },
    { r: 16 },
    { p: 4 },
    { n: 2 ** 18, r: 16, p: 4 },
    { salt: salt(16) },
    { salt: salt(64) },
  ])('does what a keyring asks for within the limits, with enough memory: %j', async (change) => {
    const { keyFile } = await make();
    const keyring = JSON.parse(readFileSync(keyFile, 'utf8'));
    const protection = { ...keyring.protection, ...change };
    writeFileSync(keyFile, JSON.stringify({ ...keyring, protection }));
    asked.length = 0;
    // Another key comes out, so it is told as another passphrase.
    await expect(open(keyFile, 'p')).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
    const { n: N, r, p } = protection;
    expect(asked).toMatchObject([{ N, r, p }]);
    // What OpenSSL counts (RFC 7914, section 5), and Node compares with `maxmem`.
    expect(asked[0]?.maxmem).toBeGreaterThan(128 * r * (N + p + 2));
  });

  it.each([
    { n: 2 ** 14 },
    { n: 2 ** 21 },
    { n: 2 ** 20, r: 9 },
    { n: 2 ** 16 + 1 },
    { n: 3 * 2 ** 15 },
    { r: 7 },
    { r: 17 },
    { p: 0 },
    { p: 5 },
    { salt: salt(15) },
    { salt: 'no base64!' },
    { kdf: 'pbkdf2' },
    { pepper: 1 },
  ])('is never asked for what is outside the limits, and the keyring is malformed: %j', async (change) => {
    const { keyFile } = await make();
    const keyring = JSON.parse(readFileSync(keyFile, 'utf8'));
    writeFileSync(keyFile, JSON.stringify({ ...keyring, protection: { ...keyring.protection, ...change } }));
    asked.length = 0;
    await expect(open(keyFile, 'p')).rejects.toMatchObject({
      code: 'KEY_INVALID',
      details: { path: keyFile, malformed: true },
    });
    expect(asked).toEqual([]);
  });
});

describe('a passphrase', () => {
  it.each([
    ['with composed letters', 'p\u00e4ssw\u00f6rd'],
    ['with decomposed letters', 'pa\u0308sswo\u0308rd'],
    ['with a composed letter of Hangul', '\ud55c\uae00'],
  ])('is taken in Unicode form NFC: %s', async (_, passphrase) => {
    const { keyFile, id } = await make(passphrase);
    expect(asked[0]?.passphrase).toBe(passphrase.normalize('NFC'));
    for (const form of ['NFC', 'NFD'])
      expect((await open(keyFile, passphrase.normalize(form))).keyId()).toBe(id);
  });

  it.each([
    ['a ligature', '\ufb01sh', 'fish'],
    ['a full-width letter', '\uff41bc', 'abc'],
    ['upper case', 'Word', 'word'],
    ['a space before it', ' word', 'word'],
    ['a space after it', 'word ', 'word'],
    ['a space inside', 'two words', 'twowords'],
    ['a NUL', 'a\u0000b', 'a'],
  ])('is another one with %s', async (_, passphrase, other) => {
    const { keyFile, id } = await make(passphrase);
    expect((await open(keyFile, passphrase)).keyId()).toBe(id);
    await expect(open(keyFile, other)).rejects.toMatchObject({ code: 'KEY_MISMATCH' });
  });

  it.each(['', '\ud800', 7])('is never %j, and nothing is made', async (passphrase) => {
    const keyFile = join(temporaryFolder(), 'key');
    await expect(open(keyFile, passphrase as string)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(asked).toEqual([]);
    expect(thrownBy(() => readFileSync(keyFile))).toMatchObject({ code: 'ENOENT' });
  });
});

describe('deriveKey', () => {
  it('takes its password in NFC too, and never an empty one', () => {
    const service = new EncryptionService({ key: Buffer.alloc(32, 'key of a test') });
    const salt = Buffer.alloc(16, 1);
    const [composed, decomposed, ligature, plain] = ['\u00e4', 'a\u0308', '\ufb01', 'fi'].map((text) =>
      service.deriveKey(text, salt).toString('hex'),
    );
    expect(decomposed).toBe(composed);
    expect(ligature).not.toBe(plain);
    for (const each of asked) expect(each).toMatchObject({ salt: 16, N: 2 ** 17, r: 8, p: 1 });
    for (const wrong of ['', '\ud800', null])
      expect(thrownBy(() => service.deriveKey(wrong as string, salt))).toMatchObject({
        code: 'INVALID_INPUT',
      });
  });
});
