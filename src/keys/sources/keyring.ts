import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';

import { ProxyVaultError } from '../../errors.ts';
import { assertLasting, assertPath } from '../../files/path.ts';
import { assertBoolean, assertObject, invalidInput } from '../../model/validation.ts';
import { KEY_BYTES, SecretKey, type WrappedKey } from '../secret-key.ts';
import { createKeyFile, removeLeftovers, replaceKeyFile, revisionOf } from './key-file.ts';
import { cautionOf, readKeyFile } from './key-file-access.ts';
import type { KeySource } from './key-source.ts';
import { decodeKeys } from './key-text.ts';
import { keychainProtector } from './keychain.ts';
import {
  isSealed,
  keyIdsOf,
  malformedError,
  orNull,
  parseKeyring,
  plainText,
  type SealedKeyring,
  sealedText,
} from './keyring-text.ts';
import { assertPassphrase, type Passphrase, passphraseProtector } from './passphrase.ts';
import type { ProtectionParameters, Protector } from './protector.ts';
import { type SafeStorage, safeStorageProtector } from './safe-storage.ts';

/** `permissions`: the file is 0600, and its text is the key. The others encrypt the keys in it. */
export type KeyringProtection = 'permissions' | Protector['kind'];

const PROTECTIONS: readonly KeyringProtection[] = ['permissions', 'passphrase', 'keychain', 'safe-storage'];

export interface KeyringOptions {
  /** Opens, or protects, a keyring by a passphrase. */
  passphrase?: Passphrase | undefined;
  /** Electron's `safeStorage`: opens, or protects, a keyring by it. */
  safeStorage?: SafeStorage | undefined;
  /** How a keyring is protected that is made or written. Default: by the passphrase or safeStorage if given, else `permissions`. */
  protection?: KeyringProtection | undefined;
  /** Accept a key file that is a symbolic link, another user's, or open to others, as a mounted secret may be. */
  trustKeyFile?: boolean | undefined;
}

/**
 * A file that holds the key: its text where permissions protect it, else JSON with the keys encrypted by what a
 * passphrase, the keychain or safeStorage gives. A missing file is made, and one that is there is never replaced by accident.
 *
 * @throws INVALID_INPUT for a URL in place of a path, an empty passphrase or another option that cannot be, and for a name that ends in `-wal`, `-shm` or `-journal`: a database beside it
 *   removes such a file when it is opened.
 * @example
 * const keySource = keyringFile('./key', { passphrase: () => readPassphraseFile('/run/secrets/passphrase') });
 * const vault = await openVault({ path: './pool.db', keySource });
 */
export function keyringFile(path: string, options: KeyringOptions = {}): KeySource {
  assertPath(path, 'The key file');
  assertLasting(path, 'The key file');
  const { passphrase, safeStorage, protection = 'permissions', trustKeyFile = false } = options;
  if (passphrase !== undefined && typeof passphrase !== 'function') assertPassphrase(passphrase);
  if (safeStorage !== undefined) assertObject(safeStorage, 'option `safeStorage`');
  assertBoolean(trustKeyFile, 'trustKeyFile');
  if (!PROTECTIONS.includes(protection))
    throw invalidInput(`protection must be one of ${PROTECTIONS.join(', ')}.`);
  return new KeyringFile(resolve(path), options);
}

class KeyringFile implements KeySource {
  readonly kind = 'key file';
  readonly location: string;
  readonly #options: Pick<KeyringOptions, 'passphrase' | 'safeStorage'>;
  /** How a file that this source writes is protected. */
  readonly #protection: KeyringProtection;
  readonly #trusted: boolean;
  /** What the last `read` found. */
  #text: string | null = null;
  /** The same, once it has given keys. */
  #sound: string | null = null;

  constructor(path: string, options: KeyringOptions) {
    const { passphrase, safeStorage, protection, trustKeyFile = false } = options;
    this.location = path;
    // A copy: a program may clear the passphrase in its own object.
    this.#options = { passphrase, safeStorage };
    this.#trusted = trustKeyFile;
    this.#protection =
      protection ??
      (passphrase !== undefined ? 'passphrase' : safeStorage !== undefined ? 'safe-storage' : 'permissions');
  }

  read(): Buffer[] | null | Promise<Buffer[]> {
    const text = this.#readFile();
    this.#text = text;
    this.#sound = null;
    if (text === null) return null;
    const sealed = parseKeyring(text, this.location);
    if (sealed) return this.#unseal(sealed, text);
    const keys = decodeKeys(text, `The key file ${this.location}`);
    this.#sound = text;
    return keys;
  }

