import { z } from 'zod';

import { ProxyVaultError } from '../../errors.ts';
import type { Driver, Mode, Result, Row, Session, Steps } from '../drivers/driver.ts';
import {
  type CredentialCipher,
  type CredentialEncryption,
  rememberOrigin,
} from '../services/credential-cipher.ts';
import { toStored } from '../timestamps.ts';
import type { EncryptedData, Login } from '../types.ts';
import { assertId, assertObject, assertWhole, notFound, parse } from '../validation.ts';
import { BASE64, ID, nullable, oneOf, Table, TEXT, TIME } from './columns.ts';
import { readablePage } from './skipped-rows.ts';

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
  boundTo: z.string().optional(),
  content: z.enum(['login', 'text']).optional(),
});

export const ENCRYPTED_CREDENTIALS = new Table('encrypted_credentials', ['proxy_id'], {
  proxy_id: ID,
  encrypted_data: BASE64,
  iv: BASE64,
  auth_tag: BASE64,
  created_at: TIME,
  key_id: nullable(TEXT),
  binding: nullable(oneOf(['login', 'text', 'unbound'])),
});

/** A row as rotation and verification go through them. */
export interface StoredCredential {
  proxyId: string;
  encrypted: EncryptedData;
  /** INVALID_ROW for a malformed row, whose `encrypted` is not to be used. */
  problem: ProxyVaultError | null;
}

/** Ciphertext by proxy. `save` and `findByProxyId` move it; `store` and `reveal` encrypt and decrypt too. */
export class EncryptedCredentialsRepository<M extends Mode = 'sync'> {
  readonly #db: Driver<M>;
  readonly #session: Session<M>;
  readonly #encryption: CredentialEncryption | null;

  constructor(session: Session<M>, encryption?: CredentialEncryption) {
    this.#db = session.driver;
    this.#session = session;
    this.#encryption = encryption ?? null;
  }

  /**
   * Stores what `EncryptionService.encrypt` gave, in place of what the proxy had. It is not bound to the proxy: `store` is.
   *
   * @throws NOT_FOUND if there is no such proxy; KEY_MISMATCH if the database has ciphertext of another key, or the key
   *   was retired; INVALID_INPUT, also for what is bound to another proxy.
   */
  save(proxyId: string, encrypted: EncryptedData): Result<M, void> {
    assertId(proxyId, 'proxyId');
    const data = parse(encryptedSchema, encrypted, 'encrypted data');
    if (data.boundTo !== undefined && data.boundTo !== proxyId) {
      throw new ProxyVaultError(
        'INVALID_INPUT',
        `The credential is bound to proxy ${data.boundTo}, and decrypts for no other: reveal it there, and store it here.`,
      );
    }
    const { keyId } = data;
    if (keyId === undefined) return this.#put(proxyId, data);
    return this.#db.transaction(() => this.#checkAndPut(proxyId, data, keyId));
  }

  /** What `EncryptionService.decrypt` takes, or null. */
  findByProxyId(proxyId: string): Result<M, EncryptedData | null> {
    return this.#db.first(
      `SELECT * FROM encrypted_credentials WHERE proxy_id = :id`,
      { id: assertId(proxyId, 'proxyId') },
      (row) => rememberOrigin(toEncrypted(row), this.#session),
    );
  }

  /**
   * Encrypts a login and stores it, bound to its row in this database, in place of what the proxy had.
   *
   * @throws INVALID_INPUT, NOT_FOUND, KEY_MISSING, KEY_MISMATCH, KEY_INVALID, KEY_EXHAUSTED.
   */
  store(proxyId: string, login: Login): Result<M, void> {
    assertId(proxyId, 'proxyId');
    const { username, password } = parse(loginSchema, login, 'login');
    const text = JSON.stringify({ username, password });
    const cipher = this.#cipher();
    return this.#db.transaction(() => this.#sealAndPut(cipher, proxyId, text));
  }

  /**
   * The login of a proxy, or null. What `save` stored is taken for a password without a username.
   *
   * @throws CREDENTIAL_CORRUPT, also if the row belongs to another proxy or database; KEY_MISSING, KEY_MISMATCH, KEY_INVALID.
   */
  reveal(proxyId: string): Result<M, Login | null> {
    return this.#db.first(
      `SELECT * FROM encrypted_credentials WHERE proxy_id = :id`,
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

  /** The ids of the keys that wrote the credentials (null: one that does not say), but that of one proxy. */
  keyIds(except = ''): Result<M, (string | null)[]> {
    return this.#db.all(
      `SELECT DISTINCT key_id FROM encrypted_credentials WHERE proxy_id <> :except`,
      { except: assertId(except, 'except') },
      (row) => row.key_id as string | null,
    );
  }

