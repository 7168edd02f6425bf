import { MASK, maskLine } from '../parts/mask.ts';
import type { LineVerdict, ListVerdict, RefusalCode } from '../verdicts.ts';
import { type Line, LineSplitter } from './line-splitter.ts';

/** Reads a list of one format, piece by piece, in memory that does not grow with it. */
export interface ListReader {
  /** The verdicts on what this piece completes. */
  push(text: string): Iterable<ListVerdict>;
  /** The verdicts on what was still open. */
  finish(): Iterable<ListVerdict>;
}

/** The longest line of a text; a longer one is rejected and not kept in memory. */
export const MAX_LINE = 8192;

/** Reads lines, each of which is read by itself. */
export function lineReader(read: (line: string) => Iterable<LineVerdict>): ListReader {
  const lines = new LineSplitter(MAX_LINE);
  let count = 0;
  function* readAll(given: readonly Line[]): Iterable<ListVerdict> {
    for (const line of given) yield* placedLine(line, ++count, read);
  }
  return { push: (text) => readAll(lines.push(text)), finish: () => readAll(lines.finish()) };
}

export function* placedLine(
  line: Line,
  number: number,
  read: (line: string) => Iterable<LineVerdict>,
): Iterable<ListVerdict> {
  if (line === null) yield tooLong(number, MAX_LINE);
  else for (const verdict of read(line)) yield placed(verdict, number, (code) => maskLine(line, code));
}

/** A verdict on a line, with its number and, if it is rejected, the masked text. */
export function placed(verdict: LineVerdict, line: number, mask: (code: RefusalCode) => string): ListVerdict {
  if (verdict.kind === 'refused') return { ...verdict, line, text: mask(verdict.code) };
  return Object.assign(verdict, { line });
}

/** The rejection of a whole list, or of a part of one, whose text is not shown. */
export function rejected(code: RefusalCode, reason: string, line = 1, text = MASK): ListVerdict {
  return { kind: 'refused', code, reason, column: 1, line, text };
}

/** The rejection of a text that is something else. */
export function notAList(what: string): ListVerdict {
  return rejected('not-a-list', `this is no list of proxies: it looks like ${what}`, 1, '');
}

export function tooLong(line: number, most: number, what = 'line'): ListVerdict {
  const reason = `the ${what} is longer than ${most} characters`;
  return { kind: 'refused', code: 'line-too-long', reason, column: most + 1, line, text: '' };
}
