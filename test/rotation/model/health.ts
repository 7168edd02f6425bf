import type { CooldownKind } from '../../../src/model/outcomes.ts';
import { isWorking, looksFailing, noteSuccess } from './failing-domains.ts';
import {
  type Failure,
  failuresInRow,
  findOut,
  forgetFailures,
  type Model,
  type ModelProxy,
  type Out,
  type Use,
  wallAt,
} from './state.ts';

const isOutage = (kind: CooldownKind): boolean => ['timeout', 'status', 'reset'].includes(kind);
const isOfProxy = (kind: CooldownKind): boolean => ['connect', 'tls', 'protocol', 'auth'].includes(kind);
const NEXT_ALLOWANCE = new Map([
  [1, 2],
  [2, 4],
  [4, 8],
  [8, 16],
  [16, Number.POSITIVE_INFINITY],
]);

/** A request succeeded: the proxy climbs its slow start, or comes back, for everything and for the domain or session. */
export function succeeded(model: Model, { proxy, domain, session, handedOutAt }: Use): void {
  model.lastSuccess = model.now;
  proxy.fruitless = [];
  if (domain !== undefined) noteOutage(model, false);
  if (domain !== undefined) noteSuccess(model, domain);
  const whole = findOut(model, proxy, '');
  if (whole === undefined || whole.state === 'in')
    proxy.allowance = NEXT_ALLOWANCE.get(proxy.allowance) ?? proxy.allowance;
  const name = proxy.isGateway ? session : domain;
  const scoped = findOut(model, proxy, `${proxy.isGateway ? 'session' : 'domain'} ${name}`);
  for (const out of [whole, scoped]) {
    if (out === undefined) continue;
    // Of what goes out a success counts if its request began after that.
    const isOld = handedOutAt < out.since || (out.state === 'out' && out.kind === 'auth');
    if (out.state === 'in') out.row = 0;
    else if (!isOld) comesBackWell(model, out, 2);
  }
}

/** A request failed. Says whether that is held against the proxy itself. */
export function failed(model: Model, use: Use, failure: Failure): boolean {
  const { proxy, domain } = use;
  const { kind } = failure;
  const scope = chargedScope(use, kind);
  // Who blocks an address works.
  if (domain !== undefined && kind === 'blocked') {
    noteSuccess(model, domain);
    proxy.fruitless = [];
  }
  const isAsked = askedTime(model, failure) !== null;
  if (domain !== undefined && isOutage(kind) && isOfFailingDomain(model, use, domain, scope ?? '')) {
    if (scope !== null && isAsked) charge(model, use, scope, failure);
    return false;
  }
  if (scope === null) return false;
  const mayBeOfProxy = scope.startsWith('domain ') && isOutage(kind) && !isAsked;
  const isLate = [findOut(model, proxy, scope), findOut(model, proxy, '')].some(
    (known) => known !== undefined && (known.state === 'out' || use.handedOutAt < known.since),
  );
  if (mayBeOfProxy && !isLate) proxy.fruitless.push(domain as string);
  const wentOut = charge(model, use, scope, failure);
  if (!mayBeOfProxy) return scope === '';
  const detail = evidence(model, use, { isLate, wentOut });
  if (detail !== null) failsEverywhere(model, use, failure, detail);
  return false;
}

/** Whether a failure is of a domain that fails, or failed when its request began. What that has cost before is taken back. */
function isOfFailingDomain(model: Model, use: Use, domain: string, scope: string): boolean {
  noteOutage(model, true);
  const worksSince = model.worksSince.get(domain);
  if (worksSince !== undefined && use.handedOutAt < worksSince) return true;
  const { isFailing, suspects } = looksFailing(model, domain, use.proxy, scope);
  for (const suspect of suspects) pardon(model, suspect.proxy, suspect.scope, domain);
  for (const suspect of suspects) pardon(model, suspect.proxy, '', domain);
  const isOut = (out: Out): boolean => out.state === 'out' && out.scope === `domain ${domain}`;
  for (const { proxy, scope: of } of suspects.length > 0 ? model.outs.filter(isOut) : []) {
    pardon(model, proxy, of, domain);
    pardon(model, proxy, '', domain);
  }
  return isFailing;
}

/** The share of requests that fail in a way that may be the domain's fault: at first a half, as of eight outcomes. */
function noteOutage({ outages }: Model, isFailure: boolean): void {
  outages.count = Math.min(outages.count + 1, 256);
  outages.share += (Number(isFailure) - outages.share) / outages.count;
}

