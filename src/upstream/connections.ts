import { setMaxListeners } from 'node:events';
import type { Dispatcher } from 'undici';

import { ProxyVaultError } from '../errors.ts';
import type { IdentityConnections } from './identity-dispatcher.ts';
import type { Upstream } from './upstream.ts';

/** More identities than this are not kept; the one that was used least recently goes first. */
const MAX_IDENTITIES = 256;

/** Who a connection belongs to. It is never used for anybody else. */
export interface ConnectionIdentity {
  proxyId: string;
  session: string | undefined;
  upstream: Upstream;
}

/** A dispatcher that both undici and the global `fetch` take, whose declarations are of other versions. */
export type LeaseDispatcher = Dispatcher &
  (RequestInit extends { dispatcher?: infer Given } ? NonNullable<Given> : unknown);

/** The connections of leases, kept by proxy, login and session. undici is loaded for the first of them. */
export class Connections {
  readonly #identities = new Map<string, IdentityConnections>();
  readonly #closing = new AbortController();

  constructor() {
    // Each connection that is about to be listens to it.
    setMaxListeners(0, this.#closing.signal);
  }

  /** A dispatcher of undici for an identity. */
  async dispatcher(identity: ConnectionIdentity): Promise<LeaseDispatcher> {
    const { IdentityConnections, IdentityDispatcher } = await import(
      /* webpackMode: "eager" */ './identity-dispatcher.ts'
    );
    const key = keyOf(identity);
    const { protocol, host, port, username, password } = identity.upstream;
    const upstream: Upstream = { protocol, host, port, username, password };
    const create = (): IdentityConnections => new IdentityConnections(upstream, this.#closing.signal);
    return new IdentityDispatcher(() => this.#of(key, create)) as Dispatcher as LeaseDispatcher;
  }

  /**
   * As `fetch`, through the proxy of an identity. It is that of undici 7 on each Node, so nothing that replaces the global one can make
   * a direct connection of it.
   */
  async fetch(
    identity: ConnectionIdentity,
    input: string | URL | Request,
    init: RequestInit | undefined,
  ): Promise<Response> {
    const [dispatcher, { fetchWith }] = await Promise.all([
      this.dispatcher(identity),
      import(/* webpackMode: "eager" */ './fetch.ts'),
    ]);
    return fetchWith(dispatcher, input, init);
  }

  /** Ends all connections, and the requests that they carry. */
  async close(): Promise<void> {
    const reason = new ProxyVaultError(
      'CLOSED',
      'The vault was closed, and its connections with it: open it again.',
    );
    this.#closing.abort(reason);
    const all = [...this.#identities.values()];
    this.#identities.clear();
    await Promise.allSettled(all.map((each) => each.destroy(reason)));
  }

  #of(key: string, create: () => IdentityConnections): IdentityConnections {
    // What is made now fails to connect, and says why.
    if (this.#closing.signal.aborted) return create();
    const known = this.#identities.get(key);
    const connections = known ?? create();
    // The last is the one that was used last.
    if (known !== undefined) this.#identities.delete(key);
    this.#identities.set(key, connections);
    if (this.#identities.size > MAX_IDENTITIES) this.#retireOldest();
    return connections;
  }

  #retireOldest(): void {
    const [oldest] = this.#identities;
    if (oldest === undefined) return;
    this.#identities.delete(oldest[0]);
    void oldest[1].retire();
  }
}

function keyOf({ proxyId, session, upstream }: ConnectionIdentity): string {
  const { protocol, host, port, username, password } = upstream;
  return JSON.stringify([proxyId, protocol, host, port, username, password, session ?? null]);
}
