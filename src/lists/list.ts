import { parseProxyLine } from './line.ts';
import { maskLine } from './mask.ts';
import type { LineVerdict, ParseOptions } from './types.ts';

/** A verdict with its place. `text` has its credentials masked. */
export type ListVerdict = LineVerdict & { line: number; text: string };

/** A longer line is refused without being kept. */
const MAX_LINE = 8192;

/**
 * Reads a list line by line, with a verdict for each, in memory that does not grow with it. Takes a text, or its
 * pieces as text or UTF-8 bytes. Lines end in LF, CRLF or CR.
 */
export async function* parseProxyList(
  source: string | Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
  options: ParseOptions = {},
): AsyncGenerator<ListVerdict, void, undefined> {
  const decoder = new TextDecoder('utf-8');
  const lines = new LineSplitter();
  for await (const piece of typeof source === 'string' ? [source] : source) {
    const text = typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true });
    for (const line of lines.push(text)) yield verdictOf(line, lines.count, options);
  }
  for (const line of lines.push(decoder.decode())) yield verdictOf(line, lines.count, options);
  const last = lines.finish();
  if (last !== undefined) yield verdictOf(last, lines.count, options);
}

/** `null` stands for a line that was too long. */
type Line = string | null;

function verdictOf(line: Line, number: number, options: ParseOptions): ListVerdict {
  if (line === null) {
    const reason = `the line is longer than ${MAX_LINE} characters`;
    return { kind: 'refused', code: 'line-too-long', reason, column: MAX_LINE + 1, line: number, text: '' };
  }
  return { ...parseProxyLine(line, options), line: number, text: maskLine(line) };
}

/** Cuts pieces of text into lines. */
class LineSplitter {
  /** How many lines were given. */
  count = 0;
  #open = '';
  #tooLong = false;
  #afterCarriageReturn = false;

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

  /** What stands behind the last line end; undefined if nothing does. */
  finish(): Line | undefined {
    return this.#open === '' && !this.#tooLong ? undefined : this.#end();
  }

  #append(piece: string): void {
    if (this.#open.length + piece.length > MAX_LINE) this.#tooLong = true;
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
