import type { Socket } from 'node:net';

import type { Lease } from '../rotation/index.ts';
import { relayReads } from '../upstream/index.ts';
import type { TunnelReason } from './log.ts';
import type { Settings } from './options.ts';

/** How a tunnel ended. */
export interface TunnelEnd {
  /** `ok` if bytes came back; `aborted` if nothing was asked, or the client left before it could be answered. */
  outcome: 'ok' | 'failed' | 'aborted';
  /** How it failed; null unless it did. */
  kind: 'timeout' | 'reset' | null;
  /** From the server. */
  bytesIn: number;
  /** To the server. */
  bytesOut: number;
  /** From the client's first bytes to the server's, in milliseconds. */
  latencyMs: number | undefined;
  reason: TunnelReason;
}

/**
 * How long a tunnel lasts without traffic once one side has ended its half, as `timeout client-fin` of HAProxy: most clients that close
 * their connection look so. Milliseconds.
 */
const HALF_CLOSED_MS = 30_000;

type Ender = 'client' | 'server' | 'idle' | 'gateway';

/** Whose tunnels they are: one for all of them, so that a tunnel that waits takes little memory. */
export interface Owner {
  readonly settings: Pick<Settings, 'idleMs' | 'maxTunnelAgeMs' | 'handshakeMs'>;
  /** The first bytes have come from the server. */
  answered: (tunnel: Tunnel) => void;
  ended: (tunnel: Tunnel, end: TunnelEnd) => void;
}

/**
 * Bytes both ways between a client and an upstream. Each side may close its half. A side is not read while the other does not take what
 * was read, so memory is bounded.
 */
export class Tunnel {
  readonly lease: Lease;
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #owner: Owner;
  readonly #answeredMs: number | undefined;
  /** What the client had sent and was sent before. */
  readonly #sentBefore: number;
  readonly #receivedBefore: number;
  readonly #ageTimer: NodeJS.Timeout | undefined;
  #askedAt: number | null = null;
  #isAnswered = false;
  #latencyMs: number | undefined;
  #endedBy: Ender | null = null;
  #reason: TunnelReason = 'GATEWAY_CLOSED';
  #open = 2;
  #isResetting = false;

  /**
   * @param early what the client has sent before.
   * @param answeredMs how long the server took to answer, if it has answered before the tunnel began.
   */
  constructor(
    client: Socket,
    upstream: Socket,
    lease: Lease,
    owner: Owner,
    early: Buffer,
    answeredMs?: number,
  ) {
    this.lease = lease;
    this.#client = client;
    this.#upstream = upstream;
    this.#owner = owner;
    this.#answeredMs = answeredMs;
    this.#sentBefore = client.bytesRead - client.readableLength - early.length;
    this.#receivedBefore = client.bytesWritten;
    this.#latencyMs = answeredMs;
    const { idleMs, maxTunnelAgeMs } = owner.settings;
    // What goes through the tunnel goes through both. Once one has closed, the other may still hold what nobody takes.
    for (const socket of [client, upstream])
      socket.setTimeout(idleMs).on('timeout', () => this.#close('idle', 'IDLE'));
    if (maxTunnelAgeMs !== undefined)
      this.#ageTimer = setTimeout(() => this.close('TOO_OLD'), maxTunnelAgeMs).unref();
    if (answeredMs !== undefined) this.#answered();
    relayReads(upstream, client, () => this.#answered());
    if (early.length > 0) {
      this.#askedAt = performance.now();
      upstream.write(early);
    }
    this.#watch(client, upstream, 'client');
    this.#watch(upstream, client, 'server');
  }

  /** Closes both sides now. */
  close(reason: TunnelReason): void {
    this.#close('gateway', reason);
  }

  #close(by: 'idle' | 'gateway', reason: TunnelReason): void {
    this.#note(by, reason);
    close(this.#upstream);
    this.#client.destroy();
  }

  /** Passes on what comes from one side, and how it ends. */
  #watch(socket: Socket, other: Socket, who: 'client' | 'server'): void {
    const onClose = (): void => {
      this.#note(who, who === 'client' ? 'CLIENT_CLOSED' : 'SERVER_CLOSED');
      // The other side may still be sending what has ended here in order.
      const isWhole = socket.readableEnded && socket.writableFinished;
      if (!isWhole && !this.#isResetting) {
        if (who === 'client') close(other);
        else other.destroy();
      }
      if (--this.#open === 0) this.#end();
    };
    const onEnd = (): void => {
      this.#note(who, who === 'client' ? 'CLIENT_CLOSED' : 'SERVER_CLOSED');
      other.end();
      const ms = Math.min(this.#owner.settings.idleMs, HALF_CLOSED_MS);
      for (const each of [socket, other]) if (!each.destroyed) each.setTimeout(ms);
    };
    socket
      .on('data', (bytes: Buffer) => {
        if (who === 'server') this.#answered();
        else this.#askedAt ??= performance.now();
        if (!other.write(bytes)) socket.pause();
      })
      .on('end', onEnd)
      .on('error', () => {
        this.#note(who, who === 'client' ? 'CLIENT_BROKE' : 'SERVER_BROKE');
        // So that the other side does not take what it has for the whole.
        this.#isResetting = reset(other);
      });
    // It may have ended before there was a tunnel.
    if (socket.readableEnded) onEnd();
    other.on('drain', () => socket.resume());
    if (socket.closed) process.nextTick(onClose);
    else socket.on('close', onClose);
    // What waits to be written is written first.
    if (other.writableNeedDrain) socket.pause();
    else socket.resume();
  }

  #answered(): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    if (this.#answeredMs === undefined && this.#askedAt !== null)
      this.#latencyMs = performance.now() - this.#askedAt;
    this.#owner.answered(this);
  }

  #note(by: Ender, reason: TunnelReason): void {
    if (this.#endedBy !== null) return;
    this.#endedBy = by;
    this.#reason = reason;
  }

  #end(): void {
    clearTimeout(this.#ageTimer);
    const bytesIn = this.#client.bytesWritten - this.#receivedBefore;
    const bytesOut = this.#client.bytesRead - this.#sentBefore;
    const isAnswered = bytesIn > 0 || this.#answeredMs !== undefined;
    const kind = isAnswered ? null : this.#failure();
    const outcome = isAnswered ? 'ok' : kind === null ? 'aborted' : 'failed';
    const latencyMs = this.#latencyMs;
    this.#owner.ended(this, { outcome, kind, bytesIn, bytesOut, latencyMs, reason: this.#reason });
  }

  /** How it failed, if nothing came back. */
  #failure(): 'timeout' | 'reset' | null {
    if (this.#askedAt === null) return null;
    if (this.#endedBy === 'server') return 'reset';
    if (this.#endedBy === 'idle') return 'timeout';
    // A client that has waited this long has given up.
    const waited = performance.now() - this.#askedAt;
    return this.#endedBy === 'client' && waited >= this.#owner.settings.handshakeMs ? 'timeout' : null;
  }
}

/**
 * Ends a connection so that its other end sees that it broke. A connection with TLS can only be closed.
 *
 * @returns whether that comes by itself in a moment. While the end of its half is on its way, Node cannot reset it, and would never close it.
 */
function reset(socket: Socket): boolean {
  const isEnding = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  if ('encrypted' in socket) socket.destroy();
  else if (isEnding) socket.once('finish', () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
  return isEnding && !('encrypted' in socket);
}

/** Closes a connection. One that was told the end of a half learns only by a reset that nothing is read any more, and would wait. */
function close(socket: Socket): void {
  if (socket.writableFinished && !('encrypted' in socket)) socket.resetAndDestroy();
  else socket.destroy();
}
