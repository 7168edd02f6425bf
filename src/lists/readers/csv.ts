import { parse } from 'csv-parse/sync';

import { unescapedCells } from '../formulas.ts';
import { parseProxyLine, readProxyLine, readUnnamedCells } from '../line.ts';
import { type Line, LineSplitter } from '../lines.ts';
import { maskLine } from '../mask.ts';
import { schemeOf } from '../protocol.ts';
import { readRecord } from '../record.ts';
import type { LineVerdict, ListVerdict, ParseOptions } from '../types.ts';
import { type CsvHeader, delimiterOf, headerOf } from './header.ts';
import { type ListReader, MAX_LINE, placed, tooLong } from './reader.ts';

/** Reads CSV with or without a header. A record is a line: no field of a proxy has a line end in it. */
export class CsvReader implements ListReader {
  readonly #options: ParseOptions;
  readonly #lines = new LineSplitter(MAX_LINE);
  #begun = false;
  #header: CsvHeader | null = null;
  #delimiter = ',';
  #count = 0;

  constructor(options: ParseOptions) {
    this.#options = options;
  }

  push(text: string): Iterable<ListVerdict> {
    return this.#readLines([...this.#lines.push(text)]);
  }

  finish(): Iterable<ListVerdict> {
    return this.#readLines([...this.#lines.finish()]);
  }

  *#readLines(lines: readonly Line[]): Generator<ListVerdict, void, undefined> {
    const first = lines.findIndex((line) => line !== null && !isPassedOver(line));
    if (!this.#begun && first !== -1) {
      this.#begin(lines[first] ?? '');
      yield* this.#readRecords(lines.slice(0, first));
      if (this.#header) yield { kind: 'comment', line: ++this.#count };
      yield* this.#readRecords(lines.slice(this.#header ? first + 1 : first));
    } else {
      yield* this.#readRecords(lines);
    }
  }

  #begin(line: string): void {
    this.#begun = true;
    this.#header = headerOf(line.replace(/^\uFEFF/, ''));
    this.#delimiter = this.#header?.delimiter ?? delimiterOf(line) ?? ',';
  }

  *#readRecords(lines: readonly Line[]): Generator<ListVerdict, void, undefined> {
    const records = this.#parse(lines.map((line) => line ?? ''));
    for (const [index, line] of lines.entries()) {
      const number = ++this.#count;
      if (line === null) yield tooLong(number, MAX_LINE);
      else {
        for (const verdict of this.#verdicts(line, records[index] ?? null))
          yield placed(verdict, number, (code) => maskLine(line, code));
      }
    }
  }

  /** A record a line; null for a line that is none. All lines at once, unless one of them does not stand for itself. */
  #parse(lines: readonly string[]): (string[] | null)[] {
    const records = this.#parseText(lines.join('\n'));
    if (records?.length === lines.length) return records;
    return lines.length === 1 ? [null] : lines.map((line) => this.#parse([line])[0] ?? null);
  }

  #parseText(text: string): string[][] | null {
    try {
      return parse(text, {
        delimiter: this.#delimiter,
        ltrim: this.#header?.isPadded ?? false,
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
    if (isPassedOver(line)) return [parseProxyLine(line)];
    if (cells === null)
      return [{ kind: 'refused', code: 'bad-record', reason: 'a quote is not closed', column: 1 }];
    if (this.#header?.kind === 'protocols') return this.#readProtocols(this.#header.names, cells);
    if (this.#header) return this.#readNamed(this.#header.names, cells);
    return this.#readUnnamed(cells);
  }

  #readProtocols(names: readonly string[], cells: readonly string[]): LineVerdict[] {
    const verdicts = cells.flatMap((cell, index): LineVerdict[] => {
      if (cell.trim() === '') return [];
      const protocol = schemeOf(names[index] ?? '')?.protocol;
      if (protocol) return [parseProxyLine(cell, { ...this.#options, protocol })];
      return [
        { kind: 'refused', code: 'bad-record', reason: 'there are more cells than protocols', column: 1 },
      ];
    });
    return verdicts.length === 0 ? [{ kind: 'blank' }] : verdicts;
  }

  #readNamed(names: readonly string[], cells: readonly string[]): LineVerdict[] {
    if (cells.length <= names.length)
      return readRecord(unescapedCells(names.map((name, index) => [name, cells[index]])), this.#options);
    return [
      {
        kind: 'refused',
        code: 'bad-record',
        reason: 'there are more cells than the header names',
        column: 1,
      },
    ];
  }

  #readUnnamed(cells: readonly string[]): LineVerdict[] {
    const filled = cells.filter((cell) => cell.trim() !== '');
    return filled.length === 1
      ? readProxyLine(filled[0] ?? '', this.#options)
      : readUnnamedCells(cells, this.#options);
  }
}

function isPassedOver(line: string): boolean {
  const { kind } = parseProxyLine(line.trimStart().slice(0, 2));
  return kind === 'blank' || kind === 'comment';
}
