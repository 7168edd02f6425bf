import type { Socket } from 'node:net';

import { CUT_OFF, MALFORMED_ANSWER, NO_ANSWER } from '../failures.ts';
import type { AnswerHead } from './answer-head.ts';
import { AnswerReader } from './answer-reader.ts';
import { type Leaving, requestHead } from './leaving.ts';

/** Who reads the body of an answer. */
export interface BodyReader {
  /** @returns whether more may come now; if not, `resume` says when. */
  onPiece: (piece: Buffer, isLast: boolean) => boolean;
  /** Called once, with null when all of it has come, else with what broke. */
  onEnd: (error: Error | null) => void;
}

export interface Limits {
  /** How long nothing may come or go before an answer has begun. Milliseconds. */
  answerMs: number;
  /** The longest header. */
  maxHeaderBytes: number;
  /** How long it may wait for another request; 0 if it serves one request only. Milliseconds. */
  keepMs: number;
}

/** What went over a connection for one request, with its headers. Bytes. */
export interface Carried {
  in: number;
  out: number;
}

/** A request, while the connection serves it. */
interface Exchange {
  leaving: Leaving;
  answer: AnswerReader;
  /** Told of the head. */
  answered: (head: AnswerHead) => void;
  failed: (error: Error) => void;
}

/**
 * A connection to a proxy that serves plain HTTP requests, one after another. `node:http` does the same, and costs as much as all else that
 * a gateway does for a short answer.
 */
export class HttpConnection {
  readonly socket: Socket;
  readonly #limits: Limits;
  readonly #onFree: (connection: HttpConnection, keptMs: number) => void;
  /** Waiting for a request; for the head of its answer; for a reader of the body; for the rest of the body; for nothing. */
  #phase: 'idle' | 'asked' | 'answered' | 'read' | 'closed' = 'idle';
  #exchange: Exchange | null = null;
  #reader: BodyReader | null = null;
  #served = 0;
  #isSent = true;
  #hasEnded = false;
  /** What the connection had carried before the request. */
  #before: Carried = { in: 0, out: 0 };
  #error: Error = CUT_OFF;

