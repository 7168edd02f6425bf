import { heldBy, type Model, type ModelProxy, type Out, type Request } from './state.ts';

export type State = 'cooling' | 'resting' | 'busy' | 'pausing';

/** Why a proxy is not ready for a request. `until` is null for what a report, a person or a new login must end. */
export interface Reason {
  state: State;
  until: number | null;
  out: Out | null;
}

type Asked = Pick<Request, 'domain' | 'session'>;

/** Whether a proxy may be used at all when it is not out: one that has failed may, if it comes back by itself. */
export function isUsable({ outs }: Model, proxy: ModelProxy): boolean {
  if (proxy.status !== 'failed') return proxy.status === 'active';
  return outs.some(
    (out) => out.proxy === proxy && out.scope === '' && out.source === 'engine' && out.state !== 'in',
  );
}

/** All reasons for which a proxy is not ready for a request; for any request if nothing is asked. */
export function reasons(model: Model, proxy: ModelProxy, asked?: Asked): Reason[] {
  const { now, settings } = model;
  const { restsUntil, pausesUntil, domainPauses } = proxy;
  const found: Reason[] = [];
  const scopes = ['', `domain ${asked?.domain}`, `session ${asked?.session}`];
  for (const out of model.outs)
    if (out.proxy === proxy && out.state === 'out' && scopes.includes(out.scope))
      found.push({ state: 'cooling', until: out.until, out });
  if (restsUntil !== null && restsUntil > now) found.push({ state: 'resting', until: restsUntil, out: null });
  const most = Math.min(proxy.allowance, settings.maxConcurrentPerProxy ?? Number.POSITIVE_INFINITY);
  if (heldBy(model, proxy) >= most) found.push({ state: 'busy', until: null, out: null });
  for (const until of [pausesUntil, domainPauses.get(asked?.domain ?? '') ?? null])
    if (until !== null && until > now) found.push({ state: 'pausing', until, out: null });
  return found;
}

const ORDER: readonly State[] = ['cooling', 'resting', 'busy', 'pausing'];

/** The state that counts: what is out for everything comes first, then what is out for the domain or session only. */
export function stateOf(model: Model, proxy: ModelProxy, asked?: Asked): State | null {
  const found = [...reasons(model, proxy), ...reasons(model, proxy, asked)];
  const everywhere = reasons(model, proxy).map(({ state }) => state);
  const which = everywhere.length > 0 ? everywhere : found.map(({ state }) => state);
  return ORDER.find((state) => which.includes(state)) ?? null;
}

/** When it may be ready; null if no time is known. */
export function readyAt(model: Model, proxy: ModelProxy, asked: Asked): number | null {
  const found = reasons(model, proxy, asked);
  if (found.some(({ out, until }) => out !== null && until === null)) return null;
  const times = found.map(({ until }) => until).filter((until) => until !== null);
  return times.length === 0 ? null : Math.max(...times);
}

/** Whether it comes back without a person or a new login. */
export function comesBack(model: Model, proxy: ModelProxy, asked: Asked): boolean {
  const found = reasons(model, proxy, asked);
  return found.length > 0 && found.every(({ out, until }) => out === null || until !== null);
}

/** Whether it is not ready only since it is at a limit that soon ends. */
export function isOnlyAtLimit(model: Model, proxy: ModelProxy, asked: Asked): boolean {
  const found = reasons(model, proxy, asked);
  return found.length > 0 && found.every(({ state }) => state === 'busy' || state === 'pausing');
}
