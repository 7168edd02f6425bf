import { seededRandom } from '../support/seeded-random.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;

/** Who waits for an answer waits no longer. */
const TIMEOUT = 10 * SECOND;
/** A provider allows so many requests of one proxy in a minute; then it answers 429 for as long as it says. */
const REQUESTS_PER_MINUTE = 8;
const RETRY_AFTER = 60 * SECOND;
/** The phases of a proxy that flaps last so long on average. */
const PHASES = { up: 10 * MINUTE, down: 2 * MINUTE };

/** What a proxy is in truth. `refuses` and `silent` are dead: one does not let anybody connect, of the other nothing is heard. */
export type Nature = 'healthy' | 'slow' | 'flaps' | 'refuses' | 'silent';

/** How a request ends that begins now. */
export interface Answer {
  latencyMs: number;
  /** Null if it succeeds. */
  failure: { kind: 'connect' | 'timeout' } | { status: 429; retryAfterMs: number } | { status: 503 } | null;
}

export interface WorldOptions {
  seed: number;
  proxies: number;
  /** The share of the requests that each domain gets. */
  domains: Readonly<Record<string, number>>;
  outage: { domain: string; from: number; until: number };
  /** At this time every tenth dead proxy comes back. */
  revival: number;
}

interface Proxy {
  nature: Nature;
  /** When it changes between up and down, in ascending order; before the first it is up if it is not dead. */
  changes: number[];
  latencyMs: number;
  isLimited: boolean;
  /** How many requests its provider allows now, and when that was counted. */
  allowed: number;
  countedAt: number;
}

/** The truth about every proxy and domain at each moment. Times are milliseconds since the world began. */
export class World {
  readonly options: WorldOptions;
  readonly #proxies: readonly Proxy[];
  readonly #random: () => number;
  readonly #domains: readonly (readonly [string, number])[];

  constructor(options: WorldOptions) {
    this.options = options;
    this.#random = seededRandom(options.seed);
    this.#domains = Object.entries(options.domains);
    const natures = shuffled(naturesOf(options.proxies), this.#random);
    this.#proxies = natures.map((nature, n) => this.#newProxy(nature, n));
  }

  get size(): number {
    return this.#proxies.length;
  }

  nature(proxy: number): Nature {
    return this.#at(proxy).nature;
  }

  /** Whether a proxy always works. A provider may still limit it. */
  isSteady(proxy: number): boolean {
    const nature = this.nature(proxy);
    return nature === 'healthy' || nature === 'slow';
  }

  /** Whether its provider limits how often a proxy may be used. */
  isLimited(proxy: number): boolean {
    return this.#at(proxy).isLimited;
  }

  /** Whether a proxy works. */
  isUp(proxy: number, now: number): boolean {
    const { changes } = this.#at(proxy);
    let isUp = this.isSteady(proxy) || this.nature(proxy) === 'flaps';
    for (const change of changes) {
      if (change > now) break;
      isUp = !isUp;
    }
    return isUp;
  }

  isDown(domain: string, now: number): boolean {
    const { outage } = this.options;
    return domain === outage.domain && now >= outage.from && now < outage.until;
  }

  /** The times when a proxy comes back. */
  returns(proxy: number): number[] {
    return this.#at(proxy).changes.filter((change) => this.isUp(proxy, change));
  }

  /** Which domain the next request wants. */
  nextDomain(): string {
    let left = this.#random();
    for (const [domain, share] of this.#domains) {
      left -= share;
      if (left < 0) return domain;
    }
    return this.#domains[0]?.[0] ?? '';
  }

  /** Sends a request. */
  send(proxy: number, domain: string, now: number): Answer {
    const state = this.#at(proxy);
    const latencyMs = Math.round(state.latencyMs * (0.5 + this.#random()));
    if (!this.isUp(proxy, now))
      return state.nature === 'refuses' || (state.nature === 'flaps' && proxy % 2 === 0)
        ? { latencyMs: 50, failure: { kind: 'connect' } }
        : { latencyMs: TIMEOUT, failure: { kind: 'timeout' } };
    if (state.isLimited && !takeOne(state, now))
      return { latencyMs, failure: { status: 429, retryAfterMs: state.countedAt - now } };
    if (this.isDown(domain, now))
      return this.#random() < 0.5
        ? { latencyMs, failure: { status: 503 } }
        : { latencyMs: TIMEOUT, failure: { kind: 'timeout' } };
    return { latencyMs, failure: null };
  }

  #newProxy(nature: Nature, n: number): Proxy {
    const random = this.#random;
    return {
      nature,
      changes: this.#changesOf(nature),
      latencyMs: nature === 'slow' ? 3000 + 3000 * random() : 200 + 600 * random(),
      isLimited: n % 10 === 0,
      allowed: REQUESTS_PER_MINUTE,
      countedAt: 0,
    };
  }

  #changesOf(nature: Nature): number[] {
    if (nature === 'refuses' || nature === 'silent')
      return this.#random() < 0.1 ? [this.options.revival] : [];
    if (nature !== 'flaps') return [];
    const changes: number[] = [];
    for (let at = 0, isUp = true; at < 60 * MINUTE; isUp = !isUp) {
      at += Math.round((isUp ? PHASES.up : PHASES.down) * (0.5 + this.#random()));
      changes.push(at);
    }
    return changes;
  }

  #at(proxy: number): Proxy {
    return this.#proxies[proxy] as Proxy;
  }
}

/** 15 % refuse, 15 % are silent, 10 % are slow, 5 % flap. */
function naturesOf(count: number): Nature[] {
  return Array.from({ length: count }, (_, n): Nature => {
    const percent = (100 * n) / count;
    if (percent < 15) return 'refuses';
    if (percent < 30) return 'silent';
    if (percent < 40) return 'slow';
    return percent < 45 ? 'flaps' : 'healthy';
  });
}

/** Takes one of the requests that a provider allows. After the last it allows none for as long as it says, and then counts from zero. */
function takeOne(proxy: Proxy, now: number): boolean {
  if (now < proxy.countedAt) return false;
  const gained = ((now - proxy.countedAt) * REQUESTS_PER_MINUTE) / MINUTE;
  proxy.allowed = Math.min(REQUESTS_PER_MINUTE, proxy.allowed + gained);
  proxy.countedAt = now;
  if (proxy.allowed >= 1) {
    proxy.allowed--;
    return true;
  }
  proxy.allowed = REQUESTS_PER_MINUTE;
  proxy.countedAt = now + RETRY_AFTER;
  return false;
}

function shuffled<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}
