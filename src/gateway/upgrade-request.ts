import { request as httpRequest, type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { retryAfterMs } from '../model/retry-after.ts';
import type { Lease } from '../rotation/index.ts';
import { connect } from '../upstream/index.ts';
import { isMalformed } from './answer-rules.ts';
import { loginOf } from './asking.ts';
import type { Desk } from './desk.ts';
import { endToEndHeaders } from './end-to-end-headers.ts';
import { CUT_OFF, MALFORMED_ANSWER, NO_ANSWER, statusFailure } from './failures.ts';
import { framingProblem, hostDisagrees } from './framing.ts';
import { leavingHeaders } from './leaving-headers.ts';
import { openTunnel } from './open-tunnel.ts';
import { parsePlainUrl } from './plain-url.ts';
import { type Refusal, refusal, refuseRaw } from './replies.ts';
import { reportLease } from './report-lease.ts';
import { Visit } from './visit.ts';

/** What the target has answered: 101 with the connection, or that it stays with HTTP. */
interface Answered {
  answer: IncomingMessage;
  socket: Socket;
  head: Buffer;
  latencyMs: number;
}

/**
 * Serves a plain request with `Upgrade`, such as that of a WebSocket. It takes a tunnel, since many HTTP proxies pass no upgrades. What the
 * client sends after it leaves only once the target has agreed: before that it could be read as another request.
 */
export async function serveUpgrade(
  desk: Desk,
  incoming: IncomingMessage,
  client: Socket,
  head: Buffer,
): Promise<void> {
  const { url: text = '', rawHeaders, headers, httpVersion, method = 'GET' } = incoming;
  const visit = new Visit(desk, client, 'upgrade', method);
  const refuse = (why: Refusal): void => {
    visit.refused(why);
    refuseRaw(client, why);
  };
  const url = parsePlainUrl(text);
  if (url === null) return refuse(refusal(400, 'INVALID_INPUT', FORM));
  const { target, path } = url;
  visit.wants(target);
  const problem = framingProblem(rawHeaders, method, httpVersion) ?? hostDisagrees(rawHeaders, target);
  if (problem !== null) return refuse(refusal(400, 'INVALID_INPUT', problem));
  if (method !== 'GET') return refuse(refusal(400, 'INVALID_INPUT', 'Only GET may have Upgrade.'));
  const asking = await visit.admit(target, loginOf(headers['proxy-authorization']), rawHeaders);
  if ('status' in asking) return refuse(asking);
  if (head.length > 0) client.unshift(head);
  const { settings, trying } = desk;
  const leaving = {
    method,
    path,
    headers: [
      ...leavingHeaders(incoming, target, settings, false),
      'Connection',
      'Upgrade',
      'Upgrade',
      headers.upgrade ?? '',
    ],
    maxHeaderSize: settings.maxHeaderBytes,
  };
  await openTunnel<Answered>(desk, {
    visit,
    client,
    asking,
    domain: target.host,
    url: text,
    async reach({ proxy }, signal) {
      const socket = await connect(proxy, target, desk.connecting(signal()));
      const answered = await upgraded(socket, leaving, signal(), settings.answerMs);
      const problem = problemOf(answered.answer);
      if (problem === null) return answered;
      socket.destroy();
      throw problem;
    },
    answeredMs: ({ latencyMs }) => latencyMs,
    opened({ lease, value, tried }) {
      const { answer, socket, head: early, latencyMs } = value;
      if (answer.statusCode === 101) {
        client.write(headOf(answer), 'latin1');
        if (early.length > 0) socket.unshift(early);
        return socket;
      }
      socket.setTimeout(settings.idleMs, () => socket.destroy());
      deliver(incoming, client, answer, (outcome) => {
        const status = answer.statusCode ?? 0;
        reportLease(lease, () => report(lease, answer, outcome, latencyMs), trying.onUnstored);
        visit.end({ outcome, status, proxy: lease.proxy.id, lease: lease.ticket, tried });
      });
      return null;
    },
    drop: ({ socket }) => socket.destroy(),
    refused: (why) => refuseRaw(client, why),
  });
}

function upgraded(
  socket: Socket,
  leaving: { method: string; path: string; headers: string[]; maxHeaderSize: number },
  signal: AbortSignal,
  answerMs: number,
): Promise<Answered> {
  const since = performance.now();
  return new Promise((resolve, reject) => {
    const answered = (answer: IncomingMessage, head: Buffer): void =>
      settle(() => resolve({ answer, socket, head, latencyMs: performance.now() - since }));
    const request = httpRequest({ ...leaving, createConnection: () => socket });
    const onAbort = (): void => void request.destroy(signal.reason);
    const timer = setTimeout(() => request.destroy(NO_ANSWER), answerMs);
    const settle = (end: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      end();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    request
      .on('error', (error) => settle(() => reject(error)))
      .once('close', () => settle(() => reject(CUT_OFF)))
      .once('upgrade', (answer, _, head) => answered(answer, head))
      .once('response', (answer) => answered(answer, Buffer.alloc(0)));
    request.end();
  });
}

/** The answer with which the target has agreed. */
function headOf({ headers, rawHeaders }: IncomingMessage): string {
  const pairs = [...endToEndHeaders(rawHeaders), 'Connection', 'Upgrade', 'Upgrade', headers.upgrade ?? ''];
  let lines = '';
  for (let at = 0; at < pairs.length; at += 2) lines += `${pairs[at]}: ${pairs[at + 1]}\r\n`;
  return `HTTP/1.1 101 ${STATUS_CODES[101]}\r\n${lines}\r\n`;
}

/** Gives an ordinary answer to the client, and closes its connection. */
function deliver(
  incoming: IncomingMessage,
  client: Socket,
  answer: IncomingMessage,
  done: (outcome: 'ok' | 'failed' | 'aborted') => void,
): void {
  // Only what ends first says who has cut the answer off: then the other side is closed too.
  let isCutOff = false;
  answer.once('error', () => {
    isCutOff = !client.destroyed;
  });
  // A client that leaves is noticed only if it is read. What it sends after its request belongs to nobody.
  client.resume();
  const response = new ServerResponse(incoming);
  response.shouldKeepAlive = false;
  response.sendDate = false;
  response.assignSocket(client);
  // Node's server has left the connection.
  client.on('drain', () => response.emit('drain'));
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEndHeaders(answer.rawHeaders));
  pipeline(answer, response, (error) => {
    const isWhole = error === undefined || error === null;
    if (isWhole) client.end();
    else client.destroy();
    done(isWhole ? 'ok' : isCutOff ? 'failed' : 'aborted');
  });
}

/** An answer that was cut off is a reset, unless the client has cut it off. */
function report(
  lease: Lease,
  { statusCode: status, headers }: IncomingMessage,
  outcome: 'ok' | 'failed' | 'aborted',
  latencyMs: number,
): void {
  const wait = headers['retry-after'];
  if (outcome === 'failed') lease.fail({ kind: 'reset', status });
  else lease.report({ status, latencyMs, retryAfterMs: wait === undefined ? undefined : retryAfterMs(wait) });
}

/** Why an answer must not reach the client; null if it may. */
function problemOf(answer: IncomingMessage): Error | null {
  const { statusCode, headers } = answer;
  // It would make the client ask its user for a login of the gateway. It came through the tunnel, and so is no fault of the proxy.
  if (statusCode === 407) return statusFailure(407, undefined, 'status');
  const isSilent = statusCode === 101 && headers.upgrade === undefined;
  return isSilent || isMalformed(answer) ? MALFORMED_ANSWER : null;
}

const FORM = 'A request with Upgrade needs an http:// URL in absolute form.';
