import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { z } from 'zod';

import { ProxyVaultError } from '../../../errors.ts';
import { decodeKeys } from '../key-text.ts';
import { KEY_BYTES, SecretKey, type WrappedKey } from '../secret-key.ts';
import {
  backupOf,
  createKeyFile,
  readKeyFile,
  removeLeftovers,
  replaceKeyFile,
  revisionOf,
} from './key-file.ts';
import type { KeySource } from './key-source.ts';
import { keychainProtector } from './keychain.ts';
import { type Passphrase, passphraseProtector } from './passphrase.ts';
import type { Protector } from './protector.ts';
import { type SafeStorage, safeStorageProtector } from './safe-storage.ts';

/** `permissions`: the file is 0600, and its text is the key. The others encrypt the keys in it. */
export type KeyringProtection = 'permissions' | Protector['kind'];

export interface KeyringOptions {
  /** Opens, or protects, a keyring by a passphrase. */
  passphrase?: Passphrase | undefined;
  /** Electron's `safeStorage`: opens, or protects, a keyring by it. */
  safeStorage?: SafeStorage | undefined;
  /** How a keyring is protected that is made or written. Default: by the passphrase or safeStorage if given, else `permissions`. */
  protection?: KeyringProtection | undefined;
}

const wrappedSchema = z.strictObject({
  keyId: z.string(),
  kekId: z.string(),
  wrappedKey: z.string(),
  iv: z.string(),
  tag: z.string(),
  keyCheckValue: z.string(),
}) satisfies z.ZodType<WrappedKey>;

const keyringSchema = z.strictObject({
  format: z.literal('proxyvault keyring'),
  version: z.literal(1),
  protection: z
    .object({ kind: z.enum(['passphrase', 'keychain', 'safe-storage']) })
    .catchall(z.union([z.string(), z.number()])),
  /** The first is in use, the others only decrypt. */
  keys: z.array(wrappedSchema).min(1),
});

const newerSchema = z.looseObject({ format: z.literal('proxyvault keyring'), version: z.int().min(2) });

type SealedKeyring = z.infer<typeof keyringSchema>;

/**
 * A file that holds the key: its text where permissions protect it, else JSON with the keys encrypted by what a
 * passphrase, the keychain or safeStorage gives. It is made where none is, and never replaced by accident.
 */
export function keyringFile(path: string, options: KeyringOptions = {}): KeySource {
  return new KeyringFile(resolve(path), options);
}

class KeyringFile implements KeySource {
  readonly kind = 'key file';
  readonly location: string;
  readonly #protectors: readonly Protector[];
  readonly #protection: KeyringProtection;
  /** What the last `read` found. */
  #text: string | null = null;

