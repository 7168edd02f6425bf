import { decodeList } from './decode.ts';
import { readHeadedLines } from './line/headings.ts';
import { assertParseOptions } from './options.ts';
import { type Detected, detectFormat, HEAD_LENGTH } from './readers/detect.ts';
import { JsonLinesReader, JsonReader } from './readers/json/json-reader.ts';
import { LineReader, type ListReader } from './readers/list-reader.ts';
import { ProxychainsReader } from './readers/proxychains.ts';
import type { ListSource } from './source.ts';
import type { ListVerdict, ParseOptions } from './verdicts.ts';

/**
 * Reads a list in any format of docs/formats.md, with a verdict for each line or record, in memory that does not grow with
 * it. Takes a text, bytes (UTF-8, or UTF-16 with a byte order mark), an array of lines or proxy URLs, `{ file: path }`, or the
 * pieces of one text as a stream or another iterable that is no array. Lines end in LF, CRLF or CR. What is no list is one
 * verdict, `not-a-list`, that says what it looks like.
 *
 * @throws INVALID_INPUT, when it is iterated, for a source of another shape or an option outside its range; CANNOT_OPEN and what else `{ file }` runs into;
 *   what the source throws.
 */
export async function* parseProxyList(
  source: ListSource,
  options: ParseOptions = {},
): AsyncGenerator<ListVerdict, void, undefined> {
  assertParseOptions(options);
  let reader: ListReader | null = null;
  let head = '';
  for await (const piece of decodeList(source)) {
    head += piece;
    if (!reader && head.length < HEAD_LENGTH) continue;
    reader ??= await openReader(detectFormat(head, options.format ?? 'auto'), options);
    // Not `yield*`, which awaits each verdict three times over.
    for (const verdict of reader.push(head)) yield verdict;
    head = '';
  }
  reader ??= await openReader(detectFormat(head, options.format ?? 'auto'), options);
  for (const verdict of reader.push(head)) yield verdict;
  for (const verdict of reader.finish()) yield verdict;
}

/** What only some formats need is loaded when one of them is met. */
async function openReader(detected: Detected, options: ParseOptions): Promise<ListReader> {
  switch (detected.format) {
    case 'text':
      return new LineReader(readHeadedLines(options));
    case 'json':
      return new JsonReader(options);
    case 'json-lines':
      return new JsonLinesReader(options);
    case 'proxychains':
      return new ProxychainsReader();
    case 'csv':
      return new (await import('./readers/csv.ts')).CsvReader(options);
    case 'clash':
      return new (await import('./readers/clash/clash-reader.ts')).ClashReader(options);
    case 'proxifier':
      return new (await import('./readers/proxifier.ts')).ProxifierReader(options);
    case 'none':
      return readNothing(detected.reason);
  }
}

/** A reader of what is no list: one verdict, and the rest is passed over. */
function readNothing(what: string): ListReader {
  const reason = `this is no list of proxies: it looks like ${what}`;
  return {
    push: () => [],
    finish: () => [{ kind: 'refused', code: 'not-a-list', reason, column: 1, line: 1, text: '' }],
  };
}
