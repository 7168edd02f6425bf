// A key source for a cloud KMS. The key-encryption key is in a file beside the pool, encrypted by the KMS, which decrypts it each
// time a pool is opened. `fakeKms` is for this example only, so that it runs: put two calls of your KMS in its place.
// Run it in an empty folder: `node kms-key-source.mts` (Node 22.18 or newer runs TypeScript).
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { openVault } from 'proxyvault';
import type { KeySource } from 'proxyvault/keys';

/** With AWS: `GenerateDataKey` and `Decrypt` with an encryption context; with Google Cloud: `encrypt` and `decrypt`. */
interface Kms {
  encrypt(plaintext: Buffer): Promise<Buffer>;
  decrypt(ciphertext: Buffer): Promise<Buffer>;
}

function kmsKeySource(kms: Kms, keyName: string, blobFile: string): KeySource {
  return {
    // The pool remembers the kind of source, and from then on accepts no other.
    kind: 'example kms',
    location: `${keyName} (${blobFile})`,
    async read() {
      return existsSync(blobFile) ? kms.decrypt(readFileSync(blobFile)) : null;
    },
    async create() {
      const temporary = `${blobFile}.${process.pid}.tmp`;
      writeFileSync(temporary, await kms.encrypt(randomBytes(32)), { flag: 'wx', mode: 0o600 });
      try {
        // Fails if the file exists: of several processes that start at once, all use the key of the first.
        linkSync(temporary, blobFile);
      } catch {
        if (!existsSync(blobFile)) throw new Error(`The file ${blobFile} cannot be made.`);
      } finally {
        rmSync(temporary);
      }
      return kms.decrypt(readFileSync(blobFile));
    },
  };
}

const kms = fakeKms();
const keySource = kmsKeySource(kms, 'projects/example/keys/pool', './data/kms-key.blob');
const first = await openVault({ path: './data/kms.db', keySource }); // makes the pool, and its key
const { id } = first.proxies.create({
  host: 'gate.example.com',
  port: 1080,
  protocol: 'socks5',
  credentials: { username: 'me', password: 'kept by the KMS' },
});
await first.close();

const again = await openVault({ path: './data/kms.db', keySource }); // the KMS decrypts the key
console.log(again.reveal(id).password, again.keys.source().kind);
await again.close();

function fakeKms(): Kms {
  const masterKey = randomBytes(32);
  return {
    async encrypt(plaintext) {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', masterKey, iv, { authTagLength: 16 });
      const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), body]);
    },
    async decrypt(ciphertext) {
      const decipher = createDecipheriv('aes-256-gcm', masterKey, ciphertext.subarray(0, 12), {
        authTagLength: 16,
      });
      decipher.setAuthTag(ciphertext.subarray(12, 28));
      return Buffer.concat([decipher.update(ciphertext.subarray(28)), decipher.final()]);
    },
  };
}
