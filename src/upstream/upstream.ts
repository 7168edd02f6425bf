import type { Socket } from 'node:net';

import type { ProxyProtocol } from '../model/proxy.ts';
import type { ConnectionOptions } from './connection-options.ts';

/** How to reach a proxy, with its login. A `RevealedProxy` is one. */
export interface Upstream {
  readonly protocol: ProxyProtocol;
  readonly host: string;
  readonly port: number;
  /** Empty if the proxy asks for none. */
  readonly username: string;
  /** Empty if the proxy asks for none. */
  readonly password: string;
}

/** Where a tunnel leads. The proxy resolves a name; this process never does. */
export interface Target {
  /** An ASCII name, IPv4, or IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** How to connect to a proxy. */
export interface ConnectOptions extends ConnectionOptions {
  signal?: AbortSignal | undefined;
  /** Read a tunnel into buffers that are used again, for `relayReads`. Default false. */
  reuseReads?: boolean | undefined;
  /** What `Via` calls this program in requests for a tunnel. Default: they have no `Via`. */
  via?: string | undefined;
  /** Called with the TCP connection to the proxy, as soon as there is one. */
  onDial?: ((socket: Socket) => void) | undefined;
}

export const CONNECT_MS = 5_000;
export const HANDSHAKE_MS = 10_000;
