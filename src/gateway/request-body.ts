import type { IncomingMessage, ServerResponse } from 'node:http';

import type { BodySink, BodySource } from './exchange/leaving.ts';
import { CLIENT_GONE } from './failures.ts';

/** A body up to this size may be sent again. */
const MOST_KEPT = 64 * 1024;
/** How long a client that expects `100 Continue` is let wait if the target says nothing. */
const CONTINUE_MS = 1_000;

/** The body of a plain request, on its way from the client to a proxy. */
export class RequestBody implements BodySource {
  readonly #incoming: IncomingMessage;
  readonly #response: ServerResponse;
  /** How long the client may send nothing. Milliseconds. */
  readonly #stallMs: number;
  readonly isChunked: boolean;
  readonly #isEmpty: boolean;
  #kept: Buffer[] = [];
  #isComplete: boolean;
  #isStreaming = false;
  #isExpecting: boolean;
  #isStalled = false;
  /** Where it goes. */
  #sink: BodySink | null = null;
  #continueTimer: NodeJS.Timeout | undefined;
  #stallTimer: NodeJS.Timeout | undefined;

  constructor(incoming: IncomingMessage, response: ServerResponse, stallMs: number) {
    this.#incoming = incoming;
    this.#response = response;
    this.#stallMs = stallMs;
    const { headers, httpVersion } = incoming;
    this.isChunked = headers['transfer-encoding'] !== undefined;
    this.#isEmpty = !this.isChunked && Number(headers['content-length'] ?? 0) === 0;
    this.#isComplete = this.#isEmpty;
    // HTTP/1.0 has no 100: such a client would take it for its answer (RFC 9110, 10.1.1).
    this.#isExpecting = headers.expect !== undefined && httpVersion === '1.1' && !this.#isEmpty;
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

  /** Sends it; when the client has been told to send it, if it waits for that. If the client stalls, the request ends with CLIENT_GONE. */
  send(sink: BodySink): void {
    this.#sink = sink;
    if (this.#isExpecting) this.#continueTimer = setTimeout(this.onContinue, CONTINUE_MS);
    else this.#send(sink);
  }

  readonly onContinue = (): void => {
    const sink = this.#sink;
    if (!this.#isExpecting || this.#isStreaming || sink === null) return;
    clearTimeout(this.#continueTimer);
    this.#response.writeContinue();
    this.#send(sink);
  };

  /** An answer that has come instead of 100 is the end: the client is not told to send its body. */
  onAnswer(): void {
    clearTimeout(this.#continueTimer);
    if (!this.#isStreaming) this.#sink = null;
  }

  onDrain(): void {
    if (this.#isStreaming) this.#incoming.resume();
  }

  onClosed(): void {
    this.#sink = null;
    clearTimeout(this.#continueTimer);
    if (!this.#isStreaming) return;
    clearInterval(this.#stallTimer);
    this.#incoming.off('data', this.#onData).off('end', this.#onEnd).pause();
  }

  /** Sends what was kept, and then what comes. */
  #send(sink: BodySink): void {
    for (const piece of this.#kept) sink.write(piece);
    if (this.#isComplete) {
      sink.end();
      return;
    }
    this.#isStreaming = true;
    this.#kept = [];
    const incoming = this.#incoming;
    incoming.on('data', this.#onData).once('end', this.#onEnd);
    // While the proxy does not take what there is, the client cannot send.
    let seen = -1;
    this.#stallTimer = setInterval(() => {
      const isWaiting = incoming.readableFlowing === true;
      if (isWaiting && seen === incoming.socket.bytesRead) {
        this.#isStalled = true;
        sink.destroy(CLIENT_GONE);
      }
      seen = incoming.socket.bytesRead;
    }, this.#stallMs).unref();
  }

  readonly #onData = (piece: Buffer): void => {
    if (this.#sink?.write(piece) === false) this.#incoming.pause();
  };

  readonly #onEnd = (): void => {
    clearInterval(this.#stallTimer);
    this.#sink?.end();
  };

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
