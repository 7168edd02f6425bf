import type { Socket } from 'node:net';
import { inspect } from 'node:util';

import { ProxyVaultError } from '../errors.ts';
import { formatAddress } from '../lists/index.ts';
import { assertOptions, assertWhole, invalidInput } from '../model/validation.ts';
import type { Pool } from '../rotation/index.ts';
import { Asker } from './asking.ts';
import { Clients, isLoopback } from './clients.ts';
import { Counts, type GatewayStats } from './counts.ts';
import type { Desk } from './desk.ts';
import { KeptConnections } from './exchange/kept-connections.ts';
import { type ClientIdentity, identityFrom } from './identity.ts';
import type { GatewayLogger, RequestLog } from './log.ts';
import { Loops } from './loops.ts';
import { addressOf, type GatewayOptions, type ListenOptions, type Settings, settingsOf } from './options.ts';
import { Port } from './port.ts';
import { TargetPolicy } from './targets.ts';
import { Tunnels } from './tunnels.ts';
import { UserLimits } from './user-limits.ts';
import { Users } from './users.ts';

/** How long closed connections may take to end, and how often it is looked whether they have. Milliseconds. */
const SETTLE_MS = 2_000;
const LOOK_MS = 20;

/** A port that a gateway listens on. */
export interface Listening {
  host: string;
  port: number;
  /** `http://host:port`, for a client. SOCKS5 and SOCKS4 clients use the same host and port. */
  url: string;
}

/** How a gateway is closed. */
export interface CloseOptions {
  /** How long open tunnels and requests may take to end by themselves, in milliseconds. Default 10,000. */
  drainMs?: number | undefined;
}

/**
 * A local proxy server: whatever a client sends through it leaves through a proxy of the pool, with its login; if one fails, through another
 * one; never without. Get it from `vault.serve`, and close it, or declare it with `await using`.
 */
export class Gateway implements AsyncDisposable {
  readonly #settings: Settings;
  readonly #logger: GatewayLogger | undefined;
  readonly #users: Users | null;
  readonly #clients: Clients;
  readonly #loops = new Loops();
  readonly #counts = new Counts();
  readonly #kept: KeptConnections | null;
  readonly #tunnels: Tunnels;
  readonly #shared: Omit<Desk, 'asker'>;
  readonly #ports: Port[] = [];
  readonly #onClosed: () => void;
  /** Called each time that a request has ended. */
  #onIdle = (): void => {};
  #endDrain = (): void => {};
  #main: Listening = { host: '', port: 0, url: '' };
  #closing: Promise<void> | null = null;

