import type { IncomingMessage, ServerResponse } from 'node:http';

import { type Asking, loginOf, poolRequestOf, templateOf } from './asking.ts';
import { Attempts } from './attempts.ts';
import type { Desk } from './desk.ts';
import { CLIENT_GONE } from './failures.ts';
import { framingProblem, hostDisagrees, isTakenUp } from './framing.ts';
import { isUnreachable, onClientLeft } from './leaving-client.ts';
import { deliver } from './plain-answer.ts';
import { PlainSender } from './plain-sender.ts';
import { type PlainUrl, parsePlainUrl } from './plain-url.ts';
import { endWith, type Refusal, refusal, refuse, refuseRaw, unserved } from './replies.ts';
import { RequestBody } from './request-body.ts';
import { Visit } from './visit.ts';

/** Serves a plain HTTP request, in absolute form: one request leaves, as it was read here. */
export class PlainRequest {
  readonly #desk: Desk;
  readonly #incoming: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #visit: Visit;
  readonly #body: RequestBody;
  #isGone = false;
  /** Set once its body is malformed. */
  #malformed: Refusal | null = null;
  /** While it looks for an answer. */
  #sender: PlainSender | null = null;

  constructor(desk: Desk, incoming: IncomingMessage, response: ServerResponse) {
    this.#desk = desk;
    this.#incoming = incoming;
    this.#response = response;
    this.#visit = new Visit(desk, incoming.socket, 'http', incoming.method);
    this.#body = new RequestBody(incoming, response, desk.settings.headerMs);
  }

  async serve(): Promise<void> {
    const { rawHeaders, httpVersion, url: text = '', headers, method = '', socket } = this.#incoming;
    const url = parsePlainUrl(text);
    if (url !== null) this.#visit.wants(url.target);
    if (isUnreachable(this.#response)) return this.#visit.end({ outcome: 'aborted' });
    // That of the answer before.
    socket.setTimeout(0);
    if (url === null) return this.#refuse(refusal(400, 'INVALID_INPUT', FORM));
    // A proxy would answer it with the request as it came, and so with its own login.
    if (method === 'TRACE') return this.#refuse(refusal(405, 'INVALID_INPUT', 'TRACE is not passed on.'));
    const problem =
      framingProblem(rawHeaders, method, httpVersion, isTakenUp(headers.upgrade)) ??
      hostDisagrees(rawHeaders, url.target);
    if (problem !== null) return this.#refuse(refusal(400, 'INVALID_INPUT', problem));
    const login = loginOf(headers['proxy-authorization']);
    const asking = await this.#visit.admit(url.target, login, rawHeaders);
    if (this.#malformed !== null) return this.#visit.refused(this.#malformed);
    if ('status' in asking) return this.#refuse(asking);
    await this.#pass(url, asking);
  }

  /**
   * Its body is malformed: it is answered, and its connection closed.
   *
   * @returns false if an answer has begun: then nothing can say so.
   */
  malformed(why: Refusal): boolean {
    if (this.#response.headersSent) return false;
    if (this.#malformed !== null) return true;
    this.#malformed = why;
    this.#sender?.abort();
    const tried = this.#sender?.tried;
    if (tried !== undefined)
      this.#visit.end({
        outcome: 'aborted',
        status: why.status,
        reason: why.code,
        detail: why.message,
        tried,
      });
    refuseRaw(this.#incoming.socket, why);
    return true;
  }

  async #pass(url: PlainUrl, asking: Asking): Promise<void> {
    const { trying, settings } = this.#desk;
    const incoming = this.#incoming;
    const response = this.#response;
    const body = this.#body;
    const request = poolRequestOf(asking, url.target.host, incoming.url);
    const attempts = new Attempts(trying, request, templateOf(asking));
    const sender = new PlainSender(this.#desk, attempts, { incoming, response, body, url, asking });
    const answering = onClientLeft(incoming.socket, response, settings.headerMs, () => {
      this.#isGone = true;
      sender.abort();
    });
    this.#sender = sender;
    try {
      const { answered, tried } = await sender.answer();
      answering();
      await deliver(this.#desk, answered, { response, visit: this.#visit, tried });
    } catch (error) {
      answering();
      this.#unserved(error, attempts, asking.user !== null);
    } finally {
      this.#sender = null;
    }
  }

  #unserved(error: unknown, attempts: Attempts, isUser: boolean): void {
    const { tried } = attempts;
    if (this.#malformed !== null) return;
    if (!this.#isGone && this.#body.isStalled) {
      const { status, code } = STALLED;
      this.#visit.end({ outcome: 'aborted', status, reason: code, tried });
      this.#answerRefusal(STALLED);
      return;
    }
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
    if (!this.#incoming.complete && !this.#body.isEmpty) endWith(this.#response);
    refuse(this.#response, why);
  }
}

const STALLED = refusal(408, 'INVALID_INPUT', 'The body of the request did not come in time.');
const FORM =
  'This is a proxy: it takes CONNECT host:port, and plain requests for http:// URLs in absolute form. Set it as the proxy of a client.';
