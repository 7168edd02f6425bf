import { ProxyVaultError } from '../../errors.ts';
import {
  type CredentialContent,
  corruptError,
  type EncryptedData,
  type OpenedCredential,
} from '../../keys/binding.ts';
import { FingerprintKey } from '../../keys/fingerprint-key.ts';
import type { RootKeys } from '../../keys/root-keys.ts';
import { assertEncrypted, assertMessage, assertText } from '../../keys/text-cipher.ts';
import type { Login } from '../../model/login.ts';
import type { ProxyAddress } from '../../model/proxy.ts';
import { invalidInput } from '../../model/validation.ts';
import { type CredentialCipher, originOf } from '../credential-encryption.ts';
import { type Driver, type Mode, type Result, type Scope, type Steps, step } from '../drivers/driver.ts';
import type { KeyStore } from './key-store.ts';
import type { Keyset, SealingKeyset } from './keyset.ts';
import { MessageBudget } from './message-budget.ts';

/** How long a process may keep using a primary key after another process has demoted it. A rotation waits longer before it retires it. */
export const PRIMARY_HOLDS_MS = 20;

/**
 * Encrypts and decrypts with the data keys of one database. It remembers the last keyset, and loads the next one if a key is
 * missing from it. The remembered keyset may come from a transaction that was rolled back, so encrypting looks at the table.
 */
