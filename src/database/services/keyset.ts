import { randomUUID } from 'node:crypto';

import { ProxyVaultError } from '../../errors.ts';
import { seal } from '../../keys/aes-gcm.ts';
import { corruptError, openBound, sealBound } from '../../keys/binding.ts';
import type {
  CredentialCipher,
  CredentialContent,
  EncryptedData,
  OpenedCredential,
} from '../../keys/credential-cipher.ts';
import { FingerprintKey } from '../../keys/fingerprint-key.ts';
import { asMissing, fingerprintKeyOf, mismatchError, type RootKeys } from '../../keys/root-keys.ts';
import { SecretKey, type WrappedKey } from '../../keys/secret-key.ts';
import type { Login } from '../../model/login.ts';
import type { ProxyAddress } from '../../model/proxy.ts';
import type { Scope, Session, Steps } from '../drivers/driver.ts';
import { KEY_ID } from '../repositories/columns.ts';
import { EncryptedCredentialsRepository } from '../repositories/encrypted-credentials.repository.ts';
import {
  type EncryptionConfig,
  EncryptionConfigRepository,
} from '../repositories/encryption-config.repository.ts';
import { type DataKeyRecord, EncryptionKeysRepository } from '../repositories/encryption-keys.repository.ts';
import { EncryptionSecretsRepository } from '../repositories/encryption-secrets.repository.ts';
import { MessageBudget } from './message-budget.ts';

/** What the tables of keys say, unwrapped as far as that could be done. */
interface Loaded {
  config: EncryptionConfig | null;
  records: readonly DataKeyRecord[];
  /** Why the source gave no key to unwrap them with; null if it did, or was not asked. */
  sourceProblem: ProxyVaultError | null;
  /** By id; an error where a key cannot be unwrapped, which harms only what it encrypted. */
  keys: ReadonlyMap<string, SecretKey | ProxyVaultError>;
  primary: SecretKey | null;
}

/** For so long a primary may still encrypt that another process has demoted. A rotation waits longer before it retires it. */
export const PRIMARY_HOLDS_MS = 20;

/**
 * The data keys of one database, each 32 random bytes, wrapped by the key source's key: one encrypts, the others decrypt
 * until no row needs them.
 */
