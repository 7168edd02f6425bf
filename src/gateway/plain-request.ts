import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { retryAfterMs } from '../model/retry-after.ts';
import type { Lease } from '../rotation/index.ts';
import { connect, dial } from '../upstream/index.ts';
import { type Asking, loginOf, poolRequestOf, templateOf } from './asking.ts';
import { Attempts, type Serving } from './attempts.ts';
import type { Desk } from './desk.ts';
import { endToEndHeaders } from './end-to-end-headers.ts';
import { answerTo, beginRequest } from './exchange.ts';
import { CLIENT_GONE, failureOf, MALFORMED_ANSWER, NO_ANSWER, statusFailure } from './failures.ts';
import { framingProblem, hostDisagrees } from './framing.ts';
import { isHttp, leavingHeaders, loginHeaders } from './leaving-headers.ts';
import { type PlainUrl, parsePlainUrl } from './plain-url.ts';
import { relay } from './relay.ts';
import { type Refusal, refusal, refuse, unserved } from './replies.ts';
import { RequestBody } from './request-body.ts';
import { reuseKey } from './reuse.ts';
import { Visit } from './visit.ts';

/** Methods that change nothing at the target (RFC 9110, 9.2.1): they may be sent twice. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** How long a client that expects `100 Continue` is let wait if the target says nothing. */
const CONTINUE_MS = 1_000;

/** An answer that has begun. */
interface Answered {
  answer: IncomingMessage;
  request: ClientRequest;
  socket: Socket;
  /** What the connection had carried before. */
  before: { read: number; written: number };
  latencyMs: number;
}

/** Serves a plain HTTP request, in absolute form: one request leaves, as it was read here. */
export class PlainRequest {
  readonly #desk: Desk;
  readonly #incoming: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #visit: Visit;
  readonly #body: RequestBody;
  readonly #method: string;
  /** The request that has left and has no answer yet. */
  #running: ClientRequest | null = null;
  #isGone = false;
  /** Whether the client sends its body only when it is told to. */
  #isExpecting: boolean;

  constructor(desk: Desk, incoming: IncomingMessage, response: ServerResponse) {
    this.#desk = desk;
    this.#incoming = incoming;
    this.#response = response;
    this.#method = incoming.method ?? 'GET';
    this.#visit = new Visit(desk, incoming.socket, 'http', this.#method);
    this.#body = new RequestBody(incoming, desk.settings.headerMs);
    this.#isExpecting = incoming.headers.expect !== undefined && !this.#body.isEmpty;
  }

