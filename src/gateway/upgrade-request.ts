import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from '../upstream/index.ts';
import { loginOf } from './asking.ts';
import type { Desk } from './desk.ts';
import { endToEndHeaders } from './end-to-end-headers.ts';
import type { AnswerHead } from './exchange/answer-head.ts';
import { HttpConnection } from './exchange/connection.ts';
import type { Exchange } from './exchange/exchange.ts';
import type { Leaving } from './exchange/leaving.ts';
import { CLIENT_GONE, MALFORMED_ANSWER, statusFailure } from './failures.ts';
import { framingProblem, hostDisagrees } from './framing.ts';
import { leavingHeaders } from './leaving-headers.ts';
import { openTunnel } from './open-tunnel.ts';
import type { Settings } from './options.ts';
import { reportAnswer } from './plain-answer.ts';
import { parsePlainUrl } from './plain-url.ts';
import { valuesOf } from './raw-headers.ts';
import { relay } from './relay.ts';
import { closeAfter, type Refusal, refusal, refuseRaw } from './replies.ts';
import { reportLease } from './report-lease.ts';
import { Visit } from './visit.ts';

/** What the target has answered: 101 with the connection, or that it stays with HTTP. */
interface Answered {
  answer: AnswerHead;
  exchange: Exchange;
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
  const { settings, trying } = desk;
  const leaving = {
    method,
    path,
    headers: leavingHeaders(incoming, target, settings, false),
    body: null,
    upgrade: headers.upgrade ?? '',
  };
  await openTunnel<Answered>(desk, {
    visit,
    client,
    asking,
    head,
    domain: target.host,
    url: text,
    async reach({ proxy }, signal) {
      const socket = await connect(proxy, target, desk.connecting(signal()));
      return upgraded(socket, leaving, signal(), settings);
    },
    answeredMs: ({ latencyMs }) => latencyMs,
    opened({ lease, value, tried }) {
      const { answer, exchange, latencyMs } = value;
      if (answer.status === 101) {
        client.write(headOf(answer), 'latin1');
        return exchange.detach();
      }
      deliver(incoming, client, value, settings.idleMs, (error, { in: bytesIn, out: bytesOut }) => {
        const { status } = answer;
        const facts = { status, latencyMs, bytes: bytesIn + bytesOut };
        reportLease(lease, () => reportAnswer(lease, answer, error, facts), trying.onUnstored);
        const outcome = error === null ? 'ok' : error === CLIENT_GONE ? 'aborted' : 'failed';
        visit.end({ outcome, status, proxy: lease.proxy.id, lease: lease.ticket, tried, bytesIn, bytesOut });
      });
      return null;
    },
    drop: ({ exchange }) => exchange.destroy(),
    refused: (why) => refuseRaw(client, why),
  });
}

/** Sends the request through the tunnel, and waits for the answer. @throws PROXY_FAILED; the reason of `signal`. */
async function upgraded(
  socket: Socket,
  leaving: Leaving,
  signal: AbortSignal,
  limits: Pick<Settings, 'answerMs' | 'maxHeaderBytes'>,
): Promise<Answered> {
  const since = performance.now();
  const exchange = new HttpConnection(socket, { ...limits, keepMs: 0 }).begin(leaving);
  const onAbort = (): void => exchange.destroy(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    const answer = await exchange.answer();
    const problem = problemOf(answer);
    if (problem !== null) throw problem;
    return { answer, exchange, latencyMs: performance.now() - since };
  } catch (error) {
    exchange.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** The answer with which the target has agreed. */
function headOf({ rawHeaders }: AnswerHead): string {
  const upgrades = valuesOf(rawHeaders, 'upgrade').join(', ');
  const pairs = [...endToEndHeaders(rawHeaders), 'Connection', 'Upgrade', 'Upgrade', upgrades];
  let lines = '';
  for (let at = 0; at < pairs.length; at += 2) lines += `${pairs[at]}: ${pairs[at + 1]}\r\n`;
  return `HTTP/1.1 101 ${STATUS_CODES[101]}\r\n${lines}\r\n`;
}

/** Gives an ordinary answer to the client, and closes its connection. */
function deliver(
  incoming: IncomingMessage,
  client: Socket,
  { answer, exchange }: Answered,
  idleMs: number,
  done: Parameters<typeof relay>[3],
): void {
  // A client that leaves is noticed only if it is read. What it sends after its request belongs to nobody.
  client.resume();
  const response = new ServerResponse(incoming);
  response.shouldKeepAlive = false;
  response.sendDate = false;
  response.assignSocket(client);
  // Node's server has left the connection.
  client.on('drain', () => response.emit('drain')).on('timeout', () => response.emit('timeout'));
  response.writeHead(answer.status, answer.reason, endToEndHeaders(answer.rawHeaders));
  relay(exchange, response, idleMs, (error, carried) => {
    if (error === null) closeAfter(client);
    else client.destroy();
    done(error, carried);
  });
}

/** Why an answer must not reach the client; null if it may. */
function problemOf({ status, rawHeaders }: AnswerHead): Error | null {
  // It would make the client ask its user for a login of the gateway. It came through the tunnel, and so is no fault of the proxy.
  if (status === 407) return statusFailure(407, undefined, 'status');
  return status === 101 && valuesOf(rawHeaders, 'upgrade').length === 0 ? MALFORMED_ANSWER : null;
}

const FORM = 'A request with Upgrade needs an http:// URL in absolute form.';
