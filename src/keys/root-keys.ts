import { ProxyVaultError } from '../errors.ts';
import { KEY_BYTES, SecretKey, type WrappedKey } from './secret-key.ts';
import type { KeyMaterial, KeySource } from './sources/key-source.ts';
import { placeholderProblem } from './sources/key-text.ts';

/** The first is in use, the others only decrypt. */
export type Keys = readonly [SecretKey, ...SecretKey[]];

/** The keys of a source, loaded once. */
export class RootKeys {
  #source: KeySource;
  #keys: Keys | null = null;
  /** What waiting for the source has failed with. */
  #failure: ProxyVaultError | null = null;
  #destroyed = false;
  readonly #onCreated: ((source: KeySource) => void) | undefined;

  constructor(source: KeySource, onCreated?: (source: KeySource) => void) {
    this.#source = source;
    this.#onCreated = onCreated;
  }

  get source(): KeySource {
    return this.#source;
  }

  /** The keys, if they were read before; null if not. */
  get known(): Keys | null {
    return this.#keys;
  }

  /** @throws KEY_MISSING if the source has no key, KEY_INVALID; KEY_LOCKED if the source must be waited for. */
  read(): Keys {
    const keys = this.#keys ?? this.#readNow();
    if (keys === null) throw this.missing();
    return keys;
  }

  /** As `read`, where something needs the key: a source without sense in it is one that lost it, KEY_MISSING. */
  readNeeded(): Keys {
    try {
      return this.read();
    } catch (error) {
      throw asMissing(error);
    }
  }