/** What shows that a failure for a domain is the fault of the whole proxy; null if nothing does. */
function evidence(
  model: Model,
  { proxy, domain, handedOutAt }: Use,
  { isLate, wentOut }: { isLate: boolean; wentOut: boolean },
): string | null {
  const { settings } = model;
  const bad = model.outs.filter(
    (out) =>
      out.proxy === proxy &&
      out.source === 'engine' &&
      out.scope.startsWith('domain ') &&
      out.state !== 'in' &&
      isOutage(out.kind) &&
      !out.isAsked,
  );
  if (wentOut && bad.length >= 3) return 'out for 3 domains';
  const isLong = proxy.fruitless.length >= (settings.failureThreshold ?? settings.failures);
  const working = [...new Set(proxy.fruitless)].filter((each) => isWorking(model, each));
  const isUnlikely =
    model.outages.share ** proxy.fruitless.length < 1e-4 && new Set(proxy.fruitless).size >= 3;
  if (!isLate && isLong && (working.length >= 3 || isUnlikely)) return 'failed for 3 domains in a row';
  if (model.outages.share >= 0.1 && !isWorking(model, domain as string)) return null;
  const whole = findOut(model, proxy, '');
  return whole?.state === 'trying' && handedOutAt >= whole.since ? 'failed again' : null;
}

/** What a failure is held against: the whole proxy, a domain, a session, or nobody. */
function chargedScope({ proxy, domain, session }: Use, kind: CooldownKind): string | null {
  if (proxy.isGateway && kind !== 'auth') return session === undefined ? null : `session ${session}`;
  return isOfProxy(kind) || domain === undefined ? '' : `domain ${domain}`;
}

/** Charges a failure to a scope; says whether that put it out, or lets it wait for longer. */
function charge(model: Model, use: Use, scope: string, failure: Failure): boolean {
  const { now, settings } = model;
  const { kind } = failure;
  const { proxy } = use;
  const asked = askedTime(model, failure);
  const detail = failure.status === undefined ? null : `status ${failure.status}`;
  const out = findOut(model, proxy, scope) ?? begin(model, proxy, scope, 'engine');
  if (out.state === 'out') {
    // It is out already. A rejected login counts for more, and so does who asks for a longer time: at least a tenth longer.
    if (out.kind === 'auth') return false;
    if (kind === 'auth') return goesOut(model, out, { kind, time: null, detail });
    if (asked === null || asked <= 1.1 * ((out.until as number) - now)) return false;
    out.isAsked = true;
    return goesOut(model, out, { kind, time: asked, detail });
  }
  if (use.handedOutAt < out.since) return false;
  forgetTimes(model, out);
  out.well = now;
  out.cause = use.domain ?? null;
  // The log does not have this failure yet.
  out.row = Math.max(out.row, scope === '' ? failuresInRow(model, proxy) : 0) + 1;
  if (kind === 'auth') return goesOut(model, out, { kind, time: null, detail });
  const isUnsure = out.state === 'trying' || (isOfProxy(kind) && isClimbing(model, proxy));
  const most = isUnsure ? 1 : (settings.failureThreshold ?? settings.failures);
  if (asked === null && kind !== 'blocked' && out.row < most) return false;
  out.isAsked = asked !== null;
  return goesOut(model, out, { kind, time: asked ?? backoff(model, kind, out.times + 1), detail });
}

/** Who has not ended its slow start goes out for one failure, unless a failureThreshold says how many it takes. */
function isClimbing({ settings }: Model, proxy: ModelProxy): boolean {
  return settings.failureThreshold === null && proxy.allowance !== Number.POSITIVE_INFINITY;
}

/** The whole proxy goes out for what looked like the fault of a domain. */
function failsEverywhere(model: Model, { proxy, domain }: Use, { kind }: Failure, detail: string): void {
  const out = findOut(model, proxy, '') ?? begin(model, proxy, '', 'engine');
  if (out.state === 'out') return;
  forgetTimes(model, out);
  out.cause = domain ?? null;
  out.isAsked = false;
  const time = backoff(model, kind, out.times + 1);
  goesOut(model, out, { kind, time, detail });
}

