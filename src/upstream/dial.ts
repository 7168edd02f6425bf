import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { proxyFailed } from './proxy-failed.ts';
import { ReusedReads } from './reused-reads.ts';
import { trusting } from './trust.ts';
import { CONNECT_MS, type ConnectOptions, HANDSHAKE_MS, type Upstream } from './upstream.ts';
import { type Fault, watched } from './watched.ts';

/** A connection to a proxy, and when its handshake must be done, by `performance.now()`. */
export interface Dialled {
  socket: Socket;
  deadline: number;
}

/**
 * Connects to the proxy itself, with TLS if it is an `https` proxy: for requests of plain HTTP, which it takes in absolute form.
 *
 * @throws PROXY_FAILED of the kinds `connect` and `tls`; the reason of `signal`. Then no socket is left.
 */
export async function dial(upstream: Upstream, options: ConnectOptions = {}): Promise<Socket> {
  return (await dialled(upstream, options, false)).socket;
}

/** `allowHalfOpen`: a tunnel outlives the end of what comes from the other side. */
export async function dialled(
  upstream: Upstream,
  options: ConnectOptions,
  allowHalfOpen: boolean,
): Promise<Dialled> {
  const { connectMs = CONNECT_MS, handshakeMs = HANDSHAKE_MS, signal } = options;
  signal?.throwIfAborted();
  const { protocol, host, port } = upstream;
  const onread =
    options.reuseReads === true && allowHalfOpen && protocol !== 'https' ? new ReusedReads() : undefined;
  const socket = connectTcp({
    host,
    port,
    allowHalfOpen,
    noDelay: true,
    keepAlive: true,
    // A proxy may have several addresses, which Node tries one after another. Its own limit for all but the last, 250 ms, is less than the way
    // to another continent and back.
    autoSelectFamilyAttemptTimeout: Math.ceil(connectMs / 3),
    ...(onread && { onread }),
  });
  onread?.attach(socket);
  const errorOf = (fault: Fault): Error => connectError(upstream, fault, connectMs);
  await watched(socket, { ms: connectMs, signal, errorOf }, () => event(socket, 'connect'));
  options.onDial?.(socket);
  const deadline = performance.now() + handshakeMs;
  if (protocol !== 'https') return { socket, deadline };
  return { socket: await secured(socket, upstream, options, handshakeMs), deadline };
}

async function secured(
  socket: Socket,
  upstream: Upstream,
  { signal, ca }: ConnectOptions,
  ms: number,
): Promise<Socket> {
  const { host } = upstream;
  const secure = connectTls({
    socket,
    host,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...trusting(ca),
  });
  const errorOf = (fault: Fault): Error => tlsError(upstream, fault, ms);
  await watched(secure, { ms, signal, errorOf }, () => event(secure, 'secureConnect'));
  return secure;
}

function event(socket: Socket, name: string): Promise<void> {
  return new Promise((resolve) => void socket.once(name, resolve));
}

function connectError(upstream: Upstream, fault: Fault, ms: number): Error {
  if (fault.reason === 'late')
    return proxyFailed(
      upstream,
      'connect',
      'connect',
      `no connection within ${ms} ms. Check its address, or raise connectMs.`,
    );
  const why = `it cannot be reached${codeOf(fault.cause)}. Check its host and port.`;
  return proxyFailed(upstream, 'connect', 'connect', why, { cause: fault.cause });
}

function tlsError(upstream: Upstream, fault: Fault, ms: number): Error {
  if (fault.reason === 'late')
    return proxyFailed(
      upstream,
      'tls',
      'tls',
      `TLS took longer than ${ms} ms. Check that it speaks TLS, or raise handshakeMs.`,
    );
  const why = `TLS failed${codeOf(fault.cause)}. Check that it speaks TLS and that its certificate is valid, or trust it with ca.`;
  return proxyFailed(upstream, 'tls', 'tls', why, { cause: fault.cause });
}

/** The code of a system error, in brackets. */
export function codeOf(cause: unknown): string {
  const { code } = (cause ?? {}) as { code?: unknown };
  return typeof code === 'string' ? ` (${code})` : '';
}
