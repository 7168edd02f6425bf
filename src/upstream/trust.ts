import tls, { createSecureContext, type SecureContext } from 'node:tls';

import type { ConnectOptions } from './upstream.ts';

type Certificates = NonNullable<ConnectOptions['ca']>;

/** To read the certificates of the system takes some milliseconds, and a caller gives the same ones each time. */
let last: { ca: Certificates; secureContext: SecureContext } | null = null;

/** The options of TLS by which the certificates of a caller are trusted besides those of the system. */
export function trusting(ca: Certificates | undefined): { secureContext?: SecureContext } {
  if (ca === undefined) return {};
  if (last?.ca !== ca) {
    // Node 22.14 has no list of all that it trusts, only of what it was built with.
    const system = tls.getCACertificates?.('default') ?? tls.rootCertificates;
    const own = typeof ca === 'string' || Buffer.isBuffer(ca) ? [ca] : ca;
    last = { ca, secureContext: createSecureContext({ ca: [...system, ...own] }) };
  }
  return { secureContext: last.secureContext };
}
