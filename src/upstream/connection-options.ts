import { X509Certificate } from 'node:crypto';
import { z } from 'zod';

import { parse } from '../model/validation.ts';

const milliseconds = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
/** TLS takes anything for a certificate, and trusts nothing then. */
const certificate = z
  .union([z.string(), z.instanceof(Buffer)])
  .refine(isCertificate, 'must be a certificate: PEM that begins with -----BEGIN CERTIFICATE-----');

/** The fields by which a program says how to connect to proxies. */
export const CONNECTION_FIELDS = {
  connectMs: milliseconds,
  handshakeMs: milliseconds,
  ca: z.union([certificate, z.array(certificate).min(1).readonly()]),
};
const optionsSchema = z.strictObject(CONNECTION_FIELDS).partial();

/** How to connect to proxies: how long to wait, and which certificates they may have. */
export interface ConnectionOptions {
  /** The longest TCP connection to the proxy, with the lookup of its name. Milliseconds, default 5,000. */
  connectMs?: number | undefined;
  /** The longest TLS handshake with the proxy and its answer to CONNECT or SOCKS, together. Milliseconds, default 10,000. */
  handshakeMs?: number | undefined;
  /** Certificates that `https` proxies may have, besides those of the system. PEM. */
  ca?: string | Buffer | readonly (string | Buffer)[] | undefined;
}

function isCertificate(pem: string | Buffer): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}

/** @throws INVALID_INPUT. */
export function connectionOptions(given: ConnectionOptions): ConnectionOptions {
  return parse(optionsSchema, given, 'connections');
}
