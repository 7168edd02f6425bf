import { fieldOf } from '../fields.ts';
import { schemeOf } from '../protocol.ts';

/** How the first line of a CSV says that its columns are meant. */
export type CsvHeader =
  | { kind: 'named'; delimiter: string; names: string[]; isPadded: boolean }
  /** A column a protocol, and in its cells addresses. */
  | { kind: 'protocols'; delimiter: string; names: string[]; isPadded: boolean };

const DELIMITERS = [',', ';', '\t', '|'];

/** The header that a line is, or null. */
export function headerOf(line: string): CsvHeader | null {
  const delimiter = delimiterOf(line);
  if (delimiter === null) return null;
  const cells = line.split(delimiter);
  const names = cells.map((cell) =>
    cell
      .trim()
      .replace(/^"(.*)"$/s, '$1')
      .trim(),
  );
  const isPadded = cells.some((cell, index) => index > 0 && cell.startsWith(' '));
  const shape = { delimiter, names, isPadded };
  if (names.every((name) => schemeOf(name) !== null)) return { kind: 'protocols', ...shape };
  const fields = names.map(fieldOf);
  const hasProxy = fields.includes('url') || fields.includes('host');
  return hasProxy && !names.some((name) => /\d:\d|^\d+$/.test(name)) ? { kind: 'named', ...shape } : null;
}

/** Which of the delimiters occurs most; null if none does. */
export function delimiterOf(line: string): string | null {
  const counted = DELIMITERS.map((delimiter) => ({ delimiter, count: line.split(delimiter).length - 1 }));
  const most = counted.reduce((best, each) => (each.count > best.count ? each : best));
  return most.count === 0 ? null : most.delimiter;
}
