import { inspect } from 'node:util';

import {
  type BackupOptions,
  type CheckOptions,
  type CheckReport,
  type DatabaseManager,
  type DatabaseOptions,
  type DatabaseStats,
  initDatabase,
  type Pruned,
  type PruneOptions,
} from './database/index.ts';
import { assertBackupElsewhere, assertKeyElsewhere } from './database/key-place.ts';
import { DATABASE_OPTIONS } from './database/options.ts';
import { patiently } from './database/patience.ts';
import {
  EncryptedCredentialsRepository,
  ProxyRepository,
  ProxyTagsRepository,
  ProxyUsageStatsRepository,
  RotationConfigRepository,
  RotationEventsRepository,
  RotationRulesRepository,
  type StatusCounts,
  StickySessionRepository,
  type UsageTotals,
} from './database/repositories/index.ts';
import { reportUnknownStatuses } from './database/repositories/skipped-rows.ts';
import { ENCRYPTION_OPTIONS } from './database/services/encryption-options.ts';
import { type EncryptionOptions, EncryptionService } from './database/services/index.ts';
import { ProxyVaultError } from './errors.ts';
import type { Gateway, GatewayOptions } from './gateway/index.ts';
import type { KeySource } from './keys/index.ts';
import { keySourceFrom } from './keys/sources/choose.ts';
import { KnownLogins } from './known-logins.ts';
import type { ListSource, TemplateValues } from './lists/index.ts';
import {
  assertBoolean,
  assertFunction,
  assertObject,
  assertOptions,
  notFound,
  pick,
} from './model/validation.ts';
import { RevealedProxy } from './revealed-proxy.ts';
import { Pool } from './rotation/index.ts';
import {
  type ExportOptions,
  exportProxies,
  type ImportListOptions,
  type ImportResult,
  importProxies,
  type NamedList,
} from './transfer/index.ts';
import { type ConnectionOptions, connectionOptions } from './upstream/connection-options.ts';
import type { Connections } from './upstream/index.ts';
import { lazyDispatcher } from './upstream/lazy-dispatcher.ts';

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

export interface VaultStats {
  /** How many proxies there are, in all and in each status. */
  proxies: StatusCounts;
  /** Of all days that the history has. */
  usage: UsageTotals;
  database: DatabaseStats;
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

/** An open pool with its key. Get it from `openVault`, and close it, or declare it with `await using`. */
export class Vault implements AsyncDisposable {
  /** The file: transactions, migrations, queries of your own, background reads. */
  readonly database: DatabaseManager;
  /** The key: its state, rotation, verification, protection and recovery code. */
  readonly keys: EncryptionService;
  readonly proxies: ProxyRepository;
  readonly credentials: EncryptedCredentialsRepository;
  readonly tags: ProxyTagsRepository;
  readonly rules: RotationRulesRepository;
  /** Which domain keeps which proxy. */
  readonly sticky: StickySessionRepository;
  /** How proxies are rotated: strategy, interval, limits. */
  readonly config: RotationConfigRepository;
  readonly events: RotationEventsRepository;
  /** Requests, successes and latency by proxy and day (UTC). */
  readonly usage: ProxyUsageStatsRepository;
  /** Hands out proxies and learns how they did. */
  readonly pool: Pool;
  readonly #connecting: ConnectionOptions;
  readonly #gateways = new Set<Gateway>();
  #isClosed = false;
  readonly #knownLogins = new KnownLogins();
  /** What leases connect with; loaded when the first of them does. */
  #loading: Promise<Connections> | null = null;