  async serve(): Promise<void> {
    const { rawHeaders, httpVersion, url: text = '', headers } = this.#incoming;
    const url = parsePlainUrl(text);
    if (url === null) return this.#refuse(refusal(400, 'INVALID_INPUT', FORM));
    // A proxy would answer it with the request as it came, and so with its own login.
    if (this.#method === 'TRACE')
      return this.#refuse(refusal(405, 'INVALID_INPUT', 'TRACE is not passed on.'));
    const problem =
      framingProblem(rawHeaders, this.#method, httpVersion) ?? hostDisagrees(rawHeaders, url.target);
    if (problem !== null) return this.#refuse(refusal(400, 'INVALID_INPUT', problem));
    const login = loginOf(headers['proxy-authorization']);
    const asking = await this.#visit.admit(url.target, login, rawHeaders);
    if ('status' in asking) return this.#refuse(asking);
    await this.#pass(url, asking);
  }

  async #pass(url: PlainUrl, asking: Asking): Promise<void> {
    const { trying } = this.#desk;
    const request = poolRequestOf(asking, url.target.host, this.#incoming.url);
    const attempts = new Attempts(trying, request, templateOf(asking));
    const onClose = (): void => {
      if (this.#response.writableFinished) return;
      this.#isGone = true;
      attempts.abort();
      this.#running?.destroy(CLIENT_GONE);
    };
    if (this.#response.closed) onClose();
    else this.#response.once('close', onClose);
    try {
      if (SAFE.has(this.#method)) await this.#keepBody();
      const answered = await attempts.reach((serving, signal) =>
        this.#exchange(serving, signal, url, asking, attempts),
      );
      attempts.settle();
      await this.#deliver(answered.lease, answered.value, attempts);
    } catch (error) {
      attempts.settle();
      this.#unserved(error, attempts, asking.user !== null);
    }
  }

  /** The client sends a body that is to be kept when it is told to, and need not be told again. */
  async #keepBody(): Promise<void> {
    if (this.#body.isEmpty) return;
    if (this.#isExpecting) this.#response.writeContinue();
    this.#isExpecting = false;
    await this.#body.keep();
  }

  /** Whether the request may be sent again after it has been sent. */
  get #isRepeatable(): boolean {
    return SAFE.has(this.#method) && this.#body.isRepeatable;
  }

  /** Sends the request through one proxy, and waits for its answer. */
  async #exchange(
    serving: Serving,
    signal: () => AbortSignal,
    url: PlainUrl,
    asking: Asking,
    attempts: Attempts,
  ): Promise<Answered> {
    for (let isFresh = false; ; isFresh = true) {
      const request = await this.#begin(serving, signal, url, asking, isFresh);
      if (this.#isGone) {
        request.destroy();
        throw CLIENT_GONE;
      }
      const isRepeatable = this.#isRepeatable;
      try {
        return await this.#answer(request, serving, attempts);
      } catch (error) {
        // A proxy may close a connection that was kept just when it is used: that says nothing about the proxy.
        const isStale = request.reusedSocket && isRepeatable && isBroken(error);
        if (isStale && !isFresh && !this.#isGone) continue;
        if (!isRepeatable) attempts.stop();
        throw error;
      }
    }
  }

  /** @param isFresh on a connection that nobody had before. */
  #begin(
    { proxy }: Serving,
    signal: () => AbortSignal,
    { target, authority, path }: PlainUrl,
    { user, identity }: Asking,
    isFresh: boolean,
  ): Promise<ClientRequest> {
    const { settings, reuse, connecting } = this.#desk;
    const isDirect = isHttp(proxy);
    const leaving = {
      method: this.#method,
      path: isDirect ? `http://${authority}${path}` : path,
      headers: [
        ...leavingHeaders(this.#incoming, target, settings, this.#isExpecting),
        ...loginHeaders(proxy),
      ],
      maxHeaderSize: settings.maxHeaderBytes,
    };
    const key = reuseKey(proxy, [user?.name ?? '', identity.session ?? '', isDirect ? '' : authority]);
    const reach = async (): Promise<Socket> => {
      const options = connecting(signal());
      if (isDirect) return dial(proxy, options);
      const socket = await connect(proxy, target, options);
      // One that is kept is of no use when its other end has ended it.
      return socket.once('end', () => socket.end());
    };
    return beginRequest(reuse, leaving, { key, reach }, this.#isRepeatable && !isFresh);
  }

  async #answer(request: ClientRequest, { proxy }: Serving, attempts: Attempts): Promise<Answered> {
    const { answerMs, retryStatuses } = this.#desk.settings;
    const socket = request.socket as Socket;
    const before = { read: socket.bytesRead, written: socket.bytesWritten };
    const since = performance.now();
    this.#running = request;
    try {
      const answering = answerTo(request, answerMs);
      this.#send(request);
      const answer = await answering;
      const status = answer.statusCode ?? 0;
      const isRetried = retryStatuses.includes(status) && this.#isRepeatable && attempts.mayTryAgain;
      // An answer of 407 would make the client ask its user for a login. Through a tunnel it is the target's, and no fault of the proxy.
      if (status === 407 || isRetried) {
        const wait = answer.headers['retry-after'];
        request.destroy();
        const kind = status === 407 && !isHttp(proxy) ? 'status' : undefined;
        throw statusFailure(status, wait === undefined ? undefined : retryAfterMs(wait), kind);
      }
      this.#head(request, answer);
      return { answer, request, socket, before, latencyMs: performance.now() - since };
    } finally {
      this.#running = null;
    }
  }

  #send(request: ClientRequest): void {
    const send = (): void => this.#body.send(request, () => request.destroy(CLIENT_GONE));
    if (!this.#isExpecting) {
      send();
      return;
    }
    // The client sends the body when it is told to.
    const timer = setTimeout(() => go(), CONTINUE_MS);
    const go = (): void => {
      clearTimeout(timer);
      request.off('continue', go).off('response', stop).off('close', stop);
      this.#response.writeContinue();
      send();
    };
    const stop = (): void => clearTimeout(timer);
    request.once('continue', go).once('response', stop).once('close', stop);
    request.flushHeaders();
  }

  /** Sets the header of the answer, which leaves with its body. @throws PROXY_FAILED for one that cannot be passed on. */
  #head(request: ClientRequest, answer: IncomingMessage): void {
    const response = this.#response;
    response.sendDate = false;
    // What the client still sends belongs to a request that has its answer.
    if (!request.writableFinished) response.shouldKeepAlive = false;
    try {
      response.writeHead(answer.statusCode ?? 0, answer.statusMessage, endToEndHeaders(answer.rawHeaders));
    } catch {
      request.destroy();
      throw MALFORMED_ANSWER;
    }
  }

  /** Gives the answer to the client, and reports it. */
  #deliver(lease: Lease, answered: Answered, { tried }: Attempts): Promise<void> {
    const { answer, request, socket, before, latencyMs } = answered;
    const response = this.#response;
    const { idleMs } = this.#desk.settings;
    const status = answer.statusCode ?? 0;
    // A client that reads nothing keeps the proxy from sending.
    request.setTimeout(idleMs, () => (response.writableNeedDrain ? response : request).destroy(NO_ANSWER));
    // Only what ends first says who has cut the answer off: then the other side is closed too.
    let isCutOff = false;
    answer.once('error', () => {
      isCutOff = !this.#isGone;
    });
    return new Promise((resolve) => {
      relay(answer, response, (error) => {
        if (!request.writableFinished) request.destroy();
        const isWhole = error === null;
        const bytesIn = socket.bytesRead - before.read;
        const bytesOut = socket.bytesWritten - before.written;
        const wait = answer.headers['retry-after'];
        const facts = { status, latencyMs, bytes: bytesIn + bytesOut };
        const { ticket } = lease;
        this.#report(lease, () => {
          if (isCutOff) lease.fail({ ...facts, kind: failureOf(error)?.kind ?? 'reset' });
          else lease.report({ ...facts, retryAfterMs: wait === undefined ? undefined : retryAfterMs(wait) });
        });
        this.#visit.end({
          outcome: isWhole ? 'ok' : isCutOff ? 'failed' : 'aborted',
          status,
          proxy: lease.proxy.id,
          lease: ticket,
          tried,
          bytesIn,
          bytesOut,
          reason: isCutOff ? 'CUT_OFF' : undefined,
        });
        resolve();
      });
    });
  }

