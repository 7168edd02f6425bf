// A key source for a cloud KMS: the key-encryption key lies beside the pool, encrypted by the KMS, and is decrypted once a
// start. What a real KMS does is one call each; here a stand-in does it, so that this file runs. Run it in an empty folder:
// `node kms-key-source.mts` (Node 22.18 or newer runs TypeScript).
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { EncryptionService, initDatabase } from 'proxyvault';
import type { KeySource } from 'proxyvault/keys';

/** With AWS: `GenerateDataKey` and `Decrypt` with an encryption context; with Google Cloud: `encrypt` and `decrypt`. */
interface Kms {
  encrypt(plaintext: Buffer): Promise<Buffer>;
  decrypt(ciphertext: Buffer): Promise<Buffer>;
}

function kmsKeySource(kms: Kms, keyName: string, blobFile: string): KeySource {
  return {
    // It is pinned in the pool: no other kind of source is taken for it.
    kind: 'example kms',
    location: `${keyName} (${blobFile})`,
    async read() {
      return existsSync(blobFile) ? kms.decrypt(readFileSync(blobFile)) : null;
    },
    async create() {
      const temporary = `${blobFile}.${process.pid}.tmp`;
      writeFileSync(temporary, await kms.encrypt(randomBytes(32)), { flag: 'wx', mode: 0o600 });
      try {
        // Fails if there is one: of several processes that start at once, all go on with the key of the first.
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

const kms = standIn();
const db = initDatabase({ path: './data/kms.db' });
db.migrations.up();
const keySource = kmsKeySource(kms, 'projects/example/keys/pool', './data/kms-key.blob');
const encryption = await EncryptionService.open({ keySource, database: db });
const again = await EncryptionService.open({ keySource, database: db });
console.log(again.decrypt(encryption.encrypt('kept by the KMS')), encryption.source().kind);
db.close();

function standIn(): Kms {
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
