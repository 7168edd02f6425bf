import { randomUUID } from 'node:crypto';

import { ProxyVaultError } from '../../errors.ts';
import type { EncryptedData } from '../../keys/binding.ts';
import { FingerprintKey } from '../../keys/fingerprint-key.ts';
import { fingerprintKeyOf, type RootKeys } from '../../keys/root-keys.ts';
import { SecretKey, type WrappedKey } from '../../keys/secret-key.ts';
import { type Driver, type Mode, type Result, type Session, type Steps, step } from '../drivers/driver.ts';
import type { StoredCredential } from '../repositories/credential-record.ts';
import { CredentialRowsRepository } from '../repositories/credential-rows.repository.ts';
import { EncryptionConfigRepository } from '../repositories/encryption-config.repository.ts';
import { EncryptionKeysRepository } from '../repositories/encryption-keys.repository.ts';
import {
  EncryptionSecretsRepository,
  type SecretName,
} from '../repositories/encryption-secrets.repository.ts';
import { attempt, Keyset, lostConfig, type SealingKeyset } from './keyset.ts';

/** NIST SP 800-38D, section 8.3: at most 2^32 messages a key if IVs are random. */
const MOST_MESSAGES = 2 ** 32;

/** A key rotation under way. Another process may end it, and retire the key, at any moment. */
export interface BegunKeyRotation {
  /** The key that it goes to. */
  key: SecretKey;
  /** The id of the proxy that was done last; empty before the first. */
  cursor: string;
  resumed: boolean;
}

/** A credential, and what a key rotation has made of it. */
export interface RotatedCredential extends StoredCredential {
  replacement: EncryptedData;
}

/**
 * The keys of one database as its tables have them. It alone writes the tables of keys, each method within the transaction of
 * whoever runs its steps; it remembers nothing, so that a transaction may be played again.
 *
 * A comment beside each lock says whom it keeps out. SQLite has one writer, so its locks do nothing.
 */
export class KeyStore<M extends Mode> {
  readonly #session: Session<M>;
  readonly #db: Driver<M>;
  readonly #roots: RootKeys;
  readonly #keys: EncryptionKeysRepository<M>;
  readonly #secrets: EncryptionSecretsRepository<M>;
  readonly #config: EncryptionConfigRepository<M>;
  readonly #rows: CredentialRowsRepository<M>;

  constructor(session: Session<M>, roots: RootKeys) {
    this.#session = session;
    this.#db = session.driver;
    this.#roots = roots;
    this.#keys = new EncryptionKeysRepository(session);
    this.#secrets = new EncryptionSecretsRepository(session);
    this.#config = new EncryptionConfigRepository(session);
    this.#rows = new CredentialRowsRepository(session);
  }

