import type { Socket } from 'node:net';
import { inspect } from 'node:util';
import { expect } from 'vitest';

import { ProxyVaultError } from '../../src/errors.ts';
import type { ProxyProtocol } from '../../src/model/proxy.ts';
import { type ConnectOptions, connect, type Target, type Upstream } from '../../src/upstream/index.ts';
import { certificate } from './certificate.ts';
import { leavingNothing } from './leftovers.ts';
import { type FakeServer, fakeServer, type Script } from './peer.ts';

export const CERTIFICATE = certificate();
export const TARGET: Target = { host: 'target.example', port: 443 };
const USERNAME = 'us3r-SECRET';
const PASSWORD = 'p4ss-SECRET';
const SECRETS = [USERNAME, PASSWORD, Buffer.from(`${USERNAME}:${PASSWORD}`).toString('base64').slice(0, 12)];

/** A proxy of a protocol that plays a script. */
export async function proxyOf(protocol: ProxyProtocol, script: Script): Promise<[Upstream, FakeServer]> {
  const server = await fakeServer(script, protocol === 'https' ? { certificate: CERTIFICATE } : {});
  return [upstreamAt(protocol, server.port), server];
}

export function upstreamAt(protocol: ProxyProtocol, port: number): Upstream {
  // SOCKS4 has no passwords.
  const password = protocol === 'socks4' ? '' : PASSWORD;
  return { protocol, host: '127.0.0.1', port, username: USERNAME, password };
}

export const open = (upstream: Upstream, options?: ConnectOptions, target = TARGET): Promise<Socket> =>
  connect(upstream, target, { ca: CERTIFICATE.cert, ...options });

/** The error of a connection that must fail. It holds no login, and leaves nothing. */
export async function failure(
  upstream: Upstream,
  options?: ConnectOptions,
  target = TARGET,
): Promise<unknown> {
  const error = await leavingNothing(() =>
    open(upstream, options, target).then(
      () => expect.unreachable('it connected'),
      (reason: unknown) => reason,
    ),
  );
  const shown = inspect(error, { depth: 20, showHidden: true, getters: true }) + JSON.stringify(error);
  for (const secret of SECRETS) expect(shown).not.toContain(secret);
  return error;
}

/** The details of the error of a connection that the proxy must fail. */
export async function details(upstream: Upstream, options?: ConnectOptions, target = TARGET) {
  const error = await failure(upstream, options, target);
  expect(error).toBeInstanceOf(ProxyVaultError);
  const { code, message, details } = error as ProxyVaultError;
  expect(code).toBe('PROXY_FAILED');
  expect(message).toContain(`${upstream.protocol}://${upstream.host}:${upstream.port}`);
  return details;
}
