import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SecretKey, type WrappedKey } from '../../src/keys/secret-key.ts';
import { thrownBy } from '../support/temporary.ts';

describe('a secret key', () => {
  it('is exactly 32 bytes, and takes the buffer over', () => {
    for (const length of [0, 16, 31, 33, 48, 64]) {
      const bytes = randomBytes(length);
      expect(thrownBy(() => SecretKey.from(bytes))).toMatchObject({
        code: 'KEY_INVALID',
        message: expect.stringContaining(`the source gave ${length}`),
      });
      expect(bytes.every((byte) => byte === 0)).toBe(true);
    }
    expect(thrownBy(() => SecretKey.from(Buffer.alloc(32)))).toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringContaining('new buffer'),
    });
  });

  it('may have zeros at either end', () => {
    for (const at of [0, 31])
      expect(SecretKey.from(Buffer.alloc(32, 7).fill(0, at, at + 1)).id).toMatch(/^[\da-f]{16}$/);
  });

  it('shows its id, and nothing of its bytes, however it is printed', () => {
    const bytes = randomBytes(32);
    const key = SecretKey.from(Buffer.from(bytes));
    expect(inspect(key)).toBe(`SecretKey { id: ${key.id}, key: [redacted] }`);
    expect(inspect({ key }, { depth: 9, showHidden: true })).toContain('[redacted]');
    expect(JSON.parse(JSON.stringify(key))).toEqual({ id: key.id, key: '[redacted]' });
    expect(bytes.toString('hex')).not.toContain(key.id);
  });

  it('has fingerprints of 128 bits, and derives another key for each label', () => {
    const key = SecretKey.generate();
    expect(Buffer.from(key.fingerprint('x'), 'base64url')).toHaveLength(16);
    expect(key.fingerprint('x')).not.toBe(key.fingerprint('y'));
    expect(new Set([key.id, key.derive('a').id, key.derive('b').id, SecretKey.generate().id]).size).toBe(4);
    expect(key.derive('a').id).toBe(key.derive('a').id);
  });
});

describe('a wrapped key', () => {
  const wrapping = SecretKey.generate();
  const key = SecretKey.generate();
  const place = ['database', 'table'];
  const wrapped = wrapping.wrap(key, ...place);

  it('opens with the key that wrapped it, at its place', () => {
    expect(wrapped).toMatchObject({ keyId: key.id, kekId: wrapping.id });
    const opened = wrapping.unwrap(wrapped, ...place);
    expect(opened.id).toBe(key.id);
    expect(opened.fingerprint('x')).toBe(key.fingerprint('x'));
    expect(wrapping.wrap(key, ...place).iv).not.toBe(wrapped.iv);
  });

  it.each<[string, string[]]>([
    ['in another database', ['other', 'table']],
    ['for another use', ['database', 'other']],
    ['with its names run together', ['databasetable']],
    ['with its names swapped', ['table', 'database']],
    ['with a name more', ['database', 'table', '']],
    ['with no name', []],
  ])('does not open %s', (_, elsewhere) => {
    expect(thrownBy(() => wrapping.unwrap(wrapped, ...elsewhere))).toMatchObject({
      code: 'KEY_INVALID',
      details: { keyId: key.id },
    });
  });

  const other = wrapping.wrap(SecretKey.generate(), ...place);

  it.each<[string, Partial<WrappedKey>]>([
    ['the id of another key', { keyId: other.keyId }],
    ['the ciphertext of another key', { wrappedKey: other.wrappedKey }],
    ['a ciphertext that is too short', { wrappedKey: wrapped.wrappedKey.slice(0, 40) }],
    ['no ciphertext', { wrappedKey: '' }],
    ['another IV', { iv: other.iv }],
    ['no IV', { iv: '' }],
    ['another tag', { tag: other.tag }],
    ['a tag that is no base64', { tag: '!' }],
    ['a tag of 4 bytes', { tag: Buffer.from(wrapped.tag, 'base64').subarray(0, 4).toString('base64') }],
    ['the check value of another key', { keyCheckValue: other.keyCheckValue }],
    ['a check value that is cut short', { keyCheckValue: wrapped.keyCheckValue.slice(0, 30) }],
    ['a check value that is longer', { keyCheckValue: `${wrapped.keyCheckValue}00` }],
    ['no check value', { keyCheckValue: '' }],
  ])('with %s is damaged', (_, change) => {
    const changed = { ...wrapped, ...change };
    expect(thrownBy(() => wrapping.unwrap(changed, ...place))).toMatchObject({
      code: 'KEY_INVALID',
      details: { keyId: changed.keyId },
    });
  });

  it('does not open with another key', () => {
    expect(thrownBy(() => SecretKey.generate().unwrap(wrapped, ...place))).toMatchObject({
      code: 'KEY_INVALID',
    });
  });
});
