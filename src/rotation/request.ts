import { z } from 'zod';

import { countrySchema } from '../model/country.ts';
import { parseDomain } from '../model/domain.ts';
import { sessionSchema } from '../model/field-schemas.ts';
import { PROXY_PROTOCOLS, type ProxyProtocol, regionSchema, tagSchema } from '../model/proxy.ts';
import { ROTATION_STRATEGIES, type RotationStrategy } from '../model/rotation.ts';
import {
  assertBoolean,
  assertId,
  assertIterable,
  assertOptions,
  assertSignal,
  assertWhole,
  invalidInput,
  parse,
} from '../model/validation.ts';
import { remembered } from './remembered.ts';

/** What a proxy is wanted for, and which one will do. */
export interface PoolRequest {
  /** The target; rules look at it, and its host is the domain unless `domain` is given. */
  url?: string | undefined;
  /** The host that will be asked, also as `host:port` or a URL. */
  domain?: string | undefined;
  /** A name of 1 to 256 characters. What has the same name keeps its proxy, under every strategy. */
  session?: string | undefined;
  /** How long a new session keeps its proxy after its last use, in milliseconds. Default `stickyTtlMs` of the configuration. */
  sessionTtlMs?: number | undefined;
  /** Only proxies of this country: ISO 3166-1 alpha-2, in any case. */
  country?: string | undefined;
  region?: string | undefined;
  protocol?: ProxyProtocol | undefined;
  /** Only proxies that have each of these. */
  tags?: readonly string[] | undefined;
  /**
   * Ids of proxies that are not to be handed out now, such as one that has just failed. Unknown ones change nothing. Give a Set if
   * there are many, and the same one again, to which you may add: other lists are read each time.
   */
  exclude?: Iterable<string> | undefined;
  /** In place of the configured one, and of one that a rule names. */
  strategy?: RotationStrategy | undefined;
}

/** A request for a lease. */
export interface LeaseRequest extends PoolRequest {
  /** How long the lease lasts unless it is reported or renewed, in milliseconds. Default `limits.leaseMs` of the configuration. */
  leaseMs?: number | undefined;
  /**
   * Keep the lease in the database until it is reported, so that another process may report it by its id. Default false: it is kept in
   * memory, which takes no write. Limits count it in this process only.
   */
  stored?: boolean | undefined;
}

/** A request that may wait for its lease. */
export interface AcquireRequest extends LeaseRequest {
  /** How long to wait for a proxy, in milliseconds; 0 does not wait. Default `limits.waitMs` of the configuration. */
  waitMs?: number | undefined;
  /** Ends the wait: `acquire` then rejects with the reason of the signal. */
  signal?: AbortSignal | undefined;
}

/** A request for a lease that is valid. */
export interface WantedLease {
  readonly wanted: Wanted;
  /** Undefined: as the configuration says. */
  readonly leaseMs: number | undefined;
  readonly isStored: boolean;
}

