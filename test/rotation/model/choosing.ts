import { expect } from 'vitest';

import { comesBack, isOnlyAtLimit, isUsable, readyAt, reasons, stateOf } from './absence.ts';
import { findOut, heldBy, type Model, type ModelProxy, type Request, wallAt } from './state.ts';

/** Either who may be handed out, or why nobody is: what NO_PROXY has in `details`, and whether `acquire` waits. */
export type Choice =
  | { allowed: readonly ModelProxy[]; isKept: boolean }
  | { allowed: null; details: Record<string, unknown>; mayCome: boolean };

/** What keeps its proxy: the session, else the domain. */
export function keyOf({ session, domain }: Request): string | null {
  if (session !== undefined) return `session ${session}`;
  return domain === undefined ? null : `domain ${domain}`;
}

/** Who may be handed out for a lease. */
export function chooseLease(model: Model, request: Request): Choice {
  const leases = countLeases(model);
  if (leases >= (model.settings.maxLeases ?? Number.POSITIVE_INFINITY))
    return { allowed: null, details: { leases }, mayCome: true };
  return choose(model, request);
}

/** Leases of proxies that are gone are leases too. */
export function countLeases({ leases }: Model): number {
  return leases.filter(({ state }) => state === 'held').length;
}

export function choose(model: Model, request: Request, isRotating = false): Choice {
  const { domain } = request;
  if (domain !== undefined && model.blockedDomains.has(domain))
    return { allowed: null, details: { ruleId: expect.any(String) }, mayCome: false };
  const key = keyOf(request);
  const kept = key === null ? undefined : model.mappings.get(key);
  if (kept !== undefined && !isRotating) {
    const fits = isUsable(model, kept) && !request.exclude.includes(kept.id);
    if (fits && reasons(model, kept, request).length === 0) return { allowed: [kept], isKept: true };
    if (fits && isOnlyAtLimit(model, kept, request)) {
      const until = readyAt(model, kept, request);
      const details = { proxyId: kept.id, readyAt: until === null ? null : timeOf(model, until) };
      return { allowed: null, details, mayCome: true };
    }
    if (model.settings.stickyWhenOut === 'refuse')
      return { allowed: null, details: { proxyId: kept.id }, mayCome: comesBack(model, kept, request) };
  }
  const fitting = model.proxies.filter(
    (proxy) => isUsable(model, proxy) && !request.exclude.includes(proxy.id),
  );
  const ready = fitting.filter((proxy) => reasons(model, proxy, request).length === 0);
  const others = ready.filter((proxy) => !isRotating || proxy !== kept);
  if (ready.length > 0) return { allowed: others.length > 0 ? others : ready, isKept: false };
  const overridden = override(model, request, fitting);
  if (overridden.length > 0) return { allowed: overridden, isKept: false };
  const mayCome = fitting.some((proxy) => comesBack(model, proxy, request));
  return { allowed: null, details: refusal(model, request, fitting), mayCome };
}

/** If most of the pool cools, who comes back first is used before its time, for one request. */
function override(model: Model, request: Request, fitting: readonly ModelProxy[]): ModelProxy[] {
  const active = model.proxies.filter((proxy) => isUsable(model, proxy));
  const cooling = active.filter((proxy) => findOut(model, proxy, '')?.state === 'out');
  if (cooling.length === 0 || cooling.length * 100 < model.settings.overridePercent * active.length)
    return [];
  const usable = fitting.filter(
    (proxy) =>
      heldBy(model, proxy) === 0 &&
      reasons(model, proxy, request).every(
        ({ out, until }) => out?.scope === '' && out.source === 'engine' && until !== null,
      ),
  );
  const untils = usable.map((proxy) => findOut(model, proxy, '')?.until ?? 0);
  return usable.filter((_, n) => untils[n] === Math.min(...untils));
}

/** How many were left out, and by what. */
function refusal(
  model: Model,
  request: Request,
  fitting: readonly ModelProxy[],
): Record<string, number | string> {
  const counts: Record<string, number | string> = { total: model.proxies.length };
  const count = (what: string): void => {
    counts[what] = Number(counts[what] ?? 0) + 1;
  };
  for (const proxy of model.proxies) {
    if (!isUsable(model, proxy)) count(`not ${proxy.status}`);
    else count(`not ${stateOf(model, proxy, request) ?? 'excluded'}`);
  }
  const times = fitting.map((proxy) => readyAt(model, proxy, request)).filter((time) => time !== null);
  if (times.length > 0) counts.readyAt = timeOf(model, Math.min(...times));
  return counts;
}

function timeOf(model: Model, time: number): string {
  return new Date(wallAt(model, time)).toISOString();
}
