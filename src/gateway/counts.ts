import type { RequestLog } from './log.ts';

/** What a gateway does now, and has done since it began. */
export interface GatewayStats {
  /** Connections of clients that are open. */
  connections: number;
  /** Tunnels that are open. */
  tunnels: number;
  /** Requests, with those that have tunnels, that have not ended. */
  running: number;
  /** Requests and tunnels that have ended: with an answer, without one, turned away, or given up by the client. */
  ok: number;
  failed: number;
  refused: number;
  aborted: number;
  /** Attempts that failed, and requests that another proxy served after them. */
  failedAttempts: number;
  failovers: number;
  /** From servers to clients. */
  bytesIn: number;
  /** From clients to servers. */
  bytesOut: number;
}

type Sums = Omit<GatewayStats, 'connections' | 'tunnels'>;

/** Counts the requests of a gateway. */
export class Counts {
  readonly #sums: Sums = {
    running: 0,
    ok: 0,
    failed: 0,
    refused: 0,
    aborted: 0,
    failedAttempts: 0,
    failovers: 0,
    bytesIn: 0,
    bytesOut: 0,
  };

  get all(): Sums {
    return { ...this.#sums };
  }

  begin(): void {
    this.#sums.running++;
  }

  end({ outcome, tried = [], bytesIn = 0, bytesOut = 0 }: RequestLog): void {
    const sums = this.#sums;
    sums.running--;
    sums[outcome]++;
    sums.failedAttempts += tried.length;
    if (outcome === 'ok' && tried.length > 0) sums.failovers++;
    sums.bytesIn += bytesIn;
    sums.bytesOut += bytesOut;
  }
}
