import type { CooldownKind, FailureKind } from '../../../src/model/outcomes.ts';

/**
 * What the model of the pool knows: plain arrays and numbers, written from docs/rotation.md. It has no queue, no index and no cache;
 * whatever can be computed is computed each time.
 *
 * The world is restricted where a faithful model would be as large as the engine: no outliers, no jitter, no intervals, and sessions that
 * never expire; each has tests of its own. Which of several ready proxies a strategy takes is free: the model follows.
 */
export interface Model {
  /** What the clock of the system says. */
  wall: number;
  /** A time that never goes back: cooldowns, leases and pauses are measured by it. */
  now: number;
  settings: ModelSettings;
  blockedDomains: Set<string>;
  proxies: ModelProxy[];
  leases: ModelLease[];
  /** What another process could report: what a crash leaves. */
  stored: StoredLease[];
  outs: Out[];
  watched: WatchedDomain[];
  /** When domains that had failed were last found to work again. */
  worksSince: Map<string, number>;
  /** The share of requests that fail in a way that may be the domain's fault, of so many. */
  outages: { share: number; count: number };
  /** When anything has succeeded last. */
  lastSuccess: number;
  /** By "session s" or "domain d". */
  mappings: Map<string, ModelProxy>;
  waiters: Waiter[];
  ended: { succeeded: number; failed: number; abandoned: number; late: number; bytes: number };
  /** Events of proxies that went out, by reason. */
  events: { failure: number; manual: number };
  /** All outcomes in their order, those too that a crash would cost. */
  log: Outcome[];
  /** So many of them a crash may cost now: by the settings when the last one came, or by those of now if that is more. */
  mostLost: number;
}

export interface ModelSettings {
  failureThreshold: number | null;
  maxRequestsPerProxy: number | null;
  strategy:
    | 'round-robin'
    | 'random'
    | 'least-used'
    | 'fastest'
    | 'failure-aware'
    | 'weighted'
    | 'sticky-session';
  stickyWhenOut: 'move' | 'refuse';
  maxConcurrentPerProxy: number | undefined;
  minIntervalMs: number | undefined;
  minDomainIntervalMs: number | undefined;
  maxLeases: number | undefined;
  maxWaiting: number;
  restMs: number;
  leaseMs: number;
  failures: number;
  cooldownMs: number;
  maxCooldownMs: number;
  blockedMs: number;
  maxRetryAfterMs: number;
  domainProxies: number;
  domainWindowMs: number;
  overridePercent: number;
  outcomes: 'batched' | 'every';
  lossOutcomes: number;
}

export type Status = 'active' | 'failed' | 'checking' | 'disabled';

export interface ModelProxy {
  id: string;
  status: Status;
  isGateway: boolean;
  /** How many leases it may have: 1, 2, 4, 8, 16 or any number. */
  allowance: number;
  handOuts: number;
  restsUntil: number | null;
  pausesUntil: number | null;
  domainPauses: Map<string, number>;
  /** The domain of each failure since it last succeeded anywhere. */
  fruitless: string[];
}

export interface ModelLease {
  /** The number of the command that asked for it. */
  key: number;
  proxy: ModelProxy;
  domain: string | undefined;
  session: string | undefined;
  isStored: boolean;
  since: number;
  length: number;
  expires: number;
  state: 'held' | 'reported' | 'expired';
  /** Whether its proxy was deleted while it was held. */
  isGone: boolean;
}

/** Its times are those of the system's clock. */
export interface StoredLease {
  key: number;
  proxy: ModelProxy;
  domain: string | undefined;
  session: string | undefined;
  acquiredAt: number;
  expiresAt: number;
}

/** What is known of a proxy, or of its traffic to a domain or of a session, after a failure or a word of a person. */
export interface Out {
  proxy: ModelProxy;
  /** '', "domain d" or "session s". */
  scope: string;
  source: 'engine' | 'person';
  state: 'in' | 'out' | 'trying';
  kind: CooldownKind;
  times: number;
  since: number;
  until: number | null;
  detail: string | null;
  /** Failures in a row. */
  row: number;
  lastOut: number;
  /** When it last failed or came back. */
  well: number;
  /** The domain of the last failure. */
  cause: string | null;
  /** Whether somebody has said how long to wait. */
  isAsked: boolean;
  allowanceBefore: number;
  /** Whether it went out by a probe that failed. */
  wasTrying: boolean;
  /** What the database has of it, by the system's clock when that was written. */
  stored: { since: number; until: number | null };
}

/** A domain on which something has failed. */
export interface WatchedDomain {
  domain: string;
  outcomes: { at: number; isFailure: boolean }[];
  suspects: { proxy: ModelProxy; scope: string; at: number; isProven: boolean }[];
  lastFailure: number;
  /** When to look whether it works again; null while it does not fail. */
  checkAt: number | null;
}

export interface Request {
  domain: string | undefined;
  session: string | undefined;
  exclude: readonly string[];
}

export interface Waiter {
  key: number;
  request: Request;
  leaseMs: number | undefined;
  waitMs: number;
  waited: number;
}

export interface Outcome {
  proxy: ModelProxy;
  what: 'success' | 'failure' | 'reset';
  /** Whether it counts as one of the proxy's failures in a row. */
  isCharged: boolean;
  /** Whether a crash may cost it. */
  isBatched: boolean;
  latencyMs: number;
}

export interface Use {
  proxy: ModelProxy;
  domain: string | undefined;
  session: string | undefined;
  /** When the proxy was handed out for it; Infinity if nobody knows. */
  handedOutAt: number;
}

export interface Failure {
  kind: FailureKind;
  status?: number | undefined;
  retryAfterMs?: number | undefined;
}

/** What the system's clock will say at a time. */
export function wallAt({ wall, now }: Model, time: number): number {
  return wall + time - now;
}

export function heldBy({ leases }: Model, proxy: ModelProxy): number {
  return leases.filter((lease) => lease.proxy === proxy && lease.state === 'held').length;
}

export function findOut(
  { outs }: Model,
  proxy: ModelProxy,
  scope: string,
  source: Out['source'] = 'engine',
): Out | undefined {
  return outs.find((out) => out.proxy === proxy && out.scope === scope && out.source === source);
}

/** Failures in a row of the proxy itself, as outcomes say in their order. */
export function failuresInRow({ log }: Model, proxy: ModelProxy): number {
  let failures = 0;
  for (const outcome of log) {
    if (outcome.proxy !== proxy) continue;
    if (outcome.what !== 'failure') failures = 0;
    else if (outcome.isCharged) failures++;
  }
  return failures;
}

/** No failure until now counts as one in a row. That is committed. */
export function forgetFailures({ log }: Model, proxy: ModelProxy): void {
  log.push({ proxy, what: 'reset', isCharged: false, isBatched: false, latencyMs: 0 });
}

/** So many outcomes may wait to be stored when a report returns. */
export function lossBound({ outcomes, lossOutcomes }: ModelSettings): number {
  return outcomes === 'every' ? 0 : lossOutcomes - 1;
}
