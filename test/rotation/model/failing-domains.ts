import type { Model, ModelProxy, WatchedDomain } from './state.ts';

/** A domain is watched from its first failure on, until one answers after six windows without any. */
export function noteSuccess(model: Model, domain: string): void {
  const watched = model.watched.find((each) => each.domain === domain);
  if (watched === undefined) return;
  if (watched.checkAt === null && watched.lastFailure <= model.now - 6 * model.settings.domainWindowMs)
    model.watched.splice(model.watched.indexOf(watched), 1);
  else watched.outcomes.push({ at: model.now, isFailure: false });
}

/** Notes a failure where the target may be at fault. `suspects` has who had failed before, if just this shows that the domain fails. */
export function looksFailing(
  model: Model,
  domain: string,
  proxy: ModelProxy,
  scope: string,
): { isFailing: boolean; suspects: WatchedDomain['suspects'] } {
  const { now, settings } = model;
  const watched = model.watched.find((each) => each.domain === domain) ?? newWatched(model, domain);
  // Who has not worked yet, or is being probed, shows nothing of the domain while others work.
  const isProven = proxy.allowance > 1 || model.lastSuccess <= now - settings.domainWindowMs;
  if (isProven || watched.checkAt !== null) watched.outcomes.push({ at: now, isFailure: true });
  watched.lastFailure = now;
  if (watched.checkAt !== null) return { isFailing: true, suspects: [] };
  const session = scope.startsWith('session ') ? scope : '';
  watched.suspects = watched.suspects.filter(
    (each) =>
      each.at > now - settings.domainWindowMs &&
      !(each.proxy === proxy && (each.scope.startsWith('session ') ? each.scope : '') === session),
  );
  watched.suspects.push({ proxy, scope, at: now, isProven });
  const { total, failures } = inWindow(model, watched);
  const proven = watched.suspects.filter((each) => each.isProven);
  if (proven.length < settings.domainProxies || failures * 2 < total)
    return { isFailing: false, suspects: [] };
  const { suspects } = watched;
  watched.suspects = [];
  watched.checkAt = now + settings.domainWindowMs;
  return { isFailing: true, suspects };
}

/** Whether most requests to a domain have worked lately. */
export function isWorking(model: Model, domain: string): boolean {
  const watched = model.watched.find((each) => each.domain === domain);
  if (watched === undefined) return false;
  const { total, failures } = inWindow(model, watched);
  return failures * 2 < total;
}

/** A domain works again when less than half of the last window has failed, or nothing. */
export function endFailingDomains(model: Model): void {
  for (const watched of [...model.watched]) {
    if (watched.checkAt === null || watched.checkAt > model.now) continue;
    const { total, failures } = inWindow(model, watched);
    if (failures === 0 || failures * 2 < total) {
      model.watched.splice(model.watched.indexOf(watched), 1);
      model.worksSince.set(watched.domain, model.now);
    } else watched.checkAt = model.now + model.settings.domainWindowMs / 10;
  }
}

/** Other settings of it begin with a new window. */
export function forgetWindows(model: Model): void {
  model.watched = model.watched.filter(({ checkAt }) => checkAt !== null);
  for (const watched of model.watched) Object.assign(watched, { outcomes: [], suspects: [], lastFailure: 0 });
}

function newWatched(model: Model, domain: string): WatchedDomain {
  const watched = { domain, outcomes: [], suspects: [], lastFailure: 0, checkAt: null };
  model.watched.push(watched);
  return watched;
}

/** The window moves on by a tenth of itself. */
function inWindow(
  { now, settings }: Model,
  { outcomes }: WatchedDomain,
): { total: number; failures: number } {
  const tenth = (at: number): number => Math.floor(at / (settings.domainWindowMs / 10));
  const recent = outcomes.filter(({ at }) => tenth(at) > tenth(now) - 10);
  return { total: recent.length, failures: recent.filter(({ isFailure }) => isFailure).length };
}
