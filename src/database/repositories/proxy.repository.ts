import {
  type ProxyAddress,
  type ProxyConfig,
  type ProxyFilter,
  type ProxyInput,
  type ProxyProtocol,
  type ProxyStatus,
  type ProxyUpdate,
  proxyFilterSchema,
  proxyInputSchema,
  proxyUpdateSchema,
} from '../../model/proxy.ts';
import {
  assertBoolean,
  assertId,
  assertIterable,
  assertPageSize,
  invalidInput,
  parse,
} from '../../model/validation.ts';
import type { CredentialEncryption } from '../credential-encryption.ts';
import type { Mode, Result, Row, Session, Steps, Stream } from '../drivers/driver.ts';
import { parseAddress } from './credential-record.ts';
import { EncryptedCredentialsRepository } from './encrypted-credentials.repository.ts';
import { moveProxy, type ProxyParts, toUpdateParams, updateProxy } from './proxy-changes.ts';
import { countsOf, type StatusCounts } from './proxy-counts.ts';
import { ProxyCreation } from './proxy-creation.ts';
import { conditionsOf } from './proxy-filter.ts';
import { ProxyIdentities } from './proxy-identities.ts';
import { assertImportOptions, type ImportOptions, type ImportSummary, importSteps } from './proxy-import.ts';
import { readTyped, resolveSteps } from './proxy-lookup.ts';
import { type ProxyListing, type ProxyPage, pageQuery } from './proxy-page.ts';
import { toProxy } from './proxy-record.ts';
import { shortIdSteps } from './proxy-short-ids.ts';
import { ProxyTagsRepository } from './proxy-tags.repository.ts';
import { Repository } from './repository.ts';
import { recordRequest } from './request-record.ts';
import { skipMalformed } from './skipped-rows.ts';
import { assertLatency } from './usage-count.ts';

/** The pool. */
export class ProxyRepository<M extends Mode = 'sync'> extends Repository<M> {
  readonly #parts: ProxyParts<M>;
  readonly #creation: ProxyCreation<M>;
  /** Reads a row of a list, from which a malformed one is left out. */
  readonly #listed: (row: Row) => ProxyConfig | undefined;

