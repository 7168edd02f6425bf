import { ProxyVaultError } from '../errors.ts';
import { failureOfError } from '../model/failure-of-error.ts';
import type { FailureKind } from '../model/outcomes.ts';
import type { FailureReport } from '../rotation/index.ts';

/** Why an attempt was given up. */
export const CLIENT_GONE = new ProxyVaultError('PROXY_FAILED', 'The client has closed the connection.');
export const TOO_LATE = failure('timeout', 'No proxy was reached before the deadline of the request.');
/** A proxy whose address is that of the gateway would send each request round and round. */
export const OURSELVES = failure(
  'protocol',
  'The proxy is this gateway itself, so a request would never leave: remove it from the pool.',
);
export const NO_ANSWER = failure('timeout', 'The proxy gave no answer in time.');
export const CUT_OFF = failure('reset', 'The connection was closed before the answer was complete.');
export const MALFORMED_ANSWER = failure('protocol', 'The answer has a header that must not be passed on.');

function failure(kind: FailureKind, message: string): ProxyVaultError {
  return new ProxyVaultError('PROXY_FAILED', message, { details: { kind } });
}

/**
 * The proxy has answered with a status that makes the request try another proxy. The configuration says what kind of failure it is, unless
 * `kind` does.
 */
export function statusFailure(
  status: number,
  retryAfterMs: number | undefined,
  kind?: FailureKind,
): ProxyVaultError {
  return new ProxyVaultError('PROXY_FAILED', `The answer was ${status}.`, {
    details: {
      status,
      ...(kind !== undefined && { kind }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    },
  });
}

/** What an error says of the proxy; null if it says nothing: the client has gone, or the error is of no connection. */
export function failureOf(error: unknown): FailureReport | null {
  return error === CLIENT_GONE ? null : failureOfError(error);
}
