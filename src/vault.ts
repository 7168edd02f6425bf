import { inspect } from 'node:util';

import type {
  BackupOptions,
  CheckOptions,
  CheckReport,
  DatabaseManager,
  DatabaseStats,
  Pruned,
  PruneOptions,
} from './database/index.ts';
import { assertBackupElsewhere } from './database/key-place.ts';
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
import type { EncryptionService } from './database/services/index.ts';
import { ProxyVaultError } from './errors.ts';
import type { Gateway, GatewayOptions } from './gateway/index.ts';
import { KnownLogins } from './known-logins.ts';
import type { ListSource, TemplateValues } from './lists/index.ts';
import { assertObject, assertOptions, notFound } from './model/validation.ts';
import { RevealedProxy } from './revealed-proxy.ts';
import { Pool, type PoolOptions } from './rotation/index.ts';
import {
  type ExportOptions,
  exportProxies,
  type ImportListOptions,
  type ImportResult,
  importProxies,
  type NamedList,
} from './transfer/index.ts';
import type { ConnectionOptions } from './upstream/connection-options.ts';
import type { Connections } from './upstream/index.ts';
import { lazyDispatcher } from './upstream/lazy-dispatcher.ts';

export interface VaultStats {
  /** How many proxies there are, in all and in each status. */
  proxies: StatusCounts;
  /** Of all days that the history has. */
  usage: UsageTotals;
  database: DatabaseStats;
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
    { random, connections = {} }: { random?: PoolOptions['random']; connections?: ConnectionOptions } = {},
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
