import type { Mode, Result, Row } from '../drivers/driver.ts';
import { fromStored } from '../timestamps.ts';
import { KEY_ID, NAME, nullable, Table, TEXT, TIME, whole } from './columns.ts';
import { Repository } from './repository.ts';
import { skipMalformed } from './skipped-rows.ts';

export const ENCRYPTION_CONFIG = new Table('encryption_config', ['id'], {
  id: whole(1, 1),
  database_id: NAME,
  key_source: NAME,
  rotation_key_id: nullable(KEY_ID),
  rotation_cursor: nullable(TEXT),
  rotation_started_at: nullable(TIME),
});

export interface EncryptionConfig {
  /** Part of what each credential is bound to. */
  databaseId: string;
  /** The kind of source that the key-encryption key comes from. */
  keySource: string;
  rotation: RotationState | null;
}

/** How far a rotation under way has come. */
interface RotationState {
  /** The key that it goes to. */
  keyId: string;
  /** The id of the proxy that was done last; empty before the first. */
  cursor: string;
  startedAt: string;
}

/** The one row that says which database this is, where its key comes from, and how far a rotation is. */
export class EncryptionConfigRepository<M extends Mode = 'sync'> extends Repository<M> {
  /**
   * Null before the first credential. A malformed state of a rotation is reported and left out: the rotation starts again.
   * @throws INVALID_ROW if the database's id or source is malformed.
   */
  get(): Result<M, EncryptionConfig | null> {
    return this.db.first(`SELECT * FROM encryption_config WHERE id = 1`, {}, (row) => ({
      databaseId: ENCRYPTION_CONFIG.read.database_id(row.database_id, row),
      keySource: ENCRYPTION_CONFIG.read.key_source(row.key_source, row),
      rotation: row.rotation_key_id === null ? null : (skipMalformed(this.session, toRotation)(row) ?? null),
    }));
  }

  /** Sets the kind of source, and the database's id if it has no id yet. */
  pin(databaseId: string, keySource: string): Result<M, number> {
    return this.db.run(
      `INSERT INTO encryption_config (id, database_id, key_source) VALUES (1, :database_id, :key_source)
       ON CONFLICT (id) DO UPDATE SET key_source = excluded.key_source`,
      { database_id: databaseId, key_source: keySource },
    );
  }

  startRotation(keyId: string): Result<M, number> {
    return this.db.run(
      `UPDATE encryption_config SET rotation_key_id = :key_id, rotation_cursor = '', rotation_started_at = :now WHERE id = 1`,
      { key_id: keyId, now: this.now() },
    );
  }

  /** Moves the cursor of the rotation to this key; says whether it is still under way. */
  advanceRotation(keyId: string, cursor: string): Result<M, boolean> {
    return this.db.run(
      `UPDATE encryption_config SET rotation_cursor = :cursor WHERE id = 1 AND rotation_key_id = :key_id`,
      { key_id: keyId, cursor },
      (changed) => changed > 0,
    );
  }

  endRotation(): Result<M, number> {
    return this.db.run(
      `UPDATE encryption_config SET rotation_key_id = NULL, rotation_cursor = NULL, rotation_started_at = NULL WHERE id = 1`,
      {},
    );
  }
}

function toRotation(row: Row): RotationState {
  const { read } = ENCRYPTION_CONFIG;
  return {
    keyId: read.rotation_key_id(row.rotation_key_id, row) ?? ENCRYPTION_CONFIG.refuse(row, 'rotation_key_id'),
    cursor: read.rotation_cursor(row.rotation_cursor, row) ?? '',
    startedAt: fromStored(
      read.rotation_started_at(row.rotation_started_at, row) ??
        ENCRYPTION_CONFIG.refuse(row, 'rotation_started_at'),
    ),
  };
}
