import { isIP, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Knows the addresses that a gateway listens on, and the connections that it makes: requests must not come back to it. */
export class Loops {
  readonly #ports = new Map<number, number>();
  readonly #made = new Set<string>();

  /** The gateway listens on a port. @returns forgets it. */
  listening(port: number): () => void {
    this.#ports.set(port, (this.#ports.get(port) ?? 0) + 1);
    return () => {
      const count = (this.#ports.get(port) ?? 0) - 1;
      if (count > 0) this.#ports.set(port, count);
      else this.#ports.delete(port);
    };
  }

  /** Takes note of a connection to a proxy. */
  made(socket: Socket): void {
    const { localPort, remoteAddress, remotePort } = socket;
    const key = keyOf(localPort, remoteAddress, remotePort);
    this.#made.add(key);
    socket.once('close', () => this.#made.delete(key));
  }

  /**
   * Whether a client is a connection that this gateway has made to itself. Both of its ends count: the system gives one local port to
   * connections of several programs if they lead to different places.
   */
  isLoop({
    remotePort,
    localAddress,
    localPort,
  }: Pick<Socket, 'remotePort' | 'localAddress' | 'localPort'>): boolean {
    return this.#made.has(keyOf(remotePort, localAddress, localPort));
  }

  /** Whether an address of a proxy is one that this gateway listens on. */
  isOurs(host: string, port: number): boolean {
    return this.#ports.has(port) && isThisMachine(host);
  }
}

function keyOf(fromPort = 0, toAddress = '', toPort = 0): string {
  return `${fromPort} ${toAddress.startsWith('::ffff:') ? toAddress.slice(7) : toAddress} ${toPort}`;
}

function isThisMachine(host: string): boolean {
  if (isIP(host) === 0) return host === 'localhost' || host.endsWith('.localhost');
  if (/^127\.|^::1$|^0\.0\.0\.0$|^::$/.test(host)) return true;
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => address === host),
  );
}