  /** How many credentials there are by key and binding. */
  countByKey(): Result<M, { keyId: string | null; bound: boolean; rows: number }[]> {
    return this.#db.all(
      `SELECT key_id, coalesce(binding, 'unbound') <> 'unbound' AS bound, count(*) AS n
       FROM encrypted_credentials GROUP BY 1, 2 ORDER BY 1, 2`,
      {},
      (row) => ({ keyId: row.key_id as string | null, bound: Boolean(row.bound), rows: Number(row.n) }),
    );
  }

  /** A page of rows after a proxy id, empty at the end; each says when it is opened that it is malformed. All rows, or those that are not bound under a key. */
  page(after: string, limit: number, notUnder?: string): Result<M, StoredCredential[]> {
    assertId(after, 'after');
    assertWhole(limit, 'limit', 1, 10_000);
    if (notUnder === undefined) {
      return readablePage(
        this.#session,
        `SELECT * FROM encrypted_credentials WHERE proxy_id > :after ORDER BY proxy_id LIMIT :limit OFFSET :skip`,
        { after, limit },
        toStoredCredential,
      );
    }
    return readablePage(
      this.#session,
      `SELECT * FROM encrypted_credentials
       WHERE proxy_id > :after AND (key_id IS DISTINCT FROM :key_id OR coalesce(binding, 'unbound') = 'unbound')
       ORDER BY proxy_id LIMIT :limit OFFSET :skip`,
      { after, limit, key_id: assertId(notUnder, 'notUnder') },
      toStoredCredential,
    );
  }

  /** How many rows `page` gives that are not bound under a key. */
  countNotUnder(keyId: string): Result<M, number> {
    return this.#db.one(
      `SELECT count(*) AS n FROM encrypted_credentials
       WHERE key_id IS DISTINCT FROM :key_id OR coalesce(binding, 'unbound') = 'unbound'`,
      { key_id: assertId(keyId, 'keyId') },
      (row) => Number(row?.n),
    );
  }

  /** Replaces a row's ciphertext if it is still the one that was read (compare-and-swap); says whether it was. */
  swap(proxyId: string, old: EncryptedData, replacement: EncryptedData): Result<M, boolean> {
    assertId(proxyId, 'proxyId');
    assertObject(old, 'old credential');
    assertObject(replacement, 'replacement');
    return this.#db.run(
      `UPDATE encrypted_credentials
       SET encrypted_data = :ciphertext, iv = :iv, auth_tag = :tag, key_id = :key_id, binding = :binding
       WHERE proxy_id = :id AND encrypted_data = :old_ciphertext AND iv = :old_iv AND auth_tag = :old_tag`,
      {
        ...toParams(proxyId, replacement),
        old_ciphertext: old.ciphertext,
        old_iv: old.iv,
        old_tag: old.authTag,
      },
      (changed) => changed > 0,
    );
  }

  /** Under one lock: the key that encrypts is the primary when the row is stored, so that no rotation passes it by. */
  *#sealAndPut(cipher: CredentialCipher, proxyId: string, text: string): Steps<M, void> {
    yield this.#put(proxyId, cipher.seal(proxyId, 'login', text));
  }

  *#checkAndPut(proxyId: string, data: EncryptedData, keyId: string): Steps<M, void> {
    const keys = yield this.#db.one(
      `SELECT EXISTS (SELECT 1 FROM encryption_keys WHERE key_id = :key_id OR kek_id = :key_id) AS known,
              EXISTS (SELECT 1 FROM encryption_keys) AS some`,
      { key_id: keyId },
      (row) => ({ known: row?.known === 1, some: row?.some === 1 }),
    );
    const { known, some } = keys as { known: boolean; some: boolean };
    if (!known) yield* this.#assertOnlyKey(proxyId, keyId, some);
    yield this.#put(proxyId, data);
  }

  *#assertOnlyKey(proxyId: string, keyId: string, hasKeys: boolean): Steps<M, void> {
    // Without keys of the database, the credential that is replaced may be of a lost key: the others decide.
    const other = yield this.#db.first(
      `SELECT key_id FROM encrypted_credentials
       WHERE key_id IS NOT NULL AND key_id <> :key_id AND proxy_id <> :id LIMIT 1`,
      { id: proxyId, key_id: keyId },
      (row) => String(row.key_id),
    );
    if (other === null && !hasKeys) return;
    throw new ProxyVaultError(
      'KEY_MISMATCH',
      `This credential was written with key ${keyId}, which is not one of this database (any more): encrypt it again, as the keys may have been rotated, and use one key source for all. Nothing was stored.`,
      { details: { needed: other === null ? null : String(other), found: keyId } },
    );
  }

  #put(proxyId: string, data: EncryptedData): Result<M, void> {
    return this.#db.run(
      `INSERT INTO encrypted_credentials (proxy_id, encrypted_data, iv, auth_tag, key_id, binding, created_at)
       SELECT id, :ciphertext, :iv, :tag, :key_id, :binding, :now FROM proxies WHERE id = :id
       ON CONFLICT (proxy_id) DO UPDATE SET
         encrypted_data = excluded.encrypted_data,
         iv = excluded.iv,
         auth_tag = excluded.auth_tag,
         key_id = excluded.key_id,
         binding = excluded.binding,
         created_at = excluded.created_at`,
      { ...toParams(proxyId, data), now: toStored(this.#session.clock()) },
      (changed) => {
        if (changed === 0) throw notFound('proxy', proxyId);
      },
    );
  }

  #decrypt(proxyId: string, encrypted: EncryptedData): Login {
    try {
      const { content, text } = this.#cipher().open(proxyId, encrypted);
      return content === 'login' ? toLogin(proxyId, text) : { username: '', password: text };
    } catch (error) {
      if (!(error instanceof ProxyVaultError && error.code === 'CREDENTIAL_CORRUPT')) throw error;
      throw new ProxyVaultError('CREDENTIAL_CORRUPT', `${error.message} (proxy ${proxyId})`, {
        cause: error,
        details: { ...error.details, proxyId },
      });
    }
  }

  #cipher(): CredentialCipher {
    if (this.#encryption) return this.#encryption.cipherOf(this.#session);
    throw new ProxyVaultError(
      'INVALID_INPUT',
      'This needs a key: give an EncryptionService as the second argument of the repository\u2019s constructor.',
    );
  }
}

