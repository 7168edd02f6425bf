import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A client at the level of bytes: each character of a text that it sends or gets is one byte. */
export class RawClient {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  /** The other side has ended its half, or the connection is closed. */
  isEnded = false;
  isClosed = false;
  /** The code of the error that closed it. */
  error: string | undefined;
  #received = '';
  #onMore: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#more();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
    socket.once('end', () => {
      this.isEnded = true;
      this.#more();
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.isEnded = true;
        this.isClosed = true;
        this.#more();
        resolve();
      });
    });
  }

  /** Connects to a port on loopback, or to a host. */
  static async connect(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = connect({ port, host, allowHalfOpen: true, noDelay: true });
    const client = new RawClient(socket);
    onTestFinished(() => void socket.destroy());
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    return client;
  }

  /** What came and was not taken. */
  get received(): string {
    return this.#received;
  }

  write(text: string | readonly number[]): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : Buffer.from(text));
  }

  /** Takes so many bytes; fewer if the other side ends before. */
  async take(length: number): Promise<string> {
    while (this.#received.length < length && !this.isEnded) await this.#next();
    const taken = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    return taken;
  }

  /** Takes what comes up to the end of a text; all of it if the other side ends before. */
  async until(text: string): Promise<string> {
    for (;;) {
      const at = this.#received.indexOf(text);
      if (at !== -1) return this.take(at + text.length);
      if (this.isEnded) return this.take(this.#received.length);
      await this.#next();
    }
  }

  /** Takes all that comes until the other side ends. */
  async rest(): Promise<string> {
    while (!this.isEnded) await this.#next();
    return this.take(this.#received.length);
  }

  /** One answer of HTTP: its status line and headers, and a body with a length or up to the end. */
  async answer(): Promise<{ status: number; head: string; body: string }> {
    const head = await this.until('\r\n\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? Number.NaN);
    const length = /^content-length: *(\d+)/im.exec(head)?.[1];
    const body = length === undefined ? await this.rest() : await this.take(Number(length));
    return { status, head, body };
  }

  #next(): Promise<void> {
    return new Promise((resolve) => void this.#onMore.push(resolve));
  }

  #more(): void {
    const waiting = this.#onMore;
    this.#onMore = [];
    for (const resolve of waiting) resolve();
  }
}
