import { chooseLease, keyOf } from './choosing.ts';
import { endFailingDomains, forgetWindows } from './failing-domains.ts';
import { begin, endCooldowns, failed, forget, goesOut, succeeded } from './health.ts';
import {
  type Failure,
  findOut,
  forgetFailures,
  lossBound,
  type Model,
  type ModelLease,
  type ModelProxy,
  type ModelSettings,
  type Outcome,
  type Request,
  type Status,
  type StoredLease,
  type Use,
  wallAt,
} from './state.ts';

export interface Report {
  failure: Failure | null;
  latencyMs: number;
  bytes: number;
}

/** The clock says something, and what is due is done. */
export function passTime(model: Model, wall: number): void {
  if (wall > model.wall) model.now += wall - model.wall;
  model.wall = wall;
  for (const lease of model.leases) {
    if (lease.state !== 'held' || lease.expires > model.now) continue;
    lease.state = 'expired';
    model.ended.abandoned++;
  }
  for (const proxy of model.proxies) {
    if (proxy.restsUntil === null || proxy.restsUntil > model.now) continue;
    proxy.restsUntil = null;
    proxy.handOuts = 0;
  }
  endFailingDomains(model);
  endCooldowns(model);
}

export function proxyOf(model: Model, id: string): ModelProxy | undefined {
  return model.proxies.find((proxy) => proxy.id === id);
}

/** A proxy is handed out: it pauses, its count rises, and the session or domain keeps it. */
export function handOut(model: Model, proxy: ModelProxy, request: Request): void {
  const { now, settings } = model;
  const { minIntervalMs, minDomainIntervalMs, maxRequestsPerProxy, restMs, strategy } = settings;
  const { domain, session } = request;
  if (minIntervalMs !== undefined) proxy.pausesUntil = now + minIntervalMs;
  if (minDomainIntervalMs !== undefined && domain !== undefined)
    proxy.domainPauses.set(domain, now + minDomainIntervalMs);
  if (maxRequestsPerProxy !== null && ++proxy.handOuts >= maxRequestsPerProxy)
    proxy.restsUntil = now + restMs;
  const key = keyOf(request);
  const sticks = session !== undefined || strategy === 'sticky-session';
  if (key !== null && (sticks || model.mappings.has(key))) model.mappings.set(key, proxy);
}

export function beginLease(
  model: Model,
  proxy: ModelProxy,
  {
    key,
    request,
    leaseMs,
    isStored,
  }: { key: number; request: Request; leaseMs?: number | undefined; isStored: boolean },
): void {
  handOut(model, proxy, request);
  const length = leaseMs ?? model.settings.leaseMs;
  const { domain, session } = request;
  const expires = model.now + length;
  model.leases.push({
    key,
    proxy,
    domain,
    session,
    isStored,
    since: model.now,
    length,
    expires,
    state: 'held',
    isGone: false,
  });
  if (isStored)
    model.stored.push({
      key,
      proxy,
      domain,
      session,
      acquiredAt: model.wall,
      expiresAt: wallAt(model, expires),
    });
}

/** What `acquire` does: a lease, a wait or a refusal. Who wants the same as somebody who waits, waits too. */
export function mustWait(model: Model, request: Request, waitMs: number): boolean | { details: object } {
  const { waiters, settings } = model;
  const isBehind = waiters.some((waiter) => isSame(waiter.request, request));
  const choice = chooseLease(model, request);
  if (!isBehind && choice.allowed !== null) return false;
  if (!isBehind && choice.allowed === null && (waitMs === 0 || !choice.mayCome))
    return { details: choice.details };
  return waiters.length < settings.maxWaiting || { details: { waiting: waiters.length } };
}

export function isSame(one: Request, other: Request): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** A lease is reported: late if it has expired, which then changes neither limits nor health. */
export function endLease(model: Model, lease: ModelLease, report: Report): void {
  const isLate = lease.state === 'expired';
  lease.state = 'reported';
  if (lease.isStored && !takeStored(model, lease.key)) return;
  // A late report counts for the proxy that has the id, though it was deleted and added again since the lease has expired.
  const proxy = isLate && !lease.isGone ? (proxyOf(model, lease.proxy.id) ?? lease.proxy) : lease.proxy;
  learn(model, { ...lease, proxy, handedOutAt: lease.since }, report, isLate);
}

/** A lease is reported that only the database has. */
export function endStored(model: Model, lease: StoredLease, report: Report): void {
  takeStored(model, lease.key);
  const handedOutAt = model.now - Math.max(0, model.wall - lease.acquiredAt);
  learn(model, { ...lease, handedOutAt }, report, lease.expiresAt <= model.wall);
}

export function abandon(model: Model, lease: ModelLease): void {
  if (lease.state !== 'held') return;
  lease.state = 'reported';
  model.ended.abandoned++;
  if (lease.isStored) takeStored(model, lease.key);
}

