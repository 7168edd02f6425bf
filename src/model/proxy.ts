import { z } from 'zod';

import { countrySchema } from './country.ts';
import { type Changes, idSchema, readOnly, text, updateOf } from './field-schemas.ts';
import { type Geolocation, geolocationSchema } from './geolocation.ts';
import { hostSchema, MAX_PORT } from './host.ts';
import { type Login, loginSchema } from './login.ts';

export const PROXY_PROTOCOLS = ['http', 'https', 'socks4', 'socks5'] as const;
export type ProxyProtocol = (typeof PROXY_PROTOCOLS)[number];
export const protocolSchema = z.enum(PROXY_PROTOCOLS);

export const PROXY_STATUSES = ['active', 'failed', 'checking', 'disabled'] as const;
export type ProxyStatus = (typeof PROXY_STATUSES)[number];

export const MAX_NAME = 256;
export const MAX_REGION = 128;
export const MAX_WEIGHT = 1e9;

/** The list that a proxy belongs to. */
export const tagSchema = text(128);

/** The label by which a user divides a pool. Its geolocation says where a proxy's exit is. */
export const regionSchema = text(MAX_REGION);

const proxySchema = z.strictObject({
  name: text(MAX_NAME),
  host: hostSchema,
  port: z.int().min(1).max(MAX_PORT),
  protocol: protocolSchema,
  status: z.enum(PROXY_STATUSES),
  // Whole milliseconds; `updateStats` takes parts of them too.
  latency: z.int().nonnegative().nullable(),
  region: regionSchema.nullable(),
  geolocation: geolocationSchema.nullable(),
  remoteDns: z.boolean(),
  weight: z.number().positive().max(MAX_WEIGHT),
  gateway: z.boolean(),
  id: idSchema,
  failureCount: z.int().nonnegative(),
  totalRequests: z.int().nonnegative(),
  successRate: z.number().min(0).max(100),
  lastUsedAt: readOnly<string | null>(),
  createdAt: readOnly<string>(),
  updatedAt: readOnly<string>(),
});

type Valid = z.output<typeof proxySchema>;

/** Where a proxy is, and so where its login is sent. */
export interface ProxyAddress extends Pick<Valid, 'protocol' | 'host' | 'port'> {
  /** IPv4, IPv6 without brackets (RFC 5952), or an ASCII DNS name in lower case. */
  host: Valid['host'];
}

/** A proxy as it is stored in the pool. Its credentials are elsewhere, encrypted. Times are ISO 8601 UTC with milliseconds. */
export interface ProxyConfig extends ProxyAddress, Valid {
  /** Exponentially weighted mean in milliseconds; null until measured. */
  latency: Valid['latency'];
  /** Consecutive failures; a success resets it. */
  failureCount: Valid['failureCount'];
  /** Lifetime successes in percent of requests; 100 before the first. */
  successRate: Valid['successRate'];
  geolocation: Geolocation | null;
  /** When it was last handed out; null before the first time. */
  lastUsedAt: Valid['lastUsedAt'];
  /**
   * Whether the proxy resolves the names of targets (`socks5h`, `socks4a`). False only for a SOCKS proxy whose user has asked
   * for local resolution; true for every HTTP and HTTPS proxy.
   */
  remoteDns: Valid['remoteDns'];
  /** How often the strategy `weighted` chooses it, compared with the others. */
  weight: Valid['weight'];
  /** One host with many exits, as a provider's rotating gateway: failures put a session out, and not the proxy. */
  gateway: Valid['gateway'];
}

/** An HTTP or HTTPS proxy gets the names of its targets, so no client resolves them. */
export const ONLY_SOCKS =
  'false is for socks4 and socks5 alone: http and https proxies always resolve the names of targets';

/** What a new proxy may leave out. */
const optional = {
  name: true,
  id: true,
  status: true,
  latency: true,
  region: true,
  geolocation: true,
  remoteDns: true,
  weight: true,
  gateway: true,
} as const;

export const proxyInputSchema = proxySchema
  .pick({ host: true, port: true, protocol: true, ...optional })
  .partial(optional)
  .extend({ credentials: loginSchema.nullable().optional() })
  .refine(({ remoteDns, protocol }) => remoteDns !== false || protocol.startsWith('socks'), {
    path: ['remoteDns'],
    message: ONLY_SOCKS,
  });

type ValidInput = z.output<typeof proxyInputSchema>;

/** A new proxy. `id` is a new UUIDv7 unless given; `name` is `host:port` unless given. */
export interface ProxyInput extends ValidInput {
  geolocation?: Geolocation | null | undefined;
  /** False: the client resolves the names of targets, in the open. Only for SOCKS. Default true. */
  remoteDns?: ValidInput['remoteDns'];
  /** How often the strategy `weighted` chooses it, compared with the others. Default 1. */
  weight?: ValidInput['weight'];
  /** One host with many exits: failures put a session out, and not the proxy. Default false. */
  gateway?: ValidInput['gateway'];
  /** Stored encrypted, in the same transaction; needs an EncryptionService. Sets the proxy's identity. */
  credentials?: Login | null | undefined;
}

/** The fields that an update changes; `null` empties those that may be empty. */
export interface ProxyUpdate extends Changes<ProxyConfig, 'id' | 'lastUsedAt' | 'createdAt' | 'updatedAt'> {}

export const proxyUpdateSchema = updateOf(proxySchema, ['lastUsedAt', 'createdAt', 'updatedAt']);

/**
 * What a proxy may do now. `ready`: be handed out, though perhaps not for each domain. `cooling`: it is out for a time, for everything or for
 * one domain or session. `probing`: that time is over, and one request may try.
 */
export const PROXY_STATES = ['ready', 'cooling', 'probing'] as const;
export type ProxyState = (typeof PROXY_STATES)[number];

export const proxyFilterSchema = proxySchema
  .pick({ status: true, protocol: true })
  .extend({
    region: regionSchema,
    search: text(256),
    tag: tagSchema,
    country: countrySchema,
    state: z.enum(PROXY_STATES),
  })
  .partial();

type ValidFilter = z.output<typeof proxyFilterSchema>;

/** Which proxies are meant; an absent field leaves it open. */
export interface ProxyFilter extends ValidFilter {
  /** Part of the name or host, in any case of its ASCII letters. */
  search?: ValidFilter['search'];
  /** Exactly this tag, among any number of others. */
  tag?: ValidFilter['tag'];
  /** Two letters of ISO 3166-1 in any case: the country of the geolocation. */
  country?: ValidFilter['country'];
  /** By its status and its cooldowns, as the database has them now. A proxy that cools for one domain is `ready` too. */
  state?: ValidFilter['state'];
}

/** What a list of proxies may be sorted by. */
export const PROXY_SORT_FIELDS = [
  'id',
  'name',
  'host',
  'latency',
  'successRate',
  'totalRequests',
  'lastUsedAt',
  'createdAt',
] as const;
export type ProxySortField = (typeof PROXY_SORT_FIELDS)[number];

/** A field, with a `-` before it to begin with the highest. */
export type ProxySort = ProxySortField | `-${ProxySortField}`;
