import type { Socket } from 'node:net';

import type { Lease, Pool } from '../rotation/index.ts';
import type { RequestEnd, Tried } from './log.ts';
import type { Settings } from './options.ts';
import { reportLease } from './report-lease.ts';
import { type Owner, Tunnel, type TunnelEnd } from './tunnel.ts';

/** How often the gateway looks whether tunnels may last, if they must not outlive their proxy or session. Milliseconds. */
const LOOK_EVERY = 1_000;

/** What a tunnel is for. */
export interface Purpose {
  /** Told when it has ended. */
  visit: { end: (end: RequestEnd) => void };
  tried: readonly Tried[];
  domain: string;
  /** The session by its name in the pool. */
  session: string | undefined;
  /** What the client has sent before there was a tunnel. */
  early: Buffer;
  /** How long the server took to answer, if it has answered before the tunnel began. */
  answeredMs?: number | undefined;
}

interface Parts {
  pool: Pool;
  settings: Settings;
  /** Called with an outcome that the pool could not store. */
  onUnstored: (error: unknown) => void;
}

/** The open tunnels of a gateway. */
export class Tunnels {
  readonly #parts: Parts;
  readonly #open = new Map<Tunnel, Omit<Purpose, 'early'>>();
  readonly #owner: Owner;
  readonly #look = (): void => this.#closeOutlived();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#owner = {
      settings: parts.settings,
      answered: ({ lease }) => lease.confirm(),
      ended: (tunnel, end) => this.#ended(tunnel, end),
    };
    if (parts.settings.openTunnels === 'drain') return;
    // What other processes do is seen by the timer.
    this.#timer = setInterval(this.#look, LOOK_EVERY).unref();
    parts.pool.on('cooled', this.#look).on('rotated', this.#look);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Begins a tunnel. When it ends its lease is reported. */
  open(client: Socket, upstream: Socket, lease: Lease, purpose: Purpose): void {
    const { settings } = this.#parts;
    const { early, ...kept } = purpose;
    const tunnel = new Tunnel(client, upstream, lease, this.#owner, early, purpose.answeredMs);
    // A rule may give a session another proxy than it keeps: then nothing that happens to the session ends the tunnel.
    const isKept = settings.openTunnels === 'drain' || this.#mayLast(lease, kept);
    this.#open.set(tunnel, isKept ? kept : { ...kept, session: undefined });
  }

  /** Closes all of them. */
  close(): void {
    clearInterval(this.#timer);
    this.#parts.pool.off('cooled', this.#look).off('rotated', this.#look);
    for (const tunnel of [...this.#open.keys()]) tunnel.close('GATEWAY_CLOSED');
  }

  /** Closes those whose proxy is out or gone, or whose session has expired or has another proxy. */
  #closeOutlived(): void {
    // Several tunnels of one proxy have one answer.
    const answers = new Map<string, boolean>();
    for (const [tunnel, purpose] of [...this.#open]) {
      const { lease } = tunnel;
      const key = JSON.stringify([lease.proxy.id, purpose.domain, purpose.session]);
      const mayLast = answers.get(key) ?? this.#mayLast(lease, purpose);
      answers.set(key, mayLast);
      if (!mayLast) tunnel.close('PROXY_OUT');
    }
  }

  #mayLast(lease: Lease, { domain, session }: Pick<Purpose, 'domain' | 'session'>): boolean {
    try {
      return this.#parts.pool.mayKeep(lease.proxy.id, { domain, session });
    } catch (error) {
      // Such as a database that is locked: then nothing is known, and nothing is closed.
      this.#parts.onUnstored(error);
      return true;
    }
  }

  #ended(tunnel: Tunnel, end: TunnelEnd): void {
    const purpose = this.#open.get(tunnel);
    this.#open.delete(tunnel);
    const { lease } = tunnel;
    const { outcome, kind, bytesIn, bytesOut, latencyMs, reason } = end;
    const { ticket } = lease;
    const bytes = bytesIn + bytesOut;
    const report = (): void => {
      if (outcome === 'aborted') return;
      if (kind === null) lease.succeed({ latencyMs, bytes });
      else lease.fail({ kind, bytes });
    };
    reportLease(lease, report, this.#parts.onUnstored);
    const { visit, tried } = purpose ?? {};
    visit?.end({ outcome, reason, proxy: lease.proxy.id, lease: ticket, tried, bytesIn, bytesOut });
  }
}
