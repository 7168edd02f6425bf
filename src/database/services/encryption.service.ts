import { randomBytes, scryptSync } from 'node:crypto';
import { inspect } from 'node:util';

import { ProxyVaultError } from '../../errors.ts';
import { openText, seal } from '../../keys/aes-gcm.ts';
import { corruptError } from '../../keys/binding.ts';
import type { CredentialCipher, EncryptedData } from '../../keys/credential-cipher.ts';
import { DirectCipher, directKeys } from '../../keys/direct-cipher.ts';
import { asMissing, mismatchError, RootKeys } from '../../keys/root-keys.ts';
import { KEY_BYTES } from '../../keys/secret-key.ts';
import { chooseKeyFile, chooseKeySource, type KeySourceOptions } from '../../keys/sources/choose.ts';
import type { KeySource } from '../../keys/sources/key-source.ts';
import { assertPassphrase, SCRYPT } from '../../keys/sources/passphrase.ts';
import { assertFunction, assertOptions, assertWhole } from '../../model/validation.ts';
import { type CredentialEncryption, originOf } from '../credential-encryption.ts';
import type { Mode, Session } from '../drivers/driver.ts';
import { makeRecoveryCode, moveTo, recoverTo, rewrapOld } from './key-moves.ts';
import { type KeyRotationOptions, type KeyRotationReport, rotate } from './key-rotation.ts';
import { type KeyStatus, statusOf } from './key-status.ts';
import { type VerificationOptions, type VerificationReport, verifyCredentials } from './key-verification.ts';
import { Keyset } from './keyset.ts';

export interface EncryptionOptions extends KeySourceOptions {
  /** Where the key comes from; overrides the other options. */
  keySource?: KeySource | undefined;
  /** The database the ciphertext is for: `encrypt` then uses its data keys, and `rotate` and the like work on it. */
  database?: Session<'sync'> | undefined;
  /** Called when a key was made because there was none: tell the user where it is, and that it must be backed up. */
  onKeyCreated?:
    | ((source: { kind: string; location: string; protection: string | null }) => void)
    | undefined;
}

export interface OpenOptions extends EncryptionOptions {
  /** Make a key where there is none and nothing needs one. Default true. */
  create?: boolean | undefined;
  /** Go on with a rotation that was interrupted, before it answers. Default true. */
  resumeRotation?: boolean | undefined;
  /** Of such a rotation. */
  onProgress?: KeyRotationOptions['onProgress'];
}

export interface RecoveryOptions extends Omit<KeySourceOptions, 'key'> {
  /** Where the key goes to; overrides the other options. */
  keySource?: KeySource | undefined;
  database: Session<'sync'>;
  /** What `createRecoveryCode` gave. */
  code: string;
  /** Put the key in place of a key file that cannot be opened, which is kept as `.bak`. Default false. */
  replace?: boolean | undefined;
}

const FILE_OPTIONS = [
  'keyFile',
  'passphrase',
  'safeStorage',
  'protection',
  'trustKeyFile',
  'env',
  'database',
] as const;
const SOURCE_OPTIONS = ['key', 'keySource', 'onKeyCreated', ...FILE_OPTIONS] as const;
const LEAST_SALT_BYTES = 16;

/**
 * Encrypts credentials with AES-256-GCM (NIST SP 800-38D). The key source's key wraps the data keys of each database, and
 * encrypts by itself where no database is known. It is looked up at the first use (see `chooseKeySource`): encrypting
 * makes a key file where none is, decrypting never does.
 */
export class EncryptionService implements CredentialEncryption, Disposable {
  readonly #roots: RootKeys;
  readonly #database: Session<'sync'> | null;
  readonly #direct: DirectCipher;
  #keysets = new WeakMap<object, Keyset>();

