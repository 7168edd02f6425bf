import type { Socket } from 'node:net';

import { CUT_OFF, NO_ANSWER } from '../failures.ts';
import type { AnswerHead } from './answer-head.ts';
import { AnswerReader } from './answer-reader.ts';
import { type BodySink, type Leaving, requestHead } from './leaving.ts';

/** Who reads the body of an answer. */
export interface BodyReader {
  /** @returns whether more may come now; if not, `resume` says when. */
  onPiece: (piece: Buffer) => boolean;
  /** Called once, with null when all of it has come, else with what broke. */
  onEnd: (error: Error | null) => void;
}

/** What went over a connection for one request, with its headers. Bytes. */
export interface Carried {
  in: number;
  out: number;
}

export interface Limits {
  /** How long nothing may come or go before an answer has begun. Milliseconds. */
  answerMs: number;
  /** The longest header. */
  maxHeaderBytes: number;
  /** How long a connection may wait for another request; 0 if it serves one request only. Milliseconds. */
  keepMs: number;
}

/** The connection that an exchange has for itself. */
export interface Carrier {
  readonly socket: Socket;
  readonly limits: Limits;
  /** The exchange is over: the connection may serve another one within so many milliseconds, or with 0 none. */
  release: (keptMs: number) => void;
  /** Leaves the socket to somebody else. @param rest what has come and is not read. */
  detach: (rest: Buffer) => Socket;
}

/** One request on a connection, and its answer. When it is over, nothing that is called here touches the connection: it may serve others. */
export class Exchange implements BodySink {
  readonly #connection: Carrier;
  readonly #leaving: Leaving;
  readonly #answer: AnswerReader;
  readonly #before: Carried;
  /** Waiting for the head of the answer; for a reader of its body; for the rest of the body; for nothing. */
  #phase: 'asked' | 'answered' | 'read' | 'over' = 'asked';
  #isSent: boolean;
  #resolve: (head: AnswerHead) => void = ignore;
  #reject: (error: Error) => void = ignore;
  #reader: BodyReader | null = null;
  #error: Error = CUT_OFF;
  #carried: Carried | null = null;

  constructor(connection: Carrier, leaving: Leaving) {
    const { method, upgrade, body } = leaving;
    const { socket, limits } = connection;
    const asked = {
      method,
      mayUpgrade: upgrade !== undefined,
      onContinue: () => body?.onContinue(),
    };
    this.#connection = connection;
    this.#leaving = leaving;
    this.#answer = new AnswerReader(asked, limits.maxHeaderBytes);
    this.#before = { in: socket.bytesRead, out: socket.bytesWritten };
    this.#isSent = body === null;
  }

