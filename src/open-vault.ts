import { type DatabaseManager, type DatabaseOptions, initDatabase } from './database/index.ts';
import { assertKeyElsewhere } from './database/key-place.ts';
import { DATABASE_OPTIONS } from './database/options.ts';
import { patiently } from './database/patience.ts';
import { ENCRYPTION_OPTIONS } from './database/services/encryption-options.ts';
import { type EncryptionOptions, EncryptionService } from './database/services/index.ts';
import { ProxyVaultError } from './errors.ts';
import type { KeySource } from './keys/index.ts';
import { keySourceFrom } from './keys/sources/choose.ts';
import { assertBoolean, assertFunction, assertOptions, pick } from './model/validation.ts';
import { type ConnectionOptions, connectionOptions } from './upstream/connection-options.ts';
import { Vault } from './vault.ts';

/** Where the pool is, how it is opened, and where its key comes from. */
export interface VaultOptions extends DatabaseOptions, Omit<EncryptionOptions, 'database'> {
  /**
   * Make the tables of a new pool and update those of an older one, after a backup. Default true; a `readonly` pool is never
   * changed. With false the pool is opened as it is, and a call that needs newer tables throws MIGRATION_PENDING. The key of such
   * a pool stays locked: `keys.unlock()` opens it.
   */
  migrate?: boolean | undefined;
  /**
   * Open a key that takes time, such as one that a passphrase protects, before the vault is returned. Default true. With
   * false each call that needs such a key throws KEY_LOCKED.
   */
  unlock?: boolean | undefined;
  /**
   * What strategies draw from: gives numbers from 0, inclusive, to 1, exclusive. Default `Math.random`. For tests, which
   * want the same choices each time; `clock` is for them too.
   */
  random?: (() => number) | undefined;
  /**
   * How `lease.fetch`, `lease.dispatcher` and gateways connect to proxies: `connectMs` for the TCP connection, default 5,000; `handshakeMs`
   * for TLS and for the answer to CONNECT or SOCKS, and again for TLS with the target, default 10,000; `ca` for certificates (PEM) that
   * `https` proxies may have besides those that Node trusts. A gateway's own options go before these.
   */
  connections?: ConnectionOptions | undefined;
}

/**
 * Opens a pool with its key; makes both if they are missing.
 *
 * A key file that is protected by its permissions alone is read when the first login needs it, and made with the first login
 * that is stored. One that takes time, such as one that a passphrase protects, is made at once.
 *
 * @throws what `initDatabase` and `EncryptionService.open` throw: CANNOT_OPEN, NOT_A_DATABASE, CORRUPT, DATABASE_NEWER,
 *   MIGRATION_CHANGED, BUSY after half a minute; KEY_MISSING, KEY_MISMATCH, KEY_INVALID; MIGRATION_PENDING for an older pool
 *   that is `readonly`; INVALID_INPUT, also for a pool in the place of its key file. Then nothing stays open.
 * @example
 * await using vault = await openVault({ path: './pool.db' });
 * await vault.import('socks5://me:s3cret@gate.example.com:1080');
 * const proxy = vault.pool.choose({ domain: 'shop.example' });
 * const { url } = vault.reveal(proxy.id);
 */
export async function openVault(options: VaultOptions): Promise<Vault> {
  assertOptions(
    options,
    [...DATABASE_OPTIONS, ...ENCRYPTION_OPTIONS, 'migrate', 'unlock', 'random', 'connections'],
    'options of openVault',
  );
  const { migrate = true, unlock = true, random, connections, ...rest } = options;
  assertBoolean(migrate, 'migrate');
  assertBoolean(unlock, 'unlock');
  if (random !== undefined) assertFunction(random, 'random');
  const connecting = connectionOptions(connections === undefined ? {} : connections);
  const databaseOptions = pick(rest, DATABASE_OPTIONS);
  const keyOptions = pick(rest, ENCRYPTION_OPTIONS);
  const keySource = keySourceFrom(keyOptions);
  if (typeof rest.path === 'string') assertKeyElsewhere(rest.path, keySource);
  const database = await patiently(() => initDatabase(databaseOptions));
  try {
    if (migrate) await bringUpToDate(database);
    // The tables of the keys may be missing.
    const isOlder = !migrate && database.migrations.plan().length > 0;
    const { onKeyCreated } = keyOptions;
    const service = { keySource, database, onKeyCreated };
    const keys = await openKeys(service, keyOptions.keySource !== undefined, unlock && !isOlder);
    return new Vault(database, keys, { random, connections: connecting });
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw error;
  }
}

async function bringUpToDate(database: DatabaseManager): Promise<void> {
  if (database.migrations.plan().length === 0) return;
  if (!database.readonly) return patiently(() => database.migrations.up());
  throw new ProxyVaultError(
    'MIGRATION_PENDING',
    `The pool at ${database.path} is older than this program: open it once without \`readonly\`, or run \`proxyvault migrate up\`.`,
  );
}

/** `isCustom` says that the source may be one that a user wrote: it may answer with a promise without having said so. */
async function openKeys(
  service: EncryptionOptions & { keySource: KeySource; database: DatabaseManager },
  isCustom: boolean,
  unlock: boolean,
): Promise<EncryptionService> {
  const { keySource, database } = service;
  const isWaitedFor = keySource.asynchronous?.() ?? isCustom;
  if (!unlock || !isWaitedFor) return new EncryptionService(service);
  const create = !database.readonly && keySource.create !== undefined;
  return EncryptionService.open({ ...service, create, resumeRotation: false });
}