  constructor(
    database: DatabaseManager,
    keys: EncryptionService,
    { random, connections = {} }: Pick<VaultOptions, 'random' | 'connections'> = {},
  ) {
    this.#connecting = connections;
    this.database = database;
    this.keys = keys;
    this.proxies = new ProxyRepository(database, keys);
    this.credentials = new EncryptedCredentialsRepository(database, keys);
    this.tags = new ProxyTagsRepository(database);
    this.rules = new RotationRulesRepository(database);
    this.sticky = new StickySessionRepository(database);
    this.config = new RotationConfigRepository(database);
    this.events = new RotationEventsRepository(database);
    this.usage = new ProxyUsageStatsRepository(database);
    this.pool = new Pool(database, {
      random,
      reveal: (id, template, stamp) => this.#revealKnown(id, template, stamp),
      requests: {
        dispatcher: (owner) => lazyDispatcher(async () => (await this.#connections()).dispatcher(owner)),
        fetch: async (owner, input, init) => (await this.#connections()).fetch(owner, input, init),
      },
    });
  }

  /**
   * Stores the proxies of a list, with their logins: a text, bytes, lines, URLs, a stream, `{ file }`, or several lists with
   * their names. Importing a list twice changes nothing. See `importProxies` for the details and errors.
   *
   * @example
   * const { added, refused } = await vault.import({ file: './proxies.txt' }, { tag: 'mine' });
   */
  async import(
    source: ListSource | readonly NamedList[],
    options: Omit<ImportListOptions, 'encryption'> = {},
  ): Promise<ImportResult> {
    const given = assertObject(options, 'options of an import');
    return importProxies(this.database, source, { ...given, encryption: this.keys });
  }

  /**
   * The pool as a list, in pieces that may be written as they come. Logins are masked without `reveal: true`. See
   * `exportProxies` for the errors.
   *
   * @example
   * for (const piece of vault.export({ format: 'csv', reveal: true })) process.stdout.write(piece);
   */
  export(options: Omit<ExportOptions, 'encryption'> = {}): Generator<string, void, undefined> {
    const given = assertObject(options, 'options of an export');
    return exportProxies(this.database, { ...given, encryption: this.keys });
  }

  /**
   * How to connect through a proxy, with its login. `template` fills in what a login has in braces, such as `{session}`.
   *
   * @throws NOT_FOUND; INVALID_INPUT for a placeholder without a value, or an unknown one; CREDENTIAL_CORRUPT, KEY_MISSING, KEY_MISMATCH,
   *   KEY_LOCKED.
   * @example
   * const { url } = vault.reveal(vault.pool.choose().id, { session: 'cart-17', country: 'de' });
   */
  reveal(id: string, template?: TemplateValues): RevealedProxy {
    if (template !== undefined)
      assertOptions(template, ['session', 'country', 'ttl'], 'values of a template');
    return this.#revealNow(id).filled(template ?? {});
  }

  /**
   * A local proxy server for any client, HTTP and SOCKS on one port: each request leaves through a proxy of the pool with its login, and
   * through another one if that fails.
   *
   * @throws CANNOT_LISTEN; CLOSED; INVALID_INPUT, also for an address that other machines can reach without `users`.
   * @example
   * await using gateway = await vault.serve({ port: 0 });
   * console.log(`curl -x ${gateway.url} https://example.com/`);
   */
  async serve(options: GatewayOptions = {}): Promise<Gateway> {
    assertObject(options, 'options of a gateway');
    this.#assertOpen();
    // Whoever only hands out proxies does not load it.
    const { Gateway } = await import(/* webpackMode: "eager" */ './gateway/index.ts');
    const gateway = await Gateway.open(this.pool, this.#withConnections(options), () =>
      this.#gateways.delete(gateway),
    );
    this.#gateways.add(gateway);
    // The vault may have been closed meanwhile.
    if (this.#isClosed) await gateway.close({ drainMs: 0 });
    this.#assertOpen();
    return gateway;
  }

  /**
   * Copies the pool to a file while it is in use. The key is not in it: back that up apart. See `DatabaseManager.backup`.
   *
   * @returns the absolute path of the copy.
   * @throws what that throws; INVALID_INPUT also for the place of the key file.
   * @example
   * await vault.backup('./pool-backup.db', { overwrite: true });
   */
  async backup(path: string, options?: BackupOptions): Promise<string> {
    if (typeof path === 'string') assertBackupElsewhere(path, this.keys.source());
    return this.database.backup(path, options);
  }

  /**
   * Looks for damage, broken references and a changed schema; with `deep` also whether every login can be decrypted.
   *
   * @example
   * const { ok, rows, credentials } = await vault.check({ deep: true });
   */
  check(options: Omit<CheckOptions, 'encryption'> = {}): Promise<CheckReport> {
    return this.database.check({ ...options, encryption: this.keys });
  }

  /**
   * Removes old events and usage, and says how many rows went. See `DatabaseManager.prune`.
   *
   * @example
   * vault.prune({ eventsOlderThan: new Date(Date.now() - 30 * 86_400_000) });
   */
  prune(options: PruneOptions): Pruned {
    return this.database.prune(options);
  }

  /**
   * The state of the pool at a glance. Proxies whose status is malformed are in their total alone, and are reported to `onInvalidRow`.
   *
   * @example
   * const { proxies, usage } = await vault.stats();
   * console.log(`${proxies.active} of ${proxies.total} active, ${usage.requestCount} requests`);
   */
  async stats(): Promise<VaultStats> {
    const database = await this.database.stats();
    const proxies = this.proxies.countByStatus();
    reportUnknownStatuses(this.database, proxies);
    return { proxies, usage: this.usage.totals(), database };
  }

  /**
   * Closes the pool and its gateways, and forgets the key. Closing again does nothing. Close a gateway before to let its tunnels end.
   *
   * @example
   * const vault = await openVault({ path: './pool.db' });
   * try {
   *   vault.pool.choose();
   * } finally {
   *   await vault.close();
   * }
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    try {
      await Promise.all([...this.#gateways].map((gateway) => gateway.close({ drainMs: 0 })));
      if (this.database.open) this.pool.close();
    } finally {
      try {
        await this.#loading?.then(
          (connections) => connections.close(),
          () => undefined,
        );
        await this.database[Symbol.asyncDispose]();
      } finally {
        this.keys.destroy();
        this.#knownLogins.clear();
      }
    }
  }

  #revealNow(id: string): RevealedProxy {
    // Of one state: another program may change or remove the proxy between the two reads.
    return this.database.driver.snapshot(() => {
      const proxy = this.proxies.findById(id);
      if (proxy === null) throw notFound('proxy', id);
      return new RevealedProxy(proxy, this.credentials.reveal(proxy));
    });
  }

  /** As `reveal`, for leases, which follow each other fast: what was read in the same state of the database is not read again. */
  #revealKnown(id: string, template: TemplateValues = {}, stamp: number | null = null): RevealedProxy {
    if (stamp === null) return this.reveal(id, template);
    const known = this.#knownLogins.get(id, stamp, (each) => this.#revealNow(each));
    // Whoever has destroyed the key reveals no more logins.
    if (known.hasLogin) this.keys.keyId();
    return known.filled(template);
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new ProxyVaultError('CLOSED', 'The vault is closed.');
  }

  #withConnections(options: GatewayOptions): GatewayOptions {
    const { connectMs, handshakeMs, ca } = this.#connecting;
    return {
      ...options,
      connectMs: options.connectMs ?? connectMs,
      handshakeMs: options.handshakeMs ?? handshakeMs,
      ca: options.ca ?? ca,
    };
  }

  #connections(): Promise<Connections> {
    this.#loading ??= import(/* webpackMode: "eager" */ './upstream/index.ts').then(
      ({ Connections }) => new Connections(this.#connecting),
    );
    return this.#loading;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [inspect.custom](): string {
    const { path, readonly, open } = this.database;
    return `Vault ${inspect({ path, readonly, open })}`;
  }
}