  /** Reads the tables, and unwraps the keys with those of the source. @throws MIGRATION_PENDING. */
  *load(): Steps<M, Keyset> {
    this.#roots.assertAlive();
    yield* this.#assertMigrated();
    // The keys first: another process may make the first one now, and the configuration is stored with it and stays.
    const records = yield* step(this.#keys.findAll());
    const config = yield* step(this.#config.get());
    const fingerprint = yield* step(this.#secrets.find('fingerprint'));
    const pinProblem = config && this.#roots.pinProblem(config.keySource);
    const isAsked = config !== null && records.length > 0 && pinProblem === null;
    const source = isAsked ? attempt(() => this.#roots.readNeeded()) : null;
    const sourceProblem = source instanceof ProxyVaultError ? source : null;
    const problem = config === null ? lostConfig() : (pinProblem ?? sourceProblem);
    const databaseId = config?.databaseId ?? '';
    const unwrap = (wrapped: WrappedKey, place: string): SecretKey | ProxyVaultError =>
      problem ?? attempt(() => this.#roots.unwrap(wrapped, databaseId, place));
    const keys = new Map(records.map((record) => [record.keyId, unwrap(record, 'encryption_keys')]));
    const found = fingerprint && unwrap(fingerprint, 'fingerprint');
    const fingerprintKey = found instanceof SecretKey ? new FingerprintKey(found) : found;
    const sourceKeys = this.#roots.known;
    return new Keyset({ config, records, keys, sourceKeys, sourceProblem, fingerprintKey });
  }

  /** As `load`, if there is no ciphertext that needs a key which the source does not have. @throws KEY_MISSING, KEY_MISMATCH. */
  *loadOwn(): Steps<M, Keyset> {
    const keys = yield* this.load();
    if (keys.problem) throw keys.problem;
    if (keys.records.length > 0) return keys;
    const source = this.#roots.readNeeded();
    const ids = yield* step(this.#rows.keyIds());
    const foreign = ids.find((id) => id !== null && !source.some((root) => root.id === id));
    if (!foreign) return keys;
    // Another process may have made the first data key since, and encrypted with it.
    const again = yield* this.load();
    if (again.records.length === 0) throw this.#roots.mismatch(foreign);
    if (again.problem) throw again.problem;
    return again;
  }

  /** @throws MIGRATION_PENDING, or KEY_MISMATCH for another kind of source than this database's. */
  *assertUsable(): Steps<M, void> {
    yield* this.#assertMigrated();
    const config = yield* step(this.#config.get());
    const problem = config && this.#roots.pinProblem(config.keySource);
    if (problem) throw problem;
  }

  /** Whether anything is encrypted, so that a key is needed. */
  *hasCredentials(): Steps<M, boolean> {
    return (yield* step(this.#rows.keyIds())).length > 0;
  }

  /** The key-encryption key as a recovery key wraps it, and the id of the database; null if no recovery code was made. */
  *escrow(): Steps<M, { wrapped: WrappedKey; databaseId: string | undefined } | null> {
    yield* this.#assertMigrated();
    const databaseId = (yield* step(this.#config.get()))?.databaseId;
    const wrapped = yield* step(this.#secrets.find('escrow'));
    return wrapped && { wrapped, databaseId };
  }

  /** The id of the key that encrypts. Inside a transaction it is kept until the end of it. */
  *primaryId(): Steps<M, string | null> {
    // So that no credential is stored under a key that another has retired.
    if (this.#db.scope !== null) yield* step(this.#db.lock('data keys', 'shared'));
    return yield* step(this.#keys.primaryId());
  }

  /** Counts messages of a key; gives the new count, or null if it would pass the limit, or there is no such key. */
  countMessages(keyId: string, messages: number): Result<M, number | null> {
    return this.#keys.reserve(keyId, messages, MOST_MESSAGES);
  }

  *has(keyId: string): Steps<M, boolean> {
    return (yield* step(this.#keys.findAll())).some((key) => key.keyId === keyId);
  }

  /**
   * Makes the first data key, in a transaction, unless there is ciphertext whose key this is not.
   *
   * @param proxyId the proxy whose credential is replaced: that may be of a lost key.
   * @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID; CANNOT_OPEN if every user of this machine may write the pool.
   */
  establish(proxyId: string): Result<M, SealingKeyset> {
    return this.#db.transaction(() => this.#establish(proxyId));
  }

  *#establish(proxyId: string): Steps<M, SealingKeyset> {
    this.#session.assertMayHoldCredentials?.();
    // So that two hosts do not each make one, and the second deletes the first.
    yield* step(this.#db.lock('first key'));
    yield* step(this.#db.lock('data keys', 'shared'));
    yield* this.assertUsable();
    const present = yield* this.load();
    if (present.canSeal()) return present;
    // Keys that nothing needs are deleted, so nobody may store anything under them meanwhile.
    if (present.records.length > 0) yield* step(this.#db.lock('data keys'));
    const needed = yield* step(this.#rows.keyIds(proxyId));
    const [problem] = present.problems;
    if (needed.length > 0 && problem) throw problem;
    // If there is any ciphertext, a key that is missing is not made.
    const isNeeded = yield* this.hasCredentials();
    const source = isNeeded ? this.#roots.readNeeded() : this.#roots.readOrCreate();
    const foreign = needed.find(
      (id) => id !== null && present.find(id) === undefined && !source.some((root) => root.id === id),
    );
    if (foreign) throw this.#roots.mismatch(foreign);
    if (needed.length === 0) {
      yield* step(this.#keys.deleteAll());
      yield* step(this.#secrets.deleteAll());
    }
    const [root] = source;
    const databaseId = present.config?.databaseId ?? randomUUID();
    yield* step(this.pin(databaseId, this.#roots.source.kind));
    yield* step(this.#keys.add(root.wrap(SecretKey.generate(), databaseId, 'encryption_keys'), 'primary'));
    // Derived, so that it is what the first version of this library took.
    if (!(yield* step(this.#secrets.find('fingerprint'))))
      yield* step(this.#saveSecret('fingerprint', root, fingerprintKeyOf(root), databaseId));
    const established = yield* this.load();
    if (established.canSeal()) return established;
    throw established.problem ?? lostConfig();
  }

  /** Puts a new data key in place of the primary, or continues with the one that an interrupted rotation has put there. */
  *beginKeyRotation(): Steps<M, BegunKeyRotation> {
    // Whoever encrypts with the old primary commits first, so that the pages of the rotation have all of that.
    yield* step(this.#db.lock('data keys'));
    const keys = yield* this.loadOwn();
    const state = keys.config?.rotation;
    const present = state && keys.find(state.keyId);
    if (state && present === undefined) throw this.#roots.mismatch(state.keyId);
    if (state && present instanceof SecretKey) return { key: present, cursor: state.cursor, resumed: true };
    // A rotation to a damaged key starts again with a new one.
    const [root] = this.#roots.readNeeded();
    const key = SecretKey.generate();
    yield* step(this.#keys.demotePrimary());
    yield* step(this.#keys.add(root.wrap(key, keys.databaseId, 'encryption_keys'), 'primary'));
    yield* step(this.#config.startRotation(key.id));
    return { key, cursor: '', resumed: false };
  }

  /** Counts messages of a key rotation before they are encrypted; false if another process has ended it. @throws KEY_EXHAUSTED. */
  *countRotated(keyId: string, messages: number): Steps<M, boolean> {
    // A rotation that has ended may retire the key.
    yield* step(this.#db.lock('data keys', 'shared'));
    if ((yield* step(this.#config.get()))?.rotation?.keyId !== keyId) return false;
    if ((yield* step(this.countMessages(keyId, messages))) !== null) return true;
    throw new ProxyVaultError(
      'KEY_EXHAUSTED',
      `The data key ${keyId} has encrypted 2^32 messages, the most that are safe, before the rotation to it was done: rotate again.`,
      { details: { keyId } },
    );
  }

  /** Stores what a key rotation has encrypted, and how far it is; null if another process has ended the rotation. */
  *storeRotated(
    keyId: string,
    cursor: string,
    rotated: readonly RotatedCredential[],
  ): Steps<M, RotatedCredential[] | null> {
    // The new key is not retired before this is stored.
    yield* step(this.#db.lock('data keys', 'shared'));
    if (!(yield* step(this.#config.advanceRotation(keyId, cursor)))) return null;
    const swapped: RotatedCredential[] = [];
    for (const each of rotated) {
      if (yield* step(this.#rows.swap(each.proxyId, each.encrypted, each.replacement))) swapped.push(each);
    }
    return swapped;
  }

  /** Ends a key rotation, and removes the keys that nothing needs; gives their ids. */
  *retireKeys(keyId: string): Steps<M, string[]> {
    // Whoever encrypts with such a key commits first: then it is needed.
    yield* step(this.#db.lock('data keys'));
    const state = (yield* step(this.#config.get()))?.rotation;
    // Others may still encrypt with what another rotation has just demoted: that one retires it, when they no longer can.
    if (state && state.keyId !== keyId) return [];
    const retired = yield* step(this.#keys.deleteUnused());
    if (state) yield* step(this.#config.endRotation());
    return retired;
  }

  /** Puts all keys of the database under another key-encryption key, and pins the kind of its source if that is given. */
  *rewrapAll(root: SecretKey, kind?: string): Steps<M, void> {
    // Nobody adds a key under the old one meanwhile, which nothing would rewrap.
    yield* step(this.#db.lock('data keys'));
    const keys = yield* this.loadOwn();
    const { databaseId } = keys;
    const data = keys.records.map(({ keyId }) => keys.find(keyId)).filter((key) => key instanceof SecretKey);
    for (const key of data) yield* step(this.#keys.rewrap(root.wrap(key, databaseId, 'encryption_keys')));
    // What the source's own key encrypted stays readable when that key goes: it becomes one of the database's keys.
    const used = yield* step(this.#rows.keyIds());
    for (const key of this.#roots.read()) {
      if (key.id === root.id || !(used.includes(key.id) || used.includes(null))) continue;
      yield* step(this.#keys.add(root.wrap(key, databaseId, 'encryption_keys'), 'decrypt-only'));
    }
    for (const name of ['fingerprint', 'recovery'] as const) {
      const wrapped = yield* step(this.#secrets.find(name));
      const secret = wrapped && attempt(() => this.#roots.unwrap(wrapped, databaseId, name));
      // A damaged one stays as it is.
      if (secret instanceof ProxyVaultError && secret.code !== 'KEY_INVALID') throw secret;
      if (!(secret instanceof SecretKey)) continue;
      if (name === 'recovery') yield* this.saveRecovery(root, secret, databaseId);
      else yield* step(this.#saveSecret(name, root, secret, databaseId));
    }
    if (kind !== undefined) yield* step(this.pin(databaseId, kind));
  }

  /** Has a recovery key restore the key-encryption key, in place of an earlier one. Everything must be under it. */
  *saveRecovery(root: SecretKey, recovery: SecretKey, databaseId: string): Steps<M, void> {
    yield* step(this.#saveSecret('recovery', root, recovery, databaseId));
    yield* step(this.#saveSecret('escrow', recovery, root, databaseId));
  }

  /** The database takes its key from this kind of source from now on. */
  pin(databaseId: string, kind: string): Result<M, number> {
    return this.#config.pin(databaseId, kind);
  }

  #saveSecret(name: SecretName, by: SecretKey, secret: SecretKey, databaseId: string): Result<M, number> {
    return this.#secrets.save(name, by.wrap(secret, databaseId, name));
  }

  *#assertMigrated(): Steps<M, void> {
    // The newest column of all that the keys need.
    const columns = yield* step(this.#session.engine.columnsOf('encrypted_credentials'));
    if (columns.includes('binding_version')) return;
    throw new ProxyVaultError(
      'MIGRATION_PENDING',
      'The tables of keys and credentials are missing or older than this program: call `db.migrations.up()` after `initDatabase()` (`proxyvault migrate up`).',
    );
  }
}
