import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

import { loginOf } from './asking.ts';
import { parseAuthority } from './authority.ts';
import type { Desk } from './desk.ts';
import { framingProblem } from './header-rules.ts';
import { openTunnel } from './open-tunnel.ts';
import { closeAfter, type Refusal, refusal, refuseRaw } from './replies.ts';
import { Visit } from './visit.ts';

/** Serves CONNECT: a tunnel through a proxy, whatever goes through it. */
export async function serveConnect(desk: Desk, request: IncomingMessage, client: Socket, head: Buffer): Promise<void> {
  const visit = new Visit(desk, client, 'connect', 'CONNECT');
  const refused = (why: Refusal): void => {
    visit.refused(why);
    refuseRaw(client, why);
  };
  const { url = '', rawHeaders, headers, httpVersion } = request;
  const target = parseAuthority(url);
  if (target === null)
    return refused(refusal(400, 'INVALID_INPUT', 'CONNECT needs host:port, with IPv6 addresses in brackets.'));
  const problem = framingProblem(rawHeaders, 'CONNECT', httpVersion);
  if (problem !== null) return refused(refusal(400, 'INVALID_INPUT', problem));
  const asking = await visit.admit(target, loginOf(headers['proxy-authorization']), rawHeaders);
  if ('status' in asking) return refused(asking);
  if (head.length > 0) client.unshift(head);
  await openTunnel(desk, visit, client, target, asking, {
    opened: ({ lease }) =>
      client.write(
        `HTTP/1.1 200 Connection Established\r\nX-Proxyvault-Lease: ${lease.id}\r\nX-Proxyvault-Proxy: ${lease.proxy.id}\r\n\r\n`,
      ),
    refused: (why) => refuseRaw(client, why),
  });
}
void closeAfter;
