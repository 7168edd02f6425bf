/** The records that the repositories give and take. All timestamps are ISO 8601 UTC with milliseconds. */

export const PROXY_PROTOCOLS = ['http', 'https', 'socks4', 'socks5'] as const;
export type ProxyProtocol = (typeof PROXY_PROTOCOLS)[number];

export const PROXY_STATUSES = ['active', 'failed', 'checking', 'disabled'] as const;
export type ProxyStatus = (typeof PROXY_STATUSES)[number];

/** Where a proxy's exit is, as its provider or a lookup said. Coordinates are WGS 84 degrees. */
export interface Geolocation {
  /** ISO 3166-1 alpha-2, upper case. */
  country?: string | undefined;
  city?: string | undefined;
  region?: string | undefined;
  latitude?: number | undefined;
  longitude?: number | undefined;
  /** 0, which is reserved (RFC 7607), means that it is not known. */
  asn?: number | undefined;
  timezone?: string | undefined;
}

/** What is secret of a proxy: what logs a user in, and its change-IP URL. Any part may be empty or absent, not all. */
export interface Login {
  username: string;
  password: string;
  /** An http or https URL that gives the proxy a new exit address when it is requested; at most 2048 characters. */
  rotateUrl?: string | undefined;
}

/** Where a proxy is, and so where its login is sent. */
export interface ProxyAddress {
  protocol: ProxyProtocol;
  /** IPv4, IPv6 without brackets (RFC 5952), or an ASCII DNS name in lower case. */
  host: string;
  port: number;
}

/** A proxy as it is stored in the pool. Its credentials are elsewhere, encrypted. */
export interface ProxyConfig extends ProxyAddress {
  id: string;
  name: string;
  status: ProxyStatus;
  /** Exponentially weighted mean in milliseconds; null until measured. */
  latency: number | null;
  /** Consecutive failures; a success resets it. */
  failureCount: number;
  totalRequests: number;
  /** Lifetime successes in percent of requests; 100 before the first. */
  successRate: number;
  region: string | null;
  geolocation: Geolocation | null;
  /** When it was last handed out; null before the first time. */
  lastUsedAt: string | null;
  /**
   * Whether the proxy resolves the names of targets (`socks5h`, `socks4a`). False only for a SOCKS proxy whose user has asked
   * for local resolution; true for every HTTP and HTTPS proxy.
   */
  remoteDns: boolean;
  createdAt: string;
  updatedAt: string;
}

/** A new proxy. `id` is a new UUIDv7 unless given; `name` is `host:port` unless given. */
export interface ProxyInput {
  host: string;
  port: number;
  protocol: ProxyProtocol;
  name?: string | undefined;
  id?: string | undefined;
  status?: ProxyStatus | undefined;
  latency?: number | null | undefined;
  region?: string | null | undefined;
  geolocation?: Geolocation | null | undefined;
  /** False: the client resolves the names of targets, in the open. Only for SOCKS. Default true. */
  remoteDns?: boolean | undefined;
  /** Stored encrypted, in the same transaction; needs an EncryptionService. Sets the proxy's identity. */
  credentials?: Login | null | undefined;
}

export const ROTATION_STRATEGIES = [
  'round-robin',
  'random',
  'least-used',
  'fastest',
  'failure-aware',
  'weighted',
  'geographic',
  'sticky-session',
  'time-based',
  'custom',
] as const;
export type RotationStrategy = (typeof ROTATION_STRATEGIES)[number];

/** Options of the strategies, each under its own name; kept in `config_json`. */
export interface StrategyOptions {
  /** `weighted`: relative weight by proxy id; a proxy without one weighs 1. */
  weights?: Record<string, number> | undefined;
  /** `geographic`: region or country codes, most wanted first. */
  regions?: string[] | undefined;
  /** `sticky-session`: the time to live of a new mapping in milliseconds. */
  stickyTtlMs?: number | undefined;
  /** `sticky-session`: map every domain asked for to the proxy it first got. */
  stickyByDefault?: boolean | undefined;
  /** `time-based`: which strategy or region holds in which hours (UTC, `from` inclusive, `to` exclusive). */
  schedule?:
    | { from: number; to: number; strategy?: RotationStrategy | undefined; region?: string | undefined }[]
    | undefined;
  /** `custom`: the name under which the program registered its strategy. */
  custom?: string | undefined;
}

/** The one rotation configuration of a database. */
export interface RotationConfig {
  strategy: RotationStrategy;
  intervalMs: number | null;
  maxRequestsPerProxy: number | null;
  /** Consecutive failures after which a proxy's status becomes `failed`; null for never. */
  failureThreshold: number | null;
  options: StrategyOptions;
  /** Null while the defaults hold, that is before the first update. */
  updatedAt: string | null;
}

/** Which proxy a domain sticks to. */
export interface DomainProxyMapping {
  /** An ASCII DNS name or IP address, or `*.` and a name for every depth below it; given as a URL, its host is taken. */
  domain: string;
  proxyId: string;
  /** Milliseconds from the last use; null or absent for no end. */
  ttl?: number | null | undefined;
  /** Follows from `domain`; given on reading. */
  isWildcard?: boolean | undefined;
  requestCount?: number | undefined;
  createdAt?: string | undefined;
  lastUsed?: string | undefined;
}

export const ROTATION_REASONS = ['scheduled', 'failure', 'manual', 'startup'] as const;
export type RotationReason = (typeof ROTATION_REASONS)[number];

/** One change from a proxy to another. Proxies of the history may be deleted since. */
export interface RotationEvent {
  id: number;
  timestamp: string;
  previousProxyId: string | null;
  newProxyId: string | null;
  reason: RotationReason;
}

/** `failureCount`, `latency` and `successRate` are those of the proxy that was handed out last. */
export const RULE_FIELDS = [
  'domain',
  'url',
  'protocol',
  'region',
  'hour',
  'weekday',
  'failureCount',
  'latency',
  'successRate',
] as const;
export type RuleField = (typeof RULE_FIELDS)[number];

export const RULE_OPERATORS = [
  'equals',
  'not-equals',
  'contains',
  'starts-with',
  'ends-with',
  'in',
  'not-in',
  'greater-than',
  'less-than',
  'between',
] as const;
export type RuleOperator = (typeof RULE_OPERATORS)[number];

/** `in` and `not-in` take an array, `between` a pair (both ends included), the others one value. */
export interface RuleCondition {
  field: RuleField;
  operator: RuleOperator;
  value: string | number | readonly (string | number)[];
}

export type RuleAction =
  | { type: 'use-proxy'; proxyId: string }
  | { type: 'use-region'; region: string }
  | { type: 'use-protocol'; protocol: ProxyProtocol }
  | { type: 'use-strategy'; strategy: RotationStrategy }
  | { type: 'block' };

export type ConditionLogic = 'AND' | 'OR';

/** When its conditions hold, its actions are taken. Higher `priority` is tried first. */
export interface RotationRule {
  id: string;
  name: string;
  priority: number;
  conditions: RuleCondition[];
  conditionLogic: ConditionLogic;
  actions: RuleAction[];
  /** No rule of lower priority is looked at once this one has matched. */
  stopOnMatch: boolean;
  enabled: boolean;
  createdAt: string;
}

/** One day (UTC) of one proxy. */
export interface ProxyUsage {
  proxyId: string;
  /** `YYYY-MM-DD`, UTC. */
  date: string;
  requestCount: number;
  successCount: number;
  failureCount: number;
  totalLatencyMs: number;
  /** How many of the requests came with a latency, so that a mean can be taken. */
  latencyCount: number;
}
