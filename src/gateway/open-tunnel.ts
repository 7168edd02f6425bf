import type { Socket } from 'node:net';

import { type Asking, poolRequestOf, templateOf } from './asking.ts';
import { Attempts, type Serving } from './attempts.ts';
import type { Desk } from './desk.ts';
import type { Tried } from './log.ts';
import { type Refusal, unserved } from './replies.ts';
import type { Visit } from './visit.ts';
import { WaitingClient } from './waiting-client.ts';

/** A client that wants a tunnel, and how it is answered in its protocol. */
export interface Wish<T> {
  visit: Visit;
  client: Socket;
  asking: Asking;
  /** What was read of the client after its request, if anything was. */
  head?: Buffer;
  /** The host that it wants to reach. */
  domain: string;
  url?: string | undefined;
  /** Reaches the target through one proxy. Until it resolves another proxy may be tried. */
  reach: (serving: Serving, signal: () => AbortSignal) => Promise<T>;
  /** Tells the client, and gives the tunnel's other end; null if there will be no tunnel, and the lease and visit have their end. */
  opened: (reached: Serving & { value: T; tried: readonly Tried[] }) => Socket | null;
  /** How long the target took to answer, if it has answered before there is a tunnel. */
  answeredMs?: (value: T) => number;
  /** Ends what was reached for a client that has gone. */
  drop: (value: T) => void;
  /** Says why there is no tunnel, and closes the connection. */
  refused: (why: Refusal) => void;
}

const NOTHING = Buffer.alloc(0);

/** Reaches a target through the pool for a client, and opens the tunnel between them. */
export async function openTunnel<T>(desk: Desk, wish: Wish<T>): Promise<void> {
  const { visit, client, asking, domain, url, head = NOTHING } = wish;
  const request = poolRequestOf(asking, domain, url);
  const attempts = new Attempts(desk.trying, request, templateOf(asking));
  const { tried } = attempts;
  const waiting = new WaitingClient(client, head, () => attempts.abort());
  try {
    const reached = await attempts.reach(wish.reach);
    const early = waiting.take();
    const { lease, value } = reached;
    if (attempts.isAborted) {
      wish.drop(value);
      lease[Symbol.dispose]();
      client.destroy();
      visit.end({ outcome: 'aborted', proxy: lease.proxy.id, tried });
      return;
    }
    const upstream = wish.opened({ ...reached, tried });
    if (upstream === null) return;
    const { session } = request;
    const answeredMs = wish.answeredMs?.(value);
    // No function of here is kept: it would keep all that was needed to reach the target.
    desk.tunnels.open(client, upstream, lease, { visit, tried, domain, session, early, answeredMs });
  } catch (error) {
    waiting.take();
    if (attempts.isAborted) {
      client.destroy();
      visit.end({ outcome: 'aborted', tried });
      return;
    }
    const { excluded } = attempts;
    const why = unserved({ error, tried, excluded, isUser: asking.user !== null });
    visit.end({ outcome: 'failed', status: why.status, reason: why.code, detail: why.message, tried });
    wish.refused(why);
  } finally {
    attempts.settle();
  }
}
