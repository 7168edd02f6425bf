import { randomUUID } from 'node:crypto';

import { ProxyVaultError } from '../../errors.ts';
import type { EncryptedData } from '../../keys/binding.ts';
import { fingerprintKeyOf } from '../../keys/root-keys.ts';
import { SecretKey, type WrappedKey } from '../../keys/secret-key.ts';
import { type Mode, type Result, type Steps, step } from '../drivers/driver.ts';
import type { StoredCredential } from '../repositories/credential-record.ts';
import type { RotationState } from '../repositories/encryption-config.repository.ts';
import type { SecretName } from '../repositories/encryption-secrets.repository.ts';
import type { SealingKeyset } from './keyset.ts';
import { attempt, KeysetLoader, lostConfig } from './keyset-loader.ts';

/** NIST SP 800-38D, section 8.3: at most 2^32 messages a key if IVs are random. */
const MOST_MESSAGES = 2 ** 32;

/** A key rotation under way, and the key that it goes to. Another process may end it, and retire the key, at any moment. */
export interface BegunKeyRotation {
  state: RotationState;
  key: SecretKey;
  resumed: boolean;
}

/**
 * The keys of one database as its tables have them. It alone writes the tables of keys, each method within the transaction of
 * whoever runs its steps; it remembers nothing, so that a transaction may be played again.
 */
export class KeyStore<M extends Mode> extends KeysetLoader<M> {
  /** The id of the key that encrypts. Inside a transaction it is kept until the end of it. */
  *primaryId(): Steps<M, string | null> {
    // So that no credential is stored under a key that is gone. SQLite has one writer: no other retires a key meanwhile.
    if (this.db.scope !== null) yield* step(this.db.lock('data keys', 'shared'));
    return yield* step(this.keys.primaryId());
  }

  /** Counts messages of a key; gives the new count, or null if it would pass the limit, or there is no such key. */
  countMessages(keyId: string, messages: number): Result<M, number | null> {
    return this.keys.reserve(keyId, messages, MOST_MESSAGES);
  }

  /** Whether a key is there. */
  *has(keyId: string): Steps<M, boolean> {
    return (yield* step(this.keys.findAll())).some((key) => key.keyId === keyId);
  }

  /**
   * Makes the first data key, in a transaction, unless there is ciphertext whose key this is not.
   *
   * @param proxyId the proxy whose credential is replaced: that may be of a lost key.
   * @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID; CANNOT_OPEN if every user of this machine may write the pool.
   */
  establish(proxyId = ''): Result<M, SealingKeyset> {
    return this.db.transaction(() => this.#establish(proxyId));
  }

  *#establish(proxyId: string): Steps<M, SealingKeyset> {
    this.session.assertMayHoldCredentials?.();
    // So that two hosts do not each make one, and the second deletes the first. SQLite has one writer, which this is.
    yield* step(this.db.lock('first key'));
    yield* step(this.db.lock('data keys', 'shared'));
    yield* this.assertUsable();
    const present = yield* this.load();
    if (present.canSeal()) return present;
    // Keys that nothing needs are deleted, so nobody may store anything under them meanwhile.
    if (present.records.length > 0) yield* step(this.db.lock('data keys'));
    const needed = yield* step(this.rows.keyIds(proxyId));
    const problems = present.records.map(({ keyId }) => present.problemOf(keyId));
    const problem = problems.find((each) => each !== null);
    if (needed.length > 0 && problem) throw problem;
    // If there is any ciphertext, a key that is missing is not made.
    const isNeeded = yield* this.hasCredentials();
    const source = isNeeded ? this.roots.readNeeded() : this.roots.readOrCreate();
    const foreign = needed.find(
      (id) => id !== null && present.find(id) === undefined && !source.some((root) => root.id === id),
    );
    if (foreign) throw this.roots.mismatch(foreign);
    if (needed.length === 0) {
      yield* step(this.keys.deleteAll());
      yield* step(this.secrets.deleteAll());
    }
    const [root] = source;
    const databaseId = present.config?.databaseId ?? randomUUID();
    yield* step(this.config.pin(databaseId, this.roots.source.kind));
    yield* step(this.keys.add(root.wrap(SecretKey.generate(), databaseId, 'encryption_keys'), 'primary'));
    // Derived, so that it is what the first version of this library took.
    if (!(yield* step(this.secrets.find('fingerprint'))))
      yield* this.#saveSecret('fingerprint', root, fingerprintKeyOf(root), databaseId);
    const established = yield* this.load();
    if (established.canSeal()) return established;
    throw established.problem ?? lostConfig();
  }

  /** Puts a new data key in place of the primary, or continues with the one that an interrupted rotation has put there. */
  *beginKeyRotation(): Steps<M, BegunKeyRotation> {
    // Whoever encrypts with the old primary commits first, so that the pages of the rotation have all of that. SQLite has one writer.
    yield* step(this.db.lock('data keys'));
    const keys = yield* this.loadOwn();
    const state = keys.config?.rotation;
    const present = state && keys.find(state.keyId);
    if (state && present === undefined) throw this.roots.mismatch(state.keyId);
    if (state && present instanceof SecretKey) return { state, key: present, resumed: true };
    // A rotation to a damaged key starts again with a new one.
    const [root] = this.roots.readNeeded();
    const key = SecretKey.generate();
    yield* step(this.keys.demotePrimary());
    yield* step(this.keys.add(root.wrap(key, keys.databaseId, 'encryption_keys'), 'primary'));
    yield* step(this.config.startRotation(key.id));
    return { state: { keyId: key.id, cursor: '', startedAt: '' }, key, resumed: false };
  }

