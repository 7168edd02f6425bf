import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EncryptedData, Session } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository } from 'proxyvault/database/repositories';
import { type CredentialCipher, EncryptionService } from 'proxyvault/database/services';
import { beforeEach, describe, expect, it } from 'vitest';
import { asyncSession } from '../../support/async-engine.ts';
import { openMigrated, temporaryFolder, thrownBy } from '../../support/temporary.ts';

const ADDRESS = { protocol: 'http', host: 'h.example', port: 1 } as const;
const LOGIN = { username: 'u', password: 'canary' };
const text = (key: Buffer): string => key.toString('base64');

describe('a database of an engine without data keys', () => {
  const older = randomBytes(32);
  const newer = randomBytes(32);
  let remote: Session<'async'>;
  const cipherOf = (key: string): CredentialCipher => new EncryptionService({ key }).cipherOf(remote);

  beforeEach(() => {
    remote = asyncSession(openMigrated());
  });

  it('has its credentials under the first key of the source, for one proxy at one address', () => {
    const service = new EncryptionService({ key: `${text(newer)} ${text(older)}` });
    const sealed = service.cipherOf(remote).seal('a', ADDRESS, 'login', 'x');
    expect(sealed.keyId).toBe(service.keyId());
    expect(cipherOf(text(newer)).open('a', ADDRESS, sealed)).toMatchObject({ text: 'x', binding: 'address' });
    for (const [proxyId, address] of [
      ['b', ADDRESS],
      ['a', { ...ADDRESS, port: 2 }],
      ['a', { ...ADDRESS, host: 'x.example' }],
      ['a', { ...ADDRESS, protocol: 'https' }],
      ['a', null],
    ] as const)
      expect(thrownBy(() => cipherOf(text(newer)).open(proxyId, address, sealed))).toMatchObject({
        code: 'CREDENTIAL_CORRUPT',
      });
  });

  it('reads what an older key of the source encrypted, whether it names its key or not', () => {
    const sealed = cipherOf(text(older)).seal('a', ADDRESS, 'login', 'x');
    const { keyId: _, ...unnamed } = sealed;
    for (const stored of [sealed, unnamed])
      expect(cipherOf(`${text(newer)} ${text(older)}`).open('a', ADDRESS, stored).text).toBe('x');
    const found = new EncryptionService({ key: newer }).keyId();
    expect(thrownBy(() => cipherOf(text(newer)).open('a', ADDRESS, sealed))).toMatchObject({
      code: 'KEY_MISMATCH',
      details: { needed: sealed.keyId, found },
    });
    expect(thrownBy(() => cipherOf(text(newer)).open('a', ADDRESS, unnamed))).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
      details: { keyNamed: false },
    });
    const { iv, ...rest } = sealed;
    const other: EncryptedData = { ...rest, iv: text(randomBytes(12)) };
    expect(thrownBy(() => cipherOf(text(older)).open('a', ADDRESS, other))).toMatchObject({
      code: 'CREDENTIAL_CORRUPT',
      details: { keyNamed: true },
    });
    expect(iv).not.toBe(other.iv);
  });

  it('makes a key to encrypt, and never to decrypt', () => {
    const keyFile = join(temporaryFolder(), 'key');
    const sealed = cipherOf(text(older)).seal('a', ADDRESS, 'login', 'x');
    const service = new EncryptionService({ keyFile, env: {} });
    const cipher = service.cipherOf(remote);
    expect(thrownBy(() => cipher.open('a', ADDRESS, sealed))).toMatchObject({ code: 'KEY_MISSING' });
    expect(existsSync(keyFile)).toBe(false);
    cipher.seal('a', ADDRESS, 'login', 'x');
    expect(existsSync(keyFile)).toBe(true);
    writeFileSync(keyFile, '', { mode: 0o600 });
    const emptied = new EncryptionService({ keyFile, env: {} }).cipherOf(remote);
    expect(thrownBy(() => emptied.open('a', ADDRESS, sealed))).toMatchObject({ code: 'KEY_MISSING' });
    expect(thrownBy(() => emptied.seal('a', ADDRESS, 'login', 'x'))).toMatchObject({ code: 'KEY_INVALID' });
  });

  it('has fingerprints that depend on the key, the username and the password', () => {
    const cipher = cipherOf(text(newer));
    const all = [
      cipher.fingerprint('u'),
      cipher.passwordFingerprint({ username: 'u', password: 'p' }),
      cipher.passwordFingerprint({ username: 'v', password: 'p' }),
      cipher.passwordFingerprint({ username: 'u', password: 'q' }),
      cipher.passwordFingerprint({ username: 'up', password: '' }),
      cipherOf(text(older)).fingerprint('u'),
      cipherOf(text(older)).passwordFingerprint({ username: 'u', password: 'p' }),
      cipher.fingerprint('u\u0000p'),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(cipherOf(`${text(newer)} ${text(older)}`).fingerprint('u')).toBe(cipher.fingerprint('u'));
  });

  it('stores and reveals through the repositories', async () => {
    const proxies = new ProxyRepository(remote, new EncryptionService({ key: older }));
    const { id } = await proxies.create({ ...ADDRESS, credentials: LOGIN });
    const both = new EncryptionService({ key: `${text(newer)} ${text(older)}` });
    const credentials = new EncryptedCredentialsRepository(remote, both);
    expect(await credentials.reveal(id)).toEqual(LOGIN);
    await credentials.store(id, { ...LOGIN, password: 'changed' });
    expect(await credentials.findByProxyId(id)).toMatchObject({ keyId: both.keyId(), boundTo: id });
  });

  it('is closed with its service', () => {
    const service = new EncryptionService({ key: newer });
    const cipher = service.cipherOf(remote);
    const sealed = cipher.seal('a', ADDRESS, 'login', 'x');
    cipher.fingerprint('u');
    cipher.passwordFingerprint(LOGIN);
    service.destroy();
    for (const use of [
      () => cipher.seal('a', ADDRESS, 'login', 'x'),
      () => cipher.open('a', ADDRESS, sealed),
      () => cipher.fingerprint('u'),
      () => cipher.passwordFingerprint(LOGIN),
      () => service.fingerprint('u'),
    ])
      expect(thrownBy(use)).toMatchObject({ code: 'CLOSED' });
  });
});
