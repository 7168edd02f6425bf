import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { connect, dial } from '../upstream/index.ts';
import type { Asking } from './asking.ts';
import type { Attempts, Serving } from './attempts.ts';
import type { Desk } from './desk.ts';
import { answerTo, beginRequest } from './exchange.ts';
import { CLIENT_GONE, failureOf, statusFailure } from './failures.ts';
import { isHttp, leavingHeaders, loginHeaders } from './leaving-headers.ts';
import type { Tried } from './log.ts';
import { type Answered, setHead, waitOf } from './plain-answer.ts';
import type { PlainUrl } from './plain-url.ts';
import type { RequestBody } from './request-body.ts';
import { reuseKey } from './reuse.ts';

/** Methods that change nothing at the target (RFC 9110, 9.2.1): they may be sent twice. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

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
  #running: ClientRequest | null = null;
  /** An answer after which another proxy is sought. If there is no other, the client gets it after all. */
  #spare: Answered | null = null;
  #isGone = false;

  constructor(desk: Desk, attempts: Attempts, admitted: Admitted) {
    this.#desk = desk;
    this.#attempts = attempts;
    this.#admitted = admitted;
    this.#method = admitted.incoming.method ?? 'GET';
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
      if (spare === null || this.#isGone || spare.answer.destroyed) throw error;
      setHead(response, spare);
      this.#spare = null;
      // It was noted as an attempt that failed, and now serves.
      return { answered: spare, tried: tried.slice(0, -1) };
    } finally {
      this.#dropSpare();
      attempts.settle();
    }
  }

  #dropSpare(): void {
    this.#spare?.request.destroy();
    this.#spare = null;
  }

  /** Whether the request may be sent again after it has been sent. */
  get #isRepeatable(): boolean {
    return SAFE.has(this.#method) && this.#admitted.body.isRepeatable;
  }

  /** Sends the request through one proxy, and waits for its answer. */
  async #exchange(serving: Serving, signal: () => AbortSignal): Promise<Answered> {
    for (let isFresh = false; ; isFresh = true) {
      const request = await this.#begin(serving, signal, isFresh);
      if (this.#isGone) {
        request.destroy();
        throw CLIENT_GONE;
      }
      const isRepeatable = this.#isRepeatable;
      try {
        return await this.#answer(request, serving);
      } catch (error) {
        // A proxy may close a connection that was kept just when it is used: that says nothing about the proxy.
        const isStale = request.reusedSocket && isRepeatable && isBroken(error);
        if (isStale && !isFresh && !this.#isGone) continue;
        if (!isRepeatable) this.#attempts.stop();
        throw error;
      }
    }
  }

  /** @param isFresh on a connection that nobody had before. */
  #begin({ proxy }: Serving, signal: () => AbortSignal, isFresh: boolean): Promise<ClientRequest> {
    const { settings, reuse, connecting } = this.#desk;
    const { incoming, body, url, asking } = this.#admitted;
    const { target, authority, path } = url;
    const isDirect = isHttp(proxy);
    const leaving = {
      method: this.#method,
      path: isDirect ? `http://${authority}${path}` : path,
      headers: [...leavingHeaders(incoming, target, settings, body.isExpecting), ...loginHeaders(proxy)],
      maxHeaderSize: settings.maxHeaderBytes,
    };
    const key = reuseKey(proxy, [...sharedBy(asking, incoming.socket), isDirect ? '' : authority]);
    const reach = async (): Promise<Socket> => {
      const options = connecting(signal());
      if (isDirect) return dial(proxy, options);
      const socket = await connect(proxy, target, options);
      // One that is kept is of no use when its other end has ended it.
      return socket.once('end', () => socket.end());
    };
    return beginRequest(reuse, leaving, { key, reach }, this.#isRepeatable && !isFresh);
  }

  async #answer(request: ClientRequest, { lease, proxy }: Serving): Promise<Answered> {
    const { settings, trying } = this.#desk;
    const { pool } = trying;
    const { body, response } = this.#admitted;
    const socket = request.socket as Socket;
    const before = { read: socket.bytesRead, written: socket.bytesWritten };
    const since = performance.now();
    this.#running = request;
    try {
      const answering = answerTo(request, settings.answerMs);
      body.send(request);
      const answer = await answering;
      const answered = { lease, answer, request, socket, before, latencyMs: performance.now() - since };
      const status = answer.statusCode ?? 0;
      // An answer of 407 would make the client ask its user for a login. Through a tunnel it is the target's, and no fault of the proxy.
      if (status === 407) {
        request.destroy();
        throw statusFailure(
          status,
          waitOf(answer),
          isHttp(proxy) ? (pool.kindOf(status) ?? 'auth') : 'status',
        );
      }
      const isRetried = settings.retryStatuses.includes(status) && this.#isRepeatable;
      const kind = isRetried && this.#attempts.mayTryAgain ? pool.kindOf(status) : null;
      if (kind !== null) {
        this.#spare = answered;
        throw statusFailure(status, waitOf(answer), kind);
      }
      setHead(response, answered);
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

/** Whether a connection broke before an answer. */
function isBroken(error: unknown): boolean {
  return failureOf(error)?.kind === 'reset';
}
