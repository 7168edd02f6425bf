import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { retryAfterMs } from '../model/retry-after.ts';
import type { Lease, OutcomeReport } from '../rotation/index.ts';
import { isMalformed } from './answer-rules.ts';
import type { Desk } from './desk.ts';
import { endToEndHeaders } from './end-to-end-headers.ts';
import { CUT_OFF, failureOf, MALFORMED_ANSWER, NO_ANSWER } from './failures.ts';
import type { Tried } from './log.ts';
import { relay } from './relay.ts';
import { reportLease } from './report-lease.ts';
import type { Visit } from './visit.ts';

/** An answer that has begun. */
export interface Answered {
  lease: Lease;
  answer: IncomingMessage;
  request: ClientRequest;
  /** The connection to the proxy, and what it had carried before. */
  socket: Socket;
  before: { read: number; written: number };
  latencyMs: number;
}

/** Who gets an answer. */
export interface Recipient {
  response: ServerResponse;
  visit: Visit;
  /** The attempts that failed before. */
  tried: readonly Tried[];
  /** Whether the client has broken the request off, or stalls it. */
  isAtFault: () => boolean;
}

/** How long the target asks not to be asked again; undefined if it does not. */
export function waitOf({ headers }: IncomingMessage): number | undefined {
  const wait = headers['retry-after'];
  return wait === undefined ? undefined : retryAfterMs(wait);
}

/** Sets the header of the answer, which leaves with its body. @throws PROXY_FAILED for one that cannot be passed on. */
export function setHead(response: ServerResponse, { request, answer }: Answered): void {
  // Nobody has asked for another protocol.
  if (isMalformed(answer) || answer.statusCode === 101) {
    request.destroy();
    throw MALFORMED_ANSWER;
  }
  response.sendDate = false;
  // What the client still sends belongs to a request that has its answer.
  if (!request.writableFinished) response.shouldKeepAlive = false;
  response.writeHead(answer.statusCode ?? 0, answer.statusMessage, endToEndHeaders(answer.rawHeaders));
}

/** Gives the answer to the client after its header, and reports it. */
export function deliver(
  desk: Desk,
  answered: Answered,
  { response, visit, tried, isAtFault }: Recipient,
): Promise<void> {
  const { lease, answer, request, socket, before, latencyMs } = answered;
  const status = answer.statusCode ?? 0;
  // Only what ends first says who has cut the answer off: then the other side is closed too.
  let cutOff: Error | null = null;
  answer.once('error', () => {
    if (!isAtFault()) cutOff ??= CUT_OFF;
  });
  response.setTimeout(desk.settings.idleMs, () => {
    // A client that reads nothing keeps the proxy from sending, and is waited for no longer when the proxy has sent all.
    if (response.writableLength > 0) response.destroy();
    else {
      cutOff = NO_ANSWER;
      request.destroy(NO_ANSWER);
    }
  });
  return new Promise((resolve) => {
    relay(answer, response, (error) => {
      if (!request.writableFinished) request.destroy();
      const bytesIn = socket.bytesRead - before.read;
      const bytesOut = socket.bytesWritten - before.written;
      const { ticket } = lease;
      const facts = { status, latencyMs, bytes: bytesIn + bytesOut };
      // An answer for which another proxy was sought has its report.
      reportLease(lease, () => report(lease, cutOff, facts, waitOf(answer)), desk.trying.onUnstored);
      visit.end({
        outcome: error === null ? 'ok' : cutOff === null ? 'aborted' : 'failed',
        status,
        proxy: lease.proxy.id,
        lease: ticket,
        tried,
        bytesIn,
        bytesOut,
        reason: cutOff === null ? undefined : cutOff === NO_ANSWER ? 'IDLE' : 'CUT_OFF',
      });
      resolve();
    });
  });
}

/** An answer that was cut off is a failure, unless the client has cut it off. */
function report(
  lease: Lease,
  cutOff: Error | null,
  facts: OutcomeReport,
  retryAfterMs: number | undefined,
): void {
  if (cutOff === null) lease.report({ ...facts, retryAfterMs });
  else lease.fail({ ...facts, kind: failureOf(cutOff)?.kind });
}
