const TOKEN = "[!#$%&'*+.^_`|~\\w-]+";
const QUOTED = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
/** The size of a chunk, in hexadecimal, and perhaps extensions, which nobody needs (RFC 9112, 7.1). */
const SIZE = new RegExp(`^([\\da-f]{1,13})(?:;${TOKEN}(?:=(?:${TOKEN}|${QUOTED}))?)*$`, 'i');
/** A field of the trailer; one that says where a body ends must not be there (RFC 9110, 6.5.1). */
const FIELD = new RegExp(`^(?!(?:content-length|transfer-encoding):)${TOKEN}:[\\t -~\\x80-\\xff]*$`, 'i');
/** The longest line, and the longest trailer. Bytes. */
const MOST = 16 * 1024;

/** Reads a chunked body, piece by piece. Its trailer is read and dropped, as a proxy may do. */
export class Chunks {
  #reads: 'size' | 'data' | 'end of data' | 'trailer' | 'nothing' = 'size';
  /** The beginning of a line whose end has not come yet. */
  #line = '';
  /** Bytes of the chunk that are still to come. */
  #left = 0;
  #trailer = 0;

  /** Whether all of it has been read. */
  get isDone(): boolean {
    return this.#reads === 'nothing';
  }

  /**
   * Reads what has come.
   *
   * @param take called with each piece of the body.
   * @returns how many of the bytes belong to the body; null if they are no chunks.
   */
  read(bytes: Buffer, take: (piece: Buffer) => void): number | null {
    let at = 0;
    while (at < bytes.length && this.#reads !== 'nothing') {
      if (this.#reads === 'data') {
        const piece = bytes.subarray(at, at + this.#left);
        at += piece.length;
        this.#left -= piece.length;
        if (this.#left === 0) this.#reads = 'end of data';
        take(piece);
        continue;
      }
      const end = bytes.indexOf(10, at);
      const line = this.#line + bytes.toString('latin1', at, end === -1 ? bytes.length : end);
      if (line.length > MOST) return null;
      this.#line = end === -1 ? line : '';
      if (end === -1) return bytes.length;
      at = end + 1;
      if (!line.endsWith('\r') || !this.#readLine(line.slice(0, -1))) return null;
    }
    return at;
  }

  /** Reads a whole line that is not of the data; false if it must not be there. */
  #readLine(line: string): boolean {
    if (this.#reads === 'end of data') {
      this.#reads = 'size';
      return line === '';
    }
    if (this.#reads === 'trailer') {
      this.#trailer += line.length;
      if (line === '') this.#reads = 'nothing';
      return this.#trailer <= MOST && (line === '' || FIELD.test(line));
    }
    const size = SIZE.exec(line)?.[1];
    if (size === undefined) return false;
    this.#left = Number.parseInt(size, 16);
    this.#reads = this.#left === 0 ? 'trailer' : 'data';
    return true;
  }
}