  #report(lease: Lease, report: () => void): void {
    try {
      if (lease.state === 'held') report();
    } catch (error) {
      this.#desk.trying.onUnstored(error);
    }
  }

  #unserved(error: unknown, attempts: Attempts, isUser: boolean): void {
    const { tried } = attempts;
    if (this.#isGone || error === CLIENT_GONE) {
      this.#visit.end({ outcome: 'aborted', tried });
      this.#response.destroy();
      return;
    }
    const why = unserved({ error, tried, excluded: attempts.excluded, isUser });
    this.#visit.end({ outcome: 'failed', status: why.status, reason: why.code, detail: why.message, tried });
    this.#answerRefusal(why);
  }

  #refuse(why: Refusal): void {
    this.#visit.refused(why);
    this.#answerRefusal(why);
  }

  /** A body that nobody has read ends the connection with the answer. */
  #answerRefusal(why: Refusal): void {
    if (!this.#incoming.complete && !this.#body.isEmpty) this.#response.shouldKeepAlive = false;
    refuse(this.#response, why);
  }
}

/** Whether a connection broke before an answer. */
function isBroken(error: unknown): boolean {
  return failureOf(error)?.kind === 'reset';
}

const FORM =
  'This is a proxy: it takes CONNECT host:port, and plain requests for http:// URLs in absolute form. Set it as the proxy of a client.';
