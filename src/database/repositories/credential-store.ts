import { ProxyVaultError } from '../../errors.ts';
import type { EncryptedData } from '../../keys/binding.ts';
import { type Driver, type Mode, type Result, type Session, type Steps, step } from '../drivers/driver.ts';
import { toStored } from '../timestamps.ts';
import { toAddressParams, toParams } from './credential-record.ts';
import { orNotFound } from './repository.ts';

const INTO = `
  INSERT INTO encrypted_credentials
    (proxy_id, encrypted_data, iv, auth_tag, key_id, binding, binding_version, created_at)`;
const INSERT = `${INTO}
  SELECT id, :ciphertext, :iv, :tag, :key_id, :binding, :version, :now FROM proxies WHERE id = :id`;

/** Of a proxy that is known to be there: without a look at it, and without a journal for undoing this statement alone. */
const ADD = `${INTO} VALUES (:id, :ciphertext, :iv, :tag, :key_id, :binding, :version, :now)`;

const OR_REPLACE = `
  ON CONFLICT (proxy_id) DO UPDATE SET
    encrypted_data = excluded.encrypted_data,
    iv = excluded.iv,
    auth_tag = excluded.auth_tag,
    key_id = excluded.key_id,
    binding = excluded.binding,
    binding_version = excluded.binding_version,
    created_at = excluded.created_at`;

// Whole texts, since a driver finds its prepared statement by the text: one that is put together at each call is hashed each time.
const PUT = `${INSERT} ${OR_REPLACE}`;
const PUT_AT_ADDRESS = `${INSERT} AND protocol = :protocol AND host = :host AND port = :port ${OR_REPLACE}`;
const ADD_OR_REPLACE = `${ADD} ${OR_REPLACE}`;

/** What is bound to an address is stored only for a proxy that has it: it would never open for another. */
export function putCredential<M extends Mode>(
  session: Session<M>,
  proxyId: string,
  data: EncryptedData,
): Result<M, void> {
  const { driver, clock } = session;
  const params = { ...toParams(proxyId, data), now: toStored(clock()) };
  if (data.address === undefined) {
    return driver.run(PUT, params, orNotFound('proxy', proxyId));
  }
  return driver.run(PUT_AT_ADDRESS, { ...params, ...toAddressParams(data.address) }, (changed) => {
    if (changed > 0) return;
    throw new ProxyVaultError(
      'NOT_FOUND',
      `There is no proxy ${JSON.stringify(proxyId)} at the address that the credential is for: it was changed or removed. Read the proxy again. Nothing was stored.`,
      { details: { id: proxyId } },
    );
  });
}

/** As {@link putCredential}, of a proxy that is known to be there, and to have the address. @throws CONSTRAINT if it is not there. */
export function addCredential<M extends Mode>(
  { driver, clock }: Session<M>,
  proxyId: string,
  data: EncryptedData,
): Result<M, number> {
  return driver.run(ADD_OR_REPLACE, { ...toParams(proxyId, data), now: toStored(clock()) });
}

/**
 * While the caller has the lock of the data keys: a credential is not stored under a key that is not one of the database.
 * @throws KEY_MISMATCH.
 */
export function* assertKeyOfDatabase<M extends Mode>(
  db: Driver<M>,
  proxyId: string,
  keyId: string,
): Steps<M, void> {
  const { known, some } = yield* step(
    db.one(
      `SELECT EXISTS (SELECT 1 FROM encryption_keys WHERE key_id = :key_id OR kek_id = :key_id) AS known,
              EXISTS (SELECT 1 FROM encryption_keys) AS some`,
      { key_id: keyId },
      (row) => ({ known: row?.known === 1, some: row?.some === 1 }),
    ),
  );
  if (known) return;
  // Without keys of the database, the credential that is replaced may be of a lost key: the others decide.
  const other = yield* step(
    db.first(
      `SELECT key_id FROM encrypted_credentials
       WHERE key_id IS NOT NULL AND key_id <> :key_id AND proxy_id <> :id LIMIT 1`,
      { id: proxyId, key_id: keyId },
      (row) => String(row.key_id),
    ),
  );
  if (other === null && !some) return;
  throw new ProxyVaultError(
    'KEY_MISMATCH',
    `This credential was written with key ${keyId}, which is not one of this database (any more): encrypt it again, as the keys may have been rotated, and use one key source for all. Nothing was stored.`,
    { details: { needed: other, found: keyId } },
  );
}
