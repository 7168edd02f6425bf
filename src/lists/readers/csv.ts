import { parse } from 'csv-parse/sync';
import { optionsBelow } from '../line/headings.ts';
import { readProxyLine, readUnnamedCells } from '../line/parse-line.ts';
import type { ParseOptions } from '../options.ts';
import { refused } from '../parts/refused.ts';
import { schemesNamed } from '../parts/scheme.ts';
import { unescapedCells } from '../record/formulas.ts';
import { readNamedLine } from '../record/named-line.ts';
import { readRecord } from '../record/record.ts';
import { UnreadNames } from '../record/unread-names.ts';
import type { LineVerdict, ListVerdict } from '../verdicts.ts';
import { type CsvHeader, delimiterOf, findHeader, separatorOf } from './header.ts';
import { type Line, LineSplitter } from './line-splitter.ts';
import { type ListReader, MAX_LINE, placedLine } from './list-reader.ts';

const MOST_WAITING = 1000;

/** Reads CSV with or without a header. A record is a line: no field of a proxy has a line end in it. */
export class CsvReader implements ListReader {
  readonly #given: ParseOptions;
  /** Those of the rows below the last heading. */
  #options: ParseOptions;
  readonly #lines = new LineSplitter(MAX_LINE);
  readonly #names = new UnreadNames('column');
  #begun = false;
  /** Comments and blank lines before the first row. */
  #waiting: readonly Line[] = [];
  #header: CsvHeader | null = null;
  #headerLine = '';
  #delimiter = ',';
  #count = 0;

  constructor(options: ParseOptions) {
    this.#given = options;
    this.#options = options;
  }

  push(text: string): Iterable<ListVerdict> {
    return this.#readLines(this.#lines.push(text));
  }

  finish(): Iterable<ListVerdict> {
    return this.#readLines(this.#lines.finish(), true);
  }

  *#readLines(pushed: readonly Line[], isEnd = false): Iterable<ListVerdict> {
    if (this.#begun) {
      yield* this.#readRecords(pushed);
      return;
    }
    // A comment may be the header, if a row follows it.
    const lines = [...this.#waiting, ...pushed];
    const hasRow = lines.some((line) => line !== null && !isPassedOver(line));
    const isWaiting = !hasRow && !isEnd && lines.length <= MOST_WAITING;
    this.#waiting = isWaiting ? lines : [];
    if (isWaiting) return;
    this.#begun = true;
    const found = findHeader(lines.map((line) => line ?? ''));
    yield* this.#readBanner(lines.slice(0, found?.index ?? 0));
    if (found) {
      this.#header = found.header;
      this.#headerLine = lines[found.index] ?? '';
      yield { kind: 'comment', line: ++this.#count };
    }
    const rows = lines.slice(found ? found.index + 1 : 0);
    const first = rows.find((line) => line !== null && !isPassedOver(line));
    this.#delimiter =
      found?.header.delimiter ?? (separatorOf(first ?? '') || delimiterOf(first ?? '')) ?? ',';
    yield* this.#readRecords(rows);
  }

  /** What comes before the header: comments, and lines of which each says what it is. */
  *#readBanner(lines: readonly Line[]): Iterable<ListVerdict> {
    for (const line of lines)
      yield* placedLine(line, ++this.#count, (text) =>
        separatorOf(text) !== null || this.#isHeading(text)
          ? [{ kind: 'comment' }]
          : readProxyLine(text, this.#options),
      );
  }

  *#readRecords(lines: readonly Line[]): Iterable<ListVerdict> {
    const records = this.#parse(lines.map((line) => line ?? ''));
    for (const [index, line] of lines.entries())
      yield* placedLine(line, ++this.#count, (text) => this.#verdicts(text, records[index] ?? null));
  }

  /** The cells of each line; null for a line that is not CSV. All lines at once, unless one of them is not a whole record. */
  #parse(lines: readonly string[]): (string[] | null)[] {
    if (this.#delimiter === ' ') return lines.map((line) => line.trim().split(/[ \t]+/));
    const text = lines.join('\n');
    if (!text.includes('"'))
      return lines.map((line) => line.split(this.#delimiter).map((cell) => cell.trim()));
    const records = this.#parseText(text);
    if (records?.length === lines.length) return records;
    return lines.length === 1 ? [null] : lines.map((line) => this.#parse([line])[0] ?? null);
  }

  #parseText(text: string): string[][] | null {
    try {
      return parse(text, {
        delimiter: this.#delimiter,
        trim: true,
        record_delimiter: '\n',
        relax_column_count: true,
        relax_quotes: true,
        skip_empty_lines: false,
      });
    } catch {
      return null;
    }
  }

  #verdicts(line: string, cells: readonly string[] | null): LineVerdict[] {
    const isPassed = isPassedOver(line, this.#header?.delimiter);
    if ((isPassed || cells?.length === 1) && this.#isHeading(line)) return [{ kind: 'comment' }];
    if (isPassed) return [{ kind: line.trim() === '' ? 'blank' : 'comment' }];
    // The line below the header of a Markdown table, a spreadsheet's `sep=;`, and the headers of files that were put together.
    if (/^[\s|:]*-{3}[\s|:-]*$/.test(line) || line === this.#headerLine || separatorOf(line) !== null)
      return [{ kind: 'comment' }];
    // Spreadsheets end with rows of empty cells.
    if (cells?.every((cell) => cell === '')) return [{ kind: 'blank' }];
    if (cells === null) return badRow('a quote is not closed, or text follows it');
    if (this.#header?.kind === 'protocols') return this.#readProtocols(this.#header.names, cells);
    if (this.#header) return this.#readNamed(this.#header, cells);
    return cells.length === 1
      ? readProxyLine(cells[0] ?? '', this.#options)
      : readUnnamedCells(cells, this.#options);
  }

  /** Whether a line has nothing but a protocol, which then holds for the rows below it. */
  #isHeading(line: string): boolean {
    const below = optionsBelow(line, this.#given);
    this.#options = below ?? this.#options;
    return below !== null;
  }

  #readProtocols(names: readonly string[], cells: readonly string[]): LineVerdict[] {
    const verdicts = cells.flatMap((cell, index): LineVerdict[] => {
      if (cell.trim() === '') return [];
      const schemes = schemesNamed(names[index] ?? '');
      if (schemes) return readNamedLine(cell, schemes, this.#options, { ofTargets: true });
      return badRow('there are more cells than protocols');
    });
    return verdicts.length === 0 ? [{ kind: 'blank' }] : verdicts;
  }

  #readNamed({ names, hasHost, delimiter }: CsvHeader, cells: readonly string[]): LineVerdict[] {
    if (!hasHost) return badRow('no column of the header is known as the host: name it host');
    // Nobody can tell which of columns between blanks is empty.
    if (delimiter === ' ' && cells.length !== names.length)
      return badRow('there are more or fewer words than columns: separate them by commas or tabs');
    if (cells.slice(names.length).some((cell) => cell.trim() !== ''))
      return badRow('there are more cells than the header names');
    const entries = unescapedCells(names.map((name, index) => [name, cells[index]]));
    return readRecord(entries, this.#options, this.#names);
  }
}

function badRow(reason: string): LineVerdict[] {
  return [refused('bad-record', reason)];
}

/** Whether a line is blank or a comment. A semicolon begins a comment where it does not separate cells. */
function isPassedOver(line: string, delimiter?: string): boolean {
  return delimiter === ';' ? /^\s*(?:#|\/\/|$)/.test(line) : /^\s*(?:[#;]|\/\/|$)/.test(line);
}