export class Keyset implements CredentialCipher {
  readonly session: Session<'sync'>;
  readonly keys: EncryptionKeysRepository;
  readonly secrets: EncryptionSecretsRepository;
  readonly config: EncryptionConfigRepository;
  readonly credentials: EncryptedCredentialsRepository;
  readonly roots: RootKeys;
  readonly #budget: MessageBudget;
  #loaded: Loaded | null = null;
  #fingerprintKey: FingerprintKey | null = null;
  /** Which primary was last looked up, when, and in which transaction. */
  #looked: { id: string; at: number; scope: Scope | null } = {
    id: '',
    at: Number.NEGATIVE_INFINITY,
    scope: null,
  };

  constructor(session: Session<'sync'>, roots: RootKeys) {
    this.session = session;
    this.roots = roots;
    this.keys = new EncryptionKeysRepository(session);
    this.secrets = new EncryptionSecretsRepository(session);
    this.config = new EncryptionConfigRepository(session);
    this.credentials = new EncryptedCredentialsRepository(session);
    this.#budget = new MessageBudget(session.driver, this.keys);
  }

  seal(proxyId: string, address: ProxyAddress, content: CredentialContent, text: string): EncryptedData {
    const key = this.#keyForMessage(proxyId);
    return sealBound(key, { databaseId: this.databaseId, proxyId, address }, content, text);
  }

  /** As the specification's `encrypt`: bound to nothing but the associated data that is given. */
  sealUnbound(text: string, associatedData?: Uint8Array): EncryptedData {
    const key = this.#keyForMessage('');
    return { ...seal(key.key, text, associatedData), keyId: key.id };
  }

  open(proxyId: string, address: ProxyAddress | null, stored: EncryptedData): OpenedCredential {
    for (const key of this.candidates(stored.keyId)) {
      const opened = openBound(key, { databaseId: this.databaseId, proxyId, address }, stored);
      if (opened !== null) return opened;
    }
    throw corruptError(stored);
  }

  fingerprint(username: string): string {
    return this.#fingerprinting().username(username);
  }

  passwordFingerprint(login: Login): string {
    return this.#fingerprinting().password(login);
  }

  /** Reads the tables again. */
  refresh(): void {
    this.#fingerprintKey = null;
    this.#loaded = this.#load();
  }

  /** The id that credentials are bound to. */
  get databaseId(): string {
    return this.#current().config?.databaseId ?? '';
  }

  /** The data keys as they are stored. */
  get records(): readonly DataKeyRecord[] {
    return this.#current().records;
  }

  /** Makes the first key if there is none. @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID. */
  establish(): void {
    this.#writingKey('');
  }

  /** @throws MIGRATION_PENDING, or KEY_MISMATCH for another kind of source than this database's. */
  assertUsable(): void {
    assertMigrated(this.session);
    const config = this.config.get();
    const problem = config && this.#pinProblem(config.keySource);
    if (problem) throw problem;
  }

  /**
   * Reads the source and the tables again, as before a change of keys: another process may have changed either.
   *
   * @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID.
   */
  async reload(): Promise<void> {
    if (this.session.driver.scope !== null) {
      throw new ProxyVaultError(
        'INVALID_INPUT',
        'Keys cannot be changed or verified inside a transaction: return from it first.',
      );
    }
    this.assertUsable();
    const needed = this.keys.findAll().length > 0 || this.credentials.count() > 0;
    const present = await this.roots.reload().catch((error: unknown) => {
      throw needed ? asMissing(error) : error;
    });
    if (!present && needed) throw this.roots.missing();
    this.refresh();
    if (present) this.assertOwn();
  }

  /** Why the source gave no key, so that no data key could be unwrapped; null if it did, or was not asked. */
  get sourceProblem(): ProxyVaultError | null {
    return this.#current().sourceProblem;
  }

  /** What is wrong with a data key, if anything. */
  problemOf(keyId: string): ProxyVaultError | null {
    const key = this.#current().keys.get(keyId);
    return key instanceof ProxyVaultError ? key : null;
  }

  /** A data key that is there. @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID. */
  dataKey(keyId: string): SecretKey {
    const key = this.#current().keys.get(keyId) ?? this.#mismatch(keyId);
    if (key instanceof SecretKey) return key;
    throw key;
  }

  /**
   * Whether there is ciphertext that needs a key.
   *
   * @throws KEY_MISSING, KEY_MISMATCH if the source's key is not the one.
   */
  assertOwn(): void {
    for (const { keyId } of this.records) {
      const problem = this.problemOf(keyId);
      if (problem && problem.code !== 'KEY_INVALID') throw problem;
    }
    if (this.records.length > 0) return;
    const roots = this.roots.readNeeded();
    const foreign = this.credentials
      .keyIds()
      .find((id) => id !== null && !roots.some((root) => root.id === id));
    if (!foreign) return;
    // Another process may have made the first data key since, and encrypted with it.
    this.refresh();
    if (this.records.length === 0) throw this.#mismatch(foreign);
    this.assertOwn();
  }

  /**
   * The keys that may have written a ciphertext; none if this database has no such key.
   *
   * @throws KEY_MISSING, KEY_MISMATCH or KEY_INVALID if its key cannot be had.
   */
  candidates(keyId: string | undefined): SecretKey[] {
    if (keyId === undefined) return this.#allKeys();
    let found = this.#find(keyId);
    if (!(found instanceof SecretKey)) {
      // Another process may have made it, or the source may have its key again.
      this.refresh();
      found = this.#find(keyId);
    }
    if (found instanceof SecretKey) return [found];
    if (found) throw found;
    if (this.#current().primary) return [];
    throw this.#mismatch(keyId);
  }

  /** Moves the log into the file and empties it, so that nothing old is left in it; says whether that could be done. */
  truncateLog(): boolean {
    return this.session.engine.checkpoint().complete;
  }

  /** Puts a new data key in place of the primary, within the caller's transaction. */
  *replacePrimary(): Steps<'sync', SecretKey> {
    const [root] = this.roots.readNeeded();
    yield this.keys.demotePrimary();
    const key = SecretKey.generate();
    yield this.keys.add(root.wrap(key, this.databaseId, 'encryption_keys'), 'primary');
    return key;
  }

  /** Unwraps with whichever key of the source wraps it. @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID. */
  unwrap(wrapped: WrappedKey, place: string, databaseId = this.databaseId): SecretKey {
    const [first] = this.roots.readNeeded();
    // A malformed name of a key names none: the one in use is tried.
    const root = KEY_ID.is(wrapped.kekId) ? this.roots.find(wrapped.kekId) : first;
    if (root) return root.unwrap(wrapped, databaseId, place);
    throw this.#mismatch(wrapped.kekId);
  }

  /** As `unwrap`; null for none, and for one that is damaged, which stays as it is. */
  unwrapSound(wrapped: WrappedKey | null, place: string): SecretKey | null {
    const key = wrapped && attempt(() => this.unwrap(wrapped, place));
    if (key instanceof ProxyVaultError && key.code !== 'KEY_INVALID') throw key;
    return key instanceof SecretKey ? key : null;
  }

  #current(): Loaded {
    this.roots.assertAlive();
    this.#loaded ??= this.#load();
    return this.#loaded;
  }

  #load(): Loaded {
    assertMigrated(this.session);
    // The keys first: another process may make the first one now, and the configuration is stored with it and stays.
    const records = this.keys.findAll();
    const config = this.config.get();
    const pinProblem = config && this.#pinProblem(config.keySource);
    const isAsked = config !== null && pinProblem === null && records.length > 0;
    const roots = isAsked ? attempt(() => this.roots.readNeeded()) : null;
    const sourceProblem = roots instanceof ProxyVaultError ? roots : null;
    const keys = new Map(
      records.map((record) => [
        record.keyId,
        config === null
          ? lostConfig()
          : (pinProblem ??
            sourceProblem ??
            attempt(() => this.unwrap(record, 'encryption_keys', config.databaseId))),
      ]),
    );
    const primary = keys.get(records.find(({ state }) => state === 'primary')?.keyId ?? '');
    return { config, records, sourceProblem, keys, primary: primary instanceof SecretKey ? primary : null };
  }

  /** The key that encrypts the next message, which is counted. */
  #keyForMessage(proxyId: string): SecretKey {
    for (;;) {
      const key = this.#writingKey(proxyId);
      if (this.#budget.spend(key.id)) return key;
      // Another process has retired it since it was looked up.
      this.refresh();
    }
  }

  /** The key that encrypts, as the table has it now: another process may have rotated, or a rollback undone it. */
  #writingKey(proxyId: string): SecretKey {
    const { primary } = this.#current();
    if (primary && this.#isPrimary(primary)) return primary;
    this.refresh();
    return this.#current().primary ?? this.session.driver.transaction(() => this.#establish(proxyId));
  }

  #isPrimary({ id }: SecretKey): boolean {
    const now = performance.now();
    const looked = this.#looked;
    if (now - looked.at < PRIMARY_HOLDS_MS && looked.id === id && !looked.scope?.isUndone) return true;
    if (this.keys.primaryId() !== id) return false;
    this.#looked = { id, at: now, scope: this.session.driver.scope };
    return true;
  }

  /** Makes the first data key, under the write lock, unless there is ciphertext whose key this is not. */
  *#establish(proxyId: string): Steps<'sync', SecretKey> {
    this.session.assertMayHoldCredentials?.();
    this.assertUsable();
    this.refresh();
    const { primary, keys, config } = this.#current();
    if (primary) return primary;
    // The credential that is being replaced may be of another key: the rest decide.
    const needed = (yield this.credentials.keyIds(proxyId)) as (string | null)[];
    if (needed.length > 0) for (const key of keys.values()) if (key instanceof ProxyVaultError) throw key;
    // Where there is any ciphertext a key that is missing is not made.
    const roots = this.credentials.count() > 0 ? this.roots.readNeeded() : this.roots.readOrCreate();
    const foreign = needed.find(
      (id) => id !== null && !keys.has(id) && !roots.some((root) => root.id === id),
    );
    if (foreign) throw this.#mismatch(foreign);
    if (needed.length === 0) {
      yield this.keys.deleteAll();
      yield this.secrets.deleteAll();
    }
    const [root] = roots;
    const databaseId = config?.databaseId ?? randomUUID();
    yield this.config.pin(databaseId, this.roots.source.kind);
    const made = SecretKey.generate();
    yield this.keys.add(root.wrap(made, databaseId, 'encryption_keys'), 'primary');
    // Derived, so that it is what the first version of this library took.
    if (!(yield this.secrets.find('fingerprint')))
      yield this.secrets.save('fingerprint', root.wrap(fingerprintKeyOf(root), databaseId, 'fingerprint'));
    this.refresh();
    return made;
  }

  #fingerprinting(): FingerprintKey {
    this.#writingKey('');
    if (this.#fingerprintKey) return this.#fingerprintKey;
    const wrapped = this.secrets.find('fingerprint');
    if (!wrapped) {
      throw new ProxyVaultError(
        'KEY_INVALID',
        'The stored key of the fingerprints is missing: restore a backup of the database.',
      );
    }
    this.#fingerprintKey = new FingerprintKey(this.unwrap(wrapped, 'fingerprint'));
    return this.#fingerprintKey;
  }

  #find(keyId: string): SecretKey | ProxyVaultError | undefined {
    const known = this.#current().keys.get(keyId);
    if (known) return known;
    const roots = attempt(() => this.roots.readNeeded());
    return roots instanceof ProxyVaultError ? undefined : roots.find(({ id }) => id === keyId);
  }

  #allKeys(): SecretKey[] {
    const own = [...this.#current().keys.values()].filter((key) => key instanceof SecretKey);
    return [...own, ...this.roots.readNeeded()];
  }

  #pinProblem(kind: string): ProxyVaultError | null {
    const { source } = this.roots;
    // What a program hands over as a key it may have had from anywhere.
    if (kind === source.kind || [kind, source.kind].includes('explicit')) return null;
    return new ProxyVaultError(
      'KEY_MISMATCH',
      `The key of this database comes from another kind of source (${kind}) than the one given (${source.kind}: ${source.location}): give that one, or move with \`proxyvault key\`. Nothing was switched.`,
      { details: { pinned: kind, given: source.kind, location: source.location } },
    );
  }

  #mismatch(needed: string): ProxyVaultError {
    return mismatchError(this.roots, needed, this.roots.readNeeded()[0].id);
  }
}

/** The value, or the typed error that is thrown later, when the value is needed. */
function attempt<T>(work: () => T): T | ProxyVaultError {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProxyVaultError) return error;
    throw error;
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

/** @throws MIGRATION_PENDING if the tables of keys, or the newest column of the credentials, are not there yet. */
export function assertMigrated({ driver }: Session<'sync'>): void {
  const found = driver.one(
    `SELECT 1 FROM sqlite_schema, pragma_table_info('encrypted_credentials') AS c
     WHERE sqlite_schema.type = 'table' AND sqlite_schema.name = 'encryption_config' AND c.name = 'binding_version'`,
    {},
    (row) => row !== undefined,
  );
  if (!found) {
    throw new ProxyVaultError(
      'MIGRATION_PENDING',
      'The tables of keys and credentials are missing or older than this program: call `db.migrations.up()` after `initDatabase()` (`proxyvault migrate up`).',
    );
  }
}
