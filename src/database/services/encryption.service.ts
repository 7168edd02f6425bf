import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  randomFillSync,
  scryptSync,
} from 'node:crypto';
import { inspect } from 'node:util';

import { ProxyVaultError } from '../../errors.ts';
import type { Session } from '../drivers/driver.ts';
import type { EncryptedData } from '../types.ts';
import { assertOptions } from '../validation.ts';
import { chooseKeySource, type KeySource, type KeySourceOptions } from './key-source.ts';
import { KEY_BYTES } from './key-text.ts';

export interface EncryptionOptions extends KeySourceOptions {
  /** Where the key comes from; overrides the other options. */
  keySource?: KeySource | undefined;
  /** The database the ciphertext is for: if it has some, no key is ever generated, and another's key is refused. */
  database?: Session<'sync'> | undefined;
}

const ALGORITHM = 'aes-256-gcm';
/** NIST SP 800-38D, section 8.2.2: 96 random bits. */
const IV_BYTES = 12;
/** Without saying so, Node would take a tag of 4 bytes. */
const TAG_BYTES = 16;
/** OWASP Password Storage Cheat Sheet: N = 2^17, r = 8, p = 1. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 } as const;
const LEAST_SALT_BYTES = 16;

/** A key and what is derived from it. */
interface LoadedKey {
  key: KeyObject;
  id: string;
  fingerprintKey: KeyObject;
}

/**
 * Encrypts credentials with AES-256-GCM (NIST SP 800-38D). The key is looked up at the first use (see
 * {@link chooseKeySource}); encrypting makes a key file where none is, decrypting never does.
 */
export class EncryptionService {
  readonly #source: KeySource;
  readonly #database: Session<'sync'> | null;
  readonly #ivs = new IvPool();
  #loaded: LoadedKey | null = null;

  constructor(options: EncryptionOptions = {}) {
    assertOptions(
      options,
      ['key', 'keyFile', 'env', 'keySource', 'database'],
      'options of EncryptionService',
    );
    this.#source = options.keySource ?? chooseKeySource(options);
    this.#database = options.database ?? null;
  }

  /**
   * Encrypts a text under a new random IV. `associatedData` is authenticated and not stored: give the same to
   * `decrypt`, and a ciphertext cannot be moved to another place.
   *
   * @throws INVALID_INPUT for what is no well-formed text; KEY_MISSING, KEY_MISMATCH, KEY_INVALID.
   */
  encrypt(plaintext: string, associatedData?: Uint8Array): EncryptedData {
    assertText(plaintext, 'plaintext');
    assertBytes(associatedData);
    const { key, id } = this.#writingKey();
    const iv = this.#ivs.next();
    const cipher = createCipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES });
    if (associatedData !== undefined) cipher.setAAD(associatedData);
    const ciphertext = cipher.update(plaintext, 'utf8', 'base64') + cipher.final('base64');
    return {
      ciphertext,
      iv: iv.toString('base64'),
      authTag: cipher.getAuthTag().toString('base64'),
      keyId: id,
    };
  }

  /**
   * The text of a ciphertext; all of it is authenticated before any is given.
   *
   * @throws CREDENTIAL_CORRUPT if ciphertext, IV, tag or associated data changed; KEY_MISMATCH if another key wrote it;
   *   KEY_MISSING; NOT_FOUND for null, which a repository gives where nothing is stored.
   */
  decrypt(encrypted: EncryptedData | null, associatedData?: Uint8Array): string {
    if (encrypted === null || encrypted === undefined) {
      throw new ProxyVaultError(
        'NOT_FOUND',
        'There is nothing to decrypt: no credentials are stored for this proxy.',
      );
    }
    assertBytes(associatedData);
    const ciphertext = decodeBase64(encrypted.ciphertext, 'ciphertext');
    const iv = decodeBase64(encrypted.iv, 'IV', IV_BYTES);
    const tag = decodeBase64(encrypted.authTag, 'authentication tag', TAG_BYTES);
    const { key, id } = this.#readingKey();
    if (encrypted.keyId !== undefined && encrypted.keyId !== id)
      throw mismatch(this.#source, encrypted.keyId, id);

    const decipher = createDecipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(tag);
    if (associatedData !== undefined) decipher.setAAD(associatedData);
    const plaintext = decipher.update(ciphertext);
    try {
      decipher.final();
      return plaintext.toString('utf8');
    } catch {
      throw new ProxyVaultError(
        'CREDENTIAL_CORRUPT',
        encrypted.keyId === undefined
          ? 'The credential does not decrypt: it is damaged, or another key wrote it (it does not say which). Restore a backup, or store it anew.'
          : 'The credential is damaged: it was changed after it was stored. Restore a backup, or store it anew.',
      );
    } finally {
      plaintext.fill(0);
    }
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
    assertText(password, 'password');
    if (password === '') throw new ProxyVaultError('INVALID_INPUT', 'The password is empty.');
    if (!(salt instanceof Uint8Array) || salt.length < LEAST_SALT_BYTES) {
      throw new ProxyVaultError(
        'INVALID_INPUT',
        `The salt must be at least ${LEAST_SALT_BYTES} random bytes.`,
      );
    }
    return scryptSync(password.normalize('NFC'), salt, KEY_BYTES, SCRYPT);
  }

  /**
   * Which key this is: a check value that tells keys apart and does not reveal them.
   *
   * @throws KEY_MISSING if there is none yet.
   */
  keyId(): string {
    return this.#readingKey().id;
  }

  /** Where the key comes from, for a person. Never the key. */
  source(): { kind: string; location: string } {
    return { kind: this.#source.kind, location: this.#source.location };
  }

  /**
   * A keyed fingerprint of a text (HMAC-SHA256, 128 bits, base64url): equal texts have equal ones, and nothing can be
   * told from it without the key.
   *
   * @throws as `encrypt`.
   */
  fingerprint(text: string): string {
    assertText(text, 'text');
    const { fingerprintKey } = this.#writingKey();
    return createHmac('sha256', fingerprintKey)
      .update(text, 'utf8')
      .digest()
      .subarray(0, 16)
      .toString('base64url');
  }

  toJSON(): object {
    return { service: 'EncryptionService', source: this.source(), key: '[redacted]' };
  }

  [inspect.custom](): string {
    return `EncryptionService { source: ${this.#source.kind}, key: [redacted] }`;
  }

  #readingKey(): LoadedKey {
    if (this.#loaded) return this.#loaded;
    const bytes = this.#source.read();
    if (bytes === null) throw this.#missing();
    this.#loaded = load(bytes);
    return this.#loaded;
  }

  #writingKey(): LoadedKey {
    if (this.#loaded) return this.#loaded;
    const bytes = this.#source.read() ?? this.#createKey();
    const loaded = load(bytes);
    this.#assertOwnKey(loaded.id);
    this.#loaded = loaded;
    return loaded;
  }

  #createKey(): Buffer {
    if (!this.#source.create || this.#hasCiphertext()) throw this.#missing();
    return this.#source.create();
  }

  #missing(): ProxyVaultError {
    const { kind, location } = this.#source;
    return new ProxyVaultError(
      'KEY_MISSING',
      `There is no encryption key (${kind}: ${location}). Restore it there, or name it with PROXYVAULT_KEY or PROXYVAULT_KEY_FILE; no new one was made.`,
      { details: { kind, location } },
    );
  }

  #hasCiphertext(): boolean {
    return this.#firstOf(`SELECT proxy_id AS value FROM encrypted_credentials LIMIT 1`, 'proxy_id') !== null;
  }

  #assertOwnKey(id: string): void {
    const stored = this.#firstOf(
      `SELECT key_id AS value FROM encrypted_credentials WHERE key_id IS NOT NULL LIMIT 1`,
      'key_id',
    );
    if (stored !== null && stored !== id) throw mismatch(this.#source, stored, id);
  }

  /** A value of the database's credentials; null if there is none, or no such column yet. */
  #firstOf(sql: string, column: string): string | null {
    if (this.#database === null) return null;
    const { driver } = this.#database;
    const exists = driver.first(
      `SELECT 1 FROM pragma_table_info('encrypted_credentials') WHERE name = :column`,
      { column },
      () => true,
    );
    return exists ? driver.first(sql, {}, (row) => String(row.value)) : null;
  }
}

