import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EncryptedData } from 'proxyvault/database';
import { EncryptionService } from 'proxyvault/database/services';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

const text = (key: Buffer): string => key.toString('base64');

describe('a service without a database', () => {
  const older = randomBytes(32);
  const newer = randomBytes(32);
  const serviceOf = (key: string): EncryptionService => new EncryptionService({ key });

  it('encrypts with the first key of its source', () => {
    const service = serviceOf(`${text(newer)} ${text(older)}`);
    const sealed = service.encrypt('x');
    expect(sealed.keyId).toBe(service.keyId());
    expect(serviceOf(text(newer)).decrypt(sealed)).toBe('x');
  });

  it('reads what an older key of the source encrypted, whether it names its key or not', () => {
    const sealed = serviceOf(text(older)).encrypt('x');
    const { keyId: _, ...unnamed } = sealed;
    for (const stored of [sealed, unnamed])
      expect(serviceOf(`${text(newer)} ${text(older)}`).decrypt(stored)).toBe('x');
    const found = serviceOf(text(newer)).keyId();
    expect(thrownBy(() => serviceOf(text(newer)).decrypt(sealed))).toMatchObject({
      code: 'KEY_MISMATCH',
      details: { needed: sealed.keyId, found },
    });
    expect(thrownBy(() => serviceOf(text(newer)).decrypt(unnamed))).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
      details: { keyNamed: false },
    });
    const other: EncryptedData = { ...sealed, iv: text(randomBytes(12)) };
    expect(thrownBy(() => serviceOf(text(older)).decrypt(other))).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
      details: { keyNamed: true },
    });
  });

  it('makes a key to encrypt, and never to decrypt', () => {
    const keyFile = join(temporaryFolder(), 'key');
    const sealed = serviceOf(text(older)).encrypt('x');
    const service = new EncryptionService({ keyFile, env: {} });
    expect(thrownBy(() => service.decrypt(sealed))).toMatchObject({ code: 'KEY_MISSING' });
    expect(existsSync(keyFile)).toBe(false);
    service.encrypt('x');
    expect(existsSync(keyFile)).toBe(true);
    writeFileSync(keyFile, '', { mode: 0o600 });
    const emptied = new EncryptionService({ keyFile, env: {} });
    expect(thrownBy(() => emptied.decrypt(sealed))).toMatchObject({ code: 'KEY_MISSING' });
    expect(thrownBy(() => emptied.encrypt('x'))).toMatchObject({ code: 'KEY_INVALID' });
  });

  it('has fingerprints of the first key', () => {
    const service = serviceOf(`${text(newer)} ${text(older)}`);
    expect(service.fingerprint('u')).toBe(serviceOf(text(newer)).fingerprint('u'));
    expect(service.fingerprint('u')).not.toBe(serviceOf(text(older)).fingerprint('u'));
    service.destroy();
    expect(thrownBy(() => service.fingerprint('u'))).toMatchObject({ code: 'CLOSED' });
  });
});
