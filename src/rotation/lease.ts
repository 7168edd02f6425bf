import { inspect } from 'node:util';

import type { TemplateValues } from '../lists/index.ts';
import type { RevealedProxy } from '../revealed-proxy.ts';
import type { LeaseDispatcher } from '../upstream/index.ts';
import { type LeaseRequests, reportedFetch } from './lease-requests.ts';
import type { Held } from './leases.ts';
import { exitName, loginValues } from './login-values.ts';
import type { FailureReport, OutcomeReport, SuccessReport } from './outcome.ts';
import type { ChosenProxy } from './pool-index.ts';

/** What a lease asks of the pool. */
export interface LeaseDesk {
  idOf: (held: Held) => string;
  ticketOf: (held: Held) => string;
  expiresAt: (held: Held) => string;
  renew: (held: Held, forMs: number | undefined) => void;
  succeed: (held: Held, success: SuccessReport | undefined) => void;
  fail: (held: Held, failure: FailureReport) => void;
  report: (held: Held, report: OutcomeReport) => void;
  abandon: (held: Held) => void;
  confirm: (held: Held) => void;
  reveal: (proxyId: string, template: TemplateValues | undefined) => RevealedProxy;
  requests: () => LeaseRequests;
}

/**
 * The right to use a proxy until `expiresAt`, for one request or several. Say how it went: with `succeed`, `fail` or `report`. With
 * `using`, a lease that nobody reported is abandoned at the end of the block. It shows no login but by `reveal`.
 */
export class Lease implements Disposable {
  readonly #held: Held;
  readonly #desk: LeaseDesk;

  /** @internal */
  constructor(held: Held, desk: LeaseDesk) {
    this.#held = held;
    this.#desk = desk;
  }

  /** By which another part of the program may report it: `pool.reportLease(id, …)`. */
  get id(): string {
    return this.#desk.idOf(this.#held);
  }

  /**
   * The id, with what is needed to report the lease where nobody knows it: in another process, or after its end. For a day
   * `pool.reportLease` and `proxyvault report` take it, and then count one more request. It shows the domain and the session to whoever
   * has it, and no login.
   */
  get ticket(): string {
    return this.#desk.ticketOf(this.#held);
  }

  get proxy(): ChosenProxy {
    return this.#held.proxy;
  }

  /** When it ends if nobody reports or renews it: ISO 8601 UTC. */
  get expiresAt(): string {
    return this.#desk.expiresAt(this.#held);
  }

  /** `held` until it was reported, was abandoned or has expired. */
  get state(): 'held' | 'reported' | 'expired' {
    return this.#held.state;
  }

  /**
   * How to connect, with the login. `template` fills in what a login has in braces, such as `{session}`; the session of the request is
   * filled in already, and without a template the country of the proxy, in small letters.
   *
   * @throws as `vault.reveal`; INVALID_INPUT for a pool without a vault, which has no key.
   * @example
   * const { url } = lease.reveal();
   */
  reveal(template?: TemplateValues): RevealedProxy {
    const { proxy, session } = this.#held;
    if (template === undefined)
      return this.#desk.reveal(proxy.id, { session, country: proxy.country?.toLowerCase() });
    return this.#desk.reveal(proxy.id, session === undefined ? template : { session, ...template });
  }

