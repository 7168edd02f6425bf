/** A line as it is written; null if it was too long to be kept. */
export type Line = string | null;

/** Cuts pieces of text at line ends: LF, CRLF or CR. */
export class LineCutter {
  #afterCarriageReturn = false;

  /** Calls `take` with the rest of each line that ends in the text, and with what follows the last line end. */
  cut(text: string, take: (piece: string, isEnded: boolean) => void): void {
    if (text === '') return;
    const end = /\r\n?|\n/g;
    // The LF of a CRLF that was cut in two.
    let start = this.#afterCarriageReturn && text.startsWith('\n') ? 1 : 0;
    this.#afterCarriageReturn = text.endsWith('\r');
    end.lastIndex = start;
    for (let match = end.exec(text); match !== null; match = end.exec(text)) {
      take(text.slice(start, match.index), true);
      start = end.lastIndex;
    }
    take(text.slice(start), false);
  }
}

/** Cuts pieces of text into lines. A line that is too long is not kept. */
export class LineSplitter {
  readonly #cutter = new LineCutter();
  readonly #most: number;
  #open = '';
  #tooLong = false;

  constructor(most: number) {
    this.#most = most;
  }

  push(text: string): Line[] {
    const lines: Line[] = [];
    this.#cutter.cut(text, (piece, isEnded) => {
      this.#append(piece);
      if (isEnded) lines.push(this.#end());
    });
    return lines;
  }

  /** The text after the last line end, if there is any. */
  finish(): Line[] {
    return this.#open !== '' || this.#tooLong ? [this.#end()] : [];
  }

  #append(piece: string): void {
    if (this.#open.length + piece.length > this.#most) this.#tooLong = true;
    this.#open = this.#tooLong ? '' : this.#open + piece;
  }

  #end(): Line {
    const line = this.#tooLong ? null : this.#open;
    this.#open = '';
    this.#tooLong = false;
    return line;
  }
}
