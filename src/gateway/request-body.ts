import type { ClientRequest, IncomingMessage } from 'node:http';

import { CLIENT_GONE } from './failures.ts';

/** A body up to this size may be sent again. */
const MOST_KEPT = 64 * 1024;

/** The body of a plain request, on its way from the client to a proxy. */
export class RequestBody {
  readonly #incoming: IncomingMessage;
  /** How long the client may send nothing. Milliseconds. */
  readonly #stallMs: number;
  readonly #isEmpty: boolean;
  #kept: Buffer[] = [];
  #isComplete: boolean;
  #isStreaming = false;

  constructor(incoming: IncomingMessage, stallMs: number) {
    this.#incoming = incoming;
    this.#stallMs = stallMs;
    const { headers } = incoming;
    this.#isEmpty =
      headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
    this.#isComplete = this.#isEmpty;
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** Whether all of it may be sent again. */
  get isRepeatable(): boolean {
    return this.#isComplete && !this.#isStreaming;
  }

  /** Reads it if it is short enough to be kept. @throws CLIENT_GONE; the client stalls. */
  async keep(): Promise<void> {
    const incoming = this.#incoming;
    let size = 0;
    while (!this.#isComplete && size <= MOST_KEPT) {
      const piece = await this.#next(incoming);
      if (piece === null) this.#isComplete = true;
      else {
        this.#kept.push(piece);
        size += piece.length;
      }
    }
  }

  /** Sends it: what was kept, and then what comes. `onStall` is called if the client sends nothing for too long. */
  send(request: ClientRequest, onStall: () => void): void {
    if (this.#isComplete) {
      // Without a body the header is sent as it is, in one piece.
      if (this.#kept.length === 0) request.end();
      else request.end(Buffer.concat(this.#kept));
      return;
    }
    this.#isStreaming = true;
    for (const piece of this.#kept) request.write(piece);
    this.#kept = [];
    const incoming = this.#incoming;
    incoming.pipe(request);
    // While the proxy does not take what there is, the client cannot send.
    const timer = setInterval(() => {
      const isWaiting = incoming.readableFlowing === true;
      if (isWaiting && seen === incoming.socket.bytesRead) {
        stop();
        onStall();
      }
      seen = incoming.socket.bytesRead;
    }, this.#stallMs).unref();
    let seen = -1;
    const stop = (): void => clearInterval(timer);
    incoming.once('end', stop).once('close', stop);
    request.once('close', stop);
  }

  #next(incoming: IncomingMessage): Promise<Buffer | null> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(() => reject(CLIENT_GONE)), this.#stallMs);
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        incoming.off('readable', look).off('end', onEnd).off('close', onClose);
        end();
      };
      const look = (): void => {
        const piece: Buffer | null = incoming.read();
        if (piece !== null) settle(() => resolve(piece));
      };
      const onEnd = (): void => settle(() => resolve(null));
      const onClose = (): void => settle(() => reject(CLIENT_GONE));
      incoming.on('readable', look).once('end', onEnd).once('close', onClose);
      look();
    });
  }
}
