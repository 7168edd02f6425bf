import { randomBytes, scryptSync } from 'node:crypto';
import { inspect } from 'node:util';

import type { EncryptedData } from '../../keys/binding.ts';
import { RootKeys } from '../../keys/root-keys.ts';
import { KEY_BYTES } from '../../keys/secret-key.ts';
import { chooseKeyFile, keySourceFrom } from '../../keys/sources/choose.ts';
import { assertKeySource, type KeySource } from '../../keys/sources/key-source.ts';
import { assertPassphrase, SCRYPT } from '../../keys/sources/passphrase.ts';
import { assertBytes, assertEncrypted, assertText, SourceTextCipher } from '../../keys/text-cipher.ts';
import {
  assertFunction,
  assertOptions,
  assertSignal,
  assertWhole,
  invalidInput,
} from '../../model/validation.ts';
import { type CredentialCipher, type CredentialEncryption, originOf } from '../credential-encryption.ts';
import type { Mode, Result, Session } from '../drivers/driver.ts';
import type { DatabaseCipher } from './database-cipher.ts';
import {
  ENCRYPTION_OPTIONS,
  type EncryptionOptions,
  type OpenOptions,
  RECOVERY_OPTIONS,
  type RecoveryOptions,
} from './encryption-options.ts';
import { makeRecoveryCode, moveTo, recoverTo } from './key-moves.ts';
import {
  type KeyRotationOptions,
  type KeyRotationReport,
  resumeKeyRotation,
  rotateKeys,
} from './key-rotation.ts';
import { describeSource, type KeyStatus, statusOf } from './key-status.ts';
import { type KeyTools, keyToolsOf, openKeys } from './key-tools.ts';
import { type VerificationOptions, type VerificationReport, verifyCredentials } from './key-verification.ts';

const LEAST_SALT_BYTES = 16;

/**
 * Encrypts credentials with AES-256-GCM (NIST SP 800-38D). The key source's key wraps the data keys of each database, and
 * encrypts by itself where no database is known. It is looked up at the first use (see `chooseKeySource`): encrypting
 * makes a missing key file, decrypting never does. With a `database` that answers with promises, so does each method that
 * needs its tables, and rejects where it would throw.
 */
export class EncryptionService<M extends Mode = 'sync'> implements CredentialEncryption, Disposable {
  readonly #roots: RootKeys;
  readonly #database: Session<M> | null;
  readonly #direct: SourceTextCipher;
  /** By driver. */
  #tools = new WeakMap<object, unknown>();

  constructor(options: EncryptionOptions<M> = {}) {
    assertOptions(options, [...ENCRYPTION_OPTIONS, 'database'], 'options of EncryptionService');
    const { onKeyCreated } = options;
    if (onKeyCreated !== undefined) assertFunction(onKeyCreated, 'onKeyCreated');
    this.#roots = new RootKeys(keySourceFrom(options), (source) => onKeyCreated?.(describeSource(source)));
    this.#database = options.database ?? null;
    this.#direct = new SourceTextCipher(this.#roots);
  }