/** Once it has worked for as long as it was out, the count begins again. */
function forgetTimes({ now }: Model, out: Out): void {
  if (out.state === 'in' && now - out.well >= out.lastOut) out.times = 0;
}

function askedTime({ settings }: Model, { kind, retryAfterMs = 0 }: Failure): number | null {
  return kind === 'auth' || retryAfterMs === 0 ? null : Math.min(retryAfterMs, settings.maxRetryAfterMs);
}

function backoff({ settings }: Model, kind: CooldownKind, times: number): number {
  const { cooldownMs, maxCooldownMs, blockedMs } = settings;
  if (kind === 'blocked') return Math.min(blockedMs * 2 ** (times - 1), Math.max(maxCooldownMs, blockedMs));
  return Math.min(cooldownMs * 2 ** (times - 1), maxCooldownMs);
}

export function begin(model: Model, proxy: ModelProxy, scope: string, source: Out['source']): Out {
  const out: Out = {
    proxy,
    scope,
    source,
    state: 'in',
    kind: 'manual',
    times: 0,
    since: Number.NEGATIVE_INFINITY,
    until: null,
    detail: null,
    row: 0,
    lastOut: 0,
    well: 0,
    cause: null,
    isAsked: false,
    allowanceBefore: proxy.allowance,
    wasTrying: false,
    stored: { since: 0, until: null },
  };
  model.outs.push(out);
  return out;
}

/** Puts it out from now on, and says so in the history if that is the whole proxy. */
export function goesOut(
  model: Model,
  out: Out,
  { kind, time, detail }: { kind: CooldownKind; time: number | null; detail: string | null },
): true {
  const { now, settings } = model;
  const { proxy } = out;
  if (out.state !== 'out') {
    out.times++;
    out.wasTrying = out.state === 'trying';
  }
  const isWhole = out.scope === '' && out.source === 'engine';
  if (isWhole && out.state === 'in') {
    out.allowanceBefore = proxy.allowance;
    proxy.allowance = 1;
  }
  const until = time === null ? null : now + time;
  Object.assign(out, { kind, detail, state: 'out', since: now, until, lastOut: time ?? 0, row: 0 });
  out.stored = { since: model.wall, until: time === null ? null : wallAt(model, now + time) };
  if (out.scope === '') model.events[out.source === 'person' ? 'manual' : 'failure']++;
  if (isWhole && settings.failureThreshold !== null && proxy.status === 'active') proxy.status = 'failed';
  return true;
}

/** It is in again, with so many leases if it is the whole proxy. */
function comesBack({ now }: Model, out: Out, allowance: number): void {
  const { proxy } = out;
  Object.assign(out, { state: 'in', row: 0, well: now });
  if (out.scope !== '' || out.source !== 'engine') return;
  proxy.allowance = allowance;
  if (proxy.status === 'failed') proxy.status = 'active';
}

/** It is in again, and its failures in a row are forgotten. That is committed, even before the success that has shown it. */
function comesBackWell(model: Model, out: Out, allowance: number): void {
  comesBack(model, out, allowance);
  if (out.scope === '' && out.source === 'engine') forgetFailures(model, out.proxy);
}

/** As if it had never been out. */
export function forget(model: Model, out: Out): void {
  if (out.state !== 'in') comesBack(model, out, out.kind === 'auth' ? 1 : out.allowanceBefore);
  model.outs.splice(model.outs.indexOf(out), 1);
}

/** What a failing domain has cost in the window is taken back. */
function pardon(model: Model, proxy: ModelProxy, scope: string, domain: string): void {
  const out = findOut(model, proxy, scope);
  const from = model.now - model.settings.domainWindowMs;
  proxy.fruitless = [];
  if (out === undefined || out.cause !== domain) return;
  if (out.state === 'in') {
    if (out.well >= from) out.row = 0;
  } else if (!out.isAsked && out.since >= from && isOutage(out.kind)) {
    out.times--;
    // One that was being probed may have one request at a time.
    comesBackWell(model, out, out.wasTrying ? 1 : out.allowanceBefore);
  }
}

/** Ends cooldowns whose time is over. */
export function endCooldowns(model: Model): void {
  for (const out of [...model.outs]) {
    if (out.state !== 'out' || out.until === null || out.until > model.now) continue;
    if (out.source === 'person') forget(model, out);
    else if (out.kind === 'blocked') comesBackWell(model, out, out.allowanceBefore);
    else out.state = 'trying';
  }
}
