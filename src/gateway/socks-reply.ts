/** What a SOCKS client is told. */
export type SocksOutcome =
  | 'success'
  | 'generalFailure'
  | 'notAllowed'
  | 'networkUnreachable'
  | 'hostUnreachable'
  | 'refused'
  | 'ttlExpired'
  | 'commandNotSupported'
  | 'addressNotSupported';

export type SocksVersion = 4 | 5;

/** RFC 1928, 6. */
const CODES: Readonly<Record<SocksOutcome, number>> = {
  success: 0,
  generalFailure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  refused: 5,
  ttlExpired: 6,
  commandNotSupported: 7,
  addressNotSupported: 8,
};

/** The answer to a request. SOCKS4 only knows granted (90) and rejected (91). The address in it says nothing: 0.0.0.0:0. */
export function socksReply(version: SocksVersion, outcome: SocksOutcome): Buffer {
  if (version === 4) return Buffer.from([0, outcome === 'success' ? 90 : 91, 0, 0, 0, 0, 0, 0]);
  return Buffer.from([5, CODES[outcome], 0, 1, 0, 0, 0, 0, 0, 0]);
}