  /**
   * Opens the key of a database; `openVault` gives this service as `vault.keys`. Waits for the source, makes a key if that is safe,
   * rejects a key that is not the database's, and finishes a rotation that was interrupted.
   *
   * @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID, UNSUPPORTED, MIGRATION_PENDING, INVALID_INPUT; CANNOT_OPEN if it would
   *   make a key for a pool that every user of this machine may write.
   * @example
   * const encryption = await EncryptionService.open({
   *   database: db,
   *   keyFile: './key',
   *   passphrase: () => readPassphraseFile('/run/secrets/passphrase'),
   * });
   */
  static async open<M extends Mode = 'sync'>(options: OpenOptions<M> = {}): Promise<EncryptionService<M>> {
    assertOptions(
      options,
      [...ENCRYPTION_OPTIONS, 'database', 'create', 'resumeRotation', 'onProgress'],
      'options of EncryptionService.open',
    );
    const { create = true, resumeRotation = true, onProgress, ...rest } = options;
    if (onProgress !== undefined) assertFunction(onProgress, 'onProgress');
    const service = new EncryptionService<M>(rest);
    if (service.#database) {
      const tools = service.#toolsOf(service.#database);
      await openKeys(tools, create);
      if (resumeRotation) await resumeKeyRotation(tools, onProgress);
    } else if (!(await service.#roots.load()) && create) await service.#roots.create();
    return service;
  }

  /**
   * Restores the key of a database into a key file by its recovery code, and opens it.
   *
   * @throws INVALID_INPUT for what is no code, KEY_MISMATCH for another's, KEY_MISSING if none was made, CONFLICT if the
   *   key file is there and cannot be opened, BUSY if another process changes the key meanwhile.
   * @example
   * import { readFileSync } from 'node:fs';
   * const code = readFileSync('./recovery-code.txt', 'utf8'); // an argument would be in lists of processes
   * const encryption = await EncryptionService.recover({ database: db, keyFile: './key', code });
   */
  static async recover<M extends Mode = 'sync'>(options: RecoveryOptions<M>): Promise<EncryptionService<M>> {
    const { code, replace = false, ...rest } = assertOptions(options, RECOVERY_OPTIONS, 'options of recover');
    const { database, ...key } = rest;
    const keySource = keySourceFrom(key, chooseKeyFile);
    await recoverTo(keyToolsOf(database, new RootKeys(keySource)), { code, replace });
    return EncryptionService.open({ keySource, database });
  }

  /**
   * Encrypts a text under a new random IV. `associatedData` is authenticated and not stored: give the same to `decrypt`.
   * Without it the ciphertext is bound to no place: the repository's `store` is.
   *
   * @throws INVALID_INPUT for what is no well-formed text; KEY_MISSING, KEY_MISMATCH, KEY_INVALID, KEY_EXHAUSTED.
   * @example
   * const { ciphertext, iv, authTag } = vault.keys.encrypt('my-password'); // base64
   */
  encrypt(plaintext: string, associatedData?: Uint8Array): Result<M, EncryptedData> {
    return this.#checked(() => {
      assertText(plaintext, 'plaintext');
      assertBytes(associatedData);
      return this.#texts().encrypt(plaintext, associatedData);
    });
  }