  constructor(path: string, { passphrase, safeStorage, protection }: KeyringOptions) {
    this.location = path;
    this.#protectors = [
      keychainProtector(path),
      ...(passphrase === undefined ? [] : [passphraseProtector(passphrase, path)]),
      ...(safeStorage === undefined ? [] : [safeStorageProtector(safeStorage, path)]),
    ];
    this.#protection =
      protection ??
      (passphrase !== undefined ? 'passphrase' : safeStorage !== undefined ? 'safe-storage' : 'permissions');
  }

  read(): Buffer[] | null | Promise<Buffer[]> {
    const text = readKeyFile(this.location);
    this.#text = text;
    if (text === null) return null;
    const sealed = this.#parse(text);
    return sealed ? this.#unseal(sealed) : decodeKeys(text, `The key file ${this.location}`);
  }

  create(): Buffer[] | Promise<Buffer[]> {
    const key = randomBytes(KEY_BYTES);
    if (this.#protection !== 'permissions') return this.#createSealed(key);
    createKeyFile(this.location, plainText([key]));
    return this.#found(this.read());
  }

  asynchronous(): boolean {
    return (this.protection() ?? this.#protection) !== 'permissions';
  }

  async prepare(keys: readonly Buffer[], revision: string | null): Promise<() => void> {
    const text = this.#protection === 'permissions' ? plainText(keys) : (await this.#seal(keys)).text;
    return () => replaceKeyFile(this.location, text, revision);
  }

  revision(): string | null {
    return this.#text === null ? null : revisionOf(this.#text);
  }

  isCurrent(): boolean {
    return this.#text !== null && readKeyFile(this.location) === this.#text;
  }

  protection(): string | null {
    try {
      const text = readKeyFile(this.location);
      return text === null ? null : (this.#parse(text)?.protection.kind ?? 'permissions');
    } catch {
      // Reading the key says what is wrong.
      return null;
    }
  }

  /** A key that is encrypted now does not stay beside it in clear. */
  settle(): void {
    if (this.protection() === 'permissions') return;
    removeLeftovers(this.location, (backup) => !isSealed(backup));
  }

  async #createSealed(key: Buffer): Promise<Buffer[]> {
    const { text, discard } = await this.#seal([key]);
    createKeyFile(this.location, text);
    // Another process was first.
    if (readKeyFile(this.location) !== text) await discard();
    return this.#found(await this.read());
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

  async #unseal({ protection: { kind, ...parameters }, keys }: SealedKeyring): Promise<Buffer[]> {
    const { key, renewed } = await this.#protector(kind).unprotect(parameters);
    const protecting = SecretKey.from(key);
    if (keys.some(({ kekId }) => kekId !== protecting.id)) throw this.#otherKey(kind);
    const unwrapped = this.#unwrapAll(protecting, keys, kind);
    if (renewed) this.#renew(sealedText({ kind, ...renewed }, keys));
    return unwrapped;
  }

  #unwrapAll(protecting: SecretKey, keys: readonly WrappedKey[], kind: string): Buffer[] {
    try {
      return keys.map((wrapped) => protecting.unwrap(wrapped, 'keyring', kind).key.export());
    } catch (error) {
      throw this.#malformed('is damaged', error);
    }
  }

  /** The keys are known: if they cannot be stored anew now, they will be at the next opening. */
  #renew(text: string): void {
    try {
      replaceKeyFile(this.location, text, this.revision());
    } catch (error) {
      if (!(error instanceof ProxyVaultError)) throw error;
    }
  }

  #protector(kind: string): Protector {
    const protector = this.#protectors.find((each) => each.kind === kind);
    if (protector) return protector;
    const advice =
      kind === 'passphrase'
        ? 'give it with --passphrase-file, PROXYVAULT_PASSPHRASE_FILE, or the option `passphrase` of EncryptionService.open'
        : 'open it in that application, which gives `safeStorage` to EncryptionService.open';
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

  /** Null for a plain key file. @throws KEY_INVALID. */
  #parse(text: string): SealedKeyring | null {
    if (!isSealed(text)) return null;
    const content = jsonOf(text);
    const parsed = keyringSchema.safeParse(content);
    if (parsed.success) return parsed.data;
    throw this.#malformed(
      newerSchema.safeParse(content).success
        ? 'was made by a newer version of this program, which must open it'
        : 'is malformed',
    );
  }

  #malformed(what: string, cause?: unknown): ProxyVaultError {
    return new ProxyVaultError(
      'KEY_INVALID',
      `The keyring ${this.location} ${what}: restore it from its backup (${backupOf(this.location)}, if it is there). Nothing was generated in its place.`,
      { cause, details: { path: this.location, malformed: true } },
    );
  }

  #found<T>(keys: T | null): T {
    if (keys !== null) return keys;
    throw new ProxyVaultError(
      'KEY_MISSING',
      `The key file ${this.location} was removed while it was made: try again.`,
    );
  }
}

function isSealed(text: string): boolean {
  return text.trimStart().startsWith('{');
}

function plainText(keys: readonly Buffer[]): string {
  const [key, ...older] = keys.map((bytes) => bytes.toString('base64'));
  for (const bytes of keys) bytes.fill(0);
  return older.length === 0 ? `${key}\n` : `${key}\n# Older keys, which only decrypt:\n${older.join('\n')}\n`;
}

function sealedText(protection: SealedKeyring['protection'], keys: WrappedKey[]): string {
  const keyring: SealedKeyring = { format: 'proxyvault keyring', version: 1, protection, keys };
  return `${JSON.stringify(keyring, null, 2)}\n`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
