import { isIPv4, type Socket } from 'node:net';

import type { Settings } from './options.ts';

/** How many connections a client on another machine may have, unless the options say otherwise. */
const MOST_OF_ONE = 1_000;

/** The connections of clients, at all ports of a gateway. */
export class Clients {
  readonly #most: number;
  readonly #mostOfOne: number | undefined;
  readonly #open = new Set<Socket>();
  readonly #counts = new Map<string, number>();

  constructor({ maxConnections, maxConnectionsPerClient }: Settings) {
    this.#most = maxConnections;
    this.#mostOfOne = maxConnectionsPerClient;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Counts a connection until it closes. One too many is closed at once: then this is false. */
  enter(client: Socket): boolean {
    const address = client.remoteAddress;
    // It was reset before it was accepted, and Node would never say so.
    if (address === undefined) {
      client.destroy();
      return false;
    }
    const count = this.#counts.get(address) ?? 0;
    const most = this.#mostOfOne ?? (isLoopback(address) ? Number.POSITIVE_INFINITY : MOST_OF_ONE);
    if (this.#open.size >= this.#most || count >= most) {
      client.destroy();
      return false;
    }
    this.#open.add(client);
    this.#counts.set(address, count + 1);
    client.on('close', () => this.#leave(client, address));
    return true;
  }

  /** Closes those that have sent nothing: browsers connect before they need it. */
  closeSilent(): void {
    for (const client of this.#open) if (client.bytesRead === 0) client.destroy();
  }

  closeAll(): void {
    for (const client of this.#open) client.destroy();
  }

  #leave(client: Socket, address: string): void {
    this.#open.delete(client);
    const count = (this.#counts.get(address) ?? 0) - 1;
    if (count > 0) this.#counts.set(address, count);
    else this.#counts.delete(address);
  }
}

/** Whether an address, or `localhost`, is of this machine alone. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^::ffff:/, '');
  return plain === '::1' || plain === 'localhost' || (isIPv4(plain) && plain.startsWith('127.'));
}
