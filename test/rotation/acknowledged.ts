import type { PoolEvents } from 'proxyvault';

/** What fixtures/leaser.mjs says before a call. */
interface Begun {
  at: number;
  op: 'acquire' | 'outcome' | 'report' | 'cool' | 'reset';
  proxy?: string;
  session?: string;
  stored?: boolean;
  lease?: string;
  isSuccess?: boolean;
  latencyMs?: number;
}

type Health = { isOut: boolean } & PoolEvents['recovered'] & Partial<PoolEvents['cooled']>;

/** What it says after a call. */
interface Done {
  done: number;
  health: Health[];
  proxy?: string;
  lease?: string;
  none?: true;
}

export interface StoredOutcome {
  proxy: string;
  isSuccess: boolean;
  latencyMs: number | undefined;
  /** When the call returned; Infinity for one that did not. */
  done: number;
}

/** What a process had acknowledged when it was killed. */
export class Acknowledged {
  /** Of leases, in order. */
  readonly outcomes: StoredOutcome[] = [];
  /** Without a lease, each committed. */
  readonly reports: StoredOutcome[] = [];
  readonly sessions = new Map<string, string>();
  /** By proxy, scope and source; null for those that have ended. */
  readonly cooldowns = new Map<string, Health | null>();
  /** Which proxies went out for everything, and were put out again. */
  wentOut = 0;
  readonly leases = new Set<string>();
  /** The call that had not returned. */
  inProgress: Begun | null = null;
  /**
   * When the process was last seen to have had the chance to store what had waited for too long: before the last report that
   * returned, or when the event loop last had its turn.
   */
  lastChance = 0;

  constructor(lines: readonly string[]) {
    for (const line of lines) {
      const said = JSON.parse(line) as Begun | Done | { tick: number };
      if ('tick' in said) this.lastChance = Math.max(this.lastChance, said.tick);
      else if ('at' in said) this.inProgress = said;
      else if (this.inProgress !== null) this.#take(this.inProgress, said);
    }
  }

  /** The outcome of the call that had not returned, if it was to report one. */
  get outcomeInProgress(): StoredOutcome[] {
    return this.inProgress?.op === 'outcome' ? [outcomeOf(this.inProgress, Number.POSITIVE_INFINITY)] : [];
  }

  get reportInProgress(): StoredOutcome[] {
    return this.inProgress?.op === 'report' ? [outcomeOf(this.inProgress, Number.POSITIVE_INFINITY)] : [];
  }

  #take(begun: Begun, { done, health, proxy, lease, none }: Done): void {
    this.inProgress = null;
    for (const each of health) {
      const source = each.kind === 'manual' || begun.op === 'cool' ? 'person' : 'engine';
      const part = each.domain === null ? each.session : each.domain;
      const scope = part === null ? '' : `${each.domain === null ? 'session' : 'domain'} ${part}`;
      // Those that a person puts out are put out by nobody else.
      for (const key of each.isOut
        ? [`${each.proxyId} ${scope} ${source}`]
        : [...this.cooldowns.keys()].filter((known) => known.startsWith(`${each.proxyId} ${scope} `)))
        this.cooldowns.set(key, each.isOut ? each : null);
      if (each.isOut && scope === '') this.wentOut++;
    }
    if (none) return;
    if (begun.op === 'outcome') {
      this.outcomes.push(outcomeOf(begun, done));
      this.lastChance = Math.max(this.lastChance, begun.at);
      this.leases.delete(begun.lease ?? '');
    }
    if (begun.op === 'report') this.reports.push(outcomeOf(begun, done));
    if (begun.op !== 'acquire') return;
    if (begun.session !== undefined) this.sessions.set(begun.session, String(proxy));
    if (lease !== undefined) this.leases.add(lease);
  }
}

function outcomeOf({ proxy, isSuccess, latencyMs }: Begun, done: number): StoredOutcome {
  return { proxy: String(proxy), isSuccess: isSuccess === true, latencyMs, done };
}

/** The sums of some outcomes by proxy: requests, successes, failures, milliseconds. */
export function sumsOf(outcomes: readonly StoredOutcome[]): Map<string, number[]> {
  const sums = new Map<string, number[]>();
  for (const { proxy, isSuccess, latencyMs = 0 } of outcomes) {
    const [requests = 0, successes = 0, failures = 0, latency = 0] = sums.get(proxy) ?? [];
    sums.set(proxy, [
      requests + 1,
      successes + Number(isSuccess),
      failures + Number(!isSuccess),
      latency + latencyMs,
    ]);
  }
  return sums;
}
