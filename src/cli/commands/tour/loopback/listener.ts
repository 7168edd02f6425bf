import { createServer, type Server, type Socket } from 'node:net';

/** A TCP server that may close its port, open the same one again, and end every connection. */
export class Listener {
  readonly #host: string;
  readonly #onConnection: (socket: Socket) => void;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port: number;

  constructor(host: string, port: number, onConnection: (socket: Socket) => void) {
    this.#host = host;
    this.#port = port;
    this.#onConnection = onConnection;
  }

  get host(): string {
    return this.#host;
  }

  /** The port; the system chooses it when the server first listens. */
  get port(): number {
    return this.#port;
  }

  /** `host:port`, as a URL has it. */
  get address(): string {
    return `${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${this.#port}`;
  }

  /** How many connections are open. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Accepts connections; does nothing if it does already. */
  async listen(): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
      this.#onConnection(socket);
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: this.#host, port: this.#port, backlog: 4096 }, resolve);
    });
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
  }

  /** Closes the port: who connects is rejected by the system. Open connections stay. */
  refuse(): void {
    this.#server?.close();
    this.#server = null;
  }

  /** Ends every connection at once. */
  endConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  /** Closes the port and ends every connection. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.endConnections();
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