  /**
   * The text of a ciphertext; all of it is authenticated before any is given.
   *
   * @throws CREDENTIAL_CORRUPT if ciphertext, IV, tag, associated data or the proxy's address changed; KEY_MISMATCH if another key wrote it;
   *   KEY_MISSING, KEY_INVALID; NOT_FOUND for null, which a repository gives where nothing is stored; INVALID_INPUT for a
   *   login that `store` wrote, which has `reveal`.
   * @example
   * const text = vault.keys.decrypt(vault.keys.encrypt('my-password')); // 'my-password'
   */
  decrypt(encrypted: EncryptedData | null, associatedData?: Uint8Array): Result<M, string> {
    const origin = encrypted && originOf(encrypted);
    const database = (origin?.session as Session<M> | undefined) ?? this.#database;
    return this.#checked(() => {
      const stored = assertEncrypted(encrypted);
      assertBytes(associatedData);
      return this.#texts(database).decrypt(stored, associatedData);
    }, database);
  }

  /**
   * 32 random bytes from the operating system's generator.
   *
   * @example
   * const key = new EncryptionService().generateKey().toString('base64'); // for PROXYVAULT_KEY
   */
  generateKey(): Buffer {
    return randomBytes(KEY_BYTES);
  }

  /**
   * 32 bytes from a password by scrypt (RFC 7914; N = 2^17, r = 8, p = 1; some 128 MiB and a few tenths of a second). The
   * password is taken in Unicode form NFC, so that two keyboards give one key.
   *
   * @throws INVALID_INPUT for an empty password or a salt of less than 16 bytes.
   * @example
   * import { randomBytes } from 'node:crypto';
   * const key = vault.keys.deriveKey('correct horse battery staple', randomBytes(16)); // 32 bytes
   */
  deriveKey(password: string, salt: Buffer): Buffer {
    assertPassphrase(password);
    if (!(salt instanceof Uint8Array) || salt.length < LEAST_SALT_BYTES) {
      throw invalidInput(`The salt must be at least ${LEAST_SALT_BYTES} random bytes.`);
    }
    return scryptSync(password.normalize('NFC'), salt, KEY_BYTES, SCRYPT);
  }

  /**
   * The id of the source's key, which tells keys apart and does not reveal them.
   * @throws KEY_MISSING if it has no key yet.
   * @example
   * const keyId = vault.keys.keyId();
   * console.log(`Look for the key file of ${keyId} in the safe.`);
   */
  keyId(): string {
    return this.#roots.read()[0].id;
  }

  /**
   * Whether the source has the key with this id, such as a `kek_id` of the database; waits for the source.
   *
   * @throws KEY_MISSING, KEY_INVALID, KEY_MISMATCH for another passphrase.
   * @example
   * for (const { kekId } of vault.keys.status().keys) console.log(kekId, await vault.keys.hasKey(kekId)); // true
   */
  async hasKey(keyId: string): Promise<boolean> {
    if (!(await this.#roots.load())) throw this.#roots.missing();
    return this.#roots.read().some(({ id }) => id === keyId);
  }

  /**
   * Waits for the key source, if the source cannot answer at once and nobody has waited for it: `openVault` was called with
   * `unlock: false` or `migrate: false`, or the service was made by `new`. Makes no key. Says whether the source gave a key; if not,
   * `status` says why.
   *
   * @example
   * const passphrase = () => readPassphraseFile('/run/secrets/passphrase');
   * const vault = await openVault({ path: './pool.db', passphrase, unlock: false });
   * if (!(await vault.keys.unlock())) console.log(vault.keys.status().advice);
   */
  unlock(): Promise<boolean> {
    return this.#roots.tryToLoad();
  }

  /**
   * Where the key comes from, for a person. Never the key.
   *
   * @example
   * const { kind, location } = vault.keys.source(); // { kind: 'key file', location: '/home/me/.config/proxyvault/key' }
   */
  source(): { kind: string; location: string } {
    const { kind, location } = this.#roots.source;
    return { kind, location };
  }

  /**
   * A keyed fingerprint of a text (HMAC-SHA256, 128 bits, base64url): equal texts have equal ones, and nothing can be
   * told from it without the key.
   * @throws as `encrypt`.
   * @example
   * const mark = vault.keys.fingerprint('me'); // 22 characters, the same for the same text
   */
  fingerprint(text: string): Result<M, string> {
    return this.#checked(() => {
      assertText(text, 'text');
      return this.#texts().fingerprint(text);
    });
  }

  /**
   * Puts a new data key in place and encrypts every credential again, in short transactions, bound to its row. It may be
   * killed at any moment and continues when it is called again; everyone can read meanwhile.
   *
   * @throws INVALID_INPUT without `database`; KEY_MISSING, KEY_MISMATCH, KEY_INVALID, BUSY, READ_ONLY, DISK_FULL.
   * @example
   * const { rotated, failures } = await vault.keys.rotate({
   *   onProgress: ({ phase, done, total }) => console.log(phase, done, total),
   * }); // { rotated: 1200, failures: [], … }
   */
  rotate(options: KeyRotationOptions = {}): Promise<KeyRotationReport> {
    return this.#checked(() => {
      const known = ['onProgress', 'batchSize', 'signal'] as const;
      const { batchSize, onProgress, signal } = assertOptions(options, known, 'options of rotate');
      if (batchSize !== undefined) assertWhole(batchSize, 'batchSize', 1, 10_000);
      if (onProgress !== undefined) assertFunction(onProgress, 'onProgress');
      if (signal !== undefined) assertSignal(signal);
      return rotateKeys(this.#ownTools(), { batchSize, onProgress, signal });
    });
  }

  /**
   * Where the key comes from, the data keys and how many rows each has, and what should be done.
   * @throws INVALID_INPUT.
   * @example
   * const { problem, advice } = vault.keys.status(); // { problem: null, advice: [], … }
   */
  status(): Result<M, KeyStatus> {
    const tools = this.#ownTools();
    // One state of all tables.
    return tools.session.engine.snapshot(() => statusOf(tools));
  }

  /**
   * Decrypts every credential at its proxy's address, and names those that do not open.
   * @throws KEY_MISSING, KEY_MISMATCH.
   * @example
   * const { ok, checked, failures } = await vault.keys.verify(); // { ok: true, checked: 1200, failures: [], … }
   */
  verify(options: VerificationOptions = {}): Promise<VerificationReport> {
    return this.#checked(() => {
      const known = ['onProgress', 'database'] as const;
      const { onProgress, database } = assertOptions(options, known, 'options of verify');
      if (onProgress !== undefined) assertFunction(onProgress, 'onProgress');
      return verifyCredentials(database ? this.#toolsOf(database) : this.#ownTools(), onProgress);
    }, options?.database ?? this.#database);
  }

  /**
   * Moves the database to another key source, or another protection of the same key file, and makes a new key there. The
   * keys of the database are wrapped again, the credentials stay as they are.
   *
   * @throws KEY_MISSING, KEY_MISMATCH, UNSUPPORTED; then nothing was changed.
   * @example
   * await vault.keys.protect(keyringFile('./key', { protection: 'keychain' }));
   */
  protect(keySource: KeySource): Promise<void> {
    return this.#checked(() => {
      assertKeySource(keySource, 'The argument of protect');
      return moveTo(this.#ownTools(), keySource);
    });
  }

  /**
   * Makes the code that restores the key if its source is lost; an earlier one is void. It is kept nowhere: show it once.
   *
   * @example
   * console.log(`Write this down: ${vault.keys.createRecoveryCode()}`);
   */
  createRecoveryCode(): Result<M, string> {
    const tools = this.#ownTools();
    return tools.session.driver.sequence(() => makeRecoveryCode(tools));
  }

  /**
   * Forgets the keys; every later use is CLOSED.
   *
   * @example
   * const encryption = new EncryptionService();
   * encryption.destroy(); // or declare it with `using`
   */
  destroy(): void {
    this.#roots.destroy();
    this.#tools = new WeakMap();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  /**
   * For the repositories: what encrypts for one database.
   *
   * @example
   * const cipher = vault.keys.cipherOf(vault.database);
   * const mark = cipher.fingerprint('me'); // as the pool has it for the username `me`
   */
  cipherOf<N extends Mode>(session: Session<N>): CredentialCipher<N> {
    return this.#toolsOf(session).cipher;
  }

  /**
   * What a log shows: where the key comes from, never the key.
   *
   * @example
   * JSON.stringify(vault.keys); // '{"service":"EncryptionService","source":{…},"key":"[redacted]"}'
   */
  toJSON(): object {
    return { service: 'EncryptionService', source: this.source(), key: '[redacted]' };
  }

  [inspect.custom](): string {
    return `EncryptionService { source: ${this.#roots.source.kind}, key: [redacted] }`;
  }

  /** Bad arguments are thrown at once; with an asynchronous database they are rejected. */
  #checked<R>(work: () => R, database: Session<Mode> | null = this.#database): R {
    try {
      return work();
    } catch (error) {
      if (database?.driver?.mode === 'async') return Promise.reject(error) as never;
      throw error;
    }
  }

  /** What encrypts texts, for a database if one is given. Without one it answers at once, and M is 'sync'. */
  #texts(database = this.#database): Pick<DatabaseCipher<M>, keyof SourceTextCipher> {
    if (database) return this.#toolsOf(database).cipher;
    return this.#direct as Pick<DatabaseCipher<Mode>, keyof SourceTextCipher> as DatabaseCipher<M>;
  }

  #ownTools(): KeyTools<M> {
    if (this.#database) return this.#toolsOf(this.#database);
    throw invalidInput('This works on a database: give it as the option `database` of EncryptionService.');
  }

  #toolsOf<N extends Mode>(session: Session<N>): KeyTools<N> {
    if (typeof session?.driver !== 'object')
      throw invalidInput('The database must be what initDatabase gave.');
    const known = this.#tools.get(session.driver);
    // A driver has one mode.
    if (known) return known as KeyTools<N>;
    const tools = keyToolsOf(session, this.#roots);
    this.#tools.set(session.driver, tools);
    return tools;
  }
}
