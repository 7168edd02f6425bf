import type { ServerResponse } from 'node:http';

import { retryAfterMs } from '../model/retry-after.ts';
import type { Lease, OutcomeReport } from '../rotation/index.ts';
import type { Desk } from './desk.ts';
import { endToEndHeaders } from './end-to-end-headers.ts';
import type { AnswerHead } from './exchange/answer-head.ts';
import type { Exchange } from './exchange/exchange.ts';
import { CLIENT_GONE, failureOf, NO_ANSWER } from './failures.ts';
import type { Tried } from './log.ts';
import { valuesOf } from './raw-headers.ts';
import { relay } from './relay.ts';
import { endWith } from './replies.ts';
import { reportLease } from './report-lease.ts';
import type { Visit } from './visit.ts';

/** An answer that has begun. */
export interface Answered {
  lease: Lease;
  answer: AnswerHead;
  exchange: Exchange;
  latencyMs: number;
}

/** Who gets an answer. */
export interface Recipient {
  response: ServerResponse;
  visit: Visit;
  /** The attempts that failed before. */
  tried: readonly Tried[];
}

/** How long the target asks not to be asked again; undefined if it does not. */
export function waitOf({ rawHeaders }: AnswerHead): number | undefined {
  const [wait] = valuesOf(rawHeaders, 'retry-after');
  return wait === undefined ? undefined : retryAfterMs(wait);
}

/** Sets the header of the answer, which leaves with its body. */
export function setHead(response: ServerResponse, { exchange, answer }: Answered): void {
  response.sendDate = false;
  // What the client still sends belongs to a request that has its answer.
  if (!exchange.isSent) endWith(response);
  response.writeHead(answer.status, answer.reason, endToEndHeaders(answer.rawHeaders));
}

/** Gives the answer to the client after its header, and reports it. */
export function deliver(
  desk: Desk,
  answered: Answered,
  { response, visit, tried }: Recipient,
): Promise<void> {
  const { lease, answer, exchange, latencyMs } = answered;
  const { status } = answer;
  return new Promise((resolve) => {
    relay(exchange, response, desk.settings.idleMs, (error, { in: bytesIn, out: bytesOut }) => {
      const cutOff = error === CLIENT_GONE ? null : error;
      const { ticket } = lease;
      const facts = { status, latencyMs, bytes: bytesIn + bytesOut };
      // An answer for which another proxy was sought has its report.
      reportLease(lease, () => reportAnswer(lease, answer, error, facts), desk.trying.onUnstored);
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

/** Reports an answer. One that was cut off is a failure, unless the client has cut it off. */
export function reportAnswer(
  lease: Lease,
  answer: AnswerHead,
  error: Error | null,
  facts: OutcomeReport,
): void {
  if (error === null || error === CLIENT_GONE) lease.report({ ...facts, retryAfterMs: waitOf(answer) });
  else lease.fail({ ...facts, kind: failureOf(error)?.kind });
}
