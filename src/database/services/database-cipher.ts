import { ProxyVaultError } from '../../errors.ts';
import {
  type CredentialContent,
  corruptError,
  type EncryptedData,
  type OpenedCredential,
} from '../../keys/binding.ts';
import { FingerprintKey } from '../../keys/fingerprint-key.ts';
import type { RootKeys } from '../../keys/root-keys.ts';
import type { Login } from '../../model/login.ts';
import type { ProxyAddress } from '../../model/proxy.ts';
import { invalidInput } from '../../model/validation.ts';
import { type CredentialCipher, originOf } from '../credential-encryption.ts';
import { type Driver, type Mode, type Result, type Scope, type Steps, step } from '../drivers/driver.ts';
import type { KeyStore } from './key-store.ts';
import { attempt, type Keyset, type SealingKeyset } from './keyset.ts';
import { MessageBudget } from './message-budget.ts';

/** How long a process may keep using a primary key after another process has demoted it. A rotation waits longer before it retires it. */
export const PRIMARY_HOLDS_MS = 20;

/**
 * Encrypts and decrypts with the data keys of one database. It remembers the last keyset, and loads the next one if a key is
 * missing from it. The transaction that it was loaded in may have been rolled back, so encrypting looks at the table.
 */
export class DatabaseCipher<M extends Mode> implements CredentialCipher<M> {
  readonly #db: Driver<M>;
  readonly #roots: RootKeys;
  readonly #store: KeyStore<M>;
  readonly #budget: MessageBudget<M>;
  #keyset: Keyset | null = null;
  /** Which primary was last looked up, when, and in which scope. */
  #looked: { id: string; at: number; scope: Scope | null } | null = null;

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
    return this.#sealing((keys) => keys.seal(proxyId, address, content, text), proxyId);
  }

  open(proxyId: string, address: ProxyAddress | null, stored: EncryptedData): Result<M, OpenedCredential> {
    const open = (keys: Keyset): OpenedCredential | null => keys.open(proxyId, address, stored);
    return this.#opening(stored.keyId, open, () => corruptError(stored));
  }

  fingerprint(text: string): Result<M, string> {
    return this.#fingerprinting((key) => key.username(text));
  }

  passwordFingerprint(login: Login): Result<M, string> {
    return this.#fingerprinting((key) => key.password(login));
  }

  /** Encrypts a text that is bound to nothing but the associated data. */
  encrypt(text: string, associatedData?: Uint8Array): Result<M, EncryptedData> {
    return this.#sealing((keys) => keys.sealText(text, associatedData));
  }

  /** The text of what `encrypt` gave, or of a bound text. */
  decrypt(stored: EncryptedData, associatedData?: Uint8Array): Result<M, string> {
    const { keyId, boundTo } = stored;
    if (boundTo === undefined) {
      const open = (keys: Keyset): string | null => keys.openText(stored, associatedData);
      return this.#opening(keyId, open, () => this.#roots.mismatch(String(keyId)));
    }
    const address = originOf(stored)?.address ?? stored.address ?? null;
    const open = (keys: Keyset): string | null => textOf(keys.open(boundTo, address, stored));
    return this.#opening(keyId, open, () => corruptError(stored));
  }

  /** Loads the next keyset. */
  *refresh(loading = this.#store.load()): Steps<M, Keyset> {
    this.#keyset = yield* loading;
    return this.#keyset;
  }

  /**
   * The keyset whose primary is the one in the table: another process may have rotated. If there is no key, it makes the first
   * one; `proxyId` names the proxy whose credential is replaced, which may be of a lost key.
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
  #sealing(seal: (keys: SealingKeyset) => EncryptedData, proxyId = ''): Result<M, EncryptedData> {
    const keys = this.#lookedUp();
    const sealed = keys !== null && this.#budget.take(keys.primary.id) ? seal(keys) : null;
    return this.#answer(sealed, () => this.#sealCounted(seal, proxyId));
  }

  *#sealCounted(seal: (keys: SealingKeyset) => EncryptedData, proxyId: string): Steps<M, EncryptedData> {
    for (;;) {
      const keys = yield* this.establish(proxyId);
      if (yield* this.#budget.spend(keys.primary.id)) return seal(keys);
      // Another process has retired it since it was looked up.
      yield* this.refresh();
    }
  }

  #fingerprinting(use: (key: FingerprintKey) => string): Result<M, string> {
    const key = this.#lookedUp()?.fingerprintKey;
    return this.#answer(key instanceof FingerprintKey ? use(key) : null, () => this.#fingerprint(use));
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

  /** @param lost the error if neither the database nor the source has the key. */
  #opening<T>(
    keyId: string | undefined,
    open: (keys: Keyset) => T | null,
    lost: () => ProxyVaultError,
  ): Result<M, T> {
    const opened = this.#db.mode === 'sync' ? this.#openAtHand(open) : null;
    return this.#answer(opened, () => this.#find(keyId, open, lost));
  }

  *#find<T>(
    keyId: string | undefined,
    open: (keys: Keyset) => T | null,
    lost: () => ProxyVaultError,
  ): Steps<M, T> {
    const atHand = this.#openAtHand(open);
    if (atHand !== null) return atHand;
    // Another process may have made it, or the source may have its key again.
    const keys = yield* this.refresh();
    const found = open(keys);
    if (found !== null) return found;
    const problem = keyId !== undefined && keys.problemOf(keyId);
    if (problem) throw problem;
    // The source's own key may have encrypted it.
    const source = attempt(() => this.#roots.readNeeded());
    if (!(source instanceof ProxyVaultError)) {
      const direct = open(yield* this.refresh());
      if (direct !== null) return direct;
    } else if (keyId === undefined) throw source;
    throw keyId !== undefined && keys.primary === null ? this.#roots.mismatch(keyId) : lost();
  }

  #openAtHand<T>(open: (keys: Keyset) => T | null): T | null {
    this.#roots.assertAlive();
    return this.#keyset && open(this.#keyset);
  }

  /** Over SQLite the keyset at hand, if its primary is known to be the one in the table. */
  #lookedUp(): SealingKeyset | null {
    if (this.#db.mode !== 'sync') return null;
    this.#roots.assertAlive();
    const keys = this.#keyset;
    return keys?.canSeal() && this.#isLookedUp(keys.primary.id) ? keys : null;
  }

  /** What could be had over SQLite without asking a table, which saves the steps; else what they give. */
  #answer<T>(atOnce: T | null, steps: () => Steps<M, T>): Result<M, T> {
    return atOnce === null ? this.#db.sequence(steps) : (atOnce as Result<M, T>);
  }

  #isLookedUp(primary: string): boolean {
    if (this.#looked === null) return false;
    const { id, at, scope } = this.#looked;
    if (id !== primary || scope?.isUndone) return false;
    const isFresh = performance.now() - at < PRIMARY_HOLDS_MS;
    // With several writers the table counts as it is under the lock, which the transaction holds to its end.
    return this.#db.mode === 'sync' ? isFresh : scope === this.#db.scope && (scope !== null || isFresh);
  }
}

function textOf(opened: OpenedCredential | null): string | null {
  if (opened?.content !== 'login') return opened?.text ?? null;
  throw invalidInput(
    'The credential is a login, with a username: read it with the repository\u2019s reveal.',
  );
}
