import type { Driver, Mode, Result, Row, Session } from '../drivers/driver.ts';
import { fromStored, toStored } from '../timestamps.ts';

export interface EncryptionConfig {
  /** Part of what each credential is bound to. */
  databaseId: string;
  /** The kind of source that the key-encryption key comes from. */
  keySource: string;
  rotation: RotationState | null;
}

/** How far a rotation under way has come. */
export interface RotationState {
  /** The key that it goes to. */
  keyId: string;
  /** The id of the proxy that was done last; empty before the first. */
  cursor: string;
  startedAt: string;
}

/** The one row that says which database this is, where its key comes from, and how far a rotation is. */
export class EncryptionConfigRepository<M extends Mode = 'sync'> {
  readonly #db: Driver<M>;
  readonly #session: Session<M>;

  constructor(session: Session<M>) {
    this.#db = session.driver;
    this.#session = session;
  }

  /** Null before the first credential. */
  get(): Result<M, EncryptionConfig | null> {
    return this.#db.first(`SELECT * FROM encryption_config WHERE id = 1`, {}, toConfig);
  }

  /** Sets the kind of source, and, where there is none yet, the database's id. */
  pin(databaseId: string, keySource: string): Result<M, number> {
    return this.#db.run(
      `INSERT INTO encryption_config (id, database_id, key_source) VALUES (1, :database_id, :key_source)
       ON CONFLICT (id) DO UPDATE SET key_source = excluded.key_source`,
      { database_id: databaseId, key_source: keySource },
    );
  }

  startRotation(keyId: string): Result<M, number> {
    return this.#db.run(
      `UPDATE encryption_config SET rotation_key_id = :key_id, rotation_cursor = '', rotation_started_at = :now WHERE id = 1`,
      { key_id: keyId, now: toStored(this.#session.clock()) },
    );
  }

  /** Moves the cursor of the rotation to this key; says whether it is still under way. */
  advanceRotation(keyId: string, cursor: string): Result<M, boolean> {
    return this.#db.run(
      `UPDATE encryption_config SET rotation_cursor = :cursor WHERE id = 1 AND rotation_key_id = :key_id`,
      { key_id: keyId, cursor },
      (changed) => changed > 0,
    );
  }

  endRotation(): Result<M, number> {
    return this.#db.run(
      `UPDATE encryption_config SET rotation_key_id = NULL, rotation_cursor = NULL, rotation_started_at = NULL WHERE id = 1`,
      {},
    );
  }
}

function toConfig(row: Row): EncryptionConfig {
  return {
    databaseId: String(row.database_id),
    keySource: String(row.key_source),
    rotation:
      row.rotation_key_id === null
        ? null
        : {
            keyId: String(row.rotation_key_id),
            cursor: String(row.rotation_cursor ?? ''),
            startedAt: fromStored(String(row.rotation_started_at)),
          },
  };
}
