import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

import { connect } from '../upstream/index.ts';
import { loginOf } from './asking.ts';
import { parseAuthority } from './authority.ts';
import type { Desk } from './desk.ts';
import { framingProblem } from './framing.ts';
import { openTunnel } from './open-tunnel.ts';
import { type Refusal, refusal, refuseRaw } from './replies.ts';
import { Visit } from './visit.ts';

/** Serves CONNECT: a tunnel through a proxy, whatever goes through it. */
export async function serveConnect(
  desk: Desk,
  { url = '', rawHeaders, headers, httpVersion }: IncomingMessage,
  client: Socket,
  head: Buffer,
): Promise<void> {
  const visit = new Visit(desk, client, 'connect', 'CONNECT');
  const refuse = (why: Refusal): void => {
    visit.refused(why);
    refuseRaw(client, why);
  };
  const target = parseAuthority(url);
  if (target === null) return refuse(refusal(400, 'INVALID_INPUT', FORM));
  visit.wants(target);
  const problem = framingProblem(rawHeaders, 'CONNECT', httpVersion);
  if (problem !== null) return refuse(refusal(400, 'INVALID_INPUT', problem));
  // A Host without a port means that of the target.
  const host = headers.host === undefined ? target : parseAuthority(headers.host, target.port);
  if (host?.host !== target.host || host.port !== target.port)
    return refuse(refusal(400, 'INVALID_INPUT', 'Host must be the host and the port of CONNECT.'));
  const asking = await visit.admit(target, loginOf(headers['proxy-authorization']), rawHeaders);
  if ('status' in asking) return refuse(asking);
  await openTunnel<Socket>(desk, {
    visit,
    client,
    asking,
    head,
    domain: target.host,
    reach: ({ proxy }, signal) => connect(proxy, target, desk.connecting(signal())),
    opened: ({ lease, value }) => {
      client.write(
        `HTTP/1.1 200 Connection Established\r\nX-Proxyvault-Lease: ${lease.ticket}\r\nX-Proxyvault-Proxy: ${lease.proxy.id}\r\n\r\n`,
        'latin1',
      );
      return value;
    },
    drop: (upstream) => upstream.destroy(),
    refused: (why) => refuseRaw(client, why),
  });
}

const FORM = 'CONNECT needs host:port, such as example.com:443, and brackets around an IPv6 address.';
