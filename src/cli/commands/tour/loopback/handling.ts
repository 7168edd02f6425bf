import type { Duplex } from 'node:stream';

import type { BehaviourDetails } from './behaviour.ts';
import type { Seen } from './counts.ts';
import type { Resolve } from './route.ts';

export interface UpstreamLogin {
  username: string;
  password: string;
}

/** What the protocols of an upstream need of it. */
export interface Handling {
  readonly login: UpstreamLogin | null;
  readonly seen: Seen;
  readonly resolve: Resolve;
  /** The status with which it answers everything, if it does. */
  refusal(): BehaviourDetails | null;
  /** Does to a connection what it does in place of an answer; false if it answers. */
  interferes(stream: Duplex): boolean;
  /** Counts a tunnel, or a request, to a target. */
  count(what: 'tunnels' | 'requests', target: string, username: string): void;
  /** Sends on what comes, both ways. */
  relay(client: Duplex, target: Duplex): void;
  /** Sends the body of an answer to a client, which may be cut. */
  answer(client: Duplex, from: NodeJS.ReadableStream, to: NodeJS.WritableStream): void;
}
