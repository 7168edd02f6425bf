import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import type { EncryptedData } from 'proxyvault/database';
import { EncryptionService } from 'proxyvault/database/services';
import type { KeySource } from 'proxyvault/keys';
import { describe, expect, it } from 'vitest';
import { openPool } from '../../support/pool.ts';
import { thrownBy } from '../../support/temporary.ts';

const KEY = randomBytes(32);
const service = new EncryptionService({ key: KEY });
const wellFormed = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed());

describe('encrypt and decrypt', () => {
  it('round-trip every text', () => {
    fc.assert(fc.property(wellFormed, (text) => service.decrypt(service.encrypt(text)) === text));
    const long = 'ü'.repeat(1_000_000);
    expect(service.decrypt(service.encrypt(long))).toBe(long);
  });

  it('are AES-256-GCM as anyone can do it: bare node:crypto reads it and is read', () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        const { ciphertext, iv, authTag } = service.encrypt(text);
        const decipher = createDecipheriv('aes-256-gcm', KEY, Buffer.from(iv, 'base64'), {
          authTagLength: 16,
        });
        decipher.setAuthTag(Buffer.from(authTag, 'base64'));
        expect(decipher.update(ciphertext, 'base64', 'utf8') + decipher.final('utf8')).toBe(text);

        const bareIv = randomBytes(12);
        const cipher = createCipheriv('aes-256-gcm', KEY, bareIv, { authTagLength: 16 });
        const bare = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]).toString('base64');
        const data = {
          ciphertext: bare,
          iv: bareIv.toString('base64'),
          authTag: cipher.getAuthTag().toString('base64'),
        };
        expect(service.decrypt(data)).toBe(text);
      }),
    );
  });

  it('give 12 bytes of IV, a tag of 16, and never the same IV twice', () => {
    const seen = new Set<string>();
    for (let n = 0; n < 5000; n++) {
      const { iv, authTag } = service.encrypt('same');
      expect(Buffer.from(iv, 'base64')).toHaveLength(12);
      expect(Buffer.from(authTag, 'base64')).toHaveLength(16);
      seen.add(iv);
    }
    expect(seen.size).toBe(5000);
  });

  it('refuse every single-bit change of ciphertext, IV and tag', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 24 }), (text) => {
        const encrypted = service.encrypt(text);
        for (const field of ['ciphertext', 'iv', 'authTag'] as const) {
          const bytes = Buffer.from(encrypted[field], 'base64');
          for (let bit = 0; bit < bytes.length * 8; bit++) {
            const changed = Buffer.from(bytes);
            changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
            const data = { ...encrypted, [field]: changed.toString('base64') };
            expect(thrownBy(() => service.decrypt(data))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
          }
        }
      }),
      { numRuns: 12 },
    );
  });

  it('refuse short tags, other lengths, and base64 that is not canonical', () => {
    const encrypted = service.encrypt('hello');
    const bad: Partial<EncryptedData>[] = [
      { authTag: Buffer.from(encrypted.authTag, 'base64').subarray(0, 4).toString('base64') },
      { authTag: `${encrypted.authTag} ` },
      { authTag: '' },
      { iv: randomBytes(16).toString('base64') },
      { iv: encrypted.iv.replace(/.$/, '') },
      { ciphertext: `${encrypted.ciphertext}\n` },
      { ciphertext: encrypted.ciphertext.replace(/=+$/, '') },
      {
        ciphertext: encrypted.ciphertext.replace(
          /(.)=$/,
          (_, last: string) => `${String.fromCharCode(last.charCodeAt(0) + 1)}=`,
        ),
      },
      { ciphertext: '-_-_' },
      { ciphertext: undefined as unknown as string },
      { iv: 7 as unknown as string },
    ];
    for (const change of bad) {
      expect(thrownBy(() => service.decrypt({ ...encrypted, ...change }))).toMatchObject({
        code: 'CREDENTIAL_CORRUPT',
      });
    }
  });

  it('tell another key from damage', () => {
    const other = new EncryptionService({ key: randomBytes(32) });
    const encrypted = other.encrypt('canary');
    const error = thrownBy(() => service.decrypt(encrypted));
    expect(error).toMatchObject({
      code: 'KEY_MISMATCH',
      details: { needed: other.keyId(), found: service.keyId() },
    });
    const { keyId: _, ...silent } = encrypted;
    expect(thrownBy(() => service.decrypt(silent))).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
      message: expect.stringContaining('another key'),
    });
  });

  it('of a service with a database tell another\u2019s key, and what is no session', () => {
    const { encryption, db } = openPool(1);
    expect(thrownBy(() => encryption.decrypt(service.encrypt('x')))).toMatchObject({
      code: 'KEY_MISMATCH',
      details: { needed: service.keyId(), found: encryption.keyId() },
    });
    for (const nonsense of [null, 7, {}])
      expect(thrownBy(() => encryption.cipherOf(nonsense as never))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(encryption.cipherOf(db)).toBe(encryption.cipherOf(db));
  });

  it('bind associated data', () => {
    const encrypted = service.encrypt('x', Buffer.from('row 1'));
    expect(service.decrypt(encrypted, Buffer.from('row 1'))).toBe('x');
    for (const data of [Buffer.from('row 2'), undefined, Buffer.alloc(0)]) {
      expect(thrownBy(() => service.decrypt(encrypted, data))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
    }
  });

  it('refuse what is no text, and nothing', () => {
    for (const text of [7, null, undefined, Buffer.from('x'), '\uD800']) {
      expect(thrownBy(() => service.encrypt(text as string))).toMatchObject({ code: 'INVALID_INPUT' });
    }
    expect(thrownBy(() => service.decrypt(null))).toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('generateKey and deriveKey', () => {
  it('give 32 bytes, random or by scrypt N=2^17, r=8, p=1', () => {
    expect(service.generateKey()).toHaveLength(32);
    expect(service.generateKey()).not.toEqual(service.generateKey());
    const salt = randomBytes(16);
    const expected = scryptSync('pässword'.normalize('NFC'), salt, 32, {
      N: 131_072,
      r: 8,
      p: 1,
      maxmem: 2 ** 28,
    });
    expect(service.deriveKey('pässword'.normalize('NFD'), salt)).toEqual(expected);
    const derived = new EncryptionService({ key: service.deriveKey('p', salt) });
    expect(derived.decrypt(derived.encrypt('x'))).toBe('x');
  });

  it('refuse an empty password and a short salt', () => {
    expect(thrownBy(() => service.deriveKey('', randomBytes(16)))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(thrownBy(() => service.deriveKey('p', randomBytes(15)))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(thrownBy(() => service.deriveKey('p', 'salt' as unknown as Buffer))).toMatchObject({
      code: 'INVALID_INPUT',
    });
  });
});

describe('fingerprint', () => {
  it('is the same for the same text under one key only', () => {
    expect(service.fingerprint('user')).toBe(service.fingerprint('user'));
    expect(service.fingerprint('user')).toMatch(/^[\w-]{22}$/);
    expect(service.fingerprint('user')).not.toBe(service.fingerprint('User'));
    expect(service.fingerprint('user')).not.toBe(
      new EncryptionService({ key: randomBytes(32) }).fingerprint('user'),
    );
  });
});

describe('a service that is looked at', () => {
  it('shows no key, in whatever way', () => {
    service.encrypt('x');
    const forms = [
      inspect(service, { depth: 9, showHidden: true }),
      JSON.stringify(service),
      String(service),
      JSON.stringify({ ...service }),
    ];
    for (const form of forms) {
      for (const secret of [KEY.toString('base64'), KEY.toString('hex'), inspect(KEY)])
        expect(form).not.toContain(secret);
    }
    expect(forms[0]).toContain('[redacted]');
  });

  it('takes a copy of the key, so that the caller can wipe theirs', () => {
    const key = randomBytes(32);
    const copying = new EncryptionService({ key });
    const encrypted = copying.encrypt('x');
    key.fill(0);
    expect(copying.decrypt(encrypted)).toBe('x');
  });

  it('takes a key source of the user\u2019s own, and overwrites what it gave', () => {
    const given = Buffer.from(KEY);
    const keySource: KeySource = { kind: 'vault', location: 'secret/proxyvault', read: () => given };
    const custom = new EncryptionService({ keySource });
    expect(custom.keyId()).toBe(service.keyId());
    expect(given.every((byte) => byte === 0)).toBe(true);
    const short = new EncryptionService({ keySource: { ...keySource, read: () => randomBytes(31) } });
    expect(thrownBy(() => short.encrypt('x'))).toMatchObject({ code: 'KEY_INVALID' });
  });
});
