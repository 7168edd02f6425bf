/** A line as it is written; null if it was too long to be kept. */
export type Line = string | null;

/** Cuts pieces of text into lines, which end in LF, CRLF or CR. A line that is too long is not kept. */
export class LineSplitter {
  /** How many lines were given. */
  count = 0;
  readonly #most: number;
  #open = '';
  #tooLong = false;
  #afterCarriageReturn = false;

  constructor(most: number) {
    this.#most = most;
  }

  *push(text: string): Generator<Line, void, undefined> {
    if (text === '') return;
    const end = /\r\n?|\n/g;
    // The LF of a CRLF that was cut in two.
    let start = this.#afterCarriageReturn && text.startsWith('\n') ? 1 : 0;
    this.#afterCarriageReturn = text.endsWith('\r');
    end.lastIndex = start;
    for (let match = end.exec(text); match !== null; match = end.exec(text)) {
      this.#append(text.slice(start, match.index));
      start = end.lastIndex;
      yield this.#end();
    }
    this.#append(text.slice(start));
  }

  /** The text after the last line end, if there is any. */
  *finish(): Generator<Line, void, undefined> {
    if (this.#open !== '' || this.#tooLong) yield this.#end();
  }

  #append(piece: string): void {
    if (this.#open.length + piece.length > this.#most) this.#tooLong = true;
    this.#open = this.#tooLong ? '' : this.#open + piece;
  }

  #end(): Line {
    const line = this.#tooLong ? null : this.#open;
    this.count++;
    this.#open = '';
    this.#tooLong = false;
    return line;
  }
}
