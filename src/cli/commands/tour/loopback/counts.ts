/** What a server of the tour saw. */
export interface Seen {
  /** TCP connections. */
  connections: number;
  /** Plain requests that it sent on, and upgrades. */
  requests: number;
  /** Tunnels that it opened. */
  tunnels: number;
  /** Requests and tunnels by `host:port`, as the client named it. */
  targets: Map<string, number>;
  /** Requests and tunnels by the username that the client gave; '' without one. */
  logins: Map<string, number>;
  /** How often a login was missing or wrong. */
  rejectedLogins: number;
  /** Bytes of tunnels and upgrades, from clients to targets and back. */
  bytesUp: number;
  bytesDown: number;
}

export function nothingSeen(): Seen {
  return {
    connections: 0,
    requests: 0,
    tunnels: 0,
    targets: new Map(),
    logins: new Map(),
    rejectedLogins: 0,
    bytesUp: 0,
    bytesDown: 0,
  };
}

/** Counts one more. */
export function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
