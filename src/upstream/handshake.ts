import type { Socket } from 'node:net';

/**
 * Speaks with a proxy until the tunnel is open. What comes after its answer stays in the socket. It does not look whether the socket
 * ends or fails, and then never settles.
 */
export type Handshake = (socket: Socket) => Promise<void>;
