import { createCipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { associatedDataOf, open, openText, type Sealed, seal } from '../../src/keys/aes-gcm.ts';
import { thrownBy } from '../support/temporary.ts';

interface Vector {
  id: string;
  key: string;
  iv: string;
  aad: string;
  msg: string;
  ct: string;
  tag: string;
}

const { vectors } = JSON.parse(
  readFileSync(new URL('../fixtures/aes-256-gcm-vectors.json', import.meta.url), 'utf8'),
) as { vectors: Vector[] };
const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
const key = createSecretKey(randomBytes(32));

describe('published vectors (NIST, Wycheproof)', () => {
  it.each(vectors)('$id decrypts, and not with another bit of its tag', (vector) => {
    const vectorKey = createSecretKey(Buffer.from(vector.key, 'hex'));
    const sealed: Sealed = {
      ciphertext: base64(vector.ct),
      iv: base64(vector.iv),
      authTag: base64(vector.tag),
    };
    const aad = Buffer.from(vector.aad, 'hex');
    expect(open(vectorKey, sealed, aad)?.toString('hex')).toBe(vector.msg);
    for (const authTag of flipped(sealed.authTag)) {
      expect(open(vectorKey, { ...sealed, authTag }, aad)).toBeNull();
    }
  });

  it('are what the cipher that seals gives for their IV', () => {
    // `seal` draws its own IV, so the vector's ciphertext is held against the same cipher with the vector's.
    for (const vector of vectors) {
      const cipher = createCipheriv(
        'aes-256-gcm',
        Buffer.from(vector.key, 'hex'),
        Buffer.from(vector.iv, 'hex'),
        {
          authTagLength: 16,
        },
      );
      cipher.setAAD(Buffer.from(vector.aad, 'hex'));
      expect(cipher.update(vector.msg, 'hex', 'hex') + cipher.final('hex')).toBe(vector.ct);
      expect(cipher.getAuthTag().toString('hex')).toBe(vector.tag);
    }
    expect(vectors).toHaveLength(13);
  });
});

describe('seal and open', () => {
  it('round-trip texts and bytes with any associated data', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
        fc.uint8Array({ maxLength: 64 }),
        fc.uint8Array({ maxLength: 64 }),
        (text, bytes, aad) => {
          expect(openText(key, seal(key, text, aad), aad)).toBe(text);
          expect(open(key, seal(key, bytes, aad), aad)).toEqual(Buffer.from(bytes));
        },
      ),
    );
  });

  it('refuse every single-bit change of IV, tag, ciphertext and associated data', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 32 }),
        fc.uint8Array({ minLength: 1, maxLength: 32 }),
        (text, aad) => {
          const sealed = seal(key, text, aad);
          for (const field of ['ciphertext', 'iv', 'authTag'] as const) {
            for (const changed of flipped(sealed[field]))
              expect(openText(key, { ...sealed, [field]: changed }, aad)).toBeNull();
          }
          for (const changed of flipped(Buffer.from(aad).toString('base64')))
            expect(openText(key, sealed, Buffer.from(changed, 'base64'))).toBeNull();
          expect(openText(key, sealed)).toBeNull();
        },
      ),
      { numRuns: 25 },
    );
  });

  it('refuse tags and IVs of every other length', () => {
    const sealed = seal(key, 'x');
    const tag = Buffer.from(sealed.authTag, 'base64');
    for (let length = 0; length < 16; length++) {
      const authTag = tag.subarray(0, length).toString('base64');
      expect(thrownBy(() => open(key, { ...sealed, authTag }))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
    }
    for (const length of [0, 1, 8, 11, 13, 16]) {
      const iv = randomBytes(length).toString('base64');
      expect(thrownBy(() => open(key, { ...sealed, iv }))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
    }
  });
});

describe('associated data', () => {
  it('differ whenever their parts differ, wherever the parts are cut', () => {
    const parts = fc.array(fc.string({ unit: 'grapheme', maxLength: 6 }), { maxLength: 5 });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        expect(associatedDataOf(...a).equals(associatedDataOf(...b))).toBe(
          JSON.stringify(a) === JSON.stringify(b),
        );
      }),
    );
    expect(associatedDataOf('ab', 'c')).not.toEqual(associatedDataOf('a', 'bc'));
    expect(associatedDataOf('é')).toEqual(Buffer.from([0, 0, 0, 2, 0xc3, 0xa9]));
  });
});

/** Every text of the same length that differs in one bit. */
function* flipped(text: string): Generator<string> {
  const bytes = Buffer.from(text, 'base64');
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield changed.toString('base64');
  }
}

describe('base64', () => {
  it('is taken in its canonical form only, as encoding it again shows', () => {
    const characters = fc.constantFrom(...'ABQgwz09+/-_= \n.é');
    const tried = { canonical: 0, other: 0 };
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 12 }), (text) => {
        const canonical = Buffer.from(text, 'base64').toString('base64') === text;
        const sealed = { ...seal(key, 'x'), ciphertext: text };
        tried[canonical ? 'canonical' : 'other']++;
        if (canonical) expect(open(key, sealed)).toBeNull();
        else expect(thrownBy(() => open(key, sealed))).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
      }),
      { numRuns: 5000 },
    );
    expect(Math.min(tried.canonical, tried.other)).toBeGreaterThan(100);
  });

  it('has nothing in the bits after its last byte', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    for (const padding of ['==', '=']) {
      for (const last of alphabet) {
        const ciphertext = `QUJDREVG${'A'.repeat(3 - padding.length)}${last}${padding}`;
        const isCanonical = Buffer.from(ciphertext, 'base64').toString('base64') === ciphertext;
        const opened = (): unknown => open(key, { ...seal(key, 'x'), ciphertext });
        if (isCanonical) expect(opened()).toBeNull();
        else expect(thrownBy(opened)).toMatchObject({ code: 'CREDENTIAL_CORRUPT' });
      }
    }
  });
});
