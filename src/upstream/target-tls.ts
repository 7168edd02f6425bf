import { isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { type ConnectOptions, HANDSHAKE_MS, type Target } from './upstream.ts';
import { type Fault, watched } from './watched.ts';

/**
 * Speaks TLS with a target through its tunnel. No session of TLS is kept, since one that is resumed would tell the target that two
 * sessions are the same client.
 *
 * @throws the error of TLS, such as of the certificate. Then no socket is left.
 */
export async function secureTarget(
  tunnel: Socket,
  { host, port }: Target,
  servername: string,
  { signal, handshakeMs: ms = HANDSHAKE_MS }: Pick<ConnectOptions, 'signal' | 'handshakeMs'>,
): Promise<Socket> {
  const secure = connectTls({
    socket: tunnel,
    host,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(servername) === 0 ? { servername } : {}),
  });
  const errorOf = (fault: Fault): Error => {
    if (fault.reason === 'closed' && fault.cause instanceof Error) return fault.cause;
    const isLate = fault.reason === 'late';
    const why = isLate ? `took longer than ${ms} ms` : 'was ended';
    const error = new Error(`TLS with ${host}:${port} ${why}.`);
    return Object.assign(error, { code: isLate ? 'ETIMEDOUT' : 'ECONNRESET' });
  };
  const done = (): Promise<void> => new Promise((resolve) => void secure.once('secureConnect', resolve));
  await watched(secure, { ms, signal, errorOf }, done);
  return secure;
}
