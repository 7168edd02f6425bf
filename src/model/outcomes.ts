/** How a request through a proxy can fail where the proxy is at fault: it cannot be reached, or does not do what a proxy does. */
export const PROXY_FAULTS = ['connect', 'tls', 'auth', 'protocol'] as const;

/** How a request can fail where the target may be at fault. */
const TARGET_FAULTS = ['timeout', 'status', 'blocked', 'reset'] as const;

/**
 * How a request failed. The proxy is at fault for `connect` (refused, unreachable), `tls` (its certificate or handshake), `auth` (it
 * rejected the login: 407) and `protocol` (it does not speak its protocol). The target may be at fault for `timeout`, `status` (an answer
 * such as 500, or a certificate that is not valid), `blocked` (429, 403 or a captcha: the target does not want this address) and `reset`
 * (the connection broke).
 */
export const FAILURE_KINDS = [...PROXY_FAULTS, ...TARGET_FAULTS] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

/** Why a proxy cools: a failure, the success rate of an outlier, or a person. */
export const COOLDOWN_KINDS = [...FAILURE_KINDS, 'outlier', 'manual'] as const;
export type CooldownKind = (typeof COOLDOWN_KINDS)[number];

/** Who has put a proxy out. */
export const COOLDOWN_SOURCES = ['engine', 'person'] as const;
export type CooldownSource = (typeof COOLDOWN_SOURCES)[number];

/** What the status of an answer says if nothing else is configured: how it failed, or null if it is a good one. */
export function kindOfStatus(status: number): FailureKind | null {
  if (status === 407) return 'auth';
  // Some sites answer 999 to clients that they do not want.
  if (status === 403 || status === 429 || status === 999) return 'blocked';
  if (status === 408 || status === 504) return 'timeout';
  return status >= 500 ? 'status' : null;
}
