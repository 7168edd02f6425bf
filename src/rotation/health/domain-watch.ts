import type { HealthSettings } from '../../model/pool-options.ts';
import { DomainWindow, type Suspect } from './domain-window.ts';

/** So many domains are watched at a time, the last that had a failure. */
const MOST_DOMAINS = 4096;
/** So many proxies that have failed on a domain are remembered, or `domainProxies` if that is more. */
const MOST_SUSPECTS = 256;
/** A domain is watched for so many windows after its last failure. */
const WATCHED = 6;
/** So many domains that have failed and work again are remembered. */
const MOST_ENDED = 256;

export interface FailingDomain {
  domain: string;
  since: number;
  /** So many proxies had failed when it was found to fail. */
  proxies: number;
  /** So many failures there were, those since then included. */
  failures: number;
}

/** A domain has begun to fail, or works again. */
export interface DomainChange extends FailingDomain {
  state: 'failing' | 'working';
}

interface Failing extends FailingDomain {
  /** When to look next whether it works again. */
  checkAt: number;
}

/**
 * Finds domains that fail for everybody. A domain is watched from its first failure on, and until nothing has failed for some windows,
 * so that successes cost next to nothing on the others.
 */
export class DomainWatch {
  readonly #windows = new Map<string, DomainWindow>();
  readonly #failing = new Map<string, Failing>();
  /** When domains were last found to work again. */
  readonly #ended = new Map<string, number>();
  /** Slots whose proxies are gone, and may still be suspects. */
  readonly #gone = new Set<number>();
  #settings: HealthSettings;
  readonly #tell: (change: DomainChange) => void;
  #nextDue = Number.POSITIVE_INFINITY;

  constructor(settings: HealthSettings, tell: (change: DomainChange) => void) {
    this.#settings = settings;
    this.#tell = tell;
  }

  configure(settings: HealthSettings): void {
    const { domainWindowMs, domainProxies } = this.#settings;
    this.#settings = settings;
    if (settings.domainWindowMs === domainWindowMs && settings.domainProxies === domainProxies) return;
    this.#windows.clear();
    for (const domain of this.#failing.keys()) this.#windows.set(domain, this.#newWindow());
  }

  get isIdle(): boolean {
    return this.#windows.size === 0;
  }

  get nextDue(): number {
    return this.#nextDue;
  }

  isFailing(domain: string): boolean {
    return this.#failing.size !== 0 && this.#failing.has(domain);
  }

  /** Whether a domain was failing when a proxy was handed out for it, and works again. */
  hasFailedSince(domain: string, handedOutAt: number): boolean {
    const ended = this.#ended.get(domain);
    return ended !== undefined && handedOutAt < ended;
  }

  failing(): FailingDomain[] {
    return [...this.#failing.values()].map(({ checkAt, ...domain }) => domain);
  }

  /** The domain answered. */
  succeeded(domain: string, now: number): void {
    const window = this.#windows.get(domain);
    if (window === undefined) return;
    if (window.lastFailure > now - WATCHED * this.#settings.domainWindowMs || this.#failing.has(domain)) {
      window.succeeded(now);
    } else {
      this.#windows.delete(domain);
    }
  }

  /** A failure where the target may be at fault. Gives those that have failed in the window if this shows that the domain fails. */
  failed(domain: string, suspect: Suspect): Suspect[] | null {
    const now = suspect.at;
    this.#forgetGone();
    const window = this.#windowOf(domain);
    if (window === null) return null;
    const known = this.#failing.get(domain);
    // Who has never worked shows no domain to be failing, but does not show either that it works again.
    window.failed(suspect, suspect.isProven || known !== undefined);
    if (known !== undefined) {
      known.failures++;
      window.forgetSuspects();
      return null;
    }
    if (!window.hasProven(this.#settings.domainProxies)) return null;
    const { total, failures } = window.outcomes(now);
    if (failures * 2 < total) return null;
    const suspects = window.suspects();
    window.forgetSuspects();
    const checkAt = now + this.#settings.domainWindowMs;
    const found = { domain, since: now, proxies: suspects.length, failures };
    this.#failing.set(domain, { ...found, checkAt });
    this.#nextDue = Math.min(this.#nextDue, checkAt);
    this.#tell({ ...found, state: 'failing' });
    return suspects;
  }

  /** Ends what has worked for a whole window, or had no failure in one. */
  advance(now: number): void {
    if (now < this.#nextDue) return;
    this.#nextDue = Number.POSITIVE_INFINITY;
    for (const failing of this.#failing.values()) {
      const window = this.#windows.get(failing.domain);
      if (failing.checkAt <= now) {
        const { total, failures } = window?.outcomes(now) ?? { total: 0, failures: 0 };
        if (failures * 2 < total || failures === 0) {
          this.#end(failing, now);
          continue;
        }
        failing.checkAt = now + this.#settings.domainWindowMs / 10;
      }
      this.#nextDue = Math.min(this.#nextDue, failing.checkAt);
    }
  }

  /** Whether most requests to a domain have worked lately, so that a failure there is not the domain's. */
  isWorking(domain: string, now: number): boolean {
    const { total, failures } = this.#windows.get(domain)?.outcomes(now) ?? { total: 0, failures: 0 };
    return failures * 2 < total;
  }

  /** The proxy of a slot is gone: another one may get the slot, and is another suspect. */
  gone(slot: number): void {
    if (this.#windows.size > 0) this.#gone.add(slot);
  }

  /** For all that are gone at once: there may be many, and many windows. */
  #forgetGone(): void {
    if (this.#gone.size === 0) return;
    for (const window of this.#windows.values()) window.forgetThose(this.#gone);
    this.#gone.clear();
  }

  moveTo(to: (slot: number) => number): void {
    this.#forgetGone();
    for (const window of this.#windows.values()) window.moveTo(to);
  }

  #end({ checkAt, ...failing }: Failing, now: number): void {
    const { domain } = failing;
    this.#failing.delete(domain);
    this.#windows.delete(domain);
    this.#ended.delete(domain);
    this.#ended.set(domain, now);
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= MOST_ENDED) break;
      this.#ended.delete(oldest);
    }
    this.#tell({ ...failing, state: 'working' });
  }

  #windowOf(domain: string): DomainWindow | null {
    let window = this.#windows.get(domain);
    if (window !== undefined) return window;
    if (this.#windows.size >= MOST_DOMAINS && !this.#forgetOne()) return null;
    window = this.#newWindow();
    this.#windows.set(domain, window);
    return window;
  }

  #newWindow(): DomainWindow {
    return new DomainWindow(
      this.#settings.domainWindowMs,
      Math.max(this.#settings.domainProxies, MOST_SUSPECTS),
    );
  }

  #forgetOne(): boolean {
    for (const domain of this.#windows.keys()) {
      if (!this.#failing.has(domain)) return this.#windows.delete(domain);
    }
    return false;
  }
}
