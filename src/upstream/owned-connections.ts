import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Agent, type buildConnector, Client, type Dispatcher, Pool } from 'undici';
import { formatAddress } from '../lists/index.ts';
import { absoluteForm } from './absolute-form.ts';
import { basicLogin, canCarryLogin } from './basic-login.ts';
import { connect } from './connect.ts';
import { dial } from './dial.ts';
import { secureTarget } from './target-tls.ts';
import type { ConnectOptions, Upstream } from './upstream.ts';
import { warnOfHandler } from './warn-of-handler.ts';

/** How long an idle connection is kept. A server may ask for less, or for a little more. */
const IDLE = { keepAliveTimeout: 4_000, keepAliveMaxTimeout: 10_000 };

type Connecting = ConnectOptions & { signal: AbortSignal };
type Connector = buildConnector.connector;

/** The connections of one owner: its tunnels, and those on which an HTTP proxy takes requests of plain HTTP. */
export class OwnedConnections {
  readonly #tunnels: Agent;
  readonly #login: string | null;
  /** Null for a SOCKS proxy, which knows tunnels only. */
  readonly #plain: Pool | null;

  /** @param connecting its `signal` ends what is about to connect, and lets nothing connect afterwards. */
  constructor(upstream: Upstream, connecting: Connecting) {
    const isHttp = upstream.protocol === 'http' || upstream.protocol === 'https';
    this.#tunnels = new Agent({
      ...IDLE,
      factory: (origin, options) => new Pool(origin, { ...options, factory: client }),
      connect: connector((options) => tunnel(upstream, options, connecting)),
    });
    this.#login = isHttp && canCarryLogin(upstream) ? basicLogin(upstream) : null;
    this.#plain = isHttp
      ? new Pool(`http://${formatAddress(upstream)}`, {
          ...IDLE,
          factory: client,
          connect: connector(async () => {
            // It throws what a tunnel would throw.
            basicLogin(upstream);
            return dial(upstream, connecting);
          }),
        })
      : null;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const isTunnelled = options.method === 'CONNECT' || Boolean(options.upgrade);
    const origin = originOf(options);
    if (this.#plain === null || isTunnelled || origin?.protocol !== 'http:')
      return this.#tunnels.dispatch(options, handler);
    return this.#plain.dispatch(absoluteForm(options, origin, this.#login), handler);
  }

  /** Ends its connections when their requests have ended. */
  async retire(): Promise<void> {
    await Promise.all([this.#tunnels.close(), this.#plain?.close()]);
  }

  /** Ends its connections now. */
  async destroy(reason: Error): Promise<void> {
    await Promise.all([this.#tunnels.destroy(reason), this.#plain?.destroy(reason)]);
  }
}

/** A client of undici, which emits what a handler throws that is told of a failure. Without a listener that would end the process. */
function client(origin: URL, options: object): Client {
  const made = new Client(origin, options);
  // Its declarations know no such event.
  EventEmitter.prototype.on.call(made, 'error', warnOfHandler);
  return made;
}

function connector(open: (options: buildConnector.Options) => Promise<Socket>): Connector {
  return (options, callback) => {
    open(options).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(error as Error, null),
    );
  };
}

async function tunnel(
  upstream: Upstream,
  { hostname, port, protocol, servername }: buildConnector.Options,
  connecting: Connecting,
): Promise<Socket> {
  const isSecure = protocol === 'https:';
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const target = { host, port: Number(port) || (isSecure ? 443 : 80) };
  const socket = await connect(upstream, target, connecting);
  return isSecure ? secureTarget(socket, target, servername || host, connecting) : socket;
}

function originOf({ origin }: Dispatcher.DispatchOptions): URL | null {
  return origin === undefined ? null : URL.parse(String(origin));
}
