import { z } from 'zod';

import { FAILURE_KINDS } from './outcomes.ts';

const count = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const milliseconds = z
  .int()
  .min(1)
  .max(10 * 365 * 86_400_000);

/** A status such as 429, or a class of them such as 5xx. */
const statusPattern = z
  .string()
  .regex(/^[1-9](?:\d\d|xx)$/, 'must be a status such as 429, or a class such as 5xx');

export const limitsSchema = z.strictObject({
  maxConcurrentPerProxy: z.int().min(1).max(65_535).optional(),
  minIntervalMs: milliseconds.optional(),
  minDomainIntervalMs: milliseconds.optional(),
  restMs: milliseconds.optional(),
  maxLeases: count.optional(),
  leaseMs: milliseconds.optional(),
  waitMs: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional(),
  maxWaiting: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional(),
});

export const healthSchema = z.strictObject({
  failures: z.int().min(1).max(1000).optional(),
  cooldownMs: milliseconds.optional(),
  maxCooldownMs: milliseconds.optional(),
  jitter: z.number().min(0).max(1).optional(),
  blockedMs: milliseconds.optional(),
  maxRetryAfterMs: milliseconds.optional(),
  domainProxies: z.int().min(2).max(10_000).optional(),
  domainWindowMs: milliseconds.optional(),
  overridePercent: z.number().min(0).max(100).optional(),
  outliers: z.boolean().optional(),
  outlierIntervalMs: milliseconds.optional(),
  outlierDeviations: z.number().min(0.1).max(10).optional(),
  outlierHosts: z.int().min(2).max(1_000_000).optional(),
  outlierRequests: z.int().min(1).max(65_535).optional(),
  outlierPercent: z.number().min(0).max(100).optional(),
  statuses: z.record(statusPattern, z.enum([...FAILURE_KINDS, 'ok'])).optional(),
});

export const historySchema = z.strictObject({
  events: z.enum(['changes', 'all']).optional(),
  eventDays: z.int().min(1).max(36_500).optional(),
  usageDays: z.int().min(1).max(36_500).optional(),
});

export const durabilitySchema = z.strictObject({
  outcomes: z.enum(['batched', 'every']).optional(),
  lossMs: z.int().min(1).max(60_000).optional(),
  lossOutcomes: z.int().min(1).max(1_000_000).optional(),
});

type ValidLimits = z.output<typeof limitsSchema>;
type ValidHealth = z.output<typeof healthSchema>;
type ValidHistory = z.output<typeof historySchema>;
type ValidDurability = z.output<typeof durabilitySchema>;

/** How much one proxy may do, and how many leases there may be. Times are milliseconds. */
export interface LimitOptions extends ValidLimits {
  /** So many leases of one proxy at a time. Default: no limit, since most providers have one of their own. */
  maxConcurrentPerProxy?: ValidLimits['maxConcurrentPerProxy'];
  /** The least time between two hand-outs of one proxy. Default: no limit. */
  minIntervalMs?: ValidLimits['minIntervalMs'];
  /** The least time between two hand-outs of one proxy for one domain. Default: no limit. */
  minDomainIntervalMs?: ValidLimits['minDomainIntervalMs'];
  /** How long a proxy rests after `maxRequestsPerProxy` hand-outs. Default 600,000 (10 minutes), as rotating providers keep an address. */
  restMs?: ValidLimits['restMs'];
  /** So many leases of this process at a time. Default: no limit. */
  maxLeases?: ValidLimits['maxLeases'];
  /** How long a lease lasts that is not reported. Default 60,000: longer than most requests, and short enough for a crashed worker. */
  leaseMs?: ValidLimits['leaseMs'];
  /** How long `acquire` waits for a proxy, unless it is told. Default 30,000, as pools of database connections do. */
  waitMs?: ValidLimits['waitMs'];
  /** So many calls of `acquire` wait at a time; the next is NO_PROXY at once. Default 10,000, about 10 MB. */
  maxWaiting?: ValidLimits['maxWaiting'];
}

