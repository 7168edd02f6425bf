import { MALFORMED_ANSWER } from '../failures.ts';
import { type BodyEnd, bodyEnd, isLast, keptMs } from './answer-framing.ts';
import { type AnswerHead, parseAnswerHead } from './answer-head.ts';
import { Chunks } from './chunks.ts';

const EMPTY = Buffer.alloc(0);
const BEGINNING = Buffer.from('HTTP/1.');

/** What an answer belongs to. */
interface Asked {
  method: string;
  /** Whether it may change the protocol (101). */
  mayUpgrade: boolean;
  /** Called when the target wants the body of the request (100). */
  onContinue: () => void;
}

type TakePiece = (piece: Buffer) => void;

/**
 * Reads one answer from the bytes of a connection (RFC 9112). It is strict: an answer in which two programs could see two things is
 * malformed.
 */
export class AnswerReader {
  readonly #asked: Asked;
  readonly #maxHeaderBytes: number;
  /** What has come and is not read yet. */
  #rest: Buffer = EMPTY;
  /** Bytes of answers of 1xx, which come before the one that counts. */
  #skipped = 0;
  #head: AnswerHead | null = null;
  /** Where the body ends, from here. */
  #end: BodyEnd = 0;
  #chunks: Chunks | null = null;
  #isWhole = false;

  /** @param maxHeaderBytes the longest header. */
  constructor(asked: Asked, maxHeaderBytes: number) {
    this.#asked = asked;
    this.#maxHeaderBytes = maxHeaderBytes;
  }

  /** Reads what has come. @returns the head when it is whole, else null. @throws MALFORMED_ANSWER. */
  readHead(bytes: Buffer): AnswerHead | null {
    const known = this.#rest.length;
    let all = joined(this.#rest, bytes);
    for (let from = Math.max(0, known - 3); all.length > 0; from = 0) {
      const length = Math.min(all.length, BEGINNING.length);
      if (all.compare(BEGINNING, 0, length, 0, length) !== 0) throw MALFORMED_ANSWER;
      const at = all.indexOf('\r\n\r\n', from, 'latin1');
      const size = at === -1 ? all.length : at + 4;
      if (this.#skipped + size > this.#maxHeaderBytes) throw MALFORMED_ANSWER;
      if (at === -1) break;
      const head = parseAnswerHead(all.toString('latin1', 0, at));
      if (head === null) throw MALFORMED_ANSWER;
      all = all.subarray(size);
      if (head.status >= 200 || head.status === 101) return this.#take(head, all);
      // Another answer must be able to follow it.
      if (bodyEnd(head, 'GET') === null || isLast(head)) throw MALFORMED_ANSWER;
      this.#skipped += size;
      if (head.status === 100) this.#asked.onContinue();
    }
    this.#rest = all;
    return null;
  }

  #take(head: AnswerHead, rest: Buffer): AnswerHead {
    const { method, mayUpgrade } = this.#asked;
    const end = bodyEnd(head, method);
    // Nobody has asked for another protocol.
    if (end === null || (head.status === 101 && !mayUpgrade)) throw MALFORMED_ANSWER;
    this.#head = head;
    this.#rest = rest;
    this.#end = end;
    this.#chunks = end === 'chunked' ? new Chunks() : null;
    return head;
  }

  /** Keeps what has come after the head for whoever reads the body. */
  keep(bytes: Buffer): void {
    this.#rest = joined(this.#rest, bytes);
  }

  /** Takes out what has come after the head and is not read. */
  takeRest(): Buffer {
    const rest = this.#rest;
    this.#rest = EMPTY;
    return rest;
  }

  /** Whether the whole body has come; not known of chunks that are not read. */
  get hasAll(): boolean {
    return typeof this.#end === 'number' && this.#rest.length >= this.#end;
  }

  /** Whether the whole body has come, also in chunks: looks through them. */
  lookForAll(): boolean {
    if (this.#chunks === null) return this.hasAll;
    const chunks = new Chunks();
    return chunks.read(this.#rest, ignore) !== null && chunks.isDone;
  }

  /** Reads the next bytes of the body. @throws MALFORMED_ANSWER. */
  readBody(bytes: Buffer, take: TakePiece): void {
    const count =
      this.#chunks === null ? this.#readPiece(bytes, take) : this.#readChunks(this.#chunks, bytes, take);
    if (count < bytes.length) this.#rest = bytes.subarray(count);
  }

  #readPiece(bytes: Buffer, take: TakePiece): number {
    const end = this.#end;
    if (typeof end !== 'number') {
      if (bytes.length > 0) take(bytes);
      return bytes.length;
    }
    const piece = bytes.length > end ? bytes.subarray(0, end) : bytes;
    this.#end = end - piece.length;
    this.#isWhole = this.#end === 0;
    if (piece.length > 0) take(piece);
    return piece.length;
  }

  #readChunks(chunks: Chunks, bytes: Buffer, take: TakePiece): number {
    const count = chunks.read(bytes, take);
    if (count === null) throw MALFORMED_ANSWER;
    this.#isWhole = chunks.isDone;
    return count;
  }

  /** The connection has ended in order, and with it a body that has no other end. */
  end(): void {
    if (this.#head === null || this.#end !== 'close') return;
    this.#end = this.#rest.length;
    this.#isWhole = this.#end === 0;
  }

  /** Whether all of the answer has been read. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** How long the connection may be kept for another request, at most `mostMs`. Milliseconds; 0 if not at all. */
  keptMs(mostMs: number): number {
    // What comes after the answer belongs to nobody: it could be taken for the next one.
    const isClean = this.#isWhole && this.#rest.length === 0;
    return this.#head !== null && isClean ? keptMs(this.#head, mostMs) : 0;
  }
}

function ignore(): void {}

function joined(before: Buffer, bytes: Buffer): Buffer {
  return before.length === 0 ? bytes : Buffer.concat([before, bytes]);
}
