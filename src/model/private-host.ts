import { BlockList, isIP } from 'node:net';

/** RFC 1918, RFC 1122 (loopback), RFC 3927 (link-local), RFC 6598 (carrier-grade NAT), RFC 4193, RFC 4291. */
const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
  ['0.0.0.0', 8],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv4');
}
PRIVATE.addAddress('::1', 'ipv6');
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
PRIVATE.addSubnet('fe80::', 10, 'ipv6');

/** The first number shows that most public addresses are not private, without a look at the list. */
const MAY_BE_PRIVATE = /^(?:0|10|100|127|169|172|192)\./;

/** Whether a host, in the form in which it is stored, is of a private network or of this machine. */
export function isPrivateHost(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return host === 'localhost' || host.endsWith('.localhost');
  if (version === 4) return MAY_BE_PRIVATE.test(host) && PRIVATE.check(host, 'ipv4');
  return PRIVATE.check(host, 'ipv6');
}
