import { forget } from './health.ts';
import type { Model, ModelProxy, Outcome } from './state.ts';

/** What the database has of the requests of a proxy. */
export interface Totals {
  requests: number;
  successes: number;
  failures: number;
  latencyMs: number;
  /** Failures in a row. */
  inRow: number;
}

export function totalsOf(log: readonly Outcome[], proxy: ModelProxy): Totals {
  const totals = { requests: 0, successes: 0, failures: 0, latencyMs: 0, inRow: 0 };
  for (const { what, isCharged, latencyMs } of log.filter((each) => each.proxy === proxy)) {
    if (what === 'failure') totals.inRow += Number(isCharged);
    else totals.inRow = 0;
    if (what === 'reset') continue;
    totals.requests++;
    totals.latencyMs += latencyMs;
    totals[what === 'success' ? 'successes' : 'failures']++;
  }
  return totals;
}

/** What a crash may have left of the outcomes: all that were committed, and of the others all up to one of them. The fullest first. */
export function possibleLogs({ log, mostLost }: Model): Outcome[][] {
  const batched = log.filter(({ isBatched }) => isBatched);
  const logs: Outcome[][] = [];
  for (let lost = 0; lost <= Math.min(mostLost, batched.length); lost++) {
    const gone = new Set(batched.slice(batched.length - lost));
    logs.push(log.filter((outcome) => !gone.has(outcome)));
  }
  return logs;
}

/** The program runs again: what was in memory only is gone, and what was committed holds. */
export function restart(model: Model): void {
  const { wall } = model;
  model.now = wall;
  model.leases = [];
  model.waiters = [];
  model.watched = [];
  model.worksSince.clear();
  model.outages = { share: 0.5, count: 8 };
  model.lastSuccess = Number.NEGATIVE_INFINITY;
  model.ended = { succeeded: 0, failed: 0, abandoned: 0, late: 0, bytes: 0 };
  for (const outcome of model.log) outcome.isBatched = false;
  for (const proxy of model.proxies) {
    const isProven = totalsOf(model.log, proxy).successes > 0;
    const allowance = isProven ? Number.POSITIVE_INFINITY : 1;
    Object.assign(proxy, {
      allowance,
      handOuts: 0,
      restsUntil: null,
      pausesUntil: null,
      domainPauses: new Map(),
      fruitless: [],
    });
  }
  model.outs = model.outs.filter(({ state }) => state !== 'in');
  for (const out of [...model.outs]) {
    const { proxy, scope, source, stored, kind } = out;
    const length = stored.until === null ? null : stored.until - stored.since;
    // A clock that was set back makes no cooldown longer than it was at first.
    const left = length === null ? null : Math.min(length, (stored.until as number) - wall);
    const until = left === null ? null : wall + left;
    const isOver = left !== null && left <= 0;
    Object.assign(out, {
      state: isOver ? 'trying' : 'out',
      until,
      lastOut: length ?? 0,
      row: 0,
      well: wall,
      isAsked: false,
    });
    out.since = until === null ? wall : until - (length as number);
    out.cause = scope.startsWith('domain ') ? scope.slice('domain '.length) : null;
    out.allowanceBefore = proxy.allowance;
    if (scope === '' && source === 'engine') proxy.allowance = 1;
    if (isOver && (source === 'person' || kind === 'blocked')) forget(model, out);
  }
}