/** Random IVs, drawn many at a time, each given once. */
class IvPool {
  readonly #bytes = Buffer.alloc(IV_BYTES * 256);
  #used = this.#bytes.length;

  next(): Buffer {
    if (this.#used === this.#bytes.length) {
      randomFillSync(this.#bytes);
      this.#used = 0;
    }
    // A copy: the pool is filled anew while a caller may still hold this one.
    const iv = Buffer.from(this.#bytes.subarray(this.#used, this.#used + IV_BYTES));
    this.#used += IV_BYTES;
    return iv;
  }
}

/** Takes the bytes over: they are overwritten. */
function load(bytes: Buffer): LoadedKey {
  try {
    if (bytes.length !== KEY_BYTES) {
      throw new ProxyVaultError(
        'KEY_INVALID',
        `A key must be ${KEY_BYTES} bytes, and the source gave ${bytes.length}.`,
      );
    }
    // RFC 5869. Labels keep the uses apart; never AES_K(0), which would be a block of a real message.
    const id = Buffer.from(hkdfSync('sha256', bytes, '', 'proxyvault key id v1', 8)).toString('hex');
    const fingerprint = Buffer.from(
      hkdfSync('sha256', bytes, '', 'proxyvault username fingerprint v1', KEY_BYTES),
    );
    const fingerprintKey = createSecretKey(fingerprint);
    fingerprint.fill(0);
    return { key: createSecretKey(bytes), id, fingerprintKey };
  } finally {
    bytes.fill(0);
  }
}

/** Node's decoder takes nearly anything: only the canonical form (RFC 4648, section 4) is what we wrote. */
function decodeBase64(text: string, what: string, length?: number): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : null;
  if (
    bytes === null ||
    bytes.toString('base64') !== text ||
    (length !== undefined && bytes.length !== length)
  ) {
    throw new ProxyVaultError(
      'CREDENTIAL_CORRUPT',
      `The ${what} is not ${length === undefined ? '' : `${length} bytes in `}canonical base64: the credential is damaged. Restore a backup, or store it anew.`,
    );
  }
  return bytes;
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

function mismatch(source: KeySource, needed: string, found: string): ProxyVaultError {
  return new ProxyVaultError(
    'KEY_MISMATCH',
    `The credentials were written with key ${needed}, and ${source.location} holds key ${found}: give the right key with PROXYVAULT_KEY or PROXYVAULT_KEY_FILE.`,
    { details: { needed, found, kind: source.kind, location: source.location } },
  );
}