  /** @param onFree called when it may serve another request within so many milliseconds. */
  constructor(
    socket: Socket,
    limits: Limits,
    onFree: (connection: HttpConnection, keptMs: number) => void = ignore,
  ) {
    this.socket = socket;
    this.#limits = limits;
    this.#onFree = onFree;
    socket
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('error', ignore)
      .on('close', this.#onEnd)
      .on('drain', this.#onDrain)
      .on('timeout', this.#onTimeout)
      .setTimeout(limits.answerMs);
    if (socket.destroyed) this.#phase = 'closed';
    else socket.resume();
  }

  /** Whether it had served another request before the one that it serves now. */
  get isReused(): boolean {
    return this.#served > 1;
  }

  /** Whether all of the request has been sent. */
  get isSent(): boolean {
    return this.#isSent;
  }

  /** What went over it for the request that it serves, or has served last. */
  get carried(): Carried {
    const { bytesRead, bytesWritten } = this.socket;
    return { in: bytesRead - this.#before.in, out: bytesWritten - this.#before.out };
  }

  /** Whether no request can be sent, and nothing of an answer be read. */
  get isClosed(): boolean {
    return this.#phase === 'closed';
  }

  /**
   * Sends a request, and waits for the head of its answer: for as long as something comes or goes at least every `answerMs`, since a large
   * body may take its time. The body of the answer waits for `read`.
   *
   * @throws PROXY_FAILED: cut off, malformed, or too late.
   */
  ask(leaving: Leaving): Promise<AnswerHead> {
    return new Promise((answered, failed) => {
      if (this.#phase !== 'idle') {
        failed(this.#error);
        return;
      }
      const { method, upgrade, body } = leaving;
      const asked = { method, mayUpgrade: upgrade !== undefined, onContinue: this.#onContinue };
      const answer = new AnswerReader(asked, this.#limits.maxHeaderBytes);
      this.#exchange = { leaving, answer, answered, failed };
      this.#phase = 'asked';
      this.#before = { in: this.socket.bytesRead, out: this.socket.bytesWritten };
      this.#served++;
      this.#isSent = body === null;
      const head = requestHead(leaving, this.#limits.keepMs > 0);
      if (body !== null) this.socket.cork();
      this.socket.write(head, 'latin1');
      if (body === null) return;
      body.send(this);
      this.socket.uncork();
    });
  }

  /** Sends a piece of the body. @returns whether more may be sent now; if not, `onDrain` of its source says when. */
  write(piece: Buffer): boolean {
    const { socket } = this;
    if (!this.#isChunked) return socket.write(piece);
    if (piece.length === 0) return true;
    socket.cork();
    socket.write(`${piece.length.toString(16)}\r\n`, 'latin1');
    socket.write(piece);
    const mayGoOn = socket.write('\r\n', 'latin1');
    socket.uncork();
    return mayGoOn;
  }

  /** All of the body has been sent. */
  end(): void {
    if (this.#isChunked) this.socket.write('0\r\n\r\n', 'latin1');
    this.#isSent = true;
  }

  get #isChunked(): boolean {
    return this.#exchange?.leaving.body?.isChunked ?? false;
  }

  /** Gives the body of the answer to a reader. */
  read(reader: BodyReader): void {
    const answer = this.#exchange?.answer;
    if (this.#phase !== 'answered' || answer === undefined) {
      reader.onEnd(this.#error);
      return;
    }
    this.#phase = 'read';
    this.#reader = reader;
    this.#readBody(answer, answer.takeRest());
    this.resume();
  }

  /** The reader takes more. */
  resume(): void {
    if (this.#phase === 'read') this.socket.resume();
  }

  /** Gives up the request; or closes a connection that waits for one. */
  destroy(error: Error = CUT_OFF): void {
    if (this.#phase === 'closed') return;
    this.#error = error;
    const exchange = this.#exchange;
    const reader = this.#reader;
    const isAsked = this.#phase === 'asked';
    this.#close();
    if (isAsked) exchange?.failed(error);
    reader?.onEnd(error);
  }

  /** Leaves the connection to the protocol that it has changed to (101), with what has come of that. */
  detach(): Socket {
    const { socket } = this;
    const rest = this.#exchange?.answer.takeRest();
    this.#phase = 'closed';
    this.#exchange = null;
    socket
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('error', ignore)
      .off('close', this.#onEnd)
      .off('drain', this.#onDrain)
      .off('timeout', this.#onTimeout)
      .setTimeout(0)
      .pause();
    if (rest !== undefined && rest.length > 0) socket.unshift(rest);
    return socket;
  }

  readonly #onData = (bytes: Buffer): void => {
    const answer = this.#exchange?.answer;
    // Nobody has asked for it: it could be taken for the answer to the next request.
    if (answer === undefined) this.destroy(MALFORMED_ANSWER);
    else if (this.#phase === 'asked') this.#readHead(answer, bytes);
    else if (this.#phase === 'answered') answer.keep(bytes);
    else this.#readBody(answer, bytes);
  };

  #readHead(answer: AnswerReader, bytes: Buffer): void {
    let head: AnswerHead | null;
    try {
      head = answer.readHead(bytes);
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    if (head === null) return;
    this.#phase = 'answered';
    // What has not come yet stays with the proxy until somebody reads it.
    if (head.status === 101 || !answer.hasAll) this.socket.pause();
    this.#exchange?.leaving.body?.onAnswer();
    this.#exchange?.answered(head);
  }

  #readBody(answer: AnswerReader, bytes: Buffer): void {
    try {
      answer.readBody(bytes, this.#pass);
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    if (answer.isWhole) this.#whole(answer);
  }

  readonly #pass = (piece: Buffer, isLast: boolean): void => {
    if (this.#reader?.onPiece(piece, isLast) === false) this.socket.pause();
  };

  /** All of the answer has come. */
  #whole(answer: AnswerReader): void {
    const { socket } = this;
    const reader = this.#reader;
    const isFree = this.#isSent && socket.writableLength === 0 && !this.#hasEnded && this.#phase === 'read';
    const keptMs = isFree ? answer.keptMs(this.#limits.keepMs) : 0;
    if (keptMs === 0) this.#close();
    else {
      this.#exchange?.leaving.body?.onClosed();
      this.#exchange = null;
      this.#reader = null;
      this.#phase = 'idle';
      socket.resume();
    }
    reader?.onEnd(null);
    if (keptMs > 0 && this.#phase === 'idle') this.#onFree(this, keptMs);
  }

  #close(): void {
    const exchange = this.#exchange;
    this.#phase = 'closed';
    this.#exchange = null;
    this.#reader = null;
    this.socket.destroy();
    exchange?.leaving.body?.onClosed();
  }

  /** The other end has ended its half, or the connection has closed. */
  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    const answer = this.#exchange?.answer;
    // The answer is here, and waits for its reader.
    if (this.#phase === 'answered' && answer?.hasAll) return;
    answer?.end();
    if (this.#phase === 'read' && answer?.isWhole) this.#whole(answer);
    else this.destroy();
  };

  readonly #onContinue = (): void => this.#exchange?.leaving.body?.onContinue();

  readonly #onDrain = (): void => this.#exchange?.leaving.body?.onDrain();

  readonly #onTimeout = (): void => {
    if (this.#phase === 'asked') this.destroy(NO_ANSWER);
    else if (this.#phase === 'idle') this.destroy();
  };
}

/** An error of a socket says only that it broke, and its `close` follows. */
function ignore(): void {}