export class DatabaseCipher<M extends Mode> implements CredentialCipher<M> {
  readonly #db: Driver<M>;
  readonly #roots: RootKeys;
  readonly #store: KeyStore<M>;
  readonly #budget: MessageBudget<M>;
  #keyset: Keyset | null = null;
  /** Which primary was last looked up, when, and in which scope. */
  #looked: { id: string; at: number; scope: Scope | null } = {
    id: '',
    at: Number.NEGATIVE_INFINITY,
    scope: null,
  };

  constructor(driver: Driver<M>, roots: RootKeys, store: KeyStore<M>) {
    this.#db = driver;
    this.#roots = roots;
    this.#store = store;
    this.#budget = new MessageBudget(driver, store);
  }

  seal(
    proxyId: string,
    address: ProxyAddress,
    content: CredentialContent,
    text: string,
  ): Result<M, EncryptedData> {
    return this.#db.sequence(() =>
      this.#sealing((keys) => keys.seal(proxyId, address, content, text), proxyId),
    );
  }

  sealAtOnce(
    proxyId: string,
    address: ProxyAddress,
    content: CredentialContent,
    text: string,
  ): EncryptedData | null {
    return this.#ready()?.seal(proxyId, address, content, text) ?? null;
  }

  open(proxyId: string, address: ProxyAddress | null, stored: EncryptedData): Result<M, OpenedCredential> {
    return this.#db.sequence(() => this.opening(proxyId, address, stored));
  }

  openAtOnce(proxyId: string, address: ProxyAddress | null, stored: EncryptedData): OpenedCredential | null {
    this.#roots.assertAlive();
    return this.#keyset?.open(proxyId, address, stored) ?? null;
  }

  /** The steps of `open`. */
  *opening(proxyId: string, address: ProxyAddress | null, stored: EncryptedData): Steps<M, OpenedCredential> {
    const opened =
      this.openAtOnce(proxyId, address, stored) ??
      (yield* this.#find(stored.keyId, (keys) => keys.open(proxyId, address, stored)));
    if (opened !== null) return opened;
    throw corruptError(stored);
  }

  fingerprint(text: string): Result<M, string> {
    return this.#db.sequence(() => {
      assertText(text, 'text');
      return this.#fingerprint((key) => key.username(text));
    });
  }

  passwordFingerprint(login: Login): Result<M, string> {
    return this.#db.sequence(() => this.#fingerprint((key) => key.password(login)));
  }

  fingerprintKeyAtOnce(): FingerprintKey | null {
    this.#roots.assertAlive();
    const keys = this.#keyset;
    if (!keys?.canSeal() || !this.#isLookedUp(keys.primary.id)) return null;
    return keys.fingerprintKey instanceof FingerprintKey ? keys.fingerprintKey : null;
  }

  /** Encrypts a text that is bound to nothing but the associated data. */
  encrypt(text: string, associatedData?: Uint8Array): Result<M, EncryptedData> {
    return this.#db.sequence(() => {
      assertMessage(text, associatedData);
      return this.#sealing((keys) => keys.sealText(text, associatedData));
    });
  }

  /** The text of what `encrypt` gave, or of a bound text. */
  decrypt(encrypted: EncryptedData | null, associatedData?: Uint8Array): Result<M, string> {
    return this.#db.sequence(() => this.#decrypt(encrypted, associatedData));
  }

  /** Loads the next keyset. */
  *refresh(): Steps<M, Keyset> {
    this.#keyset = yield* this.#store.load();
    return this.#keyset;
  }

  /** As `refresh`. @throws KEY_MISSING, KEY_MISMATCH if the source's key is not the one that the ciphertext needs. */
  *refreshOwn(): Steps<M, Keyset> {
    this.#keyset = yield* this.#store.loadOwn();
    return this.#keyset;
  }

  /**
   * The keyset whose primary is the one in the table: another process may have rotated, or a rollback undone it. Makes a missing
   * first key.
   *
   * @param proxyId the proxy whose credential is replaced.
   * @throws KEY_MISSING, KEY_MISMATCH, KEY_INVALID.
   */
  *establish(proxyId = ''): Steps<M, SealingKeyset> {
    this.#roots.assertAlive();
    const keys = this.#keyset?.canSeal() ? this.#keyset : yield* this.refresh();
    if (keys.canSeal()) {
      if (this.#isLookedUp(keys.primary.id)) return keys;
      const at = performance.now();
      const id = yield* this.#store.primaryId();
      if (id === keys.primary.id) {
        this.#looked = { id, at, scope: this.#db.scope };
        return keys;
      }
      const next = yield* this.refresh();
      if (next.canSeal()) return next;
    }
    const established = yield* step(this.#store.establish(proxyId));
    this.#keyset = established;
    return established;
  }

  /** What one message is encrypted to. */
  *#sealing(seal: (keys: SealingKeyset) => EncryptedData, proxyId = ''): Steps<M, EncryptedData> {
    return seal(this.#ready() ?? (yield* this.#forMessage(proxyId)));
  }

  *#decrypt(encrypted: EncryptedData | null, associatedData: Uint8Array | undefined): Steps<M, string> {
    const stored = assertEncrypted(encrypted, associatedData);
    const { keyId, boundTo } = stored;
    if (boundTo === undefined) {
      this.#roots.assertAlive();
      const text =
        this.#keyset?.openText(stored, associatedData) ??
        (yield* this.#find(keyId, (keys) => keys.openText(stored, associatedData)));
      if (text !== null) return text;
      throw this.#roots.mismatch(String(keyId));
    }
    const address = originOf(stored)?.address ?? stored.address ?? null;
    const { content, text } = yield* this.opening(boundTo, address, stored);
    if (content === 'text') return text;
    throw invalidInput(
      'The credential is a login, with a username: read it with the repository\u2019s reveal.',
    );
  }

  *#fingerprint(use: (key: FingerprintKey) => string): Steps<M, string> {
    const keys = yield* this.establish();
    if (keys.fingerprintKey instanceof FingerprintKey) return use(keys.fingerprintKey);
    // It may have been restored, or another process may have put it under another key.
    const { fingerprintKey } = yield* this.refresh();
    if (fingerprintKey instanceof FingerprintKey) return use(fingerprintKey);
    throw (
      fingerprintKey ??
      new ProxyVaultError(
        'KEY_INVALID',
        'The stored key of the fingerprints is missing: restore a backup of the database.',
      )
    );
  }

  /** Loads the next keyset and opens with it; null if neither the database nor the source has the key. */
  *#find<T>(keyId: string | undefined, open: (keys: Keyset) => T | null): Steps<M, T | null> {
    // Another process may have made it, or the source may have its key again.
    const keys = yield* this.refresh();
    const found = open(keys);
    if (found !== null) return found;
    const problem = keyId !== undefined && keys.problemOf(keyId);
    if (problem) throw problem;
    const direct = yield* this.#findInSource(keyId, open);
    if (direct !== null || keys.primary !== null || keyId === undefined) return direct;
    throw this.#roots.mismatch(keyId);
  }

  /** As `#find`, for what the source's own key may have encrypted. */
  *#findInSource<T>(keyId: string | undefined, open: (keys: Keyset) => T | null): Steps<M, T | null> {
    try {
      this.#roots.readNeeded();
    } catch (error) {
      if (keyId === undefined || !(error instanceof ProxyVaultError)) throw error;
      return null;
    }
    return open(yield* this.refresh());
  }

  /** A keyset whose primary has one message to encrypt, which is counted. */
  *#forMessage(proxyId: string): Steps<M, SealingKeyset> {
    for (;;) {
      const keys = yield* this.establish(proxyId);
      if (yield* this.#budget.spend(keys.primary.id)) return keys;
      // Another process has retired it since it was looked up.
      yield* this.refresh();
    }
  }

  /** As `#forMessage`, if no table must be asked for it. */
  #ready(): SealingKeyset | null {
    this.#roots.assertAlive();
    const keys = this.#keyset;
    if (!keys?.canSeal() || !this.#isLookedUp(keys.primary.id)) return null;
    return this.#budget.take(keys.primary.id) ? keys : null;
  }

  #isLookedUp(primary: string): boolean {
    const { id, at, scope } = this.#looked;
    if (id !== primary || scope?.isUndone) return false;
    const isFresh = performance.now() - at < PRIMARY_HOLDS_MS;
    // With several writers the table counts as it is under the lock, which the transaction holds to its end.
    return this.#db.mode === 'sync' ? isFresh : scope === this.#db.scope && (scope !== null || isFresh);
  }
}
