import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { type Behaviour, type BehaviourDetails, cutAfter, interfere, reset } from './behaviour.ts';
import { increment, nothingSeen, type Seen } from './counts.ts';
import type { Handling, UpstreamLogin } from './handling.ts';
import { httpUpstream } from './http-upstream.ts';
import { type LoopbackPlace, LoopbackServer } from './loopback-server.ts';
import { relay } from './relay.ts';
import { type Resolve, resolveLocalhost } from './route.ts';
import { socks4Upstream, socks5Upstream } from './socks-upstream.ts';

export type UpstreamKind = 'http' | 'https' | 'socks4' | 'socks5';

export interface UpstreamOptions extends LoopbackPlace {
  kind: UpstreamKind;
  /** Without one, everybody may use it, and any login is accepted. SOCKS4 has only the username of it. */
  login?: UpstreamLogin | undefined;
  /** Where names lead. Default: localhost leads to this machine, and no other name leads anywhere. */
  resolve?: Resolve | undefined;
}

/** A proxy on this machine, for the tour and for tests. It connects to this machine alone, counts, and can be told to fail. */
export class UpstreamServer extends LoopbackServer {
  readonly kind: UpstreamKind;
  readonly login: UpstreamLogin | null;
  readonly #speak: (stream: Duplex) => void;
  readonly #raw = new WeakMap<Duplex, Socket>();
  readonly #seen = nothingSeen();
  #behaviour: Behaviour = 'work';
  #details: BehaviourDetails = {};

  private constructor({ kind, login, resolve, ...place }: UpstreamOptions) {
    super(kind === 'https', place);
    this.kind = kind;
    this.login = login ?? null;
    this.#speak = this.#protocol(resolve ?? resolveLocalhost);
  }

  /** Starts one. */
  static async start(options: UpstreamOptions): Promise<UpstreamServer> {
    const server = new UpstreamServer(options);
    await server.listener.listen();
    return server;
  }

  /** With its login; `socks4a` and `socks5h`, since it resolves the names. */
  get url(): string {
    const scheme = { http: 'http', https: 'https', socks4: 'socks4a', socks5: 'socks5h' }[this.kind];
    const { username, password } = this.login ?? { username: '', password: '' };
    const secret = this.kind === 'socks4' ? '' : `:${encodeURIComponent(password)}`;
    const login = this.login === null ? '' : `${encodeURIComponent(username)}${secret}@`;
    return `${scheme}://${login}${this.listener.address}`;
  }

  /** What it saw so far. */
  get seen(): Readonly<Seen> {
    return this.#seen;
  }

  /** From now on it does this. Connections that are open stay open; `kill` ends them too. */
  async behave(behaviour: Behaviour, details: BehaviourDetails = {}): Promise<void> {
    this.#behaviour = behaviour;
    this.#details = details;
    if (behaviour === 'refuse') this.listener.refuse();
    else await this.listener.listen();
  }

  /** Closes its port and ends every connection, as if its process had been killed. `behave('work')` brings it back. */
  kill(): void {
    void this.behave('refuse');
    this.listener.endConnections();
  }

  protected override accept(stream: Duplex, raw: Socket): void {
    this.#seen.connections++;
    this.#raw.set(stream, raw);
    this.#speak(stream);
  }

  #protocol(resolve: Resolve): (stream: Duplex) => void {
    const handling: Handling = {
      login: this.login,
      seen: this.#seen,
      resolve,
      refusal: () => (this.#behaviour === 'status' ? this.#details : null),
      interferes: (stream) => interfere(this.#behaviour, this.#details, stream, this.#rawOf(stream)),
      count: (what, target, username) => {
        this.#seen[what]++;
        increment(this.#seen.targets, target);
        increment(this.#seen.logins, username);
      },
      relay: (client, target) => relay(client, target, this.#seen, this.#cut(client)),
      answer: (client, from, to) => {
        const through = this.#cut(client);
        if (through === null) from.pipe(to);
        else from.pipe(through).pipe(to);
      },
    };
    if (this.kind === 'http' || this.kind === 'https') return httpUpstream(handling);
    const speak = this.kind === 'socks4' ? socks4Upstream : socks5Upstream;
    return (stream) => void speak(handling, stream).catch(() => stream.destroy());
  }

  /** What cuts an answer to this client, if the upstream does that now. */
  #cut(client: Duplex): ReturnType<typeof cutAfter> | null {
    const { after = 0 } = this.#details;
    if (after === 0) return null;
    if (this.#behaviour === 'reset') return cutAfter(after, () => reset(client, this.#rawOf(client)));
    return this.#behaviour === 'half-close' ? cutAfter(after, () => client.end()) : null;
  }

  #rawOf(stream: Duplex): Socket {
    return this.#raw.get(stream) ?? (stream as Socket);
  }
}
