import type { WrappedKey } from '../../keys/secret-key.ts';
import type { Mode, Result, Row, SqlValue } from '../drivers/driver.ts';
import { fromStored } from '../timestamps.ts';
import { BASE64, HEX, KEY_ID, oneOf, Table, TIME, whole } from './columns.ts';
import { Repository } from './repository.ts';
import { reportInvalidRow, skipMalformed } from './skipped-rows.ts';

/** The columns of every wrapped key. */
export const WRAPPED_KEY = {
  key_id: KEY_ID,
  kek_id: KEY_ID,
  wrapped_key: BASE64,
  iv: BASE64,
  tag: BASE64,
  key_check_value: HEX,
};

export const ENCRYPTION_KEYS = new Table('encryption_keys', ['key_id'], {
  ...WRAPPED_KEY,
  state: oneOf(['primary', 'decrypt-only']),
  message_count: whole(),
  created_at: TIME,
});

/** A data key: one is `primary` and encrypts, the others only decrypt until no row needs them. */
export interface DataKeyRecord extends WrappedKey {
  state: 'primary' | 'decrypt-only';
  /** Messages that it has encrypted, or that are reserved: never too few. */
  messageCount: number;
  createdAt: string;
}

/** The data keys of a database, each wrapped by a key-encryption key that is elsewhere. */
export class EncryptionKeysRepository<M extends Mode = 'sync'> extends Repository<M> {
  /** Every key, oldest first. Malformed columns are reported; a key is left out only if its id is malformed. */
  findAll(): Result<M, DataKeyRecord[]> {
    const toRecord = skipMalformed(this.session, (row) => this.#toRecord(row));
    return this.db.all(`SELECT * FROM encryption_keys ORDER BY created_at, key_id`, {}, toRecord);
  }

  /** The id of the key that encrypts; null before the first. */
  primaryId(): Result<M, string | null> {
    return this.db.first(`SELECT key_id FROM encryption_keys WHERE state = 'primary'`, {}, (row) =>
      String(row.key_id),
    );
  }

  add(wrapped: WrappedKey, state: DataKeyRecord['state']): Result<M, number> {
    return this.db.run(
      `INSERT INTO encryption_keys (key_id, kek_id, wrapped_key, iv, tag, key_check_value, state, message_count, created_at)
       VALUES (:key_id, :kek_id, :wrapped_key, :iv, :tag, :key_check_value, :state, 0, :now)
       ON CONFLICT (key_id) DO NOTHING`,
      { ...toParams(wrapped), state, now: this.now() },
    );
  }

  /** Puts a key under another key-encryption key. */
  rewrap(wrapped: WrappedKey): Result<M, number> {
    return this.db.run(
      `UPDATE encryption_keys SET kek_id = :kek_id, wrapped_key = :wrapped_key, iv = :iv, tag = :tag,
         key_check_value = :key_check_value
       WHERE key_id = :key_id`,
      toParams(wrapped),
    );
  }

  /** Leaves no primary: the next one that is added may be. */
  demotePrimary(): Result<M, number> {
    return this.db.run(`UPDATE encryption_keys SET state = 'decrypt-only' WHERE state = 'primary'`, {});
  }

  /** Counts messages before they are encrypted; gives the new count, or null if it would pass `most` or there is no such key. */
  reserve(keyId: string, messages: number, most: number): Result<M, number | null> {
    return this.db.first(
      `UPDATE encryption_keys SET message_count = message_count + :messages
       WHERE key_id = :id AND message_count + :messages <= :most RETURNING message_count`,
      { id: keyId, messages, most },
      (row) => Number(row.message_count),
    );
  }

  /** Removes the decrypt-only keys that no credential needs, unless one does not say its key; gives their ids. */
  deleteUnused(): Result<M, string[]> {
    return this.db.all(
      `DELETE FROM encryption_keys
       WHERE state = 'decrypt-only'
         AND NOT EXISTS (SELECT 1 FROM encrypted_credentials AS c WHERE c.key_id = encryption_keys.key_id)
         AND NOT EXISTS (SELECT 1 FROM encrypted_credentials AS c WHERE c.key_id IS NULL)
       RETURNING key_id`,
      {},
      (row) => String(row.key_id),
    );
  }

  deleteAll(): Result<M, number> {
    return this.db.run(`DELETE FROM encryption_keys`, {});
  }

  /** What the key needs to decrypt is authenticated when it is unwrapped; the rest has a safe value in its place. */
  #toRecord(row: Row): DataKeyRecord {
    if (!KEY_ID.is(row.key_id)) ENCRYPTION_KEYS.refuse(row, 'key_id');
    const is = ENCRYPTION_KEYS.columns;
    const { state, message_count: messages, created_at: created } = row;
    return {
      ...toWrappedKey(row),
      state: is.state.is(state) ? state : this.#instead(row, 'state', 'decrypt-only'),
      // Never too few: a key whose count is lost must be rotated.
      messageCount: is.message_count.is(messages)
        ? messages
        : this.#instead(row, 'message_count', Number.MAX_SAFE_INTEGER),
      createdAt: fromStored(
        TIME.is(created) ? created : this.#instead(row, 'created_at', '0000-01-01 00:00:00.000'),
      ),
    };
  }

  #instead<T>(row: Row, column: 'state' | 'message_count' | 'created_at', value: T): T {
    try {
      return ENCRYPTION_KEYS.refuse(row, column);
    } catch (error) {
      reportInvalidRow(this.session, error);
      return value;
    }
  }
}

/** The columns of a wrapped key. */
export function toParams(wrapped: WrappedKey): Record<string, string> {
  return {
    key_id: wrapped.keyId,
    kek_id: wrapped.kekId,
    wrapped_key: wrapped.wrappedKey,
    iv: wrapped.iv,
    tag: wrapped.tag,
    key_check_value: wrapped.keyCheckValue,
  };
}

/** A malformed column becomes an empty text, with which the key does not unwrap: KEY_INVALID, where it is needed. */
export function toWrappedKey(row: Row): WrappedKey {
  const text = (value: SqlValue | undefined): string => (typeof value === 'string' ? value : '');
  return {
    keyId: text(row.key_id),
    kekId: text(row.kek_id),
    wrappedKey: text(row.wrapped_key),
    iv: text(row.iv),
    tag: text(row.tag),
    keyCheckValue: text(row.key_check_value),
  };
}
