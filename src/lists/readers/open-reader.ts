import { readHeadedLines } from '../line/headings.ts';
import type { ParseOptions } from '../options.ts';
import { detectFormat } from './detect.ts';
import { jsonLinesReader, jsonReader } from './json/json-reader.ts';
import { type ListReader, lineReader, notAList } from './list-reader.ts';
import { proxychainsReader } from './proxychains.ts';

/** How much of a list is needed to detect its format, in UTF-16 units. */
export const HEAD_LENGTH = 65_536;

/** The reader of a list's format, by its first `HEAD_LENGTH` units. What only some formats need is loaded when one is met. */
export async function openReader(head: string, options: ParseOptions): Promise<ListReader> {
  const detected = detectFormat(head, options.format ?? 'auto');
  switch (detected.format) {
    case 'text':
      return lineReader(readHeadedLines(options));
    case 'json':
      return jsonReader(options);
    case 'json-lines':
      return jsonLinesReader(options);
    case 'proxychains':
      return proxychainsReader();
    case 'csv':
      return new (await import('./csv.ts')).CsvReader(options);
    case 'clash':
      return new (await import('./clash/clash-reader.ts')).ClashReader(options);
    case 'proxifier':
      return new (await import('./proxifier.ts')).ProxifierReader(options);
    case 'none':
      return { push: () => [], finish: () => [notAList(detected.reason)] };
  }
}
