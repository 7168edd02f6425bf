import { isIP, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';

/** What a gateway listens on. */
interface Address {
  address: string;
  port: number;
}

/** Knows the addresses that a gateway listens on, and the connections that it makes: requests must not come back to it. */
export class Loops {
  readonly #listening: Address[] = [];
  /** By their local ports. */
  readonly #made = new Map<number, readonly Socket[]>();

  /** The gateway listens on an address. */
  listening(address: Address): void {
    this.#listening.push(address);
  }

  /** Takes note of a connection to a proxy. */
  made(socket: Socket): void {
    const { localPort = 0 } = socket;
    const others = this.#made.get(localPort) ?? [];
    this.#made.set(localPort, [...others, socket]);
    socket.on('close', () => {
      const left = this.#made.get(localPort)?.filter((each) => each !== socket) ?? [];
      if (left.length > 0) this.#made.set(localPort, left);
      else this.#made.delete(localPort);
    });
  }

  /**
   * Whether a client is a connection that this gateway has made to itself. Both of its ends count: the system gives one local port to
   * connections of several programs if they lead to different places.
   */
  isLoop(client: Pick<Socket, 'remotePort' | 'localAddress' | 'localPort'>): boolean {
    const made = this.#made.get(client.remotePort ?? 0);
    return (
      made?.some(
        ({ remoteAddress, remotePort }) =>
          remotePort === client.localPort && plain(remoteAddress) === plain(client.localAddress),
      ) ?? false
    );
  }

  /** Whether an address of a proxy is one that this gateway listens on. */
  isOurs(host: string, port: number): boolean {
    return this.#listening.some((own) => own.port === port && leadsTo(host, own.address));
  }
}

/** Whether a connection to a host comes to somebody who listens on an address. */
function leadsTo(host: string, address: string): boolean {
  if (host === address) return true;
  if (address === '0.0.0.0' || address === '::') return isThisMachine(host);
  const isLocalhost = host === 'localhost' || host.endsWith('.localhost');
  return isLocalhost && (address === '127.0.0.1' || address === '::1');
}

function plain(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') ? address.slice(7) : address;
}

function isThisMachine(host: string): boolean {
  if (isIP(host) === 0) return host === 'localhost' || host.endsWith('.localhost');
  if (/^127\.|^::1$|^0\.0\.0\.0$|^::$/.test(host)) return true;
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => address === host),
  );
}
