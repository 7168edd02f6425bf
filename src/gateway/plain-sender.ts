import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { connect, dial } from '../upstream/index.ts';
import type { Asking } from './asking.ts';
import type { Attempts, Serving } from './attempts.ts';
import type { Desk } from './desk.ts';
import { HttpConnection } from './exchange/connection.ts';
import type { Exchange } from './exchange/exchange.ts';
import type { Leaving } from './exchange/leaving.ts';
import { CLIENT_GONE, CUT_OFF, statusFailure } from './failures.ts';
import { isHttp, leavingHeaders, loginHeaders } from './leaving-headers.ts';
import type { Tried } from './log.ts';
import { type Answered, setHead, waitOf } from './plain-answer.ts';
import type { PlainUrl } from './plain-url.ts';
import type { RequestBody } from './request-body.ts';
import { reuseKey } from './reuse.ts';

/** Methods that change nothing at the target (RFC 9110, 9.2.1): they may be sent twice. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** How long a connection is kept that nobody uses. Most proxies close it after 5 seconds or more. */
const KEEP_MS = 4_000;

/** A plain request that may be served. */
export interface Admitted {
  incoming: IncomingMessage;
  response: ServerResponse;
  body: RequestBody;
  url: PlainUrl;
  asking: Asking;
}

/** Sends a plain request through one proxy after another until an answer has begun. */
export class PlainSender {
  readonly #desk: Desk;
  readonly #attempts: Attempts;
  readonly #admitted: Admitted;
  readonly #method: string;
  /** The request that has left and has no answer yet. */
  #running: Exchange | null = null;
  /** An answer after which another proxy is sought. If there is no other, the client gets it after all. */
  #spare: Answered | null = null;
  #isGone = false;

  constructor(desk: Desk, attempts: Attempts, admitted: Admitted) {
    this.#desk = desk;
    this.#attempts = attempts;
    this.#admitted = admitted;
    this.#method = admitted.incoming.method ?? 'GET';
  }

  /** The attempts that failed so far. */
  get tried(): readonly Tried[] {
    return this.#attempts.tried;
  }

  /** The client has gone: nothing more is sent. */
  abort(): void {
    this.#isGone = true;
    this.#attempts.abort();
    this.#running?.destroy(CLIENT_GONE);
  }

  /** The answer, whose header is set, and the attempts that failed before. @throws as `Attempts.reach`; CLIENT_GONE. */
  async answer(): Promise<{ answered: Answered; tried: readonly Tried[] }> {
    const { response, body } = this.#admitted;
    const attempts = this.#attempts;
    const { tried } = attempts;
    try {
      if (SAFE.has(this.#method)) await body.keep();
      const { value } = await attempts.reach((serving, signal) => {
        this.#dropSpare();
        return this.#exchange(serving, signal);
      });
      return { answered: value, tried };
    } catch (error) {
      const spare = this.#spare;
      // It may have been cut off meanwhile.
      if (spare === null || this.#isGone || spare.exchange.isOver) throw error;
      setHead(response, spare);
      this.#spare = null;
      // It was noted as an attempt that failed, and now serves.
      const { id } = spare.lease.proxy;
      return { answered: spare, tried: tried.filter(({ proxy }) => proxy !== id) };
    } finally {
      this.#dropSpare();
      attempts.settle();
    }
  }

  #dropSpare(): void {
    this.#spare?.exchange.destroy();
    this.#spare = null;
  }

  /** Whether the request may be sent again after it has been sent. */
  get #isRepeatable(): boolean {
    return SAFE.has(this.#method) && this.#admitted.body.isRepeatable;
  }

  /** Sends the request through one proxy, and waits for its answer. */
  async #exchange(serving: Serving, signal: () => AbortSignal): Promise<Answered> {
    const leaving = this.#leaving(serving);
    for (let isFresh = false; ; isFresh = true) {
      const connection = await this.#connected(serving, signal, isFresh);
      if (this.#isGone) {
        connection.destroy();
        throw CLIENT_GONE;
      }
      const isRepeatable = this.#isRepeatable;
      try {
        return await this.#answer(connection.begin(leaving), serving);
      } catch (error) {
        // A proxy may close a connection that was kept just when it is used: that says nothing about the proxy.
        const isStale = connection.isReused && isRepeatable && error === CUT_OFF;
        if (isStale && !isFresh && !this.#isGone) continue;
        if (!isRepeatable) this.#attempts.stop();
        throw error;
      }
    }
  }

  /** @throws PROXY_FAILED for a login that no header can carry. */
  #leaving({ proxy }: Serving): Leaving {
    const { incoming, body, url } = this.#admitted;
    const { target, authority, path } = url;
    return {
      method: this.#method,
      path: isHttp(proxy) ? `http://${authority}${path}` : path,
      headers: [
        ...leavingHeaders(incoming, target, this.#desk.settings, body.isExpecting),
        ...loginHeaders(proxy),
      ],
      body: body.isEmpty ? null : body,
    };
  }

  /**
   * A connection of its own, or one that was kept. A request that must not be sent twice gets its own: a proxy may close one that was idle
   * just when the request is sent, and nobody could know whether it has arrived.
   *
   * @param isFresh on a connection that nobody had before.
   */
  async #connected({ proxy }: Serving, signal: () => AbortSignal, isFresh: boolean): Promise<HttpConnection> {
    const { settings, connecting } = this.#desk;
    const { incoming, url, asking } = this.#admitted;
    const { answerMs, maxHeaderBytes } = settings;
    const isDirect = isHttp(proxy);
    const kept = this.#isRepeatable && !isFresh ? this.#desk.kept : null;
    const key = reuseKey(proxy, [...sharedBy(asking, incoming.socket), isDirect ? '' : url.authority]);
    const known = kept?.take(key);
    if (known != null) return known;
    const options = connecting(signal());
    const socket = isDirect ? await dial(proxy, options) : await connect(proxy, url.target, options);
    const limits = { answerMs, maxHeaderBytes, keepMs: kept === null ? 0 : KEEP_MS };
    return new HttpConnection(socket, limits, (connection, ms) => kept?.keep(key, connection, ms));
  }

  async #answer(exchange: Exchange, { lease, proxy }: Serving): Promise<Answered> {
    const { settings, trying } = this.#desk;
    const { pool } = trying;
    const since = performance.now();
    this.#running = exchange;
    try {
      const answer = await exchange.answer();
      const answered = { lease, answer, exchange, latencyMs: performance.now() - since };
      const { status } = answer;
      // An answer of 407 would make the client ask its user for a login. Through a tunnel it is the target's, and no fault of the proxy.
      if (status === 407) {
        exchange.destroy();
        const kind = isHttp(proxy) ? (pool.kindOf(status) ?? 'auth') : 'status';
        throw statusFailure(status, waitOf(answer), kind);
      }
      const isRetried = settings.retryStatuses.includes(status) && this.#isRepeatable;
      const kind = isRetried && this.#attempts.mayTryAgain ? pool.kindOf(status) : null;
      if (kind !== null) {
        this.#spare = answered;
        throw statusFailure(status, waitOf(answer), kind);
      }
      setHead(this.#admitted.response, answered);
      return answered;
    } finally {
      this.#running = null;
    }
  }
}

/** Who shares a connection: requests of one session, or of one user at one address. */
function sharedBy({ user, identity }: Asking, client: Socket): [string, string, string] {
  const { session } = identity;
  const name = user?.name ?? '';
  return session === undefined ? [name, 'at', client.remoteAddress ?? ''] : [name, 'session', session];
}
