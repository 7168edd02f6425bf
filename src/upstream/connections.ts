import { setMaxListeners } from 'node:events';
import type { Dispatcher } from 'undici';

import { ProxyVaultError } from '../errors.ts';
import type { ConnectionOptions } from './connection-options.ts';
import type { IdentityConnections } from './identity-connections.ts';
import type { Upstream } from './upstream.ts';

/** More identities than this are not kept; the one that was used least recently goes first. */
const MAX_IDENTITIES = 256;

/** Who a connection belongs to. It is never used for anybody else. */
export interface ConnectionIdentity {
  proxyId: string;
  session: string | undefined;
  upstream: Upstream;
}

/** The connections of leases, kept by proxy, login and session. undici is loaded for the first of them. */
export class Connections {
  readonly #identities = new Map<string, IdentityConnections>();
  /** Those that are not kept, until their requests have ended. */
  readonly #retiring = new Set<IdentityConnections>();
  readonly #closing = new AbortController();
  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions = {}) {
    this.#options = options;
    // Each connection that is about to be listens to it.
    setMaxListeners(0, this.#closing.signal);
  }

  /** What sends the requests of an identity. It finds their connections for each of them, and owns none. */
  async dispatcher(identity: ConnectionIdentity): Promise<Pick<Dispatcher, 'dispatch'>> {
    const { IdentityConnections } = await import(/* webpackMode: "eager" */ './identity-connections.ts');
    const key = keyOf(identity);
    const { protocol, host, port, username, password } = identity.upstream;
    const upstream: Upstream = { protocol, host, port, username, password };
    const create = (): IdentityConnections =>
      new IdentityConnections(upstream, { ...this.#options, signal: this.#closing.signal });
    return {
      dispatch: (options, handler) => this.#of(key, create).dispatch(options, handler),
    };
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
    const all = [...this.#identities.values(), ...this.#retiring];
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
    const [key, connections] = oldest;
    this.#identities.delete(key);
    this.#retiring.add(connections);
    const retired = (): boolean => this.#retiring.delete(connections);
    connections.retire().then(retired, retired);
  }
}

function keyOf({ proxyId, session, upstream }: ConnectionIdentity): string {
  const { protocol, host, port, username, password } = upstream;
  return JSON.stringify([proxyId, protocol, host, port, username, password, session ?? null]);
}
