import type { Scope } from './circuit.ts';

/** A window moves on by this part of itself, so it covers 0.9 to 1 of its length. */
const BUCKETS = 10;

/** What failed on a domain: a proxy, or one session of a gateway, which has another exit for each. */
export interface Suspect {
  slot: number;
  scope: Scope;
  at: number;
  /** Whether it worked before: else the failure may well be its own. */
  isProven: boolean;
}

/** The outcomes of one domain in a sliding window, and who failed there. */
export class DomainWindow {
  readonly #windowMs: number;
  readonly #most: number;
  readonly #failures = new Uint32Array(BUCKETS);
  readonly #successes = new Uint32Array(BUCKETS);
  #bucket = Number.NEGATIVE_INFINITY;
  /** The oldest first. */
  readonly #suspects = new Map<number | string, Suspect>();
  lastFailure = Number.NEGATIVE_INFINITY;

  /** @param most so many suspects are remembered. */
  constructor(windowMs: number, most: number) {
    this.#windowMs = windowMs;
    this.#most = most;
  }

  get bucketMs(): number {
    return this.#windowMs / BUCKETS;
  }

  succeeded(now: number): void {
    (this.#successes[this.#bucketOf(now)] as number)++;
  }

  /** @param counts whether the failure says something of the domain. */
  failed({ slot, scope, isProven, at: now }: Suspect, counts: boolean): void {
    if (counts) (this.#failures[this.#bucketOf(now)] as number)++;
    this.lastFailure = now;
    const key = scope.startsWith('session ') ? `${slot} ${scope}` : slot;
    this.#suspects.delete(key);
    this.#suspects.set(key, { slot, scope, at: now, isProven });
    for (const [oldest, { at }] of this.#suspects) {
      if (at > now - this.#windowMs && this.#suspects.size <= this.#most) break;
      this.#suspects.delete(oldest);
    }
  }

  /** How many outcomes there were in the window, and how many of them were failures. */
  outcomes(now: number): { total: number; failures: number } {
    this.#bucketOf(now);
    let total = 0;
    let failures = 0;
    for (let i = 0; i < BUCKETS; i++) {
      failures += this.#failures[i] as number;
      total += (this.#failures[i] as number) + (this.#successes[i] as number);
    }
    return { total, failures };
  }

  /** Whether so many different proxies have failed that worked before. */
  hasProven(count: number): boolean {
    if (this.#suspects.size < count) return false;
    let proven = 0;
    for (const { isProven } of this.#suspects.values()) if (isProven && ++proven === count) return true;
    return false;
  }

  suspects(): Suspect[] {
    return [...this.#suspects.values()];
  }

  /** Proxies, and all their sessions. */
  forgetThose(slots: ReadonlySet<number>): void {
    for (const [key, { slot }] of this.#suspects) if (slots.has(slot)) this.#suspects.delete(key);
  }

  forgetSuspects(): void {
    this.#suspects.clear();
  }

  moveTo(to: (slot: number) => number): void {
    const suspects = this.suspects();
    this.#suspects.clear();
    for (const suspect of suspects) {
      const slot = to(suspect.slot);
      if (slot === -1) continue;
      const { scope } = suspect;
      this.#suspects.set(scope.startsWith('session ') ? `${slot} ${scope}` : slot, { ...suspect, slot });
    }
  }

  /** The bucket of the present, after those that have become too old were emptied. */
  #bucketOf(now: number): number {
    const number = Math.floor(now / this.bucketMs);
    if (number > this.#bucket) {
      for (let old = Math.max(this.#bucket + 1, number - BUCKETS + 1); old <= number; old++) {
        this.#failures[modulo(old)] = 0;
        this.#successes[modulo(old)] = 0;
      }
      this.#bucket = number;
    }
    return modulo(this.#bucket);
  }
}

function modulo(number: number): number {
  return ((number % BUCKETS) + BUCKETS) % BUCKETS;
}