function toLogin(proxyId: string, text: string): Login {
  // It is authenticated, so it is what `store` wrote, or a newer version of the library did.
  const parsed = loginSchema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new ProxyVaultError(
    'INVALID_ROW',
    `The credentials of proxy ${proxyId} have a form that this version does not know.`,
    { details: { proxyId } },
  );
}

/** An error of JSON.parse would quote the text. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function toParams(proxyId: string, data: EncryptedData): Record<string, string | null> {
  return {
    id: proxyId,
    ciphertext: data.ciphertext,
    iv: data.iv,
    tag: data.authTag,
    key_id: data.keyId ?? null,
    binding: data.boundTo === undefined ? 'unbound' : (data.content ?? 'login'),
  };
}

/** Looks at types only: whether a text is the ciphertext is found out when it is decrypted. @throws INVALID_ROW. */
function toEncrypted(row: Row): EncryptedData {
  const table = ENCRYPTED_CREDENTIALS;
  const { proxy_id: proxyId, key_id: keyId, binding } = row;
  const data: EncryptedData = {
    ciphertext: TEXT.is(row.encrypted_data) ? row.encrypted_data : table.refuse(row, 'encrypted_data'),
    iv: TEXT.is(row.iv) ? row.iv : table.refuse(row, 'iv'),
    authTag: TEXT.is(row.auth_tag) ? row.auth_tag : table.refuse(row, 'auth_tag'),
  };
  if (keyId !== null) data.keyId = TEXT.is(keyId) ? keyId : table.refuse(row, 'key_id');
  if (!table.columns.binding.is(binding)) table.refuse(row, 'binding');
  if (binding === 'login' || binding === 'text') {
    data.boundTo = ID.is(proxyId) ? proxyId : table.refuse(row, 'proxy_id');
    data.content = binding;
  }
  return data;
}

function toStoredCredential(row: Row): StoredCredential {
  const proxyId = ID.is(row.proxy_id) ? row.proxy_id : ENCRYPTED_CREDENTIALS.refuse(row, 'proxy_id');
  try {
    return { proxyId, encrypted: toEncrypted(row), problem: null };
  } catch (error) {
    if (!(error instanceof ProxyVaultError)) throw error;
    return { proxyId, encrypted: { ciphertext: '', iv: '', authTag: '' }, problem: error };
  }
}
