/** A value of a JSON list as it stands; `text` is null if it is too long to be kept. */
export interface Element {
  text: string | null;
  /** Where it begins, both from 1. */
  line: number;
  column: number;
}

const LF = 10;
const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
const OPENING = new Set([91, 123]);
const CLOSING = new Set([93, 125]);
const WHITE_SPACE = new Set([9, LF, 13, 32]);

/** Cuts the text behind the `[` of a JSON list into its values, in time linear in the text. Does not look inside them. */
export class ElementSplitter {
  /** Whether the `]` of the list has come. */
  closed = false;
  readonly #most: number;
  #line: number;
  #column: number;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #open: Element | null = null;

  constructor(most: number, { line, column }: { line: number; column: number }) {
    this.#most = most;
    this.#line = line;
    this.#column = column;
  }

  *push(text: string): Generator<Element, void, undefined> {
    let start = 0;
    for (let at = 0; at < text.length && !this.closed; at++) {
      const code = text.charCodeAt(at);
      if (this.#inString) {
        this.#readString(code);
      } else if (this.#depth === 0 && (code === COMMA || CLOSING.has(code))) {
        if (this.#open) yield this.#end(text.slice(start, at));
        this.closed = code !== COMMA;
      } else if (!WHITE_SPACE.has(code)) {
        if (!this.#open) {
          this.#open = { text: '', line: this.#line, column: this.#column };
          start = at;
        }
        if (code === QUOTE) this.#inString = true;
        else if (OPENING.has(code)) this.#depth++;
        else if (CLOSING.has(code)) this.#depth--;
      }
      this.#advance(code);
    }
    if (this.#open) this.#keep(text.slice(start));
  }

  /** Where the text goes on, or, if it ends, where the value that it cuts off begins. */
  get place(): { line: number; column: number } {
    const { line, column } = this.#open ?? { line: this.#line, column: this.#column };
    return { line, column };
  }

  #readString(code: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (code === BACKSLASH) this.#escaped = true;
    else if (code === QUOTE) this.#inString = false;
  }

  #advance(code: number): void {
    this.#column++;
    if (code !== LF) return;
    this.#line++;
    this.#column = 1;
  }

  #keep(piece: string): void {
    if (!this.#open || this.#open.text === null) return;
    const fits = this.#open.text.length + piece.length <= this.#most;
    this.#open.text = fits ? this.#open.text + piece : null;
  }

  #end(piece: string): Element {
    this.#keep(piece);
    const element = this.#open as Element;
    this.#open = null;
    return element;
  }
}
