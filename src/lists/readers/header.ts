import { readProxyLine } from '../line/parse-line.ts';
import { schemesNamed } from '../parts/scheme.ts';
import { type Field, fieldOf } from '../record/field-names.ts';

/** How the header of a CSV says that its columns are meant. */
export interface CsvHeader {
  /** `protocols`: a column for each protocol, with addresses in its cells. */
  kind: 'named' | 'protocols';
  delimiter: string;
  names: string[];
  hasHost: boolean;
}

const DELIMITERS = [',', ';', '\t', '|'];
/** How many lines of a banner may come before a header. */
const MOST_BANNER = 20;
const COMMENT = /^\s*(?:#|;|\/\/)/;

/** The header among the first lines of a list, after blank lines, comments, `sep=;` and a banner; null if they have no header. */
export function findHeader(lines: readonly string[]): { index: number; header: CsvHeader } | null {
  let delimiter: string | null = null;
  let passed = 0;
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const header = COMMENT.test(line) ? commentedHeader(line) : headerOf(line, delimiter, passed > 0);
    if (header && isAboveRows(header, lines.slice(index + 1))) return { index, header };
    if (COMMENT.test(line)) continue;
    delimiter = separatorOf(line) ?? delimiter;
    if (++passed > MOST_BANNER || readProxyLine(line)[0]?.kind === 'proxy') return null;
  }
  return null;
}

/** Words are no header above a line that is read without it: `# host port user pass` describes the form of the lines. */
function isAboveRows({ delimiter, names }: CsvHeader, below: readonly string[]): boolean {
  if (delimiter !== ' ') return true;
  const row = below.find((line) => line.trim() !== '' && !COMMENT.test(line)) ?? '';
  return row.trim().split(/\s+/).length === names.length || readProxyLine(row)[0]?.kind !== 'proxy';
}

/** The delimiter that a line `sep=;` sets for a spreadsheet, or null. */
export function separatorOf(line: string): string | null {
  return /^\uFEFF?\s*"?sep=(.)"?\s*$/i.exec(line)?.[1] ?? null;
}

/** The delimiter that occurs most; null if the line has no delimiter. */
export function delimiterOf(line: string): string | null {
  const counted = DELIMITERS.map((delimiter) => ({ delimiter, count: line.split(delimiter).length - 1 }));
  const most = counted.reduce((best, each) => (each.count > best.count ? each : best));
  return most.count === 0 ? null : most.delimiter;
}

/** The header that a line is: after a banner, or without a host, only with two names that are known. */
function headerOf(line: string, separator: string | null, isAfterOthers: boolean): CsvHeader | null {
  const delimiter = separator ?? delimiterOf(line);
  if (delimiter === null) return alignedHeader(line);
  const cells = line.replace(/^\uFEFF/, '').split(delimiter);
  const unquoted = cells.map((cell) => cell.trim().replace(/^"(.*)"$/s, '$1'));
  const names = unquoted.map((cell) => cell.replaceAll('""', '"').trim());
  if (names.length > 1 && names.every((name) => schemesNamed(name) !== null))
    return { kind: 'protocols', delimiter, names, hasHost: true };
  // A line with an address, a port or a URL is a row.
  if (names.some((name) => /:\d|:\/\/|\d\.\d|^\d+$/.test(name))) return null;
  const fields = new Set<Field | null>(names.map(fieldOf));
  fields.delete(null);
  const hasHost = fields.has('url') || fields.has('host');
  const isHeader = fields.size > 1 || (hasHost && !isAfterOthers);
  return isHeader ? { kind: 'named', delimiter, names, hasHost } : null;
}

/** A header of words above columns that blanks separate, if each of them is known. */
function alignedHeader(line: string): CsvHeader | null {
  const names = line.trim().split(/ +/);
  const fields = names.map(fieldOf);
  const isHeader =
    names.length > 1 && (fields.includes('host') || fields.includes('url')) && !fields.includes(null);
  return isHeader ? { kind: 'named', delimiter: ' ', names, hasHost: true } : null;
}

/** A header that begins as a comment does: with a first column `#` or without a name, or one that other programs pass over. */
function commentedHeader(line: string): CsvHeader | null {
  const header = headerOf(line, null, true);
  if (header?.hasHost && /^#?$/.test(header.names[0] ?? '')) return header;
  const hidden = headerOf(line.replace(/^\s*(?:#+|\/\/)\s*/, ''), null, true);
  return hidden?.hasHost && hidden.names.every((name) => fieldOf(name) !== null) ? hidden : null;
}
