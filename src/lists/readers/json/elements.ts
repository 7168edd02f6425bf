/** A value of a JSON document as it is written; `text` is null if it is too long to be kept. */
export interface Element {
  text: string | null;
  /** Where it begins, both from 1. */
  line: number;
  column: number;
  /** The names of the members that it is in, the outermost first; its own is the last if it is a member of an object. */
  path: readonly string[];
  kind: 'top' | 'element' | 'member';
}

/** A list or an object that is not kept as a whole. */
interface Frame {
  isList: boolean;
  path: readonly string[];
  /** In an object: the name of the member that is read; undefined before it, and after its value. */
  name?: string | undefined;
  /** In an object: whether the colon after the name has come. */
  hasColon?: boolean;
}

const LF = 10;
const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;
/** How deep objects may be nested. */
const MOST_FRAMES = 6;
/** The longest record; a longer one is rejected and not kept in memory. */
export const MAX_RECORD = 65_536;

/**
 * Cuts a JSON document into its values, in linear time and constant memory: the elements of lists, the members of objects and
 * the values at the top. An object of up to `MAX_RECORD` characters is one value; a longer one is opened.
 */
export class ElementSplitter {
  hasList = false;
  readonly #frames: Frame[];
  #line: number;
  /** Where the line begins, counted from the beginning of the piece that is read. */
  #lineStart: number;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #open: Element | null = null;
  /** Whether the open value is the name of a member. */
  #isName = false;
  /** Where the document is not JSON any more. */
  #broken: { line: number; column: number } | null = null;

  /** `opened` is an object that was kept as one value: the text that follows is its content. */
  constructor(opened?: Element) {
    this.#line = opened?.line ?? 1;
    this.#lineStart = -(opened?.column ?? 0);
    this.#frames = opened ? [{ isList: false, path: opened.path }] : [];
  }

  *push(text: string): Generator<Element, void, undefined> {
    let at = 0;
    while (at < text.length && !this.#broken) {
      if (!this.#open) {
        this.#readStructure(text, at);
        if (!this.#open) {
          at++;
          continue;
        }
      }
      const end = this.#endOf(text, at);
      const piece = text.slice(at, end === -1 ? text.length : end);
      if (!this.#keep(piece)) {
        yield* this.#descend(piece + (end === -1 ? '' : text.slice(end)));
        return;
      }
      if (end === -1) break;
      const element = this.#end();
      if (element) yield element;
      at = end;
    }
    this.#lineStart -= text.length;
  }

  /** What is whole of an object that is cut off. */
  *finish(): Generator<Element, void, undefined> {
    while (this.#open && this.#canDescend(this.#open.text ?? '')) yield* this.#descend('');
  }

  /** Why the document was not read to its end, and where; null if it was. */
  get problem(): { reason: string; line: number; column: number } | null {
    if (this.#broken) return { reason: 'this is not JSON, and nothing after it is read', ...this.#broken };
    if (this.#open === null && this.#frames.length === 0) return null;
    const { line, column } = this.#open ?? { line: this.#line, column: 1 - this.#lineStart };
    return { reason: 'the JSON ends before its list does: the file is cut off', line, column };
  }

  /** Reads one character between values: opens or closes a list or object, or begins a value or name. */
  #readStructure(text: string, at: number): void {
    const code = text.charCodeAt(at);
    if (code === LF) this.#nextLine(at);
    if (code === COMMA || isSpace(code)) return;
    const frame = this.#frames.at(-1);
    if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
      if (frame === undefined || frame.name !== undefined) this.#break(at);
      else this.#frames.pop();
      return;
    }
    if (frame === undefined || frame.isList) {
      if (frame === undefined && code !== OPEN_OBJECT && code !== OPEN_LIST && code !== QUOTE)
        this.#break(at);
      else if (frame === undefined && code === OPEN_LIST) this.#openList([]);
      else this.#begin(at, frame?.path ?? [], frame ? 'element' : 'top');
      return;
    }
    this.#readInObject(frame, code, at);
  }

  #readInObject(frame: Frame, code: number, at: number): void {
    if (frame.name === undefined) {
      if (code !== QUOTE) this.#break(at);
      else this.#begin(at, frame.path, 'member', true);
    } else if (!frame.hasColon) {
      if (code !== COLON) this.#break(at);
      else frame.hasColon = true;
    } else {
      const path = [...frame.path, frame.name];
      frame.name = undefined;
      frame.hasColon = false;
      if (code === OPEN_LIST) this.#openList(path);
      else this.#begin(at, path, 'member');
    }
  }

  #openList(path: readonly string[]): void {
    this.hasList = true;
    this.#frames.push({ isList: true, path });
  }

  #begin(at: number, path: readonly string[], kind: Element['kind'], isName = false): void {
    this.#open = { text: '', line: this.#line, column: at - this.#lineStart + 1, path, kind };
    this.#isName = isName;
  }

  /** The document is not JSON from here on, so that nothing more is read of it. */
  #break(at: number): void {
    this.#broken = { line: this.#line, column: at - this.#lineStart + 1 };
  }

  /** Where the open value ends; -1 if it does not end in this piece. */
  #endOf(text: string, from: number): number {
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === LF) this.#nextLine(at);
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (code === BACKSLASH) this.#escaped = true;
        else if (code === QUOTE) {
          this.#inString = false;
          if (this.#depth === 0) return at + 1;
        }
      } else if (code === QUOTE) {
        this.#inString = true;
      } else if (code === OPEN_OBJECT || code === OPEN_LIST) {
        this.#depth++;
      } else if (code === CLOSE_OBJECT || code === CLOSE_LIST) {
        if (this.#depth === 0) return at;
        if (--this.#depth === 0) return at + 1;
      } else if (this.#depth === 0 && (code === COMMA || isSpace(code))) {
        // It is read again as structure.
        if (code === LF) this.#line--;
        return at;
      }
    }
    return -1;
  }

  #nextLine(at: number): void {
    this.#line++;
    this.#lineStart = at + 1;
  }

  /** Keeps a piece of the open value. False if it is an object that is too long, and can be opened. */
  #keep(piece: string): boolean {
    const open = this.#open;
    if (open === null || open.text === null) return true;
    if (open.text.length + piece.length <= MAX_RECORD) {
      open.text += piece;
      return true;
    }
    if (this.#canDescend(open.text + piece)) return false;
    open.text = null;
    return true;
  }

  #canDescend(text: string): boolean {
    const isInList = this.#frames.at(-1)?.isList === true;
    return text.charCodeAt(0) === OPEN_OBJECT && !isInList && this.#frames.length < MOST_FRAMES;
  }

  /** Opens the object that is too long to be kept, and reads it again from its beginning, with what follows it. */
  *#descend(rest: string): Generator<Element, void, undefined> {
    const { text, line, column, path } = this.#open as Element;
    this.#open = null;
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
    this.#frames.push({ isList: false, path });
    this.#line = line;
    this.#lineStart = -column;
    yield* this.push(((text ?? '') + rest).slice(1));
  }

  /** The value that has ended; null if it is the name of a member. */
  #end(): Element | null {
    const element = this.#open as Element;
    this.#open = null;
    if (!this.#isName) return element;
    const frame = this.#frames.at(-1);
    if (frame) frame.name = nameIn(element.text);
    return null;
  }
}

function nameIn(text: string | null): string {
  try {
    return String(JSON.parse(text ?? '""'));
  } catch {
    return '';
  }
}

function isSpace(code: number): boolean {
  return code === 32 || code === LF || code === 13 || code === 9 || code === 0xfe_ff;
}
