import type { z } from 'zod';

import { ONLY_SOCKS, type ProxyAddress, type ProxyConfig, proxyUpdateSchema } from '../../model/proxy.ts';
import { assertId, invalidInput, notFound, parse } from '../../model/validation.ts';
import { type Mode, type Params, type Result, type Session, type Steps, step } from '../drivers/driver.ts';
import { isSame, movedError, toAddress } from './credential-record.ts';
import type { EncryptedCredentialsRepository } from './encrypted-credentials.repository.ts';
import type { ProxyIdentities } from './proxy-identities.ts';
import { toProxy } from './proxy-record.ts';
import { changesOf, Repository } from './repository.ts';

/** Changes a stored proxy. With its address, its identity changes too, and its login is bound to the new one. */
export class ProxyChanges<M extends Mode> extends Repository<M> {
  readonly #credentials: EncryptedCredentialsRepository<M>;
  readonly #identities: ProxyIdentities<M>;

  constructor(
    session: Session<M>,
    tools: { credentials: EncryptedCredentialsRepository<M>; identities: ProxyIdentities<M> },
  ) {
    super(session);
    this.#credentials = tools.credentials;
    this.#identities = tools.identities;
  }

  /** @throws what `ProxyRepository.update` throws. */
  update(id: string, updates: Partial<ProxyConfig>): Result<M, ProxyConfig> {
    const changes = parse(proxyUpdateSchema, updates, 'proxy');
    if (changes.id !== undefined && changes.id !== id) {
      throw invalidInput('The id of a proxy cannot change: create another.');
    }
    const params = toUpdateParams(assertId(id), changes, this.now());
    const moves = changes.host !== undefined || changes.port !== undefined || changes.protocol !== undefined;
    // Whether local resolution fits is known from the row that the update gives: then it is undone.
    if (moves || changes.remoteDns === false) return this.db.transaction(() => this.#move(id, params));
    return this.#update(params);
  }

  *#move(id: string, params: Params): Steps<M, ProxyConfig> {
    const { host, port, protocol } = params;
    const from = yield* step(this.#findAddress(id));
    const to = toAddress({
      host: host ?? from?.host ?? null,
      port: port ?? from?.port ?? null,
      protocol: protocol ?? from?.protocol ?? null,
    });
    if (to) yield* this.#identities.assertFreeAt(to, id);
    const moved = yield* step(this.#update(params));
    // The login goes where the caller says, from where it was: never to what somebody has made the statements read.
    const isMeant =
      moved.host === (host ?? from?.host ?? moved.host) &&
      moved.port === (port ?? from?.port ?? moved.port) &&
      moved.protocol === (protocol ?? from?.protocol ?? moved.protocol);
    if (!isMeant) throw movedError(moved.id);
    if (from === null || !isSame(from, moved)) yield* this.#credentials.rebind(moved.id, from, moved);
    return moved;
  }

  #findAddress(id: string): Result<M, ProxyAddress | null> {
    return this.db.first(`SELECT protocol, host, port FROM proxies WHERE id = :id`, { id }, toAddress);
  }

  #update(params: Params): Result<M, ProxyConfig> {
    return this.db.one(
      `UPDATE proxies SET
         name = coalesce(:name, name),
         host = coalesce(:host, host),
         port = coalesce(:port, port),
         protocol = coalesce(:protocol, protocol),
         status = coalesce(:status, status),
         latency = CASE WHEN :set_latency = 1 THEN :latency ELSE latency END,
         latency_ewma = CASE WHEN :set_latency = 1 THEN :latency ELSE latency_ewma END,
         failure_count = coalesce(:failure_count, failure_count),
         total_requests = coalesce(:total_requests, total_requests),
         success_rate = coalesce(:success_rate, success_rate),
         region = CASE WHEN :set_region = 1 THEN :region ELSE region END,
         geolocation_json = CASE WHEN :set_geolocation_json = 1 THEN :geolocation_json ELSE geolocation_json END,
         remote_dns = CASE WHEN coalesce(:protocol, protocol) IN ('socks4', 'socks5')
           THEN coalesce(:remote_dns, remote_dns) ELSE 1 END,
         updated_at = :now
       WHERE id = :id RETURNING *`,
      params,
      (row) => {
        if (row === undefined) throw notFound('proxy', String(params.id));
        const proxy = toProxy(row);
        if (params.remote_dns === 0 && proxy.remoteDns)
          throw invalidInput(`The proxy is not valid: remoteDns: ${ONLY_SOCKS}.`);
        return proxy;
      },
    );
  }
}

/** The parameters of an update. */
function toUpdateParams(id: string, changes: z.infer<typeof proxyUpdateSchema>, now: string): Params {
  const { name, host, port, protocol, status, latency, region, geolocation } = changes;
  const columns = {
    name,
    host,
    port,
    protocol,
    status,
    failure_count: changes.failureCount,
    total_requests: changes.totalRequests,
    success_rate: changes.successRate,
    remote_dns: changes.remoteDns,
    id,
    now,
  };
  return changesOf(columns, { latency, region, geolocation_json: geolocation });
}