export function renew(model: Model, lease: ModelLease, forMs: number | undefined): void {
  lease.expires = model.now + (forMs ?? lease.length);
  const stored = model.stored.find(({ key }) => key === lease.key);
  if (stored !== undefined) stored.expiresAt = wallAt(model, lease.expires);
}

function takeStored(model: Model, key: number): boolean {
  const before = model.stored.length;
  model.stored = model.stored.filter((each) => each.key !== key);
  return model.stored.length < before;
}

function learn(model: Model, use: Use, { failure, latencyMs, bytes }: Report, isLate: boolean): void {
  const { ended } = model;
  ended[failure === null ? 'succeeded' : 'failed']++;
  ended.bytes += bytes;
  if (isLate) ended.late++;
  // Who is gone learns nothing.
  if (!model.proxies.includes(use.proxy)) return;
  const isBatched = model.settings.outcomes === 'batched';
  note(model, use, { failure, latencyMs, isBatched, isLate });
  model.mostLost = lossBound(model.settings);
}

/** A use without a lease is reported. Who says that a proxy works has just used it. */
export function reportProxy(
  model: Model,
  use: Omit<Use, 'handedOutAt'>,
  { failure, latencyMs }: Report,
): void {
  const handedOutAt = failure === null ? model.now : Number.POSITIVE_INFINITY;
  note(model, { ...use, handedOutAt }, { failure, latencyMs, isBatched: false, isLate: false });
}

function note(
  model: Model,
  use: Use,
  {
    failure,
    latencyMs,
    isBatched,
    isLate,
  }: Pick<Report, 'failure' | 'latencyMs'> & Pick<Outcome, 'isBatched'> & { isLate: boolean },
): void {
  let isCharged = false;
  if (!isLate && failure === null) succeeded(model, use);
  if (!isLate && failure !== null) isCharged = failed(model, use, failure);
  const what = failure === null ? 'success' : 'failure';
  model.log.push({ proxy: use.proxy, what, isCharged, isBatched, latencyMs });
}

/** A person puts a proxy out. */
export function cool(model: Model, proxy: ModelProxy, domain: string | undefined, forMs: number): void {
  const scope = domain === undefined ? '' : `domain ${domain}`;
  const known = findOut(model, proxy, scope, 'person');
  if (known !== undefined) model.outs.splice(model.outs.indexOf(known), 1);
  const out = begin(model, proxy, scope, 'person');
  goesOut(model, out, { kind: 'manual', time: forMs, detail: 'asked' });
}

/** A person lets proxies in again. */
export function reset(model: Model, proxy: ModelProxy): void {
  for (const out of model.outs.filter((each) => each.proxy === proxy)) forget(model, out);
  proxy.fruitless = [];
  if (proxy.status === 'failed') proxy.status = 'active';
  forgetFailures(model, proxy);
}

export function newProxy(id: string): ModelProxy {
  return {
    id,
    status: 'active',
    isGateway: false,
    allowance: 1,
    handOuts: 0,
    restsUntil: null,
    pausesUntil: null,
    domainPauses: new Map(),
    fruitless: [],
  };
}

export function deleteProxy(model: Model, proxy: ModelProxy): void {
  const isOthers = (of: { proxy: ModelProxy }): boolean => of.proxy !== proxy;
  for (const lease of model.leases) if (lease.proxy === proxy && lease.state === 'held') lease.isGone = true;
  model.proxies = model.proxies.filter((each) => each !== proxy);
  model.outs = model.outs.filter(isOthers);
  model.log = model.log.filter(isOthers);
  model.stored = model.stored.filter(isOthers);
  for (const watched of model.watched) watched.suspects = watched.suspects.filter(isOthers);
  for (const [key, kept] of model.mappings) if (kept === proxy) model.mappings.delete(key);
}

/** Who makes a failed proxy active says that it works. */
export function setStatus(model: Model, proxy: ModelProxy, status: Status): void {
  const whole = findOut(model, proxy, '');
  const isReactivated = proxy.status === 'failed' && status === 'active';
  proxy.status = status;
  if (isReactivated && whole !== undefined && whole.state !== 'in') forget(model, whole);
}

/** A rejected login is forgotten with it, and with the failures in a row. */
export function changeLogin(model: Model, proxy: ModelProxy): void {
  for (const out of model.outs.filter((each) => each.proxy === proxy))
    if (out.kind === 'auth' && out.state !== 'in') {
      forget(model, out);
      if (out.scope === '') forgetFailures(model, proxy);
    }
}

export function configure(model: Model, change: Partial<ModelSettings>): void {
  const { domainProxies, domainWindowMs } = model.settings;
  Object.assign(model.settings, change);
  const { settings } = model;
  model.mostLost = Math.max(model.mostLost, lossBound(settings));
  if (settings.maxRequestsPerProxy === null) for (const proxy of model.proxies) proxy.handOuts = 0;
  if (settings.domainProxies !== domainProxies || settings.domainWindowMs !== domainWindowMs)
    forgetWindows(model);
}
