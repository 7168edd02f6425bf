import type { Socket } from 'node:net';

import type { ConnectOptions } from '../upstream/index.ts';
import type { Asker } from './asking.ts';
import type { Trying } from './attempts.ts';
import type { KeptConnections } from './exchange/kept-connections.ts';
import type { RequestLog } from './log.ts';
import type { Settings } from './options.ts';
import type { TargetPolicy } from './targets.ts';
import type { Tunnels } from './tunnels.ts';
import type { UserLimits } from './user-limits.ts';

/** What serving a request at one port needs. */
export interface Desk {
  settings: Settings;
  /** Who asks at this port. */
  asker: Asker;
  policy: TargetPolicy;
  limits: UserLimits;
  trying: Trying;
  tunnels: Tunnels;
  /** Connections that are used again; null if none ever is. */
  kept: KeptConnections | null;
  /** How to connect to a proxy. */
  connecting: (signal: AbortSignal) => ConnectOptions;
  /** Whether a client is a connection that this gateway has made to itself. */
  isLoop: (client: Socket) => boolean;
  /** Called when a request has come. */
  onBegin: () => void;
  /** Called when it has ended. */
  onEnd: (log: RequestLog) => void;
}
