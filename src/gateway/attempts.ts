import { isIPv6 } from 'node:net';
import { setImmediate, setTimeout as setTimeoutPromise } from 'node:timers/promises';

import { ProxyVaultError } from '../errors.ts';
import { kindOfStatus } from '../model/outcomes.ts';
import type { RevealedProxy } from '../revealed-proxy.ts';
import type { Lease, Pool, PoolRequest } from '../rotation/index.ts';
import type { Template } from './asking.ts';
import { CLIENT_GONE, failureOf, OURSELVES, TOO_LATE } from './failures.ts';
import type { Tried } from './log.ts';
import type { Settings } from './options.ts';
import { reportLease } from './report-lease.ts';

/** The longest lease, ten years: a gateway ends each of its leases itself. */
const LEASE_MS = 10 * 365 * 86_400_000;
/** What is wrong with the login of one proxy; the others may work. */
const LOGIN_FAULTS: ReadonlySet<string> = new Set([
  'CREDENTIAL_CORRUPT',
  'INVALID_ROW',
  'INVALID_INPUT',
  'NOT_FOUND',
]);

/** So many proxies whose logins cannot be used are passed over for one request: to read them takes time. */
const MOST_FAULTS = 10;

/** After so many milliseconds a locked database is asked again. */
const BUSY_MS = 50;

/** What trying proxies needs. */
export interface Trying {
  pool: Pool;
  settings: Settings;
  /** Whether an address is one that this gateway listens on. */
  isOurs: (host: string, port: number) => boolean;
  /** Called with an outcome that the pool could not store. */
  onUnstored: (error: unknown) => void;
  /** Called with an error that nobody foresaw. */
  onFault: (error: unknown) => void;
}

/** A proxy that serves a request. */
export interface Serving {
  lease: Lease;
  proxy: RevealedProxy;
}

/** One request on its way to a proxy that serves it. Each attempt excludes the proxies that were tried before. */
export class Attempts {
  /** The attempts that failed. */
  readonly tried: Tried[] = [];
  readonly #trying: Trying;
  readonly #request: PoolRequest;
  readonly #template: Template;
  readonly #excluded = new Set<string>();
  /** Made when something must be ended: a request on a connection that was kept needs none. */
  #aborter: AbortController | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isGone = false;
  #isLate = false;
  readonly #deadline: number;
  #begun = 0;
  #isLast = false;

  constructor(trying: Trying, request: PoolRequest, template: Template) {
    this.#trying = trying;
    this.#request = request;
    this.#template = template;
    this.#deadline = performance.now() + trying.settings.deadlineMs;
  }

  /** Ends the attempt that runs, and all others: the client has gone. */
  abort(): void {
    clearTimeout(this.#timer);
    this.#isGone = true;
    this.#aborter?.abort(CLIENT_GONE);
  }

  /** Whether the client has gone. */
  get isAborted(): boolean {
    return this.#isGone;
  }

  /** Why no attempt may begin or go on; null if one may. */
  get #reason(): Error | null {
    if (this.#isGone) return CLIENT_GONE;
    return this.#isLate || performance.now() >= this.#deadline ? TOO_LATE : null;
  }

  /** Ends what takes too long, or is for a client that has gone. */
  readonly #signal = (): AbortSignal => {
    if (this.#aborter !== null) return this.#aborter.signal;
    const aborter = new AbortController();
    this.#aborter = aborter;
    const reason = this.#reason;
    if (reason === null)
      this.#timer = setTimeout(() => {
        // A timer may come a little early by the clock.
        this.#isLate = true;
        aborter.abort(TOO_LATE);
      }, this.#deadline - performance.now());
    else aborter.abort(reason);
    return aborter.signal;
  };

  /** Whether another attempt may begin. */
  get mayTryAgain(): boolean {
    return !this.#isLast && this.#begun < this.#trying.settings.attempts && this.#reason === null;
  }

  /** No other attempt may begin: what was sent must not be sent twice. */
  stop(): void {
    this.#isLast = true;
  }

  /** How many proxies each reason excludes from another attempt. */
  get excluded(): Record<string, number> {
    try {
      return this.#trying.pool.excludedFrom({ ...this.#request, exclude: this.#excluded });
    } catch {
      // Such as a pool that is closed: then nobody knows.
      return {};
    }
  }

