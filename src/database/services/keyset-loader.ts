import { ProxyVaultError } from '../../errors.ts';
import { FingerprintKey } from '../../keys/fingerprint-key.ts';
import type { RootKeys } from '../../keys/root-keys.ts';
import { SecretKey, type WrappedKey } from '../../keys/secret-key.ts';
import { type Driver, type Mode, type Session, type Steps, step } from '../drivers/driver.ts';
import type { CredentialCount } from '../repositories/credential-record.ts';
import { CredentialRowsRepository } from '../repositories/credential-rows.repository.ts';
import { EncryptionConfigRepository } from '../repositories/encryption-config.repository.ts';
import { EncryptionKeysRepository } from '../repositories/encryption-keys.repository.ts';
import { EncryptionSecretsRepository } from '../repositories/encryption-secrets.repository.ts';
import { Keyset } from './keyset.ts';

/** What the tables say of the keys and of what they encrypt. */
export interface KeySurvey {
  keys: Keyset;
  counts: readonly CredentialCount[];
  /** Credentials that a key rotation under way has not encrypted yet. */
  left: number;
  hasRecoveryCode: boolean;
}

/** Reads the tables of the keys of one database, and unwraps these with the keys of the source. */
export class KeysetLoader<M extends Mode> {
  protected readonly session: Session<M>;
  protected readonly db: Driver<M>;
  protected readonly roots: RootKeys;
  protected readonly keys: EncryptionKeysRepository<M>;
  protected readonly secrets: EncryptionSecretsRepository<M>;
  protected readonly config: EncryptionConfigRepository<M>;
  protected readonly rows: CredentialRowsRepository<M>;

  constructor(session: Session<M>, roots: RootKeys) {
    this.session = session;
    this.db = session.driver;
    this.roots = roots;
    this.keys = new EncryptionKeysRepository(session);
    this.secrets = new EncryptionSecretsRepository(session);
    this.config = new EncryptionConfigRepository(session);
    this.rows = new CredentialRowsRepository(session);
  }

  /** Reads the tables, and unwraps the keys with those of the source. @throws MIGRATION_PENDING. */
  *load(): Steps<M, Keyset> {
    this.roots.assertAlive();
    yield* this.#assertMigrated();
    // The keys first: another process may make the first one now, and the configuration is stored with it and stays.
    const records = yield* step(this.keys.findAll());
    const config = yield* step(this.config.get());
    const fingerprint = yield* step(this.secrets.find('fingerprint'));
    const isAsked = config !== null && records.length > 0;
    const pinProblem = config && this.roots.pinProblem(config.keySource);
    const source = isAsked && pinProblem === null ? attempt(() => this.roots.readNeeded()) : null;
    const sourceProblem = source instanceof ProxyVaultError ? source : null;
    const unwrap = (wrapped: WrappedKey, place: string): SecretKey | ProxyVaultError =>
      config === null
        ? lostConfig()
        : (pinProblem ??
          sourceProblem ??
          attempt(() => this.roots.unwrap(wrapped, config.databaseId, place)));
    const keys = new Map(records.map((record) => [record.keyId, unwrap(record, 'encryption_keys')]));
    const found = fingerprint && unwrap(fingerprint, 'fingerprint');
    const fingerprintKey = found instanceof SecretKey ? new FingerprintKey(found) : found;
    return new Keyset({
      config,
      records,
      keys,
      sourceKeys: this.roots.known,
      sourceProblem,
      fingerprintKey,
    });
  }

  /**
   * As `load`, if there is no ciphertext that needs a key which the source does not have.
   *
   * @throws KEY_MISSING, KEY_MISMATCH.
   */
  *loadOwn(): Steps<M, Keyset> {
    const keys = yield* this.load();
    if (keys.problem) throw keys.problem;
    if (keys.records.length > 0) return keys;
    const source = this.roots.readNeeded();
    const ids = yield* step(this.rows.keyIds());
    const foreign = ids.find((id) => id !== null && !source.some((root) => root.id === id));
    if (!foreign) return keys;
    // Another process may have made the first data key since, and encrypted with it.
    const again = yield* this.load();
    if (again.records.length === 0) throw this.roots.mismatch(foreign);
    if (again.problem) throw again.problem;
    return again;
  }

  /** @throws MIGRATION_PENDING, or KEY_MISMATCH for another kind of source than this database's. */
  *assertUsable(): Steps<M, void> {
    yield* this.#assertMigrated();
    const config = yield* step(this.config.get());
    const problem = config && this.roots.pinProblem(config.keySource);
    if (problem) throw problem;
  }

  /** Whether anything is encrypted, so that a key is needed. */
  *hasCredentials(): Steps<M, boolean> {
    return (yield* step(this.rows.keyIds())).length > 0;
  }

  /** The key-encryption key as a recovery key wraps it, and the id of the database; null if no recovery code was made. */
  *escrow(): Steps<M, { wrapped: WrappedKey; databaseId: string } | null> {
    yield* this.#assertMigrated();
    const config = yield* step(this.config.get());
    const wrapped = yield* step(this.secrets.find('escrow'));
    if (wrapped === null) return null;
    if (config === null) throw lostConfig();
    return { wrapped, databaseId: config.databaseId };
  }

  /** Reads all that a status tells. */
  *survey(): Steps<M, KeySurvey> {
    const keys = yield* this.load();
    const counts = yield* step(this.rows.countByKey());
    const rotatingTo = keys.config?.rotation?.keyId;
    const left = rotatingTo === undefined ? 0 : yield* step(this.rows.countNotUnder(rotatingTo));
    const hasRecoveryCode = (yield* step(this.secrets.find('escrow'))) !== null;
    return { keys, counts, left, hasRecoveryCode };
  }

  *#assertMigrated(): Steps<M, void> {
    // The newest column of all that the keys need.
    const columns = yield* step(this.session.engine.columnsOf('encrypted_credentials'));
    if (columns.includes('binding_version')) return;
    throw new ProxyVaultError(
      'MIGRATION_PENDING',
      'The tables of keys and credentials are missing or older than this program: call `db.migrations.up()` after `initDatabase()` (`proxyvault migrate up`).',
    );
  }
}

/** INVALID_ROW: the keys of the database are bound to its id, and the one row that has it is gone. */
export function lostConfig(): ProxyVaultError {
  return new ProxyVaultError(
    'INVALID_ROW',
    'The row of encryption_config is missing, and with it the id of this database, to which its keys and credentials are bound: restore a backup of the database. Nothing was changed.',
    { details: { table: 'encryption_config', id: '1', column: 'database_id' } },
  );
}

/** The value, or the typed error that is thrown later, when the value is needed. */
export function attempt<T>(work: () => T): T | ProxyVaultError {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProxyVaultError) return error;
    throw error;
  }
}
