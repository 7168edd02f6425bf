import type { z } from 'zod';

import { ONLY_SOCKS, type ProxyConfig, type proxyUpdateSchema } from '../../model/proxy.ts';
import { invalidInput, notFound } from '../../model/validation.ts';
import { type Driver, type Mode, type Params, type Result, type Steps, step } from '../drivers/driver.ts';
import { isSame, movedError, toAddress } from './credential-record.ts';
import type { EncryptedCredentialsRepository } from './encrypted-credentials.repository.ts';
import type { ProxyIdentities } from './proxy-identities.ts';
import { NEXT_REVISION, toProxy } from './proxy-record.ts';
import type { ProxyTagsRepository } from './proxy-tags.repository.ts';
import { changesOf } from './repository.ts';

/** What the pool stores of a proxy besides its row. */
export interface ProxyParts<M extends Mode> {
  credentials: EncryptedCredentialsRepository<M>;
  identities: ProxyIdentities<M>;
  tags: ProxyTagsRepository<M>;
}

/**
 * The steps of an update of the address. With it, the identity of the proxy changes too, and its login is bound to the new one.
 */
export function* moveProxy<M extends Mode>(
  db: Driver<M>,
  { credentials, identities }: ProxyParts<M>,
  id: string,
  params: Params,
): Steps<M, ProxyConfig> {
  const { host, port, protocol } = params;
  const from = yield* step(
    db.first(`SELECT protocol, host, port FROM proxies WHERE id = :id`, { id }, toAddress),
  );
  const to = toAddress({
    host: host ?? from?.host ?? null,
    port: port ?? from?.port ?? null,
    protocol: protocol ?? from?.protocol ?? null,
  });
  if (to) yield* identities.assertFreeAt(to, id);
  const moved = yield* step(updateProxy(db, params));
  // The login goes where the caller says, from where it was: never to what somebody has made the statements read.
  const isMeant =
    moved.host === (host ?? from?.host ?? moved.host) &&
    moved.port === (port ?? from?.port ?? moved.port) &&
    moved.protocol === (protocol ?? from?.protocol ?? moved.protocol);
  if (!isMeant) throw movedError(moved.id);
  if (from === null || !isSame(from, moved)) yield* credentials.rebind(moved.id, from, moved);
  return moved;
}

/** Sets the columns that are given. @throws NOT_FOUND; INVALID_INPUT for local resolution of an HTTP or HTTPS proxy. */
export function updateProxy<M extends Mode>(db: Driver<M>, params: Params): Result<M, ProxyConfig> {
  return db.one(
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
       weight = coalesce(:weight, weight),
       gateway = coalesce(:gateway, gateway),
       revision = ${NEXT_REVISION},
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

export function toUpdateParams(id: string, changes: z.infer<typeof proxyUpdateSchema>, now: string): Params {
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
    weight: changes.weight,
    gateway: changes.gateway,
    id,
    now,
  };
  return changesOf(columns, { latency, region, geolocation_json: geolocation });
}