  /**
   * Counts the messages of a key rotation before it encrypts them, and commits that, so that the count is never too low; false if
   * another process has ended the rotation.
   *
   * @throws KEY_EXHAUSTED.
   */
  *countRotated(keyId: string, messages: number): Steps<M, boolean> {
    // A rotation that has ended may retire the key. SQLite has one writer, which this is.
    yield* step(this.db.lock('data keys', 'shared'));
    if ((yield* step(this.config.get()))?.rotation?.keyId !== keyId) return false;
    if ((yield* step(this.countMessages(keyId, messages))) !== null) return true;
    throw new ProxyVaultError(
      'KEY_EXHAUSTED',
      `The data key ${keyId} has encrypted 2^32 messages, the most that are safe, before the rotation to it was done: rotate again.`,
      { details: { keyId } },
    );
  }

  /** Stores what a key rotation has encrypted, and how far it is; null if another process has ended the rotation. */
  *storeRotated<T extends RotatedCredential>(
    keyId: string,
    cursor: string,
    rotated: readonly T[],
  ): Steps<M, T[] | null> {
    // The new key is not retired before this is stored. SQLite has one writer, which this is.
    yield* step(this.db.lock('data keys', 'shared'));
    if (!(yield* step(this.config.advanceRotation(keyId, cursor)))) return null;
    const swapped: T[] = [];
    for (const each of rotated) {
      if (yield* step(this.rows.swap(each.proxyId, each.encrypted, each.replacement))) swapped.push(each);
    }
    return swapped;
  }

  /** Ends a key rotation, and removes the keys that nothing needs; gives their ids. */
  *retireKeys(keyId: string): Steps<M, string[]> {
    // Whoever encrypts with such a key commits first: then it is needed. SQLite has one writer, which this is.
    yield* step(this.db.lock('data keys'));
    const state = (yield* step(this.config.get()))?.rotation;
    // Others may still encrypt with what another rotation has just demoted: that one retires it, when they no longer can.
    if (state && state.keyId !== keyId) return [];
    const retired = yield* step(this.keys.deleteUnused());
    if (state) yield* step(this.config.endRotation());
    return retired;
  }

  /** Puts all keys of the database under another key-encryption key, and pins the kind of its source if that is given. */
  *rewrapAll(root: SecretKey, kind?: string): Steps<M, void> {
    // Nobody adds a key under the old one meanwhile, which nothing would rewrap. SQLite has one writer, which this is.
    yield* step(this.db.lock('data keys'));
    const keys = yield* this.loadOwn();
    const { databaseId } = keys;
    for (const record of keys.records) {
      const key = this.#unwrapSound(record, databaseId, 'encryption_keys');
      if (key) yield* step(this.keys.rewrap(root.wrap(key, databaseId, 'encryption_keys')));
    }
    // What the source's own key encrypted stays readable when that key goes: it becomes one of the database's keys.
    const used = yield* step(this.rows.keyIds());
    for (const key of this.roots.read()) {
      if (key.id === root.id || !(used.includes(key.id) || used.includes(null))) continue;
      yield* step(this.keys.add(root.wrap(key, databaseId, 'encryption_keys'), 'decrypt-only'));
    }
    for (const name of ['fingerprint', 'recovery'] as const) {
      const secret = this.#unwrapSound(yield* step(this.secrets.find(name)), databaseId, name);
      if (secret) yield* this.#saveSecret(name, root, secret, databaseId);
      if (secret && name === 'recovery') yield* this.#saveSecret('escrow', secret, root, databaseId);
    }
    if (kind !== undefined) yield* step(this.config.pin(databaseId, kind));
  }

  /** Has a recovery key restore the key-encryption key, in place of an earlier one. Everything must be under it. */
  *saveRecovery(root: SecretKey, recovery: SecretKey): Steps<M, void> {
    const config = yield* step(this.config.get());
    if (config === null) throw lostConfig();
    yield* this.#saveSecret('recovery', root, recovery, config.databaseId);
    yield* this.#saveSecret('escrow', recovery, root, config.databaseId);
  }

  /** The database takes its key from this kind of source from now on. */
  pin(databaseId: string, kind: string): Result<M, number> {
    return this.config.pin(databaseId, kind);
  }

  *#saveSecret(name: SecretName, by: SecretKey, secret: SecretKey, databaseId: string): Steps<M, void> {
    yield* step(this.secrets.save(name, by.wrap(secret, databaseId, name)));
  }

  /** Null if there is no such key, or it is damaged and stays as it is. */
  #unwrapSound(wrapped: WrappedKey | null, databaseId: string, place: string): SecretKey | null {
    const key = wrapped && attempt(() => this.roots.unwrap(wrapped, databaseId, place));
    if (key instanceof ProxyVaultError && key.code !== 'KEY_INVALID') throw key;
    return key instanceof SecretKey ? key : null;
  }
}

/** A credential, and what a key rotation has made of it. */
export interface RotatedCredential extends StoredCredential {
  replacement: EncryptedData;
}