  /**
   * Sends the request, and waits for the head of its answer: for as long as something comes or goes at least every `answerMs`, since a large
   * body may take its time. The body of the answer waits for `read`.
   *
   * @throws PROXY_FAILED: cut off, malformed, or too late; what it was ended with.
   */
  answer(): Promise<AnswerHead> {
    return new Promise((resolve, reject) => {
      if (this.isOver) {
        reject(this.#error);
        return;
      }
      this.#resolve = resolve;
      this.#reject = reject;
      const { socket, limits } = this.#connection;
      const { body } = this.#leaving;
      const head = requestHead(this.#leaving, limits.keepMs > 0);
      if (body === null) {
        socket.write(head, 'latin1');
        return;
      }
      socket.cork();
      socket.write(head, 'latin1');
      body.send(this);
      socket.uncork();
    });
  }

  /** Whether all of the request has been sent. */
  get isSent(): boolean {
    return this.#isSent;
  }

  /** Whether nothing more of the answer can come. */
  get isOver(): boolean {
    return this.#phase === 'over';
  }

  /** What went over the connection for it. */
  get carried(): Carried {
    if (this.#carried !== null) return this.#carried;
    const { bytesRead, bytesWritten } = this.#connection.socket;
    return { in: bytesRead - this.#before.in, out: bytesWritten - this.#before.out };
  }

  /** Sends a piece of the body. @returns whether more may be sent now; if not, `onDrain` of its source says when. */
  write(piece: Buffer): boolean {
    if (this.isOver) return true;
    const { socket } = this.#connection;
    if (!this.#leaving.body?.isChunked) return socket.write(piece);
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
    if (this.isOver) return;
    if (this.#leaving.body?.isChunked) this.#connection.socket.write('0\r\n\r\n', 'latin1');
    this.#isSent = true;
  }

  /** Gives the body of the answer to a reader. */
  read(reader: BodyReader): void {
    if (this.#phase !== 'answered') {
      reader.onEnd(this.#error);
      return;
    }
    this.#phase = 'read';
    this.#reader = reader;
    // Before it reads: a reader that takes no more pauses it again.
    this.resume();
    this.#readBody(this.#answer.takeRest());
  }

  /** The reader takes more. */
  resume(): void {
    if (this.#phase === 'read') this.#connection.socket.resume();
  }

  /** Gives up the request, and closes the connection. */
  destroy(error: Error = CUT_OFF): void {
    if (this.isOver) return;
    const reader = this.#reader;
    this.#error = error;
    this.#over(0);
    this.#reject(error);
    reader?.onEnd(error);
  }

  /** Takes the connection for the protocol that it has changed to (101); what has come of that waits to be read. */
  detach(): Socket {
    this.#phase = 'over';
    return this.#connection.detach(this.#answer.takeRest());
  }

  /** Something has come. */
  onData(bytes: Buffer): void {
    if (this.#phase === 'asked') this.#readHead(bytes);
    else if (this.#phase === 'read') this.#readBody(bytes);
    else {
      this.#answer.keep(bytes);
      this.#connection.socket.pause();
    }
  }

  /** Nothing more comes. @param isInOrder whether the other end has ended its half; else the connection broke. */
  onEnd(isInOrder: boolean): void {
    if (isInOrder) this.#answer.end();
    // The answer is here, and waits for its reader.
    if (this.#phase === 'answered' && this.#answer.lookForAll()) return;
    if (this.#phase === 'read' && this.#answer.isWhole) this.#whole();
    else this.destroy();
  }

  /** The connection takes more of the request. */
  onDrain(): void {
    this.#leaving.body?.onDrain();
  }

  /** Nothing has come or gone for `answerMs`. Who reads a body says how long that may take. */
  onTimeout(): void {
    if (this.#phase === 'asked') this.destroy(NO_ANSWER);
  }

  #readHead(bytes: Buffer): void {
    let head: AnswerHead | null;
    try {
      head = this.#answer.readHead(bytes);
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    if (head === null) return;
    this.#phase = 'answered';
    // What has not come yet stays with the proxy until somebody reads it.
    if (head.status === 101 || !this.#answer.hasAll) this.#connection.socket.pause();
    this.#leaving.body?.onAnswer();
    this.#resolve(head);
  }

  #readBody(bytes: Buffer): void {
    try {
      this.#answer.readBody(bytes, this.#pass);
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    if (this.#answer.isWhole) this.#whole();
  }

  readonly #pass = (piece: Buffer): void => {
    if (this.#reader?.onPiece(piece) === false) this.#connection.socket.pause();
  };

  /** All of the answer has come. */
  #whole(): void {
    if (this.isOver) return;
    const { socket, limits } = this.#connection;
    const reader = this.#reader;
    // Nothing of this request or of its answer may come to the next one.
    const isClean = this.#isSent && socket.writableLength === 0 && socket.readableLength === 0;
    this.#over(isClean ? this.#answer.keptMs(limits.keepMs) : 0);
    reader?.onEnd(null);
  }

  #over(keptMs: number): void {
    this.#carried = this.carried;
    this.#phase = 'over';
    this.#reader = null;
    this.#connection.release(keptMs);
    this.#leaving.body?.onClosed();
  }
}

function ignore(): void {}
