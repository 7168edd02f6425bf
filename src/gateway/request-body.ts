import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';

import { CLIENT_GONE } from './failures.ts';

/** A body up to this size may be sent again. */
const MOST_KEPT = 64 * 1024;
/** How long a client that expects `100 Continue` is let wait if the target says nothing. */
const CONTINUE_MS = 1_000;

/** The body of a plain request, on its way from the client to a proxy. */
export class RequestBody {
  readonly #incoming: IncomingMessage;
  readonly #response: ServerResponse;
  /** How long the client may send nothing. Milliseconds. */
  readonly #stallMs: number;
  readonly #isEmpty: boolean;
  #kept: Buffer[] = [];
  #isComplete: boolean;
  #isStreaming = false;
  #isExpecting: boolean;
  #isStalled = false;

  constructor(incoming: IncomingMessage, response: ServerResponse, stallMs: number) {
    this.#incoming = incoming;
    this.#response = response;
    this.#stallMs = stallMs;
    const { headers } = incoming;
    this.#isEmpty =
      headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
    this.#isComplete = this.#isEmpty;
    this.#isExpecting = headers.expect !== undefined && !this.#isEmpty;
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** Whether all of it may be sent again. */
  get isRepeatable(): boolean {
    return this.#isComplete && !this.#isStreaming;
  }

  /** Whether the client sends it only when it is told to. */
  get isExpecting(): boolean {
    return this.#isExpecting;
  }

  /** Whether the client has sent nothing for too long. */
  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** Reads it if it is short enough to be kept. @throws CLIENT_GONE, also if the client stalls. */
  async keep(): Promise<void> {
    if (this.#isEmpty) return;
    // A client that was told to send its body need not be told again.
    if (this.#isExpecting) this.#response.writeContinue();
    this.#isExpecting = false;
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

  /** Sends it when the client has been told to send it, if it waits for that. If the client stalls, the request ends with CLIENT_GONE. */
  send(request: ClientRequest): void {
    if (!this.#isExpecting) {
      this.#send(request);
      return;
    }
    const timer = setTimeout(() => go(), CONTINUE_MS);
    const go = (): void => {
      stop();
      request.off('continue', go).off('response', stop).off('close', stop);
      this.#response.writeContinue();
      this.#send(request);
    };
    const stop = (): void => clearTimeout(timer);
    request.once('continue', go).once('response', stop).once('close', stop);
    request.flushHeaders();
  }

  /** Sends what was kept, and then what comes. */
  #send(request: ClientRequest): void {
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
        this.#isStalled = true;
        request.destroy(CLIENT_GONE);
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
      const timer = setTimeout(() => {
        this.#isStalled = true;
        settle(() => reject(CLIENT_GONE));
      }, this.#stallMs);
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
