import type { Socket } from 'node:net';

import { checkedTarget } from './authority.ts';
import { codeOf, dialled } from './dial.ts';
import type { Handshake } from './handshake.ts';
import { httpHandshake } from './http-connect.ts';
import { proxyFailed } from './proxy-failed.ts';
import { socks4Handshake, socks5Handshake } from './socks.ts';
import type { ConnectOptions, Target, Upstream } from './upstream.ts';
import { type Fault, watched } from './watched.ts';

/** Made before there is a connection, so that what a protocol cannot carry costs none. */
const HANDSHAKES = {
  http: httpHandshake,
  https: httpHandshake,
  socks4: socks4Handshake,
  socks5: socks5Handshake,
} as const satisfies Record<
  Upstream['protocol'],
  (upstream: Upstream, target: Target, via?: string) => Handshake
>;

/**
 * Opens a tunnel through a proxy to a target, whose name the proxy resolves. Nothing has been read of the socket beyond the answer of
 * the proxy. It is half-open: what comes may end before what goes, and the caller ends it.
 *
 * @throws PROXY_FAILED, whose `details.kind` says how it failed; INVALID_INPUT for a target that is no host and port; the reason of
 *   `signal`. Then no socket is left.
 */
export async function connect(
  upstream: Upstream,
  target: Target,
  options: ConnectOptions = {},
): Promise<Socket> {
  const handshake = HANDSHAKES[upstream.protocol](upstream, checkedTarget(target), options.via);
  const { socket, deadline } = await dialled(upstream, options, true);
  const ms = deadline - performance.now();
  const errorOf = (fault: Fault): Error => handshakeError(upstream, fault);
  await watched(socket, { ms, signal: options.signal, errorOf }, () => handshake(socket));
  return socket;
}

function handshakeError(upstream: Upstream, fault: Fault): Error {
  if (fault.reason === 'late')
    return proxyFailed(
      upstream,
      'timeout',
      'handshake',
      'it did not answer in time. Try another proxy, or raise handshakeMs.',
    );
  const why = `it closed the connection${codeOf(fault.cause)} before it answered. Check its protocol, or try another proxy.`;
  return proxyFailed(upstream, 'reset', 'handshake', why, { cause: fault.cause });
}
