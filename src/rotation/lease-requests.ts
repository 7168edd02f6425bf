import { failureOfError } from '../model/failure-of-error.ts';
import { retryAfterMs } from '../model/retry-after.ts';
import type { RevealedProxy } from '../revealed-proxy.ts';
import type { LeaseDispatcher } from '../upstream/index.ts';
import type { FailureReport, OutcomeReport } from './outcome.ts';

/** Whose connections a request may use. */
type Owner = { proxyId: string; session: string | undefined; upstream: RevealedProxy };

/** How a lease makes requests through its proxy. A vault gives it to its pool. */
export type LeaseRequests = {
  dispatcher: (owner: Owner) => LeaseDispatcher;
  fetch: (owner: Owner, input: string | URL | Request, init: RequestInit | undefined) => Promise<Response>;
};

/** What takes the report of a request: a lease. */
interface Reportable extends Disposable {
  report: (report: OutcomeReport) => void;
  fail: (failure: FailureReport) => void;
}

/**
 * What TLS with the target fails with: its certificate, mostly. That is an answer, though no good one. If a proxy that reads along has made it,
 * it fails for many domains, and is found by that.
 */
const TLS_OF_TARGET =
  /CERT|^CRL_|^ERR_(?:SSL|TLS)_|^(?:HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)|PATH_LENGTH_EXCEEDED)$/;

/**
 * Makes a request, and reports the lease by its answer or its failure. If it was the caller who gave up, or who asked wrongly, the lease
 * is abandoned. A lease that has been reported stays as it is.
 */
export async function reportedFetch(
  lease: Reportable,
  send: () => Promise<Response>,
  signals: readonly (AbortSignal | null | undefined)[],
): Promise<Response> {
  const since = performance.now();
  let response: Response;
  try {
    response = await send();
  } catch (error) {
    const failure = failureOf(error, signals);
    quietly(() => (failure === null ? lease[Symbol.dispose]() : lease.fail(failure)));
    throw error;
  }
  const latencyMs = performance.now() - since;
  const retryAfter = response.headers.get('retry-after');
  quietly(() =>
    lease.report({
      status: response.status,
      latencyMs,
      retryAfterMs: retryAfter === null ? undefined : retryAfterMs(retryAfter),
    }),
  );
  return response;
}

/** What an error says about the proxy; null if it says nothing. */
function failureOf(
  error: unknown,
  signals: readonly (AbortSignal | null | undefined)[],
): FailureReport | null {
  const aborted = signals.find((signal) => signal?.aborted);
  // A caller who waits no longer than some time says that it took too long.
  if (aborted) return isNamed(aborted.reason, 'TimeoutError') ? { kind: 'timeout' } : null;
  const cause = error instanceof TypeError && error.cause !== undefined ? error.cause : error;
  // What came was not HTTP: in a tunnel the target may have sent it.
  if (isNamed(cause, 'HTTPParserError')) return { kind: 'reset' };
  const { code } = (cause ?? {}) as { code?: unknown };
  if (typeof code === 'string' && TLS_OF_TARGET.test(code)) return { kind: 'status' };
  return failureOfError(cause);
}

function isNamed(reason: unknown, name: string): boolean {
  return typeof reason === 'object' && reason !== null && 'name' in reason && reason.name === name;
}

/** The caller has what was asked for, or its error: a report that is not taken, since it is the second or the pool is closed, is no other. */
function quietly(report: () => void): void {
  try {
    report();
  } catch {
    // See above.
  }
}
