import { z } from 'zod';

import { ProxyVaultError } from '../../errors.ts';
import type { Driver, Mode, Result, Row, Session, Steps } from '../drivers/driver.ts';
import type { EncryptionService } from '../services/encryption.service.ts';
import { toStored } from '../timestamps.ts';
import type { EncryptedData, Login } from '../types.ts';
import { assertId, notFound, parse } from '../validation.ts';

/** RFC 1929 allows 255 bytes for SOCKS5; HTTP proxies and their session options take more. */
const part = z
  .string()
  .max(1024)
  .regex(/^\P{Cc}*$/u, 'has a control character')
  .refine((text) => text.isWellFormed(), 'is not well-formed');

/** What logs in at a proxy: not both may be empty. */
export const loginSchema = z
  .strictObject({ username: part, password: part })
  .refine(
    ({ username, password }) => username !== '' || password !== '',
    'username and password are both empty',
  );

const encryptedSchema = z.strictObject({
  ciphertext: z.string(),
  iv: z.string(),
  authTag: z.string(),
  keyId: z.string().optional(),
});

/** Ciphertext by proxy. `save` and `findByProxyId` move it; `store` and `reveal` encrypt and decrypt too. */
export class EncryptedCredentialsRepository<M extends Mode = 'sync'> {
  readonly #db: Driver<M>;
  readonly #session: Session<M>;
  readonly #encryption: EncryptionService | null;
  /** The key that this database is known to be written with. */
  #checkedKey: string | null = null;

  constructor(session: Session<M>, encryption?: EncryptionService) {
    this.#db = session.driver;
    this.#session = session;
    this.#encryption = encryption ?? null;
  }

  /**
   * Stores what `EncryptionService.encrypt` gave, in place of what the proxy had. It is not bound to the proxy: `store` is.
   *
   * @throws NOT_FOUND if there is no such proxy; KEY_MISMATCH if the database has ciphertext of another key; INVALID_INPUT.
   */
  save(proxyId: string, encrypted: EncryptedData): Result<M, void> {
    assertId(proxyId, 'proxyId');
    const data = parse(encryptedSchema, encrypted, 'encrypted data');
    if (data.keyId === undefined || data.keyId === this.#checkedKey) return this.#upsert(proxyId, data);
    return this.#db.transaction(() => this.#checkAndUpsert(proxyId, data, data.keyId ?? ''));
  }

  /** What `EncryptionService.decrypt` takes, or null. */
  findByProxyId(proxyId: string): Result<M, EncryptedData | null> {
    return this.#db.first(
      `SELECT encrypted_data, iv, auth_tag, key_id FROM encrypted_credentials WHERE proxy_id = :id`,
      { id: assertId(proxyId, 'proxyId') },
      toEncrypted,
    );
  }

  /**
   * Encrypts a login and stores it, bound to its proxy, in place of what the proxy had.
   *
   * @throws INVALID_INPUT, NOT_FOUND, KEY_MISSING, KEY_MISMATCH, KEY_INVALID.
   */
  store(proxyId: string, login: Login): Result<M, void> {
    assertId(proxyId, 'proxyId');
    const { username, password } = parse(loginSchema, login, 'login');
    const plaintext = JSON.stringify({ username, password });
    return this.save(proxyId, this.#requireEncryption().encrypt(plaintext, bindingOf(proxyId)));
  }

  /**
   * The login of a proxy, or null. What `save` stored is taken for a password without a username.
   *
   * @throws CREDENTIAL_CORRUPT, also if the row belongs to another proxy; KEY_MISSING, KEY_MISMATCH.
   */
  reveal(proxyId: string): Result<M, Login | null> {
    return this.#db.first(
      `SELECT encrypted_data, iv, auth_tag, key_id FROM encrypted_credentials WHERE proxy_id = :id`,
      { id: assertId(proxyId, 'proxyId') },
      (row) => this.#decrypt(proxyId, toEncrypted(row)),
    );
  }