  constructor(options: EncryptionOptions = {}) {
    assertOptions(options, SOURCE_OPTIONS, 'options of EncryptionService');
    const { onKeyCreated } = options;
    if (onKeyCreated !== undefined) assertFunction(onKeyCreated, 'onKeyCreated');
    this.#roots = new RootKeys(options.keySource ?? chooseKeySource(options), (source) =>
      onKeyCreated?.(describeSource(source)),
    );
    this.#database = options.database ?? null;
    this.#direct = new DirectCipher(this.#roots);
  }

  /**
   * A service whose key is there: waits for the source, makes a key if that is safe, refuses a key that is not the
   * database's, and finishes a rotation that was interrupted.
   *
   * @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID, UNSUPPORTED, MIGRATION_PENDING, INVALID_INPUT; CANNOT_OPEN if it would
   *   make a key for a pool that every user of this machine may write.
   */
  static async open(options: OpenOptions = {}): Promise<EncryptionService> {
    assertOptions(
      options,
      [...SOURCE_OPTIONS, 'create', 'resumeRotation', 'onProgress'],
      'options of EncryptionService.open',
    );
    const { create = true, resumeRotation = true, onProgress, ...rest } = options;
    const service = new EncryptionService(rest);
    await service.#open(create);
    if (resumeRotation && service.#isRotating()) await service.#resume(onProgress);
    return service;
  }

  /**
   * Restores the key of a database into a key file by its recovery code, and opens it.
   *
   * @throws INVALID_INPUT for what is no code, KEY_MISMATCH for another's, KEY_MISSING if none was made, CONFLICT if the
   *   key file is there and cannot be opened, BUSY if another process changes the key meanwhile.
   */
  static async recover(options: RecoveryOptions): Promise<EncryptionService> {
    const known = [...FILE_OPTIONS, 'keySource', 'code', 'replace'] as const;
    const { code, replace = false, ...rest } = assertOptions(options, known, 'options of recover');
    const { keySource = chooseKeyFile(rest) } = rest;
    await recoverTo(rest.database, code, keySource, { replace });
    return EncryptionService.open({ keySource, database: rest.database });
  }

  /**
   * Encrypts a text under a new random IV. `associatedData` is authenticated and not stored: give the same to `decrypt`.
   * Without it the ciphertext is bound to no place: the repository's `store` is.
   *
   * @throws INVALID_INPUT for what is no well-formed text; KEY_MISSING, KEY_MISMATCH, KEY_INVALID, KEY_EXHAUSTED.
   */
  encrypt(plaintext: string, associatedData?: Uint8Array): EncryptedData {
    assertText(plaintext, 'plaintext');
    assertBytes(associatedData);
    if (this.#database) return this.#keysetOf(this.#database).sealUnbound(plaintext, associatedData);
    const [root] = this.#roots.readOrCreate();
    return { ...seal(root.key, plaintext, associatedData), keyId: root.id };
  }

  /**
   * The text of a ciphertext; all of it is authenticated before any is given.
   *
   * @throws CREDENTIAL_CORRUPT if ciphertext, IV, tag, associated data or the proxy's address changed; KEY_MISMATCH if another key wrote it;
   *   KEY_MISSING, KEY_INVALID; NOT_FOUND for null, which a repository gives where nothing is stored; INVALID_INPUT for a
   *   login that `store` wrote, which has `reveal`.
   */
  decrypt(encrypted: EncryptedData | null, associatedData?: Uint8Array): string {
    if (encrypted === null || encrypted === undefined) {
      throw new ProxyVaultError(
        'NOT_FOUND',
        'There is nothing to decrypt: no credentials are stored for this proxy.',
      );
    }
    assertBytes(associatedData);
    const session = originOf(encrypted)?.session ?? this.#database;
    if (encrypted.boundTo !== undefined) return this.#decryptBound(encrypted, encrypted.boundTo, session);
    const keys =
      session && isSync(session)
        ? this.#keysetOf(session).candidates(encrypted.keyId)
        : directKeys(this.#roots, encrypted.keyId);
    if (keys.length === 0) throw mismatchError(this.#roots, String(encrypted.keyId), this.keyId());
    for (const key of keys) {
      const text = openText(key.key, encrypted, associatedData);
      if (text !== null) return text;
    }
    throw corruptError(encrypted);
  }

  /** 32 random bytes from the operating system's generator. */
  generateKey(): Buffer {
    return randomBytes(KEY_BYTES);
  }

  /**
   * 32 bytes from a password by scrypt (RFC 7914; N = 2^17, r = 8, p = 1; some 128 MiB and a few tenths of a second). The
   * password is taken in Unicode form NFC, so that two keyboards give one key.
   *
   * @throws INVALID_INPUT for an empty password or a salt of less than 16 bytes.
   */
  deriveKey(password: string, salt: Buffer): Buffer {
    assertPassphrase(password);
    if (!(salt instanceof Uint8Array) || salt.length < LEAST_SALT_BYTES) {
      throw new ProxyVaultError(
        'INVALID_INPUT',
        `The salt must be at least ${LEAST_SALT_BYTES} random bytes.`,
      );
    }
    return scryptSync(password.normalize('NFC'), salt, KEY_BYTES, SCRYPT);
  }

  /**
   * Which key the source has: a check value that tells keys apart and does not reveal them.
   *
   * @throws KEY_MISSING if there is none yet.
   */
  keyId(): string {
    return this.#roots.read()[0].id;
  }

  /**
   * Whether the source has the key with this id, such as a `kek_id` of the database; waits for the source.
   *
   * @throws KEY_MISSING, KEY_INVALID, KEY_MISMATCH for another passphrase.
   */
  async hasKey(keyId: string): Promise<boolean> {
    if (!(await this.#roots.load())) throw this.#roots.missing();
    return this.#roots.read().some(({ id }) => id === keyId);
  }

  /**
   * Waits for the key source, where the service was made by `new` and the source cannot answer at once. Makes no key.
   *
   * @returns whether the source has a key that could be had; if not, `status` says why.
   */
  unlock(): Promise<boolean> {
    return this.#roots.tryToLoad();
  }

  /** Where the key comes from, for a person. Never the key. */
  source(): { kind: string; location: string } {
    const { kind, location } = this.#roots.source;
    return { kind, location };
  }

  /**
   * A keyed fingerprint of a text (HMAC-SHA256, 128 bits, base64url): equal texts have equal ones, and nothing can be
   * told from it without the key.
   *
   * @throws as `encrypt`.
   */
  fingerprint(text: string): string {
    assertText(text, 'text');
    return (this.#database ? this.#keysetOf(this.#database) : this.#direct).fingerprint(text);
  }

  /**
   * Puts a new data key in place and encrypts every credential again, in short transactions, bound to its row. It may be
   * killed at any moment and continues when it is called again; everyone can read meanwhile.
   *
   * @throws INVALID_INPUT without `database`; KEY_MISSING, KEY_MISMATCH, KEY_INVALID, BUSY, READ_ONLY, DISK_FULL.
   */
  rotate(options: KeyRotationOptions = {}): Promise<KeyRotationReport> {
    const { batchSize = 1, onProgress } = assertOptions(
      options,
      ['onProgress', 'batchSize', 'signal'],
      'options of rotate',
    );
    assertWhole(batchSize, 'batchSize', 1, 10_000);
    if (onProgress !== undefined) assertFunction(onProgress, 'onProgress');
    return rotate(this.#ownKeyset(), options);
  }

  /** Where the key comes from, the data keys and how many rows each has, and what should be done. @throws INVALID_INPUT. */
  status(): KeyStatus {
    return statusOf(this.#ownKeyset());
  }

  /**
   * Decrypts every credential, for the address that its proxy has, and names those that do not open.
   *
   * @throws INVALID_INPUT, KEY_MISSING, KEY_MISMATCH.
   */
  verify(options: VerificationOptions = {}): Promise<VerificationReport> {
    const { onProgress, database } = assertOptions(options, ['onProgress', 'database'], 'options of verify');
    if (onProgress !== undefined) assertFunction(onProgress, 'onProgress');
    return verifyCredentials(database ? this.#keysetOf(database) : this.#ownKeyset(), { onProgress });
  }

  /**
   * Moves the database to another key source, or another protection of the same key file, and makes a new key there. The
   * keys of the database are wrapped again, the credentials stay as they are.
   *
   * @throws KEY_MISSING, KEY_MISMATCH, UNSUPPORTED; then nothing was changed.
   */
  protect(keySource: KeySource): Promise<void> {
    assertKeySource(keySource);
    return moveTo(this.#ownKeyset(), keySource);
  }

  /** Makes the code that restores the key if its source is lost; an earlier one is void. It is kept nowhere: show it once. */
  createRecoveryCode(): string {
    return makeRecoveryCode(this.#ownKeyset());
  }

  /** Forgets the keys; every later use is CLOSED. */
  destroy(): void {
    this.#roots.destroy();
    this.#keysets = new WeakMap();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  /** For the repositories: what encrypts for one database. */
  cipherOf(session: Session<Mode>): CredentialCipher {
    if (typeof session !== 'object' || session === null || !('driver' in session))
      throw new ProxyVaultError('INVALID_INPUT', 'cipherOf takes what initDatabase gave.');
    return isSync(session) ? this.#keysetOf(session) : this.#direct;
  }

  toJSON(): object {
    return { service: 'EncryptionService', source: this.source(), key: '[redacted]' };
  }

  [inspect.custom](): string {
    return `EncryptionService { source: ${this.#roots.source.kind}, key: [redacted] }`;
  }

  async #open(create: boolean): Promise<void> {
    const keyset = this.#database && this.#keysetOf(this.#database);
    // First of all, so that a source of another kind, or an older database, is found out before a key is made.
    keyset?.assertUsable();
    const needed = keyset !== null && keyset.credentials.count() > 0;
    const present = await this.#roots.load().catch((error: unknown) => {
      throw needed ? asMissing(error) : error;
    });
    if (present) {
      if (!keyset) return;
      keyset.assertOwn();
      if (isWritable(keyset.session)) rewrapOld(keyset);
      if (keyset.records.length > 0) await this.#roots.source.settle?.();
    } else if (needed) throw this.#roots.missing();
    else if (create) {
      keyset?.session.assertMayHoldCredentials?.();
      await this.#roots.create();
    }
  }

  /** Whether a rotation is to be finished, and can be. */
  #isRotating(): boolean {
    if (!this.#database || !isWritable(this.#database)) return false;
    return Boolean(this.#keysetOf(this.#database).config.get()?.rotation);
  }

  /** Another process that is at it, and holds the lock, will finish it. */
  async #resume(onProgress: KeyRotationOptions['onProgress']): Promise<void> {
    try {
      await this.rotate({ onProgress });
    } catch (error) {
      if (!(error instanceof ProxyVaultError && error.code === 'BUSY')) throw error;
    }
  }

  #decryptBound(encrypted: EncryptedData, proxyId: string, session: Session<Mode> | null): string {
    if (!session) {
      throw new ProxyVaultError(
        'INVALID_INPUT',
        'The credential is bound to a row of a database: give that as the option `database`, or use the repository\u2019s reveal.',
      );
    }
    const address = originOf(encrypted)?.address ?? encrypted.address ?? null;
    const { content, text } = this.cipherOf(session).open(proxyId, address, encrypted);
    if (content === 'text') return text;
    throw new ProxyVaultError(
      'INVALID_INPUT',
      'The credential is a login, with a username: read it with the repository\u2019s reveal.',
    );
  }

  #ownKeyset(): Keyset {
    if (this.#database) return this.#keysetOf(this.#database);
    throw new ProxyVaultError(
      'INVALID_INPUT',
      'This works on a database: give it as the option `database` of EncryptionService.',
    );
  }

  #keysetOf(session: Session<'sync'>): Keyset {
    const known = this.#keysets.get(session.driver);
    if (known) return known;
    const keyset = new Keyset(session, this.#roots);
    this.#keysets.set(session.driver, keyset);
    return keyset;
  }
}

function isSync(session: Session<Mode>): session is Session<'sync'> {
  return session.driver.mode === 'sync';
}

function isWritable(session: Session<'sync'>): boolean {
  return !('readonly' in session && session.readonly === true);
}

function describeSource(source: KeySource): { kind: string; location: string; protection: string | null } {
  return { kind: source.kind, location: source.location, protection: source.protection?.() ?? null };
}

function assertKeySource(source: KeySource): void {
  if (typeof source !== 'object' || source === null || typeof source.read !== 'function')
    throw new ProxyVaultError(
      'INVALID_INPUT',
      'protect takes a key source, such as keyringFile(path) gives.',
    );
}

function assertText(text: string, what: string): void {
  if (typeof text !== 'string' || !text.isWellFormed()) {
    throw new ProxyVaultError(
      'INVALID_INPUT',
      `The ${what} must be a well-formed text: a lone surrogate cannot be stored.`,
    );
  }
}

function assertBytes(data: Uint8Array | undefined): void {
  if (data !== undefined && !(data instanceof Uint8Array)) {
    throw new ProxyVaultError('INVALID_INPUT', 'The associated data must be bytes: a Buffer or Uint8Array.');
  }
}