  private constructor(pool: Pool, options: GatewayOptions, onClosed: () => void) {
    const { users = [], allowTargets = [], logger } = options;
    const settings = settingsOf(options);
    this.#settings = settings;
    this.#logger = logger;
    this.#onClosed = onClosed;
    this.#users = users.length === 0 ? null : new Users(users);
    this.#clients = new Clients(settings);
    this.#kept = settings.reuse === 'never' ? null : new KeptConnections();
    const onUnstored = (error: unknown): void => this.#warn('An outcome could not be stored', error);
    const onFault = (error: unknown): void => this.#warn('A request has failed', error);
    this.#tunnels = new Tunnels({ pool, settings, onUnstored });
    const loops = this.#loops;
    const { connectMs, handshakeMs, ca } = settings;
    const via = settings.via ? settings.pseudonym : undefined;
    const onDial = (socket: Socket): void => loops.made(socket);
    this.#shared = {
      settings,
      policy: new TargetPolicy(allowTargets),
      limits: new UserLimits(),
      trying: { pool, settings, isOurs: (host, port) => loops.isOurs(host, port), onUnstored, onFault },
      tunnels: this.#tunnels,
      kept: this.#kept,
      connecting: (signal) => ({ connectMs, handshakeMs, ca, via, signal, onDial, reuseReads: true }),
      isLoop: (client) => loops.isLoop(client),
      onBegin: () => this.#counts.begin(),
      onEnd: (log) => this.#ended(log),
    };
  }

  /** @internal */
  static async open(pool: Pool, options: GatewayOptions, onClosed: () => void): Promise<Gateway> {
    const gateway = new Gateway(pool, options, onClosed);
    const { host, port } = gateway.#settings;
    gateway.#main = await gateway.#listen(host, port, null);
    return gateway;
  }

  /** The address that it listens on. */
  get host(): string {
    return this.#main.host;
  }

  get port(): number {
    return this.#main.port;
  }

  /** `http://host:port`, for a client. */
  get url(): string {
    return this.#main.url;
  }

  /**
   * Listens on another port, whose clients all have this identity: for browsers, which keep one login for each host and port.
   *
   * @throws CANNOT_LISTEN; INVALID_INPUT; CLOSED.
   * @example
   * const { url } = await gateway.listen({ country: 'DE', session: 'a' });
   */
  async listen(options: ListenOptions): Promise<Listening> {
    const {
      host = this.#settings.host,
      port = 0,
      ...identity
    } = assertOptions(
      options,
      ['host', 'port', 'country', 'region', 'session', 'ttlMs', 'protocol', 'tags', 'strategy'],
      'options of listen',
    );
    return this.#listen(host, port, identityFrom(identity));
  }

  /**
   * What it does and has done since it began.
   *
   * @example
   * const { tunnels, ok, failovers } = gateway.stats();
   */
  stats(): GatewayStats {
    return { connections: this.#clients.size, tunnels: this.#tunnels.size, ...this.#counts.all };
  }

  /**
   * Takes no more clients, lets tunnels and requests end for some time, and then closes what is left. Closing again can only shorten that time.
   *
   * @throws INVALID_INPUT.
   * @example
   * await gateway.close({ drainMs: 30_000 });
   */
  close({ drainMs = 10_000 }: CloseOptions = {}): Promise<void> {
    assertWhole(drainMs, 'drainMs', 0, 2 ** 31 - 1);
    // Whoever closes it again may be in more of a hurry.
    if (this.#closing === null) this.#closing = this.#close(drainMs);
    else setTimeout(() => this.#endDrain(), drainMs).unref();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [inspect.custom](): string {
    return `Gateway ${inspect({ url: this.url, ...this.stats() })}`;
  }

  async #listen(host: string, port: number, fixed: ClientIdentity | null): Promise<Listening> {
    this.#assertOpen();
    const address = addressOf({ host, port });
    if (this.#users === null && !isLoopback(address.host))
      throw invalidInput(
        'A gateway that other machines can reach needs users: give users (--user), or listen on 127.0.0.1.',
      );
    const desk = { ...this.#shared, asker: new Asker(this.#users, fixed) };
    const listener = new Port(desk, this.#clients, this.#shared.trying.onFault);
    const bound = await listener.listen(address.host, address.port);
    // It may have been closed meanwhile.
    if (this.#closing !== null) listener.stop();
    this.#assertOpen();
    this.#ports.push(listener);
    this.#loops.listening(bound);
    return {
      host: bound.address,
      port: bound.port,
      url: `http://${formatAddress({ host: bound.address, port: bound.port })}`,
    };
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw new ProxyVaultError('CLOSED', 'The gateway is closed.');
  }

  #ended(log: RequestLog): void {
    this.#counts.end(log);
    const { outcome, target } = log;
    this.#log(outcome === 'failed' ? 'warn' : 'info', log, `${target} ${outcome}`);
    this.#onIdle();
  }

  /** A logger that throws is a warning of the process, and ends no request. */
  #log(level: 'info' | 'warn', fields: object, message: string): void {
    try {
      this.#logger?.[level](fields, message);
    } catch (error) {
      const what = error instanceof Error ? error.name : typeof error;
      process.emitWarning(`The logger of the gateway has thrown: ${what}.`, 'ProxyVaultWarning');
    }
  }

  #warn(message: string, error: unknown): void {
    const { name, code } = error as { name?: string; code?: string };
    // The message may be of another library, and may hold anything.
    this.#log('warn', { error: code ?? name }, `${message}: ${code ?? name}`);
  }

  async #close(drainMs: number): Promise<void> {
    for (const port of this.#ports) port.stop();
    this.#clients.closeSilent();
    if (drainMs > 0) await this.#settled(drainMs);
    // In this order all of it ends because of us, and no proxy is blamed.
    this.#tunnels.close();
    this.#clients.closeAll();
    // What ends now is reported while there is still a pool.
    await this.#settled(SETTLE_MS);
    this.#kept?.close();
    this.#onClosed();
  }

  get #isSettled(): boolean {
    return this.#clients.size === 0 && this.#tunnels.size === 0 && this.#counts.all.running === 0;
  }

  /** Waits until no client and no request is left, or the time is over. */
  #settled(ms: number): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        clearInterval(looking);
        resolve();
      };
      const look = (): void => {
        for (const port of this.#ports) port.closeIdle();
        if (this.#isSettled) end();
      };
      const timer = setTimeout(end, ms);
      const looking = setInterval(look, LOOK_MS);
      this.#endDrain = end;
      this.#onIdle = () => setImmediate(look);
      look();
    });
  }
}