  /** Whether a proxy has credentials. */
  exists(proxyId: string): Result<M, boolean> {
    return this.#db.one(
      `SELECT 1 FROM encrypted_credentials WHERE proxy_id = :id`,
      { id: assertId(proxyId, 'proxyId') },
      (row) => row !== undefined,
    );
  }

  count(): Result<M, number> {
    return this.#db.one(`SELECT count(*) AS n FROM encrypted_credentials`, {}, (row) => Number(row?.n));
  }

  /** Removes a proxy's credentials; says whether there were any. */
  delete(proxyId: string): Result<M, boolean> {
    return this.#db.run(
      `DELETE FROM encrypted_credentials WHERE proxy_id = :id`,
      { id: assertId(proxyId, 'proxyId') },
      (changed) => changed > 0,
    );
  }

  *#checkAndUpsert(proxyId: string, data: EncryptedData, keyId: string): Steps<M, void> {
    // The credential that is replaced may be of a lost key: the others decide.
    const other = yield this.#db.first(
      `SELECT key_id FROM encrypted_credentials WHERE key_id IS NOT NULL AND proxy_id <> :id LIMIT 1`,
      { id: proxyId },
      (row) => String(row.key_id),
    );
    if (other !== null && other !== keyId) {
      throw new ProxyVaultError(
        'KEY_MISMATCH',
        `The database's credentials were written with key ${String(other)}, and this one with ${keyId}: use one key for all. Nothing was stored.`,
        { details: { needed: String(other), found: keyId } },
      );
    }
    yield this.#upsert(proxyId, data);
    this.#checkedKey = keyId;
  }

  #upsert(
    proxyId: string,
    {
      ciphertext,
      iv,
      authTag,
      keyId = null,
    }: Omit<EncryptedData, 'keyId'> & { keyId?: string | null | undefined },
  ): Result<M, void> {
    return this.#db.run(
      `INSERT INTO encrypted_credentials (proxy_id, encrypted_data, iv, auth_tag, key_id, created_at)
       SELECT id, :ciphertext, :iv, :tag, :key_id, :now FROM proxies WHERE id = :id
       ON CONFLICT (proxy_id) DO UPDATE SET
         encrypted_data = excluded.encrypted_data,
         iv = excluded.iv,
         auth_tag = excluded.auth_tag,
         key_id = excluded.key_id,
         created_at = excluded.created_at`,
      { id: proxyId, ciphertext, iv, tag: authTag, key_id: keyId, now: toStored(this.#session.clock()) },
      (changed) => {
        if (changed === 0) throw notFound('proxy', proxyId);
      },
    );
  }

  #decrypt(proxyId: string, encrypted: EncryptedData): Login {
    const encryption = this.#requireEncryption();
    try {
      return toLogin(proxyId, encryption.decrypt(encrypted, bindingOf(proxyId)));
    } catch (error) {
      if (!(error instanceof ProxyVaultError && error.code === 'CREDENTIAL_CORRUPT')) throw error;
      const unbound = decryptUnbound(encryption, encrypted);
      if (unbound !== null) return { username: '', password: unbound };
      throw new ProxyVaultError('CREDENTIAL_CORRUPT', `${error.message} (proxy ${proxyId})`, {
        cause: error,
        details: { proxyId },
      });
    }
  }

  #requireEncryption(): EncryptionService {
    if (this.#encryption) return this.#encryption;
    throw new ProxyVaultError(
      'INVALID_INPUT',
      'This needs a key: give an EncryptionService as the second argument of the repository\u2019s constructor.',
    );
  }
}

/** Associated data that ties a login to its row: each part with its length before it, so that no two run together. */
function bindingOf(proxyId: string): Buffer {
  const parts = ['proxyvault login v1', 'encrypted_credentials', proxyId].map((part) => Buffer.from(part));
  return Buffer.concat(parts.flatMap((part) => [Buffer.from(Uint32Array.of(part.length).buffer), part]));
}

function decryptUnbound(encryption: EncryptionService, encrypted: EncryptedData): string | null {
  try {
    return encryption.decrypt(encrypted);
  } catch {
    return null;
  }
}

function toLogin(proxyId: string, plaintext: string): Login {
  // It is authenticated, so it is what `store` wrote, or a newer version of the library did.
  const parsed = loginSchema.safeParse(JSON.parse(plaintext));
  if (parsed.success) return parsed.data;
  throw new ProxyVaultError(
    'INVALID_ROW',
    `The credentials of proxy ${proxyId} have a form that this version does not know.`,
    {
      details: { proxyId },
    },
  );
}

function toEncrypted(row: Row): EncryptedData {
  const data: EncryptedData = {
    ciphertext: row.encrypted_data as string,
    iv: row.iv as string,
    authTag: row.auth_tag as string,
  };
  if (row.key_id !== null) data.keyId = row.key_id as string;
  return data;
}
