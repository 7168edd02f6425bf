import { ProxyVaultError } from '../../errors.ts';
import { openText, seal } from '../../keys/aes-gcm.ts';
import {
  type CredentialContent,
  corruptError,
  type EncryptedData,
  type OpenedCredential,
  openBound,
  sealBound,
} from '../../keys/binding.ts';
import type { FingerprintKey } from '../../keys/fingerprint-key.ts';
import { SecretKey } from '../../keys/secret-key.ts';
import type { ProxyAddress } from '../../model/proxy.ts';
import type { EncryptionConfig } from '../repositories/encryption-config.repository.ts';
import type { DataKeyRecord } from '../repositories/encryption-keys.repository.ts';

/** What the tables of keys said, unwrapped as far as that could be done. */
export interface KeysetContent {
  config: EncryptionConfig | null;
  records: readonly DataKeyRecord[];
  /** By id; an error if a key cannot be unwrapped, which harms only what it encrypted. */
  keys: ReadonlyMap<string, SecretKey | ProxyVaultError>;
  /** The key source's own keys; null if they are not known yet. */
  sourceKeys: readonly SecretKey[] | null;
  /** Why the source gave no key to unwrap them with; null if it did, or was not asked. */
  sourceProblem: ProxyVaultError | null;
  /** What makes fingerprints, or why it cannot be had; null if none is stored. */
  fingerprintKey: FingerprintKey | ProxyVaultError | null;
}

export type SealingKeyset = Keyset & { readonly primary: SecretKey };

/**
 * The data keys of one database at one moment, each 32 random bytes: the primary encrypts, the others decrypt until no row
 * needs them. A keyset never changes, and reads and writes nothing: a `KeyStore` loads the next one.
 */
export class Keyset {
  readonly config: EncryptionConfig | null;
  readonly records: readonly DataKeyRecord[];
  readonly sourceProblem: ProxyVaultError | null;
  /** The key that encrypts; null if it is missing or cannot be used. */
  readonly primary: SecretKey | null;
  readonly fingerprintKey: KeysetContent['fingerprintKey'];
  readonly #keys: KeysetContent['keys'];
  readonly #sourceKeys: readonly SecretKey[] | null;

  constructor({ config, records, keys, sourceKeys, sourceProblem, fingerprintKey }: KeysetContent) {
    this.config = config;
    this.records = records;
    this.sourceProblem = sourceProblem;
    this.#keys = keys;
    this.#sourceKeys = sourceKeys;
    this.fingerprintKey = fingerprintKey;
    const primary = keys.get(records.find(({ state }) => state === 'primary')?.keyId ?? '');
    this.primary = primary instanceof SecretKey ? primary : null;
  }

  canSeal(): this is SealingKeyset {
    return this.primary !== null;
  }

  get databaseId(): string {
    return this.config?.databaseId ?? '';
  }

  /** A data key, or why it cannot be used; undefined if the database has no such key. */
  find(keyId: string): SecretKey | ProxyVaultError | undefined {
    return this.#keys.get(keyId);
  }

  problemOf(keyId: string): ProxyVaultError | null {
    const key = this.#keys.get(keyId);
    return key instanceof ProxyVaultError ? key : null;
  }

  get problems(): ProxyVaultError[] {
    return this.records.flatMap(({ keyId }) => this.problemOf(keyId) ?? []);
  }

  /** What is wrong with any of the data keys, but for damage, which harms only what that key encrypted. */
  get problem(): ProxyVaultError | null {
    return this.problems.find(({ code }) => code !== 'KEY_INVALID') ?? null;
  }

  /** Encrypts for one proxy at one address. The message must have been counted. */
  seal(
    this: SealingKeyset,
    proxyId: string,
    address: ProxyAddress,
    content: CredentialContent,
    text: string,
  ): EncryptedData {
    return sealBound(this.primary, { databaseId: this.databaseId, proxyId, address }, content, text);
  }

  /** Encrypts a text that is bound to nothing but the associated data. The message must have been counted. */
  sealText(this: SealingKeyset, text: string, associatedData?: Uint8Array): EncryptedData {
    return { ...seal(this.primary.key, text, associatedData), keyId: this.primary.id };
  }

  /** Opens what the row of a proxy holds; null if no key that may have written it is here. @throws CREDENTIAL_CORRUPT. */
  open(proxyId: string, address: ProxyAddress | null, stored: EncryptedData): OpenedCredential | null {
    const place = { databaseId: this.databaseId, proxyId, address };
    return this.#openWith(stored, (key) => openBound(key, place, stored));
  }

  /** As `open`, for what `sealText` gave. */
  openText(stored: EncryptedData, associatedData?: Uint8Array): string | null {
    return this.#openWith(stored, ({ key }) => openText(key, stored, associatedData));
  }

  /** Null if the keys that may have written it are not here: the next keyset may have them. */
  #openWith<T>(stored: EncryptedData, open: (key: SecretKey) => T | null): T | null {
    const { keyId } = stored;
    const source = this.#sourceKeys;
    let opened: T | null = null;
    if (keyId !== undefined) {
      const key = this.#keys.get(keyId) ?? source?.find(({ id }) => id === keyId);
      if (!(key instanceof SecretKey)) return null;
      opened = open(key);
    } else {
      if (source === null) return null;
      for (const key of [...this.#keys.values(), ...source])
        if (key instanceof SecretKey) opened ??= open(key);
    }
    if (opened === null) throw corruptError(stored);
    return opened;
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

/** The value, or the typed error that is thrown later, when the value is needed. */
export function attempt<T>(work: () => T): T | ProxyVaultError {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProxyVaultError) return error;
    throw error;
  }
}
