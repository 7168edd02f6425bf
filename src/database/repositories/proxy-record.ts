import { z } from 'zod';

import { ProxyVaultError } from '../../errors.ts';
import type { Params, Row } from '../drivers/driver.ts';
import { fromStored } from '../timestamps.ts';
import {
  type Geolocation,
  PROXY_PROTOCOLS,
  PROXY_STATUSES,
  type ProxyConfig,
  type ProxyProtocol,
  type ProxyStatus,
} from '../types.ts';
import { hostSchema, idSchema, parse, parseStored, text } from '../validation.ts';
import { loginSchema } from './credential-record.ts';

/** Which proxies are meant; an absent field leaves it open. */
export interface ProxyFilter {
  status?: ProxyStatus | undefined;
  protocol?: ProxyProtocol | undefined;
  region?: string | undefined;
  /** Part of the name or host, in any case of its ASCII letters. */
  search?: string | undefined;
}

export interface ProxyListing extends ProxyFilter {
  /** 1 to 10,000; 100 unless given. */
  limit?: number | undefined;
  /** The id after which the page begins. */
  after?: string | undefined;
}

export interface ProxyPage {
  items: ProxyConfig[];
  /** The `after` of the next page; null on the last. */
  next: string | null;
}

/** What an import did, by proxies. */
export interface ImportSummary {
  added: number;
  /** Known ones that got another password, name, region or geolocation. */
  updated: number;
  unchanged: number;
  /** Those that left the list of the tag and had no other; absent unless it was a sync. */
  removed?: number;
}

export interface ImportOptions {
  /**
   * A tag for each of them. `importId` tells those that this import found from those that an earlier one left;
   * `removeOthers` takes the tag from the latter, and removes those that have no other.
   */
  tag?: { name: string; importId: string; removeOthers?: boolean } | undefined;
  /** Called with the number of entries done, about every `every` of them. */
  onProgress?: ((done: number) => void) | undefined;
  every?: number | undefined;
}

const geolocationSchema: z.ZodType<Geolocation> = z.strictObject({
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'is not ISO 3166-1 alpha-2')
    .optional(),
  city: text(256).optional(),
  region: text(256).optional(),
  latitude: z.number().min(-90).max(90).optional(),
  longitude: z.number().min(-180).max(180).optional(),
  asn: z.int().min(0).max(4_294_967_295).optional(),
  timezone: text(64).optional(),
});

const fields = {
  name: text(256),
  host: hostSchema,
  port: z.int().min(1).max(65_535),
  protocol: z.enum(PROXY_PROTOCOLS),
  status: z.enum(PROXY_STATUSES),
  /** Whole milliseconds; `updateStats` takes parts of them too. */
  latency: z.int().nonnegative().nullable(),
  region: text(128).nullable(),
  geolocation: geolocationSchema.nullable(),
};

export const inputSchema = z.strictObject({
  host: fields.host,
  port: fields.port,
  protocol: fields.protocol,
  name: fields.name.optional(),
  id: idSchema.optional(),
  status: fields.status.optional(),
  latency: fields.latency.optional(),
  region: fields.region.optional(),
  geolocation: fields.geolocation.optional(),
  credentials: loginSchema.nullable().optional(),
});

export type ValidProxy = z.infer<typeof inputSchema>;

/** The times may be given back by those who update what they have read; they are ours to set. */
export const updateSchema = z
  .strictObject({
    ...fields,
    id: idSchema,
    failureCount: z.int().nonnegative(),
    totalRequests: z.int().nonnegative(),
    successRate: z.number().min(0).max(100),
    lastUsedAt: z.unknown().optional(),
    createdAt: z.unknown().optional(),
    updatedAt: z.unknown().optional(),
  })
  .partial();

export const filterSchema = z
  .strictObject({ status: fields.status, protocol: fields.protocol, region: text(128), search: text(256) })
  .partial();

/** The WHERE clause of a filter, put together from fixed pieces, so that each keeps its index. */
export function whereOf(filter: ProxyFilter): { where: string; params: Params } {
  const { status, protocol, region, search } = parse(filterSchema, filter, 'filter');
  const params: Record<string, string> = {};
  const pieces: string[] = [];
  const add = (piece: string, name: string, value: string | undefined): void => {
    if (value === undefined) return;
    pieces.push(piece);
    params[name] = value;
  };
  add('status = :status', 'status', status);
  add('protocol = :protocol', 'protocol', protocol);
  add('region = :region', 'region', region);
  const pattern = search === undefined ? undefined : `%${search.replaceAll(/[\\%_]/g, '\\$&')}%`;
  add(`(name LIKE :search ESCAPE '\\' OR host LIKE :search ESCAPE '\\')`, 'search', pattern);
  return { where: pieces.length === 0 ? '' : `WHERE ${pieces.join(' AND ')}`, params };
}

/** The parameters of an insert. */
export function toParams(input: ValidProxy, id: string, fingerprint: string | null, now: string): Params {
  const { name, host, port, protocol, status = 'active', latency = null, region = null, geolocation } = input;
  return {
    id,
    name: name ?? `${host.includes(':') ? `[${host}]` : host}:${port}`,
    host,
    port,
    protocol,
    status,
    latency,
    region,
    geolocation: geolocation ? JSON.stringify(geolocation) : null,
    fingerprint,
    now,
  };
}

/** The parameters of an update: null keeps a field, and where null is a value a flag says that it is set. */
export function toUpdateParams(id: string, changes: z.infer<typeof updateSchema>, now: string): Params {
  const { latency, region, geolocation } = changes;
  return {
    id,
    name: changes.name ?? null,
    host: changes.host ?? null,
    port: changes.port ?? null,
    protocol: changes.protocol ?? null,
    status: changes.status ?? null,
    set_latency: latency === undefined ? 0 : 1,
    latency: latency ?? null,
    failure_count: changes.failureCount ?? null,
    total_requests: changes.totalRequests ?? null,
    success_rate: changes.successRate ?? null,
    set_region: region === undefined ? 0 : 1,
    region: region ?? null,
    set_geolocation: geolocation === undefined ? 0 : 1,
    geolocation: geolocation ? JSON.stringify(geolocation) : null,
    now,
  };
}

export function toProxy(row: Row): ProxyConfig {
  return {
    id: row.id as string,
    name: row.name as string,
    host: row.host as string,
    port: row.port as number,
    protocol: row.protocol as ProxyProtocol,
    status: row.status as ProxyStatus,
    latency: row.latency as number | null,
    failureCount: row.failure_count as number,
    totalRequests: row.total_requests as number,
    successRate: row.success_rate as number,
    region: row.region as string | null,
    geolocation: row.geolocation_json === null ? null : parseGeolocation(row),
    lastUsedAt: row.last_used_at === null ? null : fromStored(row.last_used_at as string),
    createdAt: fromStored(row.created_at as string),
    updatedAt: fromStored(row.updated_at as string),
  };
}

function parseGeolocation(row: Row): Geolocation {
  return parseStored(
    geolocationSchema,
    String(row.geolocation_json),
    { table: 'proxies', id: String(row.id) },
    'geolocation_json',
  );
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
