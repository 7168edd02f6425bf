import { hash } from 'node:crypto';
import { Agent, type AgentOptions, type ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';

import type { RevealedProxy } from '../revealed-proxy.ts';

/** How a request gets a connection of its own. */
export interface Reached extends ClientRequestArgs {
  /** Requests with the same key share connections. */
  key: string;
  reach: () => Promise<Duplex>;
}

/** How many idle connections are kept for each proxy, login and session. */
const MOST_IDLE = 32;
/** How long a connection is kept that nobody uses. Most proxies close it after 5 seconds or more. */
const IDLE_MS = 4_000;

/** Connections to proxies that serve one plain request after another, never for two sessions. */
class ReusedConnections extends Agent {
  constructor(options: AgentOptions) {
    super({ ...options, scheduling: 'lifo' });
  }

  override getName(options?: ClientRequestArgs): string {
    return (options as Reached).key;
  }

  override createConnection(
    options: ClientRequestArgs,
    done: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    (options as Reached).reach().then(
      (socket) => done(null, socket),
      (error) => done(error, undefined as unknown as Duplex),
    );
  }
}

/** The connections of a gateway for plain HTTP. */
export class Reuse {
  readonly #kept: Agent | null;
  readonly #fresh = new ReusedConnections({ keepAlive: false });

  constructor(mode: 'identity' | 'never') {
    this.#kept =
      mode === 'never'
        ? null
        : new ReusedConnections({ keepAlive: true, maxFreeSockets: MOST_IDLE, timeout: IDLE_MS });
  }

  /**
   * The agent for a request. One that must not be sent twice gets a connection of its own: a proxy may close one that was idle just when
   * the request is sent, and nobody could know whether it has arrived.
   */
  agent(isRepeatable: boolean): Agent {
    return isRepeatable && this.#kept !== null ? this.#kept : this.#fresh;
  }

  close(): void {
    this.#kept?.destroy();
    this.#fresh.destroy();
  }
}

/** What tells the address and the login of a proxy from those of others, and shows neither. */
const marks = new WeakMap<RevealedProxy, string>();

/** The key of a connection: the same for the same proxy, login, user and session only. It shows no login. */
export function reuseKey(proxy: RevealedProxy, identity: readonly string[]): string {
  return `${markOf(proxy)} ${JSON.stringify(identity)}`;
}

function markOf(revealed: RevealedProxy): string {
  const known = marks.get(revealed);
  if (known !== undefined) return known;
  const { protocol, host, port, username, password } = revealed;
  const mark = hash('sha256', JSON.stringify([protocol, host, port, username, password]), 'base64');
  marks.set(revealed, mark);
  return mark;
}
