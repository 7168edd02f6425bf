import { ProxyVaultError } from '../../errors.ts';
import { geolocationSchema } from '../../model/geolocation.ts';
import { MAX_PORT } from '../../model/host.ts';
import {
  MAX_WEIGHT,
  PROXY_PROTOCOLS,
  PROXY_STATUSES,
  type ProxyAddress,
  type ProxyConfig,
  type ProxyInput,
} from '../../model/proxy.ts';
import type { Row } from '../drivers/driver.ts';
import { fromStored } from '../timestamps.ts';
import { FLAG, HOST, ID, json, nullable, number, oneOf, Table, TEXT, TIME, whole } from './columns.ts';

/** An address and the user there: '' for none, else a keyed fingerprint. In a row, NULL means that it is not known yet. */
export interface ProxyUser extends ProxyAddress {
  username_fingerprint: string;
}

/**
 * What tells a proxy from all others. The password is '' or a keyed fingerprint too; in a row, NULL means that nobody needed
 * it yet: it is computed once there is another proxy with the username.
 */
export interface ProxyIdentity extends ProxyUser {
  password_fingerprint: string;
}

/** The login in an identity. */
export type LoginFingerprints = Pick<ProxyIdentity, 'username_fingerprint' | 'password_fingerprint'>;

/**
 * What the next change of a proxy is numbered, as an expression of SQL. It relies on one writer: an engine with several needs a
 * sequence in its place.
 */
export const NEXT_REVISION = `(
  SELECT 1 + coalesce(max(revision), 0) FROM (
    SELECT max(revision) AS revision FROM proxies WHERE revision IS NOT NULL
    UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest)`;

/** The name of a proxy that was given none. */
export function defaultName({ host, port }: Pick<ProxyInput, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

type Identity = ProxyUser & { password_fingerprint: string | null };

/** The parameters of an insert. */
export type NewProxy = ReturnType<typeof toParams>;

export function toParams(input: ProxyInput, id: string, identity: Identity, now: string) {
  const { name, host, port, protocol, status = 'active', latency = null, region = null, geolocation } = input;
  const { remoteDns = true, weight = 1, gateway = false } = input;
  return {
    id,
    name: name ?? defaultName(input),
    host,
    port,
    protocol,
    status,
    latency,
    region,
    geolocation: geolocation ? JSON.stringify(geolocation) : null,
    remote_dns: remoteDns ? 1 : 0,
    weight,
    gateway: gateway ? 1 : 0,
    username_fingerprint: identity.username_fingerprint,
    password_fingerprint: identity.password_fingerprint,
    now,
  };
}

/** The proxy that an insert has stored. */
export function toCreated(params: NewProxy): ProxyConfig {
  const { id, name, host, port, protocol, status, latency, region, geolocation, weight, now } = params;
  const time = fromStored(now);
  return {
    id,
    name,
    host,
    port,
    protocol,
    status,
    latency,
    failureCount: 0,
    totalRequests: 0,
    successRate: 100,
    region,
    geolocation: geolocation === null ? null : JSON.parse(geolocation),
    lastUsedAt: null,
    remoteDns: params.remote_dns === 1,
    weight,
    gateway: params.gateway === 1,
    createdAt: time,
    updatedAt: time,
  };
}

export const PROXIES = new Table('proxies', ['id'], {
  id: ID,
  name: TEXT,
  host: HOST,
  port: whole(1, MAX_PORT),
  protocol: oneOf(PROXY_PROTOCOLS),
  status: oneOf(PROXY_STATUSES),
  latency: nullable(whole()),
  failure_count: whole(),
  total_requests: whole(),
  success_rate: number(0, 100),
  region: nullable(TEXT),
  geolocation_json: nullable(json(geolocationSchema)),
  created_at: TIME,
  updated_at: TIME,
  username_fingerprint: nullable(TEXT),
  password_fingerprint: nullable(TEXT),
  latency_ewma: nullable(number(0, Number.MAX_VALUE)),
  last_used_at: nullable(TIME),
  weight: number(Number.MIN_VALUE, MAX_WEIGHT),
  hand_outs: nullable(whole()),
  revision: nullable(whole(1)),
  remote_dns: FLAG,
  gateway: FLAG,
});

/** @throws INVALID_ROW for a row that holds no valid proxy. */
export function toProxy(row: Row): ProxyConfig {
  const { read } = PROXIES;
  return {
    id: read.id(row.id, row),
    name: read.name(row.name, row),
    host: read.host(row.host, row),
    port: read.port(row.port, row),
    protocol: read.protocol(row.protocol, row),
    status: read.status(row.status, row),
    latency: read.latency(row.latency, row),
    failureCount: read.failure_count(row.failure_count, row),
    totalRequests: read.total_requests(row.total_requests, row),
    successRate: read.success_rate(row.success_rate, row),
    region: read.region(row.region, row),
    geolocation:
      row.geolocation_json === null ? null : PROXIES.json(row, 'geolocation_json', geolocationSchema),
    lastUsedAt: fromStored(read.last_used_at(row.last_used_at, row)),
    remoteDns: read.remote_dns(row.remote_dns, row) === 1,
    weight: read.weight(row.weight, row),
    gateway: read.gateway(row.gateway, row) === 1,
    createdAt: fromStored(read.created_at(row.created_at, row)),
    updatedAt: fromStored(read.updated_at(row.updated_at, row)),
  };
}

/** CONFLICT, naming the proxy that has the id or identity. */
export function alreadyThere(existingId: unknown): ProxyVaultError {
  const id = String(existingId);
  return new ProxyVaultError(
    'CONFLICT',
    `There is such a proxy already, with the id ${id}: update it instead.`,
    { details: { existingId: id } },
  );
}
