import type { Asker } from './asking.ts';
import type { Trying } from './attempts.ts';
import type { RequestLog } from './log.ts';
import type { Settings } from './options.ts';
import type { Reuse } from './reuse.ts';
import type { TargetPolicy } from './targets.ts';
import type { Tunnels } from './tunnels.ts';
import type { UserLimits } from './user-limits.ts';

/** What serving a request needs. */
export interface Desk {
  settings: Settings;
  /** Who asks at this port. */
  asker: Asker;
  policy: TargetPolicy;
  trying: Trying;
  tunnels: Tunnels;
  reuse: Reuse;
  limits: UserLimits;
  /** Whether the client of a connection is this gateway itself. */
  isLoop: (address: string, port: number) => boolean;
  /** Takes note of a connection that this gateway makes. */
  onDial: (socket: import('node:net').Socket) => void;
  onEnd: (log: RequestLog) => void;
}
