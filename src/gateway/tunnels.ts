import type { Socket } from 'node:net';

import type { Lease } from '../rotation/index.ts';
import type { Tried } from './log.ts';
import type { Settings } from './options.ts';
import { Tunnel, type TunnelEnd } from './tunnel.ts';
import type { Visit } from './visit.ts';

/** What a tunnel is for. */
export interface Purpose {
  visit: Visit;
  tried: readonly Tried[];
  domain: string;
  /** The session by its name in the pool. */
  session: string | undefined;
}

interface Parts {
  settings: Settings;
  /** Called with an outcome that the pool could not store. */
  onUnstored: (error: unknown) => void;
}

/** The open tunnels of a gateway. */
export class Tunnels {
  readonly #parts: Parts;
  readonly #open = new Map<Tunnel, Purpose>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Begins a tunnel. When it ends its lease is reported. */
  open(client: Socket, upstream: Socket, lease: Lease, purpose: Purpose): void {
    const tunnel: Tunnel = new Tunnel(client, upstream, lease, {
      settings: this.#parts.settings,
      onEnd: (end) => {
        this.#open.delete(tunnel);
        this.#ended(lease, purpose, end);
      },
    });
    this.#open.set(tunnel, purpose);
  }

  /** Closes the tunnels that a test is true of. */
  close(reason: string, isMeant: (lease: Lease, purpose: Purpose) => boolean = () => true): void {
    for (const [tunnel, purpose] of [...this.#open]) if (isMeant(tunnel.lease, purpose)) tunnel.close(reason);
  }

  #ended(lease: Lease, { visit, tried }: Purpose, end: TunnelEnd): void {
    const { outcome, kind, bytesIn, bytesOut, latencyMs, reason } = end;
    const { id } = lease;
    try {
      const bytes = bytesIn + bytesOut;
      // One that the client has reported is not reported again: it knew more.
      if (outcome === 'aborted' || lease.state === 'reported') lease[Symbol.dispose]();
      else if (kind === null) lease.succeed({ latencyMs, bytes });
      else lease.fail({ kind, bytes });
    } catch (error) {
      this.#parts.onUnstored(error);
    }
    visit.end({ outcome, reason, proxy: lease.proxy.id, lease: id, tried, bytesIn, bytesOut });
  }
}
