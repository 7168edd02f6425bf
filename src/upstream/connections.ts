import { setMaxListeners } from 'node:events';
import type { Dispatcher } from 'undici';

import { ProxyVaultError } from '../errors.ts';
import type { ConnectionOptions } from './connection-options.ts';
import type { OwnedConnections } from './owned-connections.ts';
import type { Upstream } from './upstream.ts';

/** More owners than this are not kept; the one that was used least recently goes first. */
const MOST_OWNERS = 256;

/** Who a connection belongs to. It is never used for anybody else. */
export interface ConnectionOwner {
  proxyId: string;
  session: string | undefined;
  upstream: Upstream;
}

/** The connections of leases, kept by proxy, login and session. undici is loaded for the first of them. */
export class Connections {
  readonly #owners = new Map<string, OwnedConnections>();
  /** Those that are not kept, until their requests have ended. */
  readonly #retiring = new Set<OwnedConnections>();
  readonly #closing = new AbortController();
  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions = {}) {
    this.#options = options;
    // Each connection that is about to be listens to it.
    setMaxListeners(0, this.#closing.signal);
  }

  /** What sends the requests of an owner. It looks up the connection for each request, and keeps none itself. */
  async dispatcher(owner: ConnectionOwner): Promise<Pick<Dispatcher, 'dispatch'>> {
    const { OwnedConnections } = await import(/* webpackMode: "eager" */ './owned-connections.ts');
    const key = keyOf(owner);
    const { protocol, host, port, username, password } = owner.upstream;
    const upstream: Upstream = { protocol, host, port, username, password };
    const create = (): OwnedConnections =>
      new OwnedConnections(upstream, { ...this.#options, signal: this.#closing.signal });
    return {
      dispatch: (options, handler) => this.#of(key, create).dispatch(options, handler),
    };
  }

  /**
   * As `fetch`, through the proxy of an owner. It is that of undici 7 on each Node, so nothing that replaces the global one can make
   * a direct connection of it.
   */
  async fetch(
    owner: ConnectionOwner,
    input: string | URL | Request,
    init: RequestInit | undefined,
  ): Promise<Response> {
    const [dispatcher, { fetchWith }] = await Promise.all([
      this.dispatcher(owner),
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
    const all = [...this.#owners.values(), ...this.#retiring];
    this.#owners.clear();
    await Promise.allSettled(all.map((each) => each.destroy(reason)));
  }

  #of(key: string, create: () => OwnedConnections): OwnedConnections {
    // What is made now fails to connect, and says why.
    if (this.#closing.signal.aborted) return create();
    const known = this.#owners.get(key);
    const connections = known ?? create();
    // The last is the one that was used last.
    if (known !== undefined) this.#owners.delete(key);
    this.#owners.set(key, connections);
    if (this.#owners.size > MOST_OWNERS) this.#retireOldest();
    return connections;
  }

  #retireOldest(): void {
    const [oldest] = this.#owners;
    if (oldest === undefined) return;
    const [key, connections] = oldest;
    this.#owners.delete(key);
    this.#retiring.add(connections);
    const retired = (): boolean => this.#retiring.delete(connections);
    connections.retire().then(retired, retired);
  }
}

function keyOf({ proxyId, session, upstream }: ConnectionOwner): string {
  const { protocol, host, port, username, password } = upstream;
  return JSON.stringify([proxyId, protocol, host, port, username, password, session ?? null]);
}
