import { BlockList, isIP, isIPv4 } from 'node:net';

import type { ProxyVaultError } from '../errors.ts';
import { parseHost, parsePort } from '../model/host.ts';
import { invalidInput } from '../model/validation.ts';
import { remembered } from '../rotation/remembered.ts';
import { embeddedIPv4s } from './embedded-ipv4.ts';

/** Networks that a client of the gateway does not reach through a proxy unless the user allows it, and what they are. */
const NETWORKS: readonly (readonly [what: string, networks: readonly string[]])[] = [
  // Metadata services give out the credentials of a cloud server. AWS, Google, Azure and others; Alibaba; Azure's WireServer; Oracle.
  [
    'a metadata service of a cloud',
    [
      '169.254.169.254/32',
      '169.254.170.2/32',
      '169.254.170.23/32',
      '100.100.100.200/32',
      '168.63.129.16/32',
      '192.0.0.192/32',
      'fd00:ec2::/32',
      'fd20:ce::254/128',
      'fd00:c1::a9fe:a9fe/128',
      'fd00:a9fe:a9fe::1/128',
      'fd00:42::42/128',
    ],
  ],
  ['a loopback address', ['127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128']],
  ['a link-local address', ['169.254.0.0/16', 'fe80::/10']],
  // RFC 8215: where an IPv4 address is in it is known to that network alone.
  ['an address of a local NAT64', ['64:ff9b:1::/48']],
];

/** Names of this machine in the hosts files of systems. */
const LOOPBACK_NAMES =
  /^(?:.+\.)?(?:localhost|localhost\.localdomain|localhost[46]|localhost[46]\.localdomain[46]|ip6-localhost|ip6-loopback|loopback)$/;
const METADATA_NAMES =
  /^(?:metadata|metadata\.google\.internal|metadata\.goog|metadata\.internal|metadata\.platformequinix\.com|metadata\.tencentyun\.com|instance-data|(?:.+\.)?instance-data\.ec2\.internal)$/;

const LISTS = NETWORKS.map(([what, networks]) => [what, blockListOf(networks)] as const);

/** The targets that an `allow` of `HOST`, `HOST:PORT`, `*.NAME` or a network such as `127.0.0.0/8` names. */
interface Allowed {
  matches(host: string, port: number): boolean;
}

/**
 * Says which targets are denied. Names are resolved by the upstream, and so its loopback and its network are what a name could reach:
 * names are denied by what they are, never by a look-up here.
 */
export class TargetPolicy {
  readonly #allow: readonly Allowed[] | 'all';

  /**
   * @param allow what is allowed although it is loopback, link-local or a metadata service: `HOST`, `HOST:PORT`, `*.NAME` or a network
   * such as `127.0.0.0/8`; or `'all'`.
   * @throws INVALID_INPUT for any other text.
   */
  constructor(allow: readonly string[] | 'all') {
    this.#allow = allow === 'all' ? allow : allow.map(allowedBy);
  }

  /** Why a target is denied, such as `a loopback address`; null if it is not. */
  denialOf(host: string, port: number): string | null {
    const parsed = parseHost(host);
    if ('error' in parsed) return 'not a valid host';
    if (this.#allow === 'all') return null;
    const what = kindOf(parsed.host);
    if (what === null || this.#allow.some((allowed) => allowed.matches(parsed.host, port))) return null;
    return what;
  }
}

/** What a host is that is not public; null for others. */
const kindOf = remembered((host: string): string | null => {
  if (isIP(host) === 0) {
    if (LOOPBACK_NAMES.test(host)) return 'a name of this machine';
    return METADATA_NAMES.test(host) ? 'a metadata service of a cloud' : null;
  }
  const addresses = [host, ...embeddedIPv4s(host)];
  return LISTS.find(([, list]) => addresses.some((address) => isIn(list, address)))?.[0] ?? null;
});

function allowedBy(text: string): Allowed {
  const [, network, prefix] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  if (network !== undefined && isIP(network) !== 0 && Number(prefix) <= (isIPv4(network) ? 32 : 128)) {
    const list = blockListOf([text]);
    return { matches: (host) => isIP(host) !== 0 && isIn(list, host) };
  }
  const suffix = /^\*\.(.+)$/.exec(text)?.[1];
  const [, name = text, digits] = /^(.*):(\d+)$/.exec(text) ?? [];
  const whole = parseHost(suffix ?? text);
  if (!('error' in whole)) {
    if (suffix === undefined) return { matches: (host) => host === whole.host };
    return { matches: (host) => host.endsWith(`.${whole.host}`) };
  }
  const parsed = parseHost(name);
  const allowedPort = digits === undefined ? null : parsePort(digits);
  if ('error' in parsed || allowedPort === null) throw notAllowable(text);
  return { matches: (host, port) => host === parsed.host && port === allowedPort };
}

/** Repeats only what cannot have a login. */
function notAllowable(text: string): ProxyVaultError {
  const shown = /^[\w.:*/-]{1,80}$/.test(text) ? ` ${JSON.stringify(text)}` : '';
  return invalidInput(
    `The target to allow${shown} is not valid: give HOST, HOST:PORT, *.NAME or a network such as 127.0.0.0/8.`,
  );
}

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    list.addSubnet(address, Number(prefix), isIPv4(address) ? 'ipv4' : 'ipv6');
  }
  return list;
}

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}