/** A request that may wait, checked. */
export interface WaitingRequest {
  readonly lease: WantedLease;
  readonly waitMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A request that is valid, in the forms in which the pool has these things. */
export interface Wanted {
  url: string | undefined;
  domain: string | undefined;
  session: string | undefined;
  sessionTtlMs: number | undefined;
  country: string | undefined;
  region: string | undefined;
  protocol: ProxyProtocol | undefined;
  tags: readonly string[] | undefined;
  exclude: ReadonlySet<string> | readonly string[];
  strategy: RotationStrategy | undefined;
}

const FIELDS = [
  'url',
  'domain',
  'session',
  'sessionTtlMs',
  'country',
  'region',
  'protocol',
  'tags',
  'exclude',
  'strategy',
] as const;
const KNOWN: ReadonlySet<string> = new Set(FIELDS);
const ITERABLES: ReadonlySet<string> = new Set(['tags', 'exclude']);
const TEXTS: ReadonlySet<string> = new Set(
  FIELDS.filter((name) => !ITERABLES.has(name) && name !== 'sessionTtlMs'),
);
const NO_FIELDS: ReadonlySet<string> = new Set();
const LEASE_FIELDS: ReadonlySet<string> = new Set(['leaseMs', 'stored']);
const ACQUIRE_FIELDS: ReadonlySet<string> = new Set([...LEASE_FIELDS, 'waitMs', 'signal']);
/** Ten years, in milliseconds. */
export const LONGEST_LEASE = 10 * 365 * 86_400_000;
const WHAT = 'fields of a request';
const NOTHING: readonly string[] = [];
/** A request that asks for nothing. */
export const ANY: Wanted = {
  url: undefined,
  domain: undefined,
  session: undefined,
  sessionTtlMs: undefined,
  country: undefined,
  region: undefined,
  protocol: undefined,
  tags: undefined,
  exclude: NOTHING,
  strategy: undefined,
};
const ANY_LEASE: WantedLease = { wanted: ANY, leaseMs: undefined, isStored: false };
const ANY_WAITING: WaitingRequest = { lease: ANY_LEASE, waitMs: undefined, signal: undefined };

/** The request for a lease that a caller has given, checked. @throws INVALID_INPUT. */
export function leaseRequestOf(request: LeaseRequest | undefined): WantedLease {
  return wantedLease(request, LEASE_FIELDS);
}

/** The request for a lease that may wait, checked. @throws INVALID_INPUT. */
export function acquireRequestOf(request: AcquireRequest | undefined): WaitingRequest {
  if (request === undefined) return ANY_WAITING;
  const lease = wantedLease(request, ACQUIRE_FIELDS);
  const { waitMs, signal } = request;
  if (waitMs !== undefined) assertWhole(waitMs, 'waitMs', 0, 2 ** 31 - 1);
  if (signal !== undefined) assertSignal(signal);
  return { lease, waitMs, signal };
}

function wantedLease(request: LeaseRequest | undefined, besides: ReadonlySet<string>): WantedLease {
  const wanted = wantedBy(request, besides);
  if (request === undefined) return ANY_LEASE;
  const { leaseMs, stored = false } = request;
  if (leaseMs !== undefined) assertWhole(leaseMs, 'leaseMs', 1, LONGEST_LEASE);
  return { wanted, leaseMs, isStored: assertBoolean(stored, 'stored') };
}

/**
 * The request that a caller has given, checked.
 *
 * @param besides fields that are checked elsewhere.
 * @throws INVALID_INPUT.
 */
export function wantedBy(request: PoolRequest | undefined, besides: ReadonlySet<string> = NO_FIELDS): Wanted {
  if (request === undefined) return ANY;
  assertFields(request, besides);
  const { url, domain, session, sessionTtlMs, country, region, protocol, tags, exclude, strategy } = request;
  return {
    url,
    domain: domain === undefined ? given(url, domainOfUrl) : domainOf(domain),
    session: given(session, sessionOf),
    sessionTtlMs:
      sessionTtlMs === undefined ? undefined : assertWhole(sessionTtlMs, 'sessionTtlMs', 1, LONGEST_LEASE),
    country: given(country, countryOf),
    region: given(region, regionOf),
    protocol: protocol === undefined ? undefined : oneOf(PROXY_PROTOCOLS, protocol, 'protocol'),
    tags: tags === undefined ? undefined : tagsOf(tags),
    exclude: exclude === undefined ? NOTHING : idsOf(exclude),
    strategy: strategy === undefined ? undefined : oneOf(ROTATION_STRATEGIES, strategy, 'strategy'),
  };
}

/** An empty text, such as that of an unset variable, is no way to leave a field out. */
function given(value: string | undefined, check: (text: string) => string): string | undefined {
  return value === undefined ? undefined : check(value);
}

/** As `assertOptions`, in less time. An empty text is no value that could be left out. */
function assertFields(request: PoolRequest, besides: ReadonlySet<string>): void {
  if (typeof request !== 'object' || request === null || Array.isArray(request))
    assertOptions(request, FIELDS, WHAT);
  for (const name in request) {
    if (besides.has(name) || name === 'sessionTtlMs') continue;
    if (!KNOWN.has(name)) assertOptions(request, [...FIELDS, ...besides] as (typeof FIELDS)[number][], WHAT);
    const value: unknown = request[name as keyof PoolRequest];
    if (value === undefined || (typeof value === 'string') === TEXTS.has(name)) continue;
    throw invalidInput(
      TEXTS.has(name) ? `${name} must be a text.` : `${name} must be an array or another iterable.`,
    );
  }
}

const domainOf = remembered((text) => parseDomain(text, { wildcards: false }).pattern);
const sessionOf = remembered(
  (session) => parse(z.object({ session: sessionSchema }), { session }, 'request').session,
);
const countryOf = remembered(
  (country) => parse(z.object({ country: countrySchema }), { country }, 'request').country,
);
const regionOf = remembered(
  (region) => parse(z.object({ region: regionSchema }), { region }, 'request').region,
);
const tagOf = remembered((tag) => parse(z.object({ tag: tagSchema }), { tag }, 'request').tag);

/** Most URLs begin so, and have a name that is written as it is stored, but for its case. */
const PLAIN_URL = /^https?:\/\/([a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]+)(?::\d{1,5})?(?:[/?#]|$)/i;

/** @throws INVALID_INPUT unless it is an absolute URL with a host. */
function domainOfUrl(url: string): string {
  const [, plain] = PLAIN_URL.exec(url) ?? [];
  if (plain !== undefined) return domainOf(plain);
  const host = URL.parse(url)?.hostname ?? '';
  if (host !== '') return domainOf(host);
  throw invalidInput('url must be an absolute URL with a host.');
}

function tagsOf(tags: readonly string[]): readonly string[] | undefined {
  if (!Array.isArray(tags)) throw invalidInput('tags must be an array of texts.');
  for (const tag of tags) tagOf(assertId(tag, 'a tag'));
  // A view keeps them, and the caller may change the array.
  return tags.length === 0 ? undefined : [...tags];
}

function idsOf(exclude: Iterable<string>): ReadonlySet<string> | readonly string[] {
  if (exclude instanceof Set) return exclude;
  return Array.from(assertIterable(exclude, 'excluded ids'), (id) => assertId(id, 'an excluded id'));
}

function oneOf<T extends string>(allowed: readonly T[], value: T, name: string): T {
  if (allowed.includes(value)) return value;
  throw invalidInput(`${name} must be one of ${allowed.join(', ')}.`);
}