  create(): Buffer[] | Promise<Buffer[]> {
    const key = randomBytes(KEY_BYTES);
    if (this.#protection !== 'permissions') return this.#createSealed(key);
    createKeyFile(this.location, plainText([key]));
    return this.#notRemoved(this.read());
  }

  asynchronous(): boolean {
    return (this.protection() ?? this.#protection) !== 'permissions';
  }

  async prepare(keys: readonly Buffer[], revision: string | null, dropOthers = false): Promise<() => void> {
    const ids = keys.map((bytes) => SecretKey.from(Buffer.from(bytes)).id);
    const text = this.#protection === 'permissions' ? plainText(keys) : (await this.#seal(keys)).text;
    return () => replaceKeyFile(this.location, { text, revision, covers: coveredBy(ids), dropOthers });
  }

  revision(): string | null {
    return this.#text === null ? null : revisionOf(this.#text);
  }

  isCurrent(): boolean {
    return this.#sound !== null && this.#readFile() === this.#sound;
  }

  caution(): string | null {
    return orNull(() => cautionOf(this.location, this.#trusted));
  }

  protection(): string | null {
    return this.#look((text) => parseKeyring(text, this.location)?.protection.kind ?? 'permissions');
  }

  /** A key that is encrypted now does not stay beside it in clear; a backup with other keys stays. */
  settle(): void {
    const ids = this.#look((text) => parseKeyring(text, this.location)?.keys.map(({ keyId }) => keyId));
    if (!ids) return;
    const isCovered = coveredBy(ids);
    removeLeftovers(this.location, (backup) => !isSealed(backup) && isCovered(backup));
  }

  #readFile(): string | null {
    return readKeyFile(this.location, this.#trusted);
  }

  /** What `see` finds in the file; null if the file is missing or cannot be read. */
  #look<T>(see: (text: string) => T): T | null {
    return orNull(() => {
      const text = this.#readFile();
      return text === null ? null : see(text);
    });
  }

  async #createSealed(key: Buffer): Promise<Buffer[]> {
    const { text, discard } = await this.#seal([key]);
    createKeyFile(this.location, text);
    // Another process was first.
    if (this.#readFile() !== text) await discard();
    return this.#notRemoved(await this.read());
  }

  async #seal(keys: readonly Buffer[]): Promise<{ text: string; discard: () => Promise<void> }> {
    const protector = this.#protector(this.#protection);
    const { key, parameters } = await protector.protect();
    const protecting = SecretKey.from(key);
    const wrapped = keys.map((bytes) => protecting.wrap(SecretKey.from(bytes), 'keyring', protector.kind));
    return {
      text: sealedText({ kind: protector.kind, ...parameters }, wrapped),
      discard: async () => protector.release?.(parameters),
    };
  }

  async #unseal(
    { protection: { kind, ...parameters }, keys }: SealedKeyring,
    text: string,
  ): Promise<Buffer[]> {
    const { key, renewed } = await this.#protector(kind).unprotect(parameters);
    const protecting = SecretKey.from(key);
    if (keys.some(({ kekId }) => kekId !== protecting.id)) throw this.#otherKey(kind);
    let unwrapped: Buffer[];
    try {
      unwrapped = keys.map((wrapped) => protecting.unwrap(wrapped, 'keyring', kind).key.export());
    } catch (error) {
      throw malformedError(this.location, 'is damaged', error);
    }
    // Together, because another read may have begun meanwhile.
    this.#text = text;
    this.#sound = text;
    if (renewed) this.#renew(kind, renewed, keys, text);
    return unwrapped;
  }

  /** The keys are known: if they cannot be stored again now, they will be at the next opening. */
  #renew(kind: Protector['kind'], renewed: ProtectionParameters, keys: WrappedKey[], present: string): void {
    const text = sealedText({ kind, ...renewed }, keys);
    const covers = coveredBy(keys.map(({ keyId }) => keyId));
    try {
      replaceKeyFile(this.location, { text, revision: revisionOf(present), covers, dropOthers: false });
    } catch (error) {
      if (!(error instanceof ProxyVaultError)) throw error;
    }
  }

  #protector(kind: string): Protector {
    const { passphrase, safeStorage } = this.#options;
    if (kind === 'keychain') return keychainProtector(this.location);
    if (kind === 'passphrase' && passphrase !== undefined)
      return passphraseProtector(passphrase, this.location);
    if (kind === 'safe-storage' && safeStorage !== undefined)
      return safeStorageProtector(safeStorage, this.location);
    const advice =
      kind === 'passphrase'
        ? 'give it with --passphrase-file, PROXYVAULT_PASSPHRASE_FILE, or the option `passphrase`'
        : 'open it in that application, which gives the option `safeStorage`';
    throw new ProxyVaultError(
      'KEY_MISSING',
      `The keyring ${this.location} is protected by ${kind === 'passphrase' ? 'a passphrase' : 'Electron\u2019s safeStorage'}: ${advice}.`,
      { details: { path: this.location, protection: kind } },
    );
  }

  #otherKey(kind: string): ProxyVaultError {
    return new ProxyVaultError(
      'KEY_MISMATCH',
      `${kind === 'passphrase' ? 'The passphrase does not open' : 'The key in the keychain is not that of'} the keyring ${this.location}: try again, restore the file from its backup, or use \`proxyvault key recover\`.`,
      { details: { path: this.location, protection: kind } },
    );
  }

  #notRemoved<T>(keys: T | null): T {
    if (keys !== null) return keys;
    throw new ProxyVaultError(
      'KEY_MISSING',
      `The key file ${this.location} was removed while it was made: try again.`,
    );
  }
}

/** Tells whether all keys of a text are among those with these ids. If that cannot be told, they are not. */
function coveredBy(ids: readonly string[]): (text: string) => boolean {
  return (text) => keyIdsOf(text)?.every((id) => ids.includes(id)) ?? false;
}