  /**
   * As the global `fetch`, through the proxy of this lease, and it reports the lease: by the status of the answer, as `report` does, or as
   * failed. If the caller aborts it, the lease is abandoned; if that was a time limit, as of `AbortSignal.timeout`, it is reported as
   * `timeout`. A lease that was reported before stays as it is, so that further requests may follow.
   *
   * There is never a direct connection. Connections are kept for other requests of the same proxy, login and session alone. The placeholders
   * of a login are filled in as the gateway does it: with the session, or one for the lease; the country of the proxy; and the time of the
   * session in minutes.
   *
   * @throws TypeError as `fetch`, with its cause: a ProxyVaultError PROXY_FAILED if the proxy has failed. INVALID_INPUT for a pool without
   *   a vault; as `reveal`.
   * @example
   * const lease = await vault.pool.acquire({ url: 'https://shop.example/' });
   * const response = await lease.fetch('https://shop.example/', { signal: AbortSignal.timeout(30_000) });
   * console.log(response.status, lease.state); // 200 reported
   */
  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const { fetch } = this.#desk.requests();
    const owner = this.#owner();
    const signals = [init?.signal, input instanceof Request ? input.signal : null];
    return reportedFetch(this, () => fetch(owner, input, init), signals);
  }

  /**
   * A dispatcher of undici whose connections go through the proxy of this lease: for `fetch` of each Node, and for undici 6, 7 and 8. It
   * reports nothing: say how it went. It does not have to be closed.
   *
   * @throws INVALID_INPUT for a pool without a vault; as `reveal`.
   * @example
   * using lease = await vault.pool.acquire();
   * const dispatcher = lease.dispatcher();
   * const response = await fetch('https://shop.example/', { dispatcher });
   * lease.report({ status: response.status });
   */
  dispatcher(): LeaseDispatcher {
    return this.#desk.requests().dispatcher(this.#owner());
  }

  /**
   * Lets it last from now on for as long as at first, or for `forMs` milliseconds.
   *
   * @throws INVALID_INPUT for a lease that has ended: acquire another one.
   * @example
   * lease.renew(120_000); // a long download
   */
  renew(forMs?: number): void {
    this.#desk.renew(this.#held, forMs);
  }

  /**
   * The proxy has answered, though the request lasts: a proxy that was tried again is back, and nobody need wait for the report. The lease
   * is held on, and its report counts.
   *
   * @example
   * lease.confirm(); // the first bytes of a long download have come
   */
  confirm(): void {
    this.#desk.confirm(this.#held);
  }

  /**
   * The request worked; the lease ends. After it has expired this still counts as a success of the proxy, and changes no limit.
   *
   * @throws INVALID_INPUT for a malformed field, and for a lease that was reported before.
   * @example
   * lease.succeed({ latencyMs: 120, bytes: 4096 });
   */
  succeed(success?: SuccessReport): void {
    this.#desk.succeed(this.#held, success);
  }

  /**
   * The request failed; the lease ends. What follows from it is committed before this returns: the proxy may be out for a time, for
   * everything or for this domain.
   *
   * @throws as `succeed`; INVALID_INPUT if neither `kind` nor `status` is given.
   * @example
   * lease.fail({ kind: 'blocked', status: 429, retryAfterMs: 30_000 });
   */
  fail(failure: FailureReport): void {
    this.#desk.fail(this.#held, failure);
  }

  /**
   * As `succeed` or `fail`, by what the status says: `rotation_config` maps statuses to kinds of failures.
   *
   * @throws as `succeed`.
   * @example
   * lease.report({ status: 503, latencyMs: 120 });
   */
  report(report: OutcomeReport): void {
    this.#desk.report(this.#held, report);
  }

  /** Ends a lease that nobody has reported. It counts as abandoned, and says nothing about the proxy. */
  [Symbol.dispose](): void {
    if (this.state === 'held') this.#desk.abandon(this.#held);
  }

  /**
   * What a log shows.
   *
   * @example
   * console.log(JSON.stringify(lease)); // {"id":"lease-…","proxy":{…},"expiresAt":"…","state":"held"}
   */
  toJSON(): { id: string; proxy: ChosenProxy; expiresAt: string; state: string } {
    const { id, proxy, expiresAt, state } = this;
    return { id, proxy, expiresAt, state };
  }

  #owner() {
    const { proxy, session, sessionTtlMs } = this.#held;
    const values = loginValues({ session, country: proxy.country, ttlMs: sessionTtlMs }, () =>
      exitName(this.id),
    );
    return { proxyId: proxy.id, session, upstream: this.#desk.reveal(proxy.id, values) };
  }

  [inspect.custom](): string {
    return `Lease ${inspect(this.toJSON())}`;
  }
}
