import { randomUUID } from 'node:crypto';

import { ProxyVaultError } from '../../errors.ts';
import type { Session, Steps } from '../drivers/driver.ts';
import { EncryptedCredentialsRepository } from '../repositories/encrypted-credentials.repository.ts';
import {
  type EncryptionConfig,
  EncryptionConfigRepository,
} from '../repositories/encryption-config.repository.ts';
import { type DataKeyRecord, EncryptionKeysRepository } from '../repositories/encryption-keys.repository.ts';
import { EncryptionSecretsRepository } from '../repositories/encryption-secrets.repository.ts';
import type { EncryptedData } from '../types.ts';
import { seal } from './aes-gcm.ts';
import { openBound, sealBound } from './binding.ts';
import type { CredentialCipher, CredentialContent } from './credential-cipher.ts';
import { MessageBudget } from './message-budget.ts';
import { asMissing, fingerprintKeyOf, mismatchError, type RootKeys } from './root-keys.ts';
import { SecretKey, type WrappedKey } from './secret-key.ts';

/** What the tables of keys say, unwrapped as far as that could be done. */
interface Loaded {
  config: EncryptionConfig | null;
  records: readonly DataKeyRecord[];
  /** By id; an error where a key cannot be unwrapped, which harms only what it encrypted. */
  keys: ReadonlyMap<string, SecretKey | ProxyVaultError>;
  primary: SecretKey | null;
  /** The transaction that it was read in, which may be undone; 0 if in none. */
  transaction: number;
}

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
  #fingerprintKey: SecretKey | null = null;

  constructor(session: Session<'sync'>, roots: RootKeys) {
    this.session = session;
    this.roots = roots;
    this.keys = new EncryptionKeysRepository(session);
    this.secrets = new EncryptionSecretsRepository(session);
    this.config = new EncryptionConfigRepository(session);
    this.credentials = new EncryptedCredentialsRepository(session);
    this.#budget = new MessageBudget(session.driver, this.keys);
  }

  seal(proxyId: string, content: CredentialContent, text: string): EncryptedData {
    const key = this.#writingKey(proxyId);
    this.#budget.spend(key.id);
    return sealBound(key, this.databaseId, proxyId, content, text);
  }

  /** As the specification's `encrypt`: bound to nothing but the associated data that is given. */
  sealUnbound(text: string, associatedData?: Uint8Array): EncryptedData {
    const key = this.#writingKey('');
    this.#budget.spend(key.id);
    return { ...seal(key.key, text, associatedData), keyId: key.id };
  }

  open(proxyId: string, stored: EncryptedData): { content: CredentialContent; text: string } {
    for (const key of this.candidates(stored.keyId)) {
      const opened = openBound(key, this.databaseId, proxyId, stored);
      if (opened !== null) return opened;
    }
    throw new ProxyVaultError(
      'CREDENTIAL_CORRUPT',
      stored.keyId === undefined
        ? 'The credential does not decrypt: it is damaged, or another key wrote it (it does not say which). Restore a backup, or store it anew.'
        : 'The credential is damaged, or another row\u2019s or database\u2019s: it was changed after it was stored. Restore a backup, or store it anew.',
    );
  }

  fingerprint(username: string): string {
    return this.#fingerprinting().fingerprint(username);
  }

  refresh(): boolean {
    const before = this.#loaded?.primary?.id;
    this.#fingerprintKey = null;
    this.#loaded = this.#load();
    return this.#loaded.primary?.id !== before;
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
    if (config) this.#assertPinned(config.keySource);
  }

  /**
   * Reads the source and the tables again, as before a change of keys: another process may have changed either.
   *
   * @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID.
   */
  async reload(): Promise<void> {
    this.assertUsable();
    const needed = this.keys.findAll().length > 0 || this.credentials.count() > 0;
    const present = await this.roots.reload().catch((error: unknown) => {
      throw needed ? asMissing(error) : error;
    });
    if (!present && needed) throw this.roots.missing();
    this.refresh();
    if (present) this.assertOwn();
  }

  /** What is wrong with a data key, if anything. */
  problemOf(keyId: string): ProxyVaultError | null {
    const key = this.#current().keys.get(keyId);
    return key instanceof ProxyVaultError ? key : null;
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
    if (foreign) throw this.#mismatch(foreign);
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

  /** Puts a new data key in place of the primary, within the caller's transaction. */
  *replacePrimary(): Steps<'sync', SecretKey> {
    const [root] = this.roots.readNeeded();
    if (!root) throw this.roots.missing();
    yield this.keys.demotePrimary();
    const key = SecretKey.generate();
    yield this.keys.add(root.wrap(key, this.databaseId, 'encryption_keys'), 'primary');
    return key;
  }

  /** Unwraps with whichever key of the source wraps it. @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID. */
  unwrap(wrapped: WrappedKey, place: string, databaseId = this.databaseId): SecretKey {
    this.roots.readNeeded();
    const root = this.roots.find(wrapped.kekId);
    if (root) return root.unwrap(wrapped, databaseId, place);
    throw this.#mismatch(wrapped.kekId);
  }

  #current(): Loaded {
    const loaded = this.#loaded;
    // What was read inside a transaction holds until that ends: it may be rolled back.
    if (loaded && (loaded.transaction === 0 || loaded.transaction === this.session.driver.transactionNumber))
      return loaded;
    this.#loaded = this.#load();
    return this.#loaded;
  }

  #load(): Loaded {
    this.assertUsable();
    const config = this.config.get();
    const records = this.keys.findAll();
    const keys = new Map(
      records.map((record) => [
        record.keyId,
        attempt(() => this.unwrap(record, 'encryption_keys', config?.databaseId)),
      ]),
    );
    const primary = keys.get(records.find(({ state }) => state === 'primary')?.keyId ?? '');
    return {
      config,
      records,
      keys,
      primary: primary instanceof SecretKey ? primary : null,
      transaction: this.session.driver.transactionNumber,
    };
  }

  #writingKey(proxyId: string): SecretKey {
    const { primary } = this.#current();
    if (primary) return primary;
    this.session.driver.transaction(() => this.#establish(proxyId));
    const made = this.#current().primary;
    if (made) return made;
    throw new ProxyVaultError('KEY_MISSING', 'The data key was removed while it was made: try again.');
  }

  /** Makes the first data key, under the write lock, unless there is ciphertext whose key this is not. */
  *#establish(proxyId: string): Steps<'sync', void> {
    this.#loaded = this.#load();
    const { primary, keys, config } = this.#loaded;
    if (primary) return;
    // The credential that is being replaced may be of a lost key: the others decide.
    const needed = (yield this.credentials.keyIds(proxyId)) as (string | null)[];
    if (needed.length > 0) for (const key of keys.values()) if (key instanceof ProxyVaultError) throw key;
    const roots = needed.length > 0 ? this.roots.readNeeded() : this.roots.readOrCreate();
    const foreign = needed.find(
      (id) => id !== null && !keys.has(id) && !roots.some((root) => root.id === id),
    );
    if (foreign) throw this.#mismatch(foreign);
    const [root] = roots;
    if (!root) throw this.roots.missing();
    if (needed.length === 0) {
      yield this.keys.deleteAll();
      yield this.secrets.deleteAll();
    }
    const databaseId = config?.databaseId ?? randomUUID();
    yield this.config.pin(databaseId, this.roots.source.kind);
    yield this.keys.add(root.wrap(SecretKey.generate(), databaseId, 'encryption_keys'), 'primary');
    if (!(yield this.secrets.find('fingerprint')))
      yield this.secrets.save('fingerprint', root.wrap(fingerprintKeyOf(root), databaseId, 'fingerprint'));
    this.#fingerprintKey = null;
    this.#loaded = this.#load();
  }

  #fingerprinting(): SecretKey {
    this.#writingKey('');
    if (this.#fingerprintKey) return this.#fingerprintKey;
    const wrapped = this.secrets.find('fingerprint');
    if (!wrapped) {
      throw new ProxyVaultError(
        'KEY_INVALID',
        'The stored key of the usernames\u2019 fingerprints is missing: restore a backup of the database.',
      );
    }
    this.#fingerprintKey = this.unwrap(wrapped, 'fingerprint');
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

  #assertPinned(kind: string): void {
    const { source } = this.roots;
    // What a program hands over as a key it may have had from anywhere.
    if (kind === source.kind || [kind, source.kind].includes('explicit')) return;
    throw new ProxyVaultError(
      'KEY_MISMATCH',
      `The key of this database comes from another kind of source (${kind}) than the one given (${source.kind}: ${source.location}): give that one, or move with \`proxyvault key\`. Nothing was switched.`,
      { details: { pinned: kind, given: source.kind, location: source.location } },
    );
  }

  #mismatch(needed: string): ProxyVaultError {
    const [root] = this.roots.readNeeded();
    return mismatchError(this.roots, needed, root?.id ?? '');
  }
}

/** Other threads of work go on with what can be had: an error is thrown when its key is needed. */
function attempt<T>(work: () => T): T | ProxyVaultError {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProxyVaultError) return error;
    throw error;
  }
}

/** @throws MIGRATION_PENDING where the tables of keys are not there yet. */
export function assertMigrated({ driver }: Session<'sync'>): void {
  const found = driver.one(
    `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'encryption_config'`,
    {},
    (row) => row !== undefined,
  );
  if (!found) {
    throw new ProxyVaultError(
      'MIGRATION_PENDING',
      'The database has no tables for keys yet: run db.migrations.up(), or `proxyvault migrate up`.',
    );
  }
}