  /** The request is served, or never will be: the deadline does not count. */
  settle(): void {
    clearTimeout(this.#timer);
  }

  /**
   * Calls `reach` with one proxy after another until it succeeds, and gives what it gave. What it rejects with is reported to the pool.
   *
   * @throws NO_PROXY, PROXY_FAILED or what the last attempt has failed with; `tried` has the attempts.
   */
  async reach<T>(
    reach: (serving: Serving, signal: () => AbortSignal) => Promise<T>,
  ): Promise<Serving & { value: T }> {
    for (;;) {
      const serving = await this.#next();
      const { lease, proxy } = serving;
      const since = performance.now();
      try {
        if (this.#trying.isOurs(proxy.host, proxy.port)) throw OURSELVES;
        const value = await reach(serving, this.#signal);
        return { lease, proxy, value };
      } catch (error) {
        this.failed(lease, error, performance.now() - since);
        if (!this.mayTryAgain) throw error;
      }
    }
  }

  /** Notes and reports an attempt that has failed after `ms` milliseconds. */
  failed(lease: Lease, error: unknown, ms: number): void {
    const failure = failureOf(error);
    this.#excluded.add(lease.proxy.id);
    if (failure === null) {
      lease[Symbol.dispose]();
      if (error !== CLIENT_GONE) this.#trying.onFault(error);
      return;
    }
    const { status, kind = kindOfStatus(status ?? 0) ?? 'status' } = failure;
    this.tried.push({ proxy: lease.proxy.id, kind, status, ms: Math.round(ms) });
    // What the deadline has cut short says nothing of a proxy that had little time.
    const hadTime = error !== TOO_LATE || ms >= this.#trying.settings.connectMs;
    reportLease(lease, () => hadTime && lease.fail(failure), this.#trying.onUnstored);
  }

  /** The next proxy that can carry the request, and whose login can be read. */
  async #next(): Promise<Serving> {
    for (let faults = 0; ; ) {
      const lease = await this.#acquire();
      try {
        if (this.#reason !== null) throw this.#reason;
        const proxy = lease.reveal(this.#template(lease.proxy));
        if (this.#canCarry(proxy)) {
          this.#begun++;
          return { lease, proxy };
        }
        lease[Symbol.dispose]();
        this.#excluded.add(lease.proxy.id);
      } catch (error) {
        lease[Symbol.dispose]();
        this.#excluded.add(lease.proxy.id);
        const isOfLogin = error instanceof ProxyVaultError && LOGIN_FAULTS.has(error.code);
        if (!isOfLogin || ++faults === MOST_FAULTS) throw error;
        // Other requests, and the deadline, have their turn.
        await setImmediate();
      }
    }
  }

  /** SOCKS4 has no IPv6: that is no fault of a proxy. */
  #canCarry({ protocol }: RevealedProxy): boolean {
    return protocol !== 'socks4' || !isIPv6(this.#request.domain ?? '');
  }

  /** A lease as soon as there is one; another process may hold the lock of the database for a while. */
  async #acquire(): Promise<Lease> {
    for (;;) {
      try {
        return await this.#acquireNow();
      } catch (error) {
        const isBusy = error instanceof ProxyVaultError && error.code === 'BUSY';
        if (!isBusy || performance.now() > this.#deadline) throw error;
        const signal = this.#signal();
        await setTimeoutPromise(BUSY_MS, undefined, { signal }).catch(() => {
          // At the deadline the lock is the reason.
          throw signal.reason === TOO_LATE ? error : signal.reason;
        });
      }
    }
  }

  /** A lease now; or later, if a proxy may come before the deadline. */
  async #acquireNow(): Promise<Lease> {
    const { pool } = this.#trying;
    const asked = { ...this.#request, exclude: this.#excluded, leaseMs: LEASE_MS };
    let refused: unknown;
    try {
      return await pool.acquire({ ...asked, waitMs: 0 });
    } catch (error) {
      if (!this.#isWorthWaiting(error)) throw error;
      refused = error;
    }
    const waitMs = Math.max(0, Math.floor(this.#deadline - performance.now()));
    try {
      return await pool.acquire({ ...asked, waitMs, signal: this.#signal() });
    } catch (error) {
      // That no proxy came in time has its reason.
      throw error === TOO_LATE ? refused : error;
    }
  }

  #isWorthWaiting(error: unknown): boolean {
    if (!(error instanceof ProxyVaultError) || error.code !== 'NO_PROXY') return false;
    const { readyAt } = error.details;
    const left = this.#deadline - performance.now();
    return typeof readyAt !== 'string' || Date.parse(readyAt) - Date.now() < left;
  }
}
