import type { EncryptedData } from '../../keys/binding.ts';
import { assertId, assertObject, assertPageSize } from '../../model/validation.ts';
import type { Mode, Result } from '../drivers/driver.ts';
import {
  BOUND_TO_ADDRESS,
  type CredentialCount,
  type StoredCredential,
  toAddressParams,
  toParams,
  toStoredCredential,
} from './credential-record.ts';
import { Repository } from './repository.ts';
import { readablePage } from './skipped-rows.ts';

/** A credential and the address of its proxy come from one statement: nothing can change one of them between two reads. */
export const SELECT_CREDENTIAL = `
  SELECT c.*, p.protocol, p.host, p.port
  FROM encrypted_credentials AS c LEFT JOIN proxies AS p ON p.id = c.proxy_id`;

const NOT_UNDER = `(c.key_id IS DISTINCT FROM :key_id OR coalesce(c.binding, 'unbound') = 'unbound'
    OR c.binding_version IS DISTINCT FROM ${BOUND_TO_ADDRESS})`;

/** All rows of credentials, as the management of keys goes through them. */
export class CredentialRowsRepository<M extends Mode> extends Repository<M> {
  /** The ids of the keys that wrote the credentials (null: one that does not say), but that of one proxy. */
  keyIds(except = ''): Result<M, (string | null)[]> {
    return this.db.all(
      `SELECT DISTINCT key_id FROM encrypted_credentials WHERE proxy_id <> :except`,
      { except: assertId(except, 'except') },
      (row) => row.key_id as string | null,
    );
  }

  /** How many credentials there are by key and by what their rows say that they are bound to. */
  countByKey(): Result<M, CredentialCount[]> {
    return this.db.all(
      `SELECT key_id,
         CASE WHEN coalesce(binding, 'unbound') = 'unbound' THEN 'none'
              WHEN binding_version = ${BOUND_TO_ADDRESS} THEN 'address' ELSE 'id' END AS bound_to,
         count(*) AS n
       FROM encrypted_credentials GROUP BY 1, 2 ORDER BY 1 NULLS FIRST, 2`,
      {},
      (row) => ({
        keyId: row.key_id as string | null,
        binding: row.bound_to as CredentialCount['binding'],
        rows: Number(row.n),
      }),
    );
  }

  /** A page of rows after a proxy id, empty only at the end: all, or those that are not bound to their address under a key. */
  page(after: string, limit: number, notUnder?: string): Result<M, StoredCredential[]> {
    assertId(after, 'after');
    assertPageSize(limit);
    const isWanted = notUnder === undefined ? '' : `AND ${NOT_UNDER}`;
    return readablePage(
      this.session,
      {
        table: 'encrypted_credentials',
        query: `${SELECT_CREDENTIAL} WHERE c.proxy_id > :after ${isWanted} ORDER BY c.proxy_id LIMIT :limit OFFSET :skip`,
        keyOf: (row) => row.proxyId,
      },
      { after, limit, ...(notUnder === undefined ? {} : { key_id: assertId(notUnder, 'notUnder') }) },
      toStoredCredential,
    );
  }

  /** How many rows `page` gives that are not bound to their address under a key. */
  countNotUnder(keyId: string): Result<M, number> {
    return this.db.one(
      `SELECT count(*) AS n FROM encrypted_credentials AS c WHERE ${NOT_UNDER}`,
      { key_id: assertId(keyId, 'keyId') },
      (row) => Number(row?.n),
    );
  }

  /** Replaces a row's ciphertext if it is still `old` and the proxy has the address of the new one; says whether it did. */
  swap(proxyId: string, old: EncryptedData, replacement: EncryptedData): Result<M, boolean> {
    assertId(proxyId, 'proxyId');
    assertObject(old, 'old credential');
    assertObject(replacement, 'replacement');
    return this.db.run(
      `UPDATE encrypted_credentials
       SET encrypted_data = :ciphertext, iv = :iv, auth_tag = :tag, key_id = :key_id, binding = :binding,
         binding_version = :version
       WHERE proxy_id = :id AND encrypted_data = :old_ciphertext AND iv = :old_iv AND auth_tag = :old_tag
         AND EXISTS (SELECT 1 FROM proxies WHERE id = :id AND protocol = :protocol AND host = :host AND port = :port)`,
      {
        ...toParams(proxyId, replacement),
        ...toAddressParams(replacement.address),
        old_ciphertext: old.ciphertext,
        old_iv: old.iv,
        old_tag: old.authTag,
      },
      (changed) => changed > 0,
    );
  }
}
