import { decodeList } from './decode.ts';
import { assertParseOptions, type ParseOptions } from './options.ts';
import type { ListReader } from './readers/list-reader.ts';
import { HEAD_LENGTH, openReader } from './readers/open-reader.ts';
import type { ListSource } from './source.ts';
import type { ListVerdict } from './verdicts.ts';

/**
 * Reads a list in any format of docs/formats.md, with a verdict for each line or record, in memory that does not grow with
 * it. Takes a text, bytes (UTF-8, or UTF-16 with a byte order mark), an array of lines or proxy URLs, `{ file: path }`, or the
 * pieces of one text as a stream or another iterable that is no array. Lines end in LF, CRLF or CR. What is no list is one
 * verdict, `not-a-list`, that says what it looks like.
 *
 * @throws INVALID_INPUT, when it is iterated, for a source of another shape or an option outside its range; CANNOT_OPEN and what else `{ file }` runs into;
 *   what the source throws.
 * @example
 * for await (const verdict of parseProxyList({ file: './proxies.txt' }, { protocol: 'socks5' })) {
 *   if (verdict.kind === 'proxy') console.log(formatProxyUrl(verdict.proxy));
 *   if (verdict.kind === 'refused') console.log(verdict.line, verdict.reason);
 * }
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
    reader ??= await openReader(head, options);
    // Not `yield*`, which awaits each verdict three times over.
    for (const verdict of reader.push(head)) yield verdict;
    head = '';
  }
  reader ??= await openReader(head, options);
  for (const verdict of reader.push(head)) yield verdict;
  for (const verdict of reader.finish()) yield verdict;
}
