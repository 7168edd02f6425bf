import { setTimeout } from 'node:timers/promises';

import { TargetServer } from './loopback/target-server.ts';
import { type UpstreamKind, UpstreamServer } from './loopback/upstream-server.ts';

/** A proxy of the tour. */
interface Described {
  name: string;
  kind: UpstreamKind;
  /** Its password, if it has a login; the username is its name. */
  password?: string;
  country: string;
  does: string;
}

/** No two that fail are next to each other, as they have their turns: a request tries three proxies. */
const PROXIES: readonly Described[] = [
  { name: 'alpha', kind: 'http', password: 'al:pha@%41-9b1f', country: 'DE', does: 'works' },
  { name: 'bravo', kind: 'https', password: 'bravo/päss-77c0', country: 'DE', does: 'works' },
  { name: 'charlie', kind: 'http', country: 'US', does: 'refuses connections' },
  { name: 'delta', kind: 'socks5', password: 'delta-#?&-52aa', country: 'FR', does: 'works' },
  { name: 'echo', kind: 'socks4', country: 'FR', does: 'works' },
  { name: 'foxtrot', kind: 'socks5', country: 'US', does: 'accepts, and never answers' },
  { name: 'golf', kind: 'http', country: 'US', does: 'works' },
  { name: 'hotel', kind: 'socks5', country: 'US', does: 'works' },
  { name: 'india', kind: 'http', country: 'US', does: 'answers 429, Retry-After: 30' },
];

/** The proxies and websites of the tour: real servers, on this machine alone. */
export class World implements AsyncDisposable {
  readonly proxies = PROXIES;
  readonly #upstreams: ReadonlyMap<string, UpstreamServer>;
  readonly #targets: readonly TargetServer[];

  private constructor(upstreams: ReadonlyMap<string, UpstreamServer>, targets: readonly TargetServer[]) {
    this.#upstreams = upstreams;
    this.#targets = targets;
  }

  static async start(): Promise<World> {
    const http = await TargetServer.start({ kind: 'http' });
    const https = await TargetServer.start({ kind: 'https' });
    // Every name below `.example` is one of these: the proxies resolve the names, nobody else does.
    const resolve = (host: string, port: number): TargetServer | null =>
      host.endsWith('.example') ? (port === 443 ? https : http) : null;
    const upstreams = new Map<string, UpstreamServer>();
    for (const { name, kind, password } of PROXIES) {
      const login = password === undefined ? undefined : { username: name, password };
      upstreams.set(name, await UpstreamServer.start({ kind, login, resolve }));
    }
    const world = new World(upstreams, [http, https]);
    await world.upstream('charlie').behave('refuse');
    await world.upstream('foxtrot').behave('hang');
    await world.upstream('india').behave('status', { status: 429, retryAfter: '30' });
    return world;
  }

  upstream(name: string): UpstreamServer {
    const upstream = this.#upstreams.get(name);
    if (upstream === undefined) throw new Error(`The tour has no proxy ${name}.`);
    return upstream;
  }

  /** The proxies as a list, as a provider gives one. */
  get list(): string {
    const rows = PROXIES.map(({ name, country }) => `${name},${this.upstream(name).url},${country}`);
    return ['name,url,country', ...rows].join('\n');
  }

  get passwords(): string[] {
    return PROXIES.flatMap(({ password }) => password ?? []);
  }

  /** How many connections of the gateway stay open, once it has closed its own ends. */
  async settled(): Promise<number> {
    const open = (): number => [...this.#upstreams.values()].reduce((sum, each) => sum + each.open, 0);
    for (let round = 0; open() > 0 && round < 50; round++) await setTimeout(20);
    return open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [...this.#upstreams.values(), ...this.#targets]) await server.close();
  }
}
