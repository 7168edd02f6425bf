import { parse } from 'yaml';

import { type Line, LineSplitter } from '../lines.ts';
import { MASK } from '../mask.ts';
import { readRecord } from '../record.ts';
import type { LineVerdict, ListVerdict, ParseOptions } from '../types.ts';
import { type ListReader, placed, tooLong } from './reader.ts';

/** No entry is longer; a longer one is refused without being kept. */
const MAX_ENTRY = 16_384;

/**
 * Reads the entries under `proxies:` of a Clash or Mihomo configuration. It cuts them apart by their indentation and gives
 * each to the YAML parser, so that memory does not grow with the file and a broken one spoils no other.
 */
export class ClashReader implements ListReader {
  readonly #options: ParseOptions;
  readonly #lines = new LineSplitter(MAX_ENTRY);
  /** Where the dashes of the entries stand; null outside of `proxies:`, undefined before the first. */
  #indent: number | null | undefined = null;
  #entry: { line: number; text: string } | null = null;

  constructor(options: ParseOptions) {
    this.#options = options;
  }

  *push(text: string): Generator<ListVerdict, void, undefined> {
    for (const line of this.#lines.push(text)) yield* this.#readLine(line);
  }

  *finish(): Generator<ListVerdict, void, undefined> {
    for (const line of this.#lines.finish()) yield* this.#readLine(line);
    yield* this.#endEntry();
  }

  *#readLine(line: Line): Generator<ListVerdict, void, undefined> {
    const number = this.#lines.count;
    if (line === null) {
      yield* this.#endEntry();
      yield tooLong(number, MAX_ENTRY);
    } else if (line.trim() === '' || line.trimStart().startsWith('#')) {
      yield { kind: line.trim() === '' ? 'blank' : 'comment', line: number };
    } else if (this.#isInList(line)) {
      yield* this.#readListed(line, number);
    } else {
      yield* this.#endEntry();
      yield* this.#readSetting(line, number);
    }
  }

  /** An entry begins with a dash at the indentation of the first, and goes on where it is deeper. */
  #isInList(line: string): boolean {
    if (this.#indent === null) return false;
    const indent = indentOf(line);
    if (this.#indent === undefined) return line[indent] === '-';
    return indent > this.#indent || (indent === this.#indent && line[indent] === '-');
  }

  *#readListed(line: string, number: number): Generator<ListVerdict, void, undefined> {
    this.#indent ??= indentOf(line);
    if (indentOf(line) === this.#indent) {
      yield* this.#endEntry();
      this.#entry = { line: number, text: line };
    } else if (this.#entry) {
      this.#entry.text += `\n${line}`;
      if (this.#entry.text.length > MAX_ENTRY) {
        yield tooLong(this.#entry.line, MAX_ENTRY, 'entry');
        this.#entry = null;
      }
    }
  }

  *#readSetting(line: string, number: number): Generator<ListVerdict, void, undefined> {
    const list = /^proxies:\s*(\S?)/.exec(line);
    this.#indent = list ? undefined : null;
    const isInline = list !== null && list[1] !== '' && list[1] !== '#';
    if (isInline)
      yield placed(refused('the entries must stand one a line below proxies:'), number, () => MASK);
    else yield { kind: 'comment', line: number };
  }

  *#endEntry(): Generator<ListVerdict, void, undefined> {
    const entry = this.#entry;
    this.#entry = null;
    if (entry)
      for (const verdict of readEntry(entry.text, this.#options))
        yield placed(verdict, entry.line, () => MASK);
  }
}

function readEntry(text: string, options: ParseOptions): LineVerdict[] {
  try {
    // All scalars are texts, so that a password of digits keeps its zeros. No anchors: an entry stands for itself.
    const [entry]: unknown[] = parse(text, { schema: 'failsafe', maxAliasCount: 0, logLevel: 'error' });
    if (typeof entry === 'object' && entry !== null && !Array.isArray(entry))
      return readRecord(Object.entries(entry), options);
    return [refused('the entry has no members')];
  } catch {
    return [refused('the entry is not YAML that stands for itself')];
  }
}

function refused(reason: string): LineVerdict {
  return { kind: 'refused', code: 'bad-record', reason, column: 1 };
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}