  /** As `read`, but makes a missing key. */
  readOrCreate(): Keys {
    const keys = this.#keys ?? this.#readNow();
    if (keys !== null) return keys;
    if (!this.#source.create) throw this.missing();
    const created = this.#take(this.#atOnce(this.#source.create()));
    if (!created) throw this.missing();
    this.#onCreated?.(this.#source);
    return created;
  }

  /** Waits for the source; says whether it has a key. */
  async load(): Promise<boolean> {
    return this.#keys !== null || this.reload();
  }

  /** As `load`, and reads again what was read: another process may have changed it. */
  async reload(): Promise<boolean> {
    this.assertAlive();
    if (this.#keys !== null && this.#source.isCurrent?.()) return true;
    return this.#take(await this.#source.read()) !== null;
  }

  /** As `load`, but what it fails with is kept, and thrown where the key is needed. */
  async tryToLoad(): Promise<boolean> {
    this.assertAlive();
    try {
      const isPresent = await this.load();
      this.#failure = isPresent ? null : this.missing();
      return isPresent;
    } catch (error) {
      if (!(error instanceof ProxyVaultError)) throw error;
      this.#failure = error;
      return false;
    }
  }

  /** The key with this id; the source is read again where it is not known yet, if it answers at once. */
  find(id: string): SecretKey | undefined {
    const known = this.read().find((key) => key.id === id);
    if (known) return known;
    if (!this.#source.asynchronous?.()) this.#take(this.#atOnce(this.#source.read()));
    return this.read().find((key) => key.id === id);
  }

  /** Unwraps with whichever key of the source wraps it. @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID. */
  unwrap(wrapped: WrappedKey, ...place: readonly string[]): SecretKey {
    const [first] = this.readNeeded();
    // A malformed id names no key: the one in use is tried.
    const root = /^[\da-f]{16}$/.test(wrapped.kekId) ? this.find(wrapped.kekId) : first;
    if (root) return root.unwrap(wrapped, ...place);
    throw this.mismatch(wrapped.kekId);
  }

  /** Makes a key, as one that will be needed where nothing can wait. */
  async create(): Promise<void> {
    if (!this.#source.create) throw this.missing();
    this.#take(await this.#source.create());
    this.#onCreated?.(this.#source);
  }

  /** Goes over to another source and its keys. */
  replace(source: KeySource, keys: Keys): void {
    this.#source = source;
    this.#keys = keys;
  }

  destroy(): void {
    this.#keys = null;
    this.#destroyed = true;
  }

  missing(): ProxyVaultError {
    const { kind, location } = this.#source;
    return new ProxyVaultError(
      'KEY_MISSING',
      `There is no encryption key (${kind}: ${location}). Restore it there, name it with PROXYVAULT_KEY or PROXYVAULT_KEY_FILE, or use \`proxyvault key recover\`; no new one was made.`,
      { details: { kind, location } },
    );
  }

  /** KEY_MISMATCH: another key is needed than the source has. @throws KEY_MISSING, KEY_INVALID if it has none. */
  mismatch(needed: string): ProxyVaultError {
    const { kind, location } = this.#source;
    const found = this.readNeeded()[0].id;
    return new ProxyVaultError(
      'KEY_MISMATCH',
      `The credentials were written with key ${needed}, and ${location} holds key ${found}: give the right key with PROXYVAULT_KEY or PROXYVAULT_KEY_FILE.`,
      { details: { needed, found, kind, location } },
    );
  }

  /** KEY_MISMATCH if a database takes its key from another kind of source; null if it may be this one. */
  pinProblem(pinned: string): ProxyVaultError | null {
    const { kind, location } = this.#source;
    // What a program hands over as a key it may have had from anywhere.
    if (pinned === kind || [pinned, kind].includes('explicit')) return null;
    return new ProxyVaultError(
      'KEY_MISMATCH',
      `The key of this database comes from another kind of source (${pinned}) than the one given (${kind}: ${location}): give that one, or move with \`proxyvault key\`. Nothing was switched.`,
      { details: { pinned, given: kind, location } },
    );
  }

  #readNow(): Keys | null {
    this.assertAlive();
    // Before it is asked: it would ask for a passphrase.
    if (this.#source.asynchronous?.()) throw this.#failure ?? this.#locked();
    return this.#take(this.#atOnce(this.#source.read()));
  }

  /** @throws CLOSED once it was destroyed. */
  assertAlive(): void {
    if (this.#destroyed)
      throw new ProxyVaultError('CLOSED', 'The encryption service was destroyed: make another one.');
  }

  #take(material: KeyMaterial | null): Keys | null {
    this.assertAlive();
    if (material === null) return null;
    const keys = secretKeysOf(material);
    this.#keys = keys;
    return keys;
  }

  #atOnce<T>(value: T | Promise<T>): T {
    if (!isPromise(value)) return value;
    // Its outcome is of no use any more, and must not end the process.
    value.catch(() => undefined);
    throw this.#locked();
  }

  #locked(): ProxyVaultError {
    const { kind, location } = this.#source;
    return new ProxyVaultError(
      'KEY_LOCKED',
      `The key source (${kind}: ${location}) cannot answer at once: wait for it with \`await vault.keys.unlock()\`, or open the service with \`await EncryptionService.open(…)\`.`,
      { details: { kind, location } },
    );
  }
}

/** Takes the bytes over: they are overwritten. @throws KEY_INVALID. */
export function secretKeysOf(material: KeyMaterial): Keys {
  const [first, ...older] = Array.isArray(material) ? material : [material];
  if (![first, ...older].every((bytes) => bytes instanceof Uint8Array))
    throw new ProxyVaultError('KEY_INVALID', 'A key source must give 32 bytes, or several times 32 bytes.');
  // Zeros are left to SecretKey, which knows that a source may give a buffer again after it was overwritten.
  const problem = first.length === KEY_BYTES && first[0] !== 0 ? placeholderProblem(first) : null;
  if (problem !== null) throw new ProxyVaultError('KEY_INVALID', `The key cannot be used: ${problem}.`);
  const take = (bytes: Uint8Array): SecretKey =>
    SecretKey.from(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  return [take(first), ...older.map(take)];
}

/** The key of the logins' fingerprints, as every database that begins with this root takes it. */
export function fingerprintKeyOf(root: SecretKey): SecretKey {
  return root.derive('proxyvault username fingerprint v1');
}

/** What a source says of empty or malformed text, where there is ciphertext that needs what was there. */
export function asMissing(error: unknown): unknown {
  if (!(error instanceof ProxyVaultError && error.details.malformed === true)) return error;
  return new ProxyVaultError(
    'KEY_MISSING',
    `${error.message} There are credentials that need the key that was there.`,
    { cause: error, details: error.details },
  );
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as Promise<T> | null)?.then === 'function';
}