/** When a proxy goes out, and for how long. Times are milliseconds. */
export interface HealthOptions extends ValidHealth {
  /**
   * So many failures in a row put a proxy, or a proxy for one domain, out. `failureThreshold` of the configuration wins over it, and shows
   * in the status too. Default 3: one may be chance. A proxy that is unproven, or has just come back, goes out after 1 that is its own fault.
   */
  failures?: ValidHealth['failures'];
  /** The first time out. It doubles with each time in a row. Default 30,000 (Envoy, base_ejection_time). */
  cooldownMs?: ValidHealth['cooldownMs'];
  /** No time out is longer, without its jitter. Default 300,000 (Envoy, max_ejection_time). */
  maxCooldownMs?: ValidHealth['maxCooldownMs'];
  /** Up to this share of a time out is added at random, so that not all come back at once. Default 0.1. */
  jitter?: ValidHealth['jitter'];
  /** How long `blocked` puts a proxy out for the domain without `retryAfterMs`. Default 60,000. */
  blockedMs?: ValidHealth['blockedMs'];
  /** No `retryAfterMs` is obeyed for longer. Default 86,400,000 (a day): a typing error of a target must not cost a proxy for good. */
  maxRetryAfterMs?: ValidHealth['maxRetryAfterMs'];
  /** So many different proxies that fail on one domain, and at least half of its requests failing: the domain fails, not they. Default 5. */
  domainProxies?: ValidHealth['domainProxies'];
  /** In this time. Default 10,000 (Envoy, interval). */
  domainWindowMs?: ValidHealth['domainWindowMs'];
  /** If at least this share of the active proxies cools and nothing else fits, those that come back first are used. Default 50 (Envoy, panic threshold). */
  overridePercent?: ValidHealth['overridePercent'];
  /** Whether proxies whose success rate is far below the mean go out. Default true. */
  outliers?: ValidHealth['outliers'];
  /** How often success rates are compared. Default 10,000 (Envoy, interval). */
  outlierIntervalMs?: ValidHealth['outlierIntervalMs'];
  /** So many standard deviations below the mean. Default 1.9 (Envoy, success_rate_stdev_factor). */
  outlierDeviations?: ValidHealth['outlierDeviations'];
  /** Only if so many proxies can be compared. Default 5 (Envoy, success_rate_minimum_hosts). */
  outlierHosts?: ValidHealth['outlierHosts'];
  /** Only those with so many requests are compared. Default 100 (Envoy, success_rate_request_volume). */
  outlierRequests?: ValidHealth['outlierRequests'];
  /** At most this share of the active proxies is out as outliers; one always may be. Default 10 (Envoy, max_ejection_percent). */
  outlierPercent?: ValidHealth['outlierPercent'];
  /**
   * What a status of the target says: a kind of failure, or `ok`. A status wins over its class. Default: 407 `auth`, 403 and 429 `blocked`,
   * 408 and 504 `timeout`, other 5xx `status`, the rest `ok`.
   */
  statuses?: ValidHealth['statuses'];
}

/** What is kept of the past. */
export interface HistoryOptions extends ValidHistory {
  /** `changes`: events say what changed. `all`: each hand-out is an event too. Default `changes`: a history of all grows with each request. */
  events?: ValidHistory['events'];
  /** Events are removed after so many days. Default 30. */
  eventDays?: ValidHistory['eventDays'];
  /** Usage by day is removed after so many days. Default 400: a year, and the month to compare it with. */
  usageDays?: ValidHistory['usageDays'];
}

/** What a crash can cost. Sessions, cooldowns and changes of status are committed before a call returns, whatever these say. */
export interface DurabilityOptions extends ValidDurability {
  /** `batched`: outcomes are stored together. `every`: each is committed before `succeed` or `fail` returns. Default `batched`. */
  outcomes?: ValidDurability['outcomes'];
  /** Outcomes wait at most so many milliseconds to be stored. Default 200. */
  lossMs?: ValidDurability['lossMs'];
  /** So many outcomes wait at most. Default 1,000. */
  lossOutcomes?: ValidDurability['lossOutcomes'];
}

/** What holds for an option that is not set. The interfaces above give the reasons. */
export const POOL_DEFAULTS = {
  limits: {
    maxConcurrentPerProxy: null,
    minIntervalMs: null,
    minDomainIntervalMs: null,
    restMs: 600_000,
    maxLeases: null,
    leaseMs: 60_000,
    waitMs: 30_000,
    maxWaiting: 10_000,
  },
  health: {
    failures: 3,
    cooldownMs: 30_000,
    maxCooldownMs: 300_000,
    jitter: 0.1,
    blockedMs: 60_000,
    maxRetryAfterMs: 86_400_000,
    domainProxies: 5,
    domainWindowMs: 10_000,
    overridePercent: 50,
    outliers: true,
    outlierIntervalMs: 10_000,
    outlierDeviations: 1.9,
    outlierHosts: 5,
    outlierRequests: 100,
    outlierPercent: 10,
    statuses: {},
  },
  history: { events: 'changes', eventDays: 30, usageDays: 400 },
  durability: { outcomes: 'batched', lossMs: 200, lossOutcomes: 1000 },
} as const;

/** An option that has no default is null. */
type Settings<Options, Defaults> = {
  [K in keyof Options & keyof Defaults]-?: Defaults[K] extends null
    ? NonNullable<Options[K]> | null
    : NonNullable<Options[K]>;
};

export type LimitSettings = Settings<LimitOptions, typeof POOL_DEFAULTS.limits>;
export type HealthSettings = Settings<HealthOptions, typeof POOL_DEFAULTS.health>;
export type HistorySettings = Settings<HistoryOptions, typeof POOL_DEFAULTS.history>;
export type DurabilitySettings = Settings<DurabilityOptions, typeof POOL_DEFAULTS.durability>;