  /** `encryption` is needed to store credentials, and to change the address of a proxy that has some. */
  constructor(session: Session<M>, encryption?: CredentialEncryption) {
    super(session);
    const credentials = new EncryptedCredentialsRepository(session, encryption);
    this.#parts = {
      credentials,
      identities: new ProxyIdentities(session, encryption ?? null, (id) => credentials.reveal(id)),
      tags: new ProxyTagsRepository(session),
    };
    this.#creation = new ProxyCreation(session, this.#parts);
    this.#listed = skipMalformed(session, toProxy);
  }

  /**
   * Adds a proxy; `credentials` are stored encrypted. Its identity is protocol, host, port, username and password; without
   * credentials the last two are empty.
   *
   * @throws INVALID_INPUT; CONFLICT, with `details.existingId`, if the id or the identity is taken; KEY_MISSING, KEY_MISMATCH.
   * @example
   * const proxy = vault.proxies.create({
   *   protocol: 'socks5',
   *   host: 'gate.example.com',
   *   port: 1080,
   *   region: 'EU',
   *   credentials: { username: 'me', password: 's3cret' },
   * });
   */
  create(proxy: ProxyInput): Result<M, ProxyConfig> {
    const input = parse(proxyInputSchema, proxy, 'proxy');
    if (input.credentials) return this.db.transaction(() => this.#creation.create(input));
    return this.db.sequence(() => this.#creation.createOpen(input));
  }

  /**
   * Adds many in one transaction, all or none.
   * @throws as `create`; `details.index` says which one.
   * @example
   * const [first] = vault.proxies.createMany([{ protocol: 'http', host: '192.0.2.1', port: 8080 }]);
   */
  createMany(proxies: Iterable<ProxyInput>): Result<M, ProxyConfig[]> {
    const list = this.repeatable(assertIterable(proxies, 'proxies'));
    return this.db.transaction(() => this.#creation.createAll(list));
  }

  /**
   * Adds the proxies that are new by identity and gives known ones what the list has of password, change-IP URL, name, region,
   * geolocation, `remoteDns`, `weight` and `gateway`, in one transaction. Repeating an import changes nothing, and the order of the list does not
   * matter. A new password for a username that the list has once, and the pool once, is that proxy's. A stored login that is
   * damaged is replaced.
   * @throws as `createMany`; then nothing was changed.
   * @example
   * const list = [{ protocol: 'http', host: '192.0.2.1', port: 8080 }] as const;
   * vault.proxies.importMany(list); // { added: 1, updated: 0, unchanged: 0 }
   * vault.proxies.importMany(list); // { added: 0, updated: 0, unchanged: 1 }
   */
  importMany(proxies: Iterable<ProxyInput>, options: ImportOptions = {}): Result<M, ImportSummary> {
    const list = this.repeatable(assertIterable(proxies, 'proxies'));
    assertImportOptions(options);
    return this.db.transaction(() => this.importSteps(list, options));
  }

  /**
   * The steps of `importMany`, for a transaction of the caller's.
   * @throws as `importMany`.
   * @example
   * const list = [{ protocol: 'http', host: '192.0.2.1', port: 8080 }] as const;
   * const { added } = await vault.database.longTransaction((session) =>
   *   new ProxyRepository(session, vault.keys).importSteps(list),
   * );
   */
  *importSteps(proxies: Iterable<ProxyInput>, options: ImportOptions = {}): Steps<M, ImportSummary> {
    return yield* importSteps(this.session, this.#parts, proxies, options);
  }

  /**
   * The proxy with this id, or null.
   *
   * @example
   * const proxy = vault.proxies.findById(id);
   * if (proxy === null) console.log('It was removed.');
   */
  findById(id: string): Result<M, ProxyConfig | null> {
    return this.db.first(`SELECT * FROM proxies WHERE id = :id`, { id: assertId(id) }, toProxy);
  }

  /**
   * The proxy that a person means: by its id, the first 4 or more characters of its id, `host:port` or `protocol://host:port`
   * (IPv6 in brackets; a login before the host is ignored), or its name. A whole id wins over everything else.
   *
   * @throws NOT_FOUND, saying what to give; CONFLICT if several match: `details.ids` has the first 10 of them, separated by
   *   `, `, and `details.more` says whether there are others; INVALID_INPUT for an empty text.
   * @example
   * const { id } = vault.proxies.resolve('socks5://gate.example.com:1080');
   * console.log(vault.proxies.resolve(id.slice(0, 13)).name);
   */
  resolve(text: string): Result<M, ProxyConfig> {
    const typed = readTyped(text);
    return this.db.sequence(() => resolveSteps(this.db, typed));
  }

  /**
   * The shortest beginning of each id, of 8 or more characters, that no other id in the pool has: for a person, who gives it
   * to `resolve`. It may fit a proxy too that is added later.
   *
   * @example
   * const { items } = vault.proxies.list({ limit: 20 });
   * const short = vault.proxies.shortIds(items.map(({ id }) => id));
   * for (const { id, name } of items) console.log(short.get(id), name);
   */
  shortIds(ids: Iterable<string>): Result<M, Map<string, string>> {
    const all = [...assertIterable(ids, 'ids')].map((id) => assertId(id));
    return this.db.sequence(() => shortIdSteps(this.db, all));
  }

  /**
   * Whether there are proxies, at an address or at all, whose login the pool could not compare with the others yet.
   *
   * @example
   * if (vault.proxies.hasUnidentified()) console.log('Some logins were not compared yet: an import compares them.');
   */
  hasUnidentified(at?: ProxyAddress): Result<M, boolean> {
    return this.#parts.identities.hasUnnamed(at === undefined ? null : parseAddress(at));
  }

  /**
   * Whether there is a proxy with this id.
   *
   * @example
   * if (!vault.proxies.exists(id)) console.log('It was removed.');
   */
  exists(id: string): Result<M, boolean> {
    return this.db.one(
      `SELECT 1 FROM proxies WHERE id = :id`,
      { id: assertId(id) },
      (row) => row !== undefined,
    );
  }

  /**
   * Every proxy, by id. For a large pool see `iterate` and `list`.
   *
   * @example
   * const addresses = vault.proxies.findAll().map(({ host, port }) => `${host}:${port}`);
   */
  findAll(): Result<M, ProxyConfig[]> {
    return this.db.all(`SELECT * FROM proxies ORDER BY id`, {}, this.#listed);
  }

  /**
   * The proxies with a status, by id.
   *
   * @example
   * for (const { id } of vault.proxies.findByStatus('failed')) vault.proxies.update(id, { status: 'active' });
   */
  findByStatus(status: ProxyStatus): Result<M, ProxyConfig[]> {
    parse(proxyFilterSchema, { status }, 'filter');
    return this.db.all(`SELECT * FROM proxies WHERE status = :status ORDER BY id`, { status }, this.#listed);
  }

  /**
   * The proxies of a protocol, by id.
   *
   * @example
   * const socks = vault.proxies.findByProtocol('socks5').length;
   */
  findByProtocol(protocol: ProxyProtocol): Result<M, ProxyConfig[]> {
    parse(proxyFilterSchema, { protocol }, 'filter');
    return this.db.all(
      `SELECT * FROM proxies WHERE protocol = :protocol ORDER BY id`,
      { protocol },
      this.#listed,
    );
  }

  /**
   * The proxies with this very region, by id.
   *
   * @example
   * const [european] = vault.proxies.findByRegion('EU'); // undefined if there is no such proxy
   */
  findByRegion(region: string): Result<M, ProxyConfig[]> {
    parse(proxyFilterSchema, { region }, 'filter');
    return this.db.all(`SELECT * FROM proxies WHERE region = :region ORDER BY id`, { region }, this.#listed);
  }

  /**
   * One page, by id unless `sort` says otherwise. Give its `next` as `after` for the page after it; null at the end. A proxy
   * that is changed or added between two pages may be missed or come twice, as its new place says.
   *
   * @throws INVALID_INPUT for an unknown field, filter or order, and an `after` of another order.
   * @example
   * const filter = { tag: 'mine', country: 'de', sort: '-successRate' } as const;
   * const page = vault.proxies.list({ ...filter, limit: 20 });
   * if (page.next !== null) console.log(vault.proxies.list({ ...filter, limit: 20, after: page.next }).items);
   */
  list(listing: ProxyListing = {}): Result<M, ProxyPage> {
    const { sql, params, limit, nextAfter } = pageQuery(listing, this.now());
    return this.db.all(
      sql,
      params,
      (row) => ({ row, proxy: this.#listed(row) }),
      (found) => {
        const page = found.slice(0, limit);
        // Malformed rows count, or a page of them would seem the last.
        const last = found.length > limit ? page.at(-1) : undefined;
        const items = page.flatMap(({ proxy }) => proxy ?? []);
        return { items, next: last === undefined ? null : nextAfter(last.row) };
      },
    );
  }

  /**
   * Streams proxies by id, from one snapshot, while others write.
   *
   * @throws INVALID_INPUT for an unknown filter.
   * @example
   * for (const { id, host } of vault.proxies.iterate({ tag: 'mine', status: 'failed' })) console.log(id, host);
   */
  iterate(filter: ProxyFilter = {}): Stream<M, ProxyConfig> {
    const { where, params } = conditionsOf(filter, this.now());
    return this.db.iterate(`SELECT * FROM proxies ${where} ORDER BY id`, params, this.#listed);
  }

  /**
   * How many proxies there are.
   *
   * @throws INVALID_INPUT for an unknown filter.
   * @example
   * console.log(vault.proxies.count({ country: 'DE' }));
   */
  count(filter: ProxyFilter = {}): Result<M, number> {
    const { where, params } = conditionsOf(filter, this.now());
    return this.db.one(`SELECT count(*) AS n FROM proxies ${where}`, params, (row) => Number(row?.n));
  }

  /**
   * How many proxies have each status, 0 if none, and how many there are. The total counts malformed rows too.
   *
   * @throws INVALID_INPUT for an unknown filter.
   * @example
   * const { active, total } = vault.proxies.countByStatus();
   * console.log(`${active} of ${total} are active`);
   */
  countByStatus(filter: ProxyFilter = {}): Result<M, StatusCounts> {
    const { where, params } = conditionsOf(filter, this.now());
    return this.db.all(
      `SELECT status, count(*) AS n FROM proxies ${where} GROUP BY status`,
      params,
      (row) => row,
      countsOf,
    );
  }

  /**
   * Changes the fields that are given; `null` empties those that may be empty. A proxy that was read may be given back whole,
   * with changes: its id and times are then ignored. Otherwise such a field is INVALID_INPUT, by name. A proxy that becomes HTTP or HTTPS resolves the
   * names of targets from then on. Another protocol, host or port encrypts the login again, which is bound to them.
   *
   * @throws NOT_FOUND; INVALID_INPUT, also for another address without an EncryptionService if there is a login, and for
   *   `remoteDns: false` of an HTTP or HTTPS proxy; CONFLICT, with `details.existingId`, if another proxy has the new identity;
   *   CREDENTIAL_CORRUPT if the login does not open at the old address; KEY_MISSING, KEY_MISMATCH, KEY_INVALID. Then nothing
   *   was changed.
   * @example
   * const { id } = vault.proxies.resolve('gate.example.com:1080');
   * vault.proxies.update(id, { name: 'gate', region: null, status: 'disabled' });
   */
  update(id: string, updates: ProxyUpdate): Result<M, ProxyConfig> {
    const changes = parse(proxyUpdateSchema, updates, 'proxy');
    if (changes.id !== undefined && changes.id !== id) {
      throw invalidInput('The id of a proxy cannot change: create another.');
    }
    const params = toUpdateParams(assertId(id), changes, this.now());
    const moves = changes.host !== undefined || changes.port !== undefined || changes.protocol !== undefined;
    // Whether local resolution fits is known from the row that the update gives: then it is undone.
    if (!moves && changes.remoteDns !== false) return updateProxy(this.db, params);
    return this.db.transaction(() => moveProxy(this.db, this.#parts, id, params));
  }

  /**
   * Removes a proxy with its credentials, sticky sessions and usage; says whether there was one.
   *
   * @example
   * vault.proxies.delete(id); // false if it was removed already
   */
  delete(id: string): Result<M, boolean> {
    return this.db.run(`DELETE FROM proxies WHERE id = :id`, { id: assertId(id) }, (changed) => changed > 0);
  }

  /**
   * Records the outcome of a request in one step: counts it and the failures in a row, sets the lifetime success rate in
   * percent, folds a latency (milliseconds) into the mean with weight 1/8 (RFC 6298, section 2), and adds to today's usage.
   * @throws NOT_FOUND; INVALID_INPUT for a latency that is not a number of milliseconds.
   * @example
   * vault.proxies.updateStats(id, true, 230); // a success that took 230 ms
   */
  updateStats(id: string, success: boolean, latency?: number): Result<M, void> {
    const measured = assertLatency(latency);
    assertId(id);
    assertBoolean(success, 'success');
    return this.db.transaction(() => recordRequest(this.session, { id, success, latency: measured }));
  }

  /**
   * The active proxies with the highest success rate, of equal ones the fastest; unknown latency last.
   *
   * @example
   * for (const { name, successRate } of vault.proxies.getTopPerformers(5)) console.log(name, `${successRate} %`);
   */
  getTopPerformers(limit: number): Result<M, ProxyConfig[]> {
    return this.db.all(
      `SELECT * FROM proxies WHERE status = 'active' ORDER BY success_rate DESC, latency IS NULL, latency, id LIMIT :limit`,
      { limit: assertPageSize(limit) },
      this.#listed,
    );
  }
}
