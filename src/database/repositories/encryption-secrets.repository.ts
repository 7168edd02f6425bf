import type { WrappedKey } from '../../keys/secret-key.ts';
import type { Mode, Result } from '../drivers/driver.ts';
import { oneOf, Table, TIME } from './columns.ts';
import { toParams, toWrappedKey, WRAPPED_KEY } from './encryption-keys.repository.ts';
import { Repository } from './repository.ts';

/** `fingerprint`: of usernames. `recovery`: what the recovery code stands for; it wraps `escrow`, the key-encryption key. */
export type SecretName = 'fingerprint' | 'recovery' | 'escrow';

export const ENCRYPTION_SECRETS = new Table('encryption_secrets', ['name'], {
  name: oneOf(['fingerprint', 'recovery', 'escrow']),
  ...WRAPPED_KEY,
  created_at: TIME,
});

/** The keys of a database that encrypt no credentials, wrapped as the data keys are. */
export class EncryptionSecretsRepository<M extends Mode = 'sync'> extends Repository<M> {
  find(name: SecretName): Result<M, WrappedKey | null> {
    return this.db.first(`SELECT * FROM encryption_secrets WHERE name = :name`, { name }, toWrappedKey);
  }

  save(name: SecretName, wrapped: WrappedKey): Result<M, number> {
    return this.db.run(
      `INSERT INTO encryption_secrets (name, key_id, kek_id, wrapped_key, iv, tag, key_check_value, created_at)
       VALUES (:name, :key_id, :kek_id, :wrapped_key, :iv, :tag, :key_check_value, :now)
       ON CONFLICT (name) DO UPDATE SET
         key_id = excluded.key_id, kek_id = excluded.kek_id, wrapped_key = excluded.wrapped_key,
         iv = excluded.iv, tag = excluded.tag, key_check_value = excluded.key_check_value, created_at = excluded.created_at`,
      { ...toParams(wrapped), name, now: this.now() },
    );
  }

  deleteAll(): Result<M, number> {
    return this.db.run(`DELETE FROM encryption_secrets`, {});
  }
}
