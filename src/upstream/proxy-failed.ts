import { ProxyVaultError } from '../errors.ts';
import { formatAddress } from '../lists/index.ts';
import type { FailureKind } from '../model/outcomes.ts';
import type { Upstream } from './upstream.ts';

/** What a connection was doing when it failed. */
export type Phase = 'connect' | 'tls' | 'handshake';

/** What is known of a failure beside its kind. */
interface Facts {
  /** The status of an HTTP proxy's answer. */
  status?: number | undefined;
  /** How long the proxy asks not to be asked again. */
  retryAfterMs?: number | undefined;
  /** An error of the system or of TLS: it holds addresses and certificates, never a login. */
  cause?: unknown;
}

/**
 * The error of a proxy that did not connect. `why` says what happened and what to do; it must hold no login. An error of another library
 * may hold one, so only errors of Node's own sockets are causes.
 */
export function proxyFailed(
  { protocol, host, port }: Upstream,
  kind: FailureKind,
  phase: Phase,
  why: string,
  { status, retryAfterMs, cause }: Facts = {},
): ProxyVaultError {
  const message = `The proxy ${protocol}://${formatAddress({ host, port })} did not connect: ${why}`;
  return new ProxyVaultError('PROXY_FAILED', message, {
    cause,
    details: {
      kind,
      phase,
      ...(status === undefined ? {} : { status }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  });
}
