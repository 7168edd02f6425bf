const TAB = 9;
const LF = 10;
const SPACE = 32;
const EXCLAMATION = 33;
const DOUBLE = 34;
const HASH = 35;
const AMPERSAND = 38;
const SINGLE = 39;
const COMMA = 44;
const COLON = 58;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const OPEN_MAP = 123;
const CLOSE_MAP = 125;

/** A value of a list in brackets as it is written; `text` is null if it is too long to be kept. */
export interface FlowElement {
  text: string | null;
  /** Where it begins, from 1. */
  line: number;
}

/**
 * Cuts a YAML list in brackets into its elements, in linear time. Inside them it looks only for what may hide a bracket:
 * quotes and comments. A mapping in braces is one element. A quote inside a word, as in `it's`, opens no text.
 */
export class FlowSplitter {
  closed = false;
  readonly #most: number;
  #line: number;
  #depth = 0;
  #isList = false;
  #open: FlowElement | null = null;
  #quote = 0;
  #escaped = false;
  /** After a text in quotes or brackets: the colon of a key needs no blank there. */
  #afterClosed = false;
  #inComment = false;
  /** Whether a quote would open a text here: after a bracket, a comma or a colon, with blanks between. */
  #atStart = true;
  /** Inside an anchor or a tag, after which a text may still open. */
  #inProperty = false;
  #before = SPACE;

  /** @param line that of the text's beginning, from 1. */
  constructor(most: number, line: number) {
    this.#most = most;
    this.#line = line;
  }

  /** Where the list ends, or the text if it does not; the elements that this completes go to `elements`. */
  push(text: string, elements: FlowElement[]): number {
    let start = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (this.#quote !== 0) this.#readQuoted(code);
      else if (this.#inComment) this.#inComment = code !== LF;
      else if (code === HASH && isBlank(this.#before)) this.#inComment = true;
      else {
        const isSeparator = this.#isList && this.#depth === 1 && (code === COMMA || code === CLOSE_LIST);
        if (isSeparator) this.#end(text.slice(start, at), elements);
        else if (this.#open === null && !isBlank(code) && (this.#depth > 0 || code === OPEN_MAP)) {
          this.#open = { text: '', line: this.#line };
          start = at;
        }
        this.#readPlain(code);
      }
      if (code === LF) this.#line++;
      this.#before = code;
      if (this.#depth > 0) continue;
      if (this.#open) this.#end(text.slice(start, at + 1), elements);
      this.closed = true;
      return at + 1;
    }
    this.#keep(text.slice(start));
    return text.length;
  }

  #readQuoted(code: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (code === BACKSLASH && this.#quote === DOUBLE) this.#escaped = true;
    else if (code === this.#quote) {
      this.#afterClosed = true;
      this.#quote = 0;
    }
  }

  #readPlain(code: number): void {
    const isOpening = code === OPEN_LIST || code === OPEN_MAP;
    const isClosing = code === CLOSE_LIST || code === CLOSE_MAP;
    // Two single quotes are one quote inside the text.
    const isDoubled = code === SINGLE && this.#before === SINGLE && this.#afterClosed;
    if (isDoubled || (this.#atStart && (code === SINGLE || code === DOUBLE))) this.#quote = code;
    if (isOpening && this.#depth++ === 0) this.#isList = code === OPEN_LIST;
    if (isClosing) this.#depth--;
    if (isBlank(code)) {
      this.#atStart ||= this.#before === COLON || this.#inProperty;
      this.#inProperty = false;
      return;
    }
    this.#inProperty ||= this.#atStart && (code === EXCLAMATION || code === AMPERSAND);
    this.#atStart = isOpening || code === COMMA || (code === COLON && this.#afterClosed);
    this.#afterClosed = isClosing;
  }

  #keep(piece: string): void {
    if (!this.#open || this.#open.text === null) return;
    const fits = this.#open.text.length + piece.length <= this.#most;
    this.#open.text = fits ? this.#open.text + piece : null;
  }

  #end(piece: string, elements: FlowElement[]): void {
    if (!this.#open) return;
    this.#keep(piece);
    elements.push(this.#open);
    this.#open = null;
  }
}

function isBlank(code: number): boolean {
  return code === SPACE || code === LF || code === TAB || code === 13;
}
