import type { Duplex } from 'node:stream';

/** Takes bytes from a stream in pieces of known length, and gives back what is left. */
export class ByteReader {
  readonly #stream: Duplex;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  /** So many bytes. @throws if the stream ends before. */
  async take(length: number): Promise<Buffer> {
    while (this.#bytes.length < length) {
      const chunk: Buffer | null = this.#stream.read();
      if (chunk !== null) this.#bytes = Buffer.concat([this.#bytes, chunk]);
      else if (this.#stream.readableEnded || this.#stream.destroyed)
        throw new Error('The connection ended early.');
      else await this.#change();
    }
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  /** Gives back to the stream what was not taken, for the next who reads it. */
  release(): void {
    if (this.#bytes.length > 0) this.#stream.unshift(this.#bytes);
    this.#bytes = Buffer.alloc(0);
  }

  /** The bytes before the next zero, which is taken too. */
  async takeUntilZero(): Promise<Buffer> {
    const bytes: number[] = [];
    for (;;) {
      const [byte = 0] = await this.take(1);
      if (byte === 0) return Buffer.from(bytes);
      bytes.push(byte);
    }
  }

  /** Waits until there is more to read, or the stream has ended. A listener that stayed would keep the stream from flowing. */
  #change(): Promise<void> {
    const events = ['readable', 'end', 'close'];
    return new Promise((resolve) => {
      const done = (): void => {
        for (const event of events) this.#stream.off(event, done);
        resolve();
      };
      for (const event of events) this.#stream.on(event, done);
    });
  }
}
