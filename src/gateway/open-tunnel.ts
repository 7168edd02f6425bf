import type { Socket } from 'node:net';

import { connect, type Target } from '../upstream/index.ts';
import { type Asking, poolRequestOf, templateOf } from './asking.ts';
import { Attempts, type Serving } from './attempts.ts';
import { onClientGone } from './client-gone.ts';
import type { Desk } from './desk.ts';
import { type Refusal, unserved } from './replies.ts';
import type { Visit } from './visit.ts';

/** How a client is answered in its protocol. */
interface Answers {
  /** Says that the tunnel is open. */
  opened: (serving: Serving) => void;
  /** Says why there is no tunnel, and closes the connection. */
  refused: (why: Refusal) => void;
}

/** Reaches a target through the pool for a client, and opens the tunnel between them. Until `opened` another proxy may be tried. */
export async function openTunnel(
  desk: Desk,
  visit: Visit,
  client: Socket,
  target: Target,
  asking: Asking,
  answers: Answers,
): Promise<void> {
  const { trying, settings, tunnels, onDial } = desk;
  const request = poolRequestOf(asking, target.host);
  const attempts = new Attempts(trying, request, templateOf(asking));
  const { tried } = attempts;
  const unwatch = onClientGone(client, () => attempts.abort());
  const { connectMs, handshakeMs, ca } = settings;
  let reached: Serving & { value: Socket };
  try {
    reached = await attempts.reach(({ proxy }, signal) =>
      connect(proxy, target, { connectMs, handshakeMs, ca, signal, onDial }),
    );
  } catch (error) {
    unwatch();
    attempts.settle();
    if (attempts.isAborted) {
      client.destroy();
      visit.end({ outcome: 'aborted', tried });
      return;
    }
    const why = unserved(error, tried);
    visit.end({ outcome: 'failed', status: why.status, reason: why.code, tried });
    answers.refused(why);
    return;
  }
  unwatch();
  attempts.settle();
  const { lease, value: upstream } = reached;
  if (attempts.isAborted || client.destroyed) {
    upstream.destroy();
    client.destroy();
    lease[Symbol.dispose]();
    visit.end({ outcome: 'aborted', tried, proxy: lease.proxy.id });
    return;
  }
  answers.opened(reached);
  tunnels.open(client, upstream, lease, {
    visit,
    tried,
    status: 200,
    domain: target.host,
    session: request.session,
  });
}
