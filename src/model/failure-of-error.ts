import { ProxyVaultError } from '../errors.ts';
import { FAILURE_KINDS, type FailureKind } from './outcomes.ts';

/** What an error says about a proxy: a failure as it is reported. */
interface Failure {
  kind: FailureKind | undefined;
  status?: number | undefined;
  retryAfterMs?: number | undefined;
}

/** Codes of errors that say nothing about a proxy: what was asked is wrong, or this program has ended it. */
const OWN_FAULTS = /^(?:ERR_INVALID|UND_ERR_(?:INVALID|ABORTED|CLOSED|DESTROYED|REQ_|NOT_SUPPORTED))/;
const TIMEOUTS = /TIMEOUT|^ETIMEDOUT$/;
/** What came was not HTTP. */
const MALFORMED = /^HPE_/;

/**
 * What an error of a connection says about its proxy; null if it says nothing. Errors of sockets, of the parser and of undici have
 * codes: one without a code is a fault of this program.
 */
export function failureOfError(error: unknown): Failure | null {
  if (error instanceof ProxyVaultError)
    return error.code === 'PROXY_FAILED' ? failureIn(error.details) : null;
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (typeof code !== 'string' || OWN_FAULTS.test(code)) return null;
  if (MALFORMED.test(code)) return { kind: 'protocol' };
  return { kind: TIMEOUTS.test(code) ? 'timeout' : 'reset' };
}

function failureIn({ kind, status, retryAfterMs }: ProxyVaultError['details']): Failure {
  return {
    kind: FAILURE_KINDS.find((each) => each === kind),
    status: typeof status === 'number' ? status : undefined,
    retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined,
  };
}
