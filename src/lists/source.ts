import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { fileError } from '../files/file-error.ts';
import { assertPath } from '../files/path.ts';
import { invalidInput } from '../model/validation.ts';

/**
 * - a text, or its bytes;
 * - an array of lines or of proxy URLs, each a text or a `URL`, or one `URL`. An element is a line, with or without its end;
 * - a file;
 * - a stream, or another iterable that is no array: the pieces of one text, cut anywhere. So is an array of bytes.
 */
export type ListSource =
  | string
  | Uint8Array
  | URL
  | readonly (string | URL)[]
  | { readonly file: string | URL }
  | ListPieces;

/** One text, or the bytes of it, in pieces. */
type ListPieces = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

const SHAPES =
  'a text, a Buffer or Uint8Array, a stream or another iterable of pieces, an array of lines or proxy URLs, a URL, or { file: path }';

/** Lines are joined to pieces of about this many characters. */
const PIECE = 65_536;

/** The ports that a `URL` does not show. */
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** @throws INVALID_INPUT for what is no source; of an array, with the index of the element. */
export function assertListSource(source: unknown): asserts source is ListSource {
  if (typeof source === 'string' || types.isUint8Array(source)) return;
  if (source instanceof URL) assertProxyUrl(source);
  else if (Array.isArray(source)) assertElements(source);
  else if (isFile(source)) pathOf(source.file);
  else if (!isIterable(source) || ArrayBuffer.isView(source) || types.isMap(source)) {
    const advice = types.isPromise(source) ? ': await it first' : '';
    throw invalidInput(`A list is ${SHAPES}; this is ${kindOf(source)}${advice}.`);
  }
}

/** The pieces of a list. @throws INVALID_INPUT as `assertListSource`; while they are read, what `fileError` says. */
export function piecesOf(source: ListSource): ListPieces {
  assertListSource(source);
  if (typeof source === 'string' || types.isUint8Array(source)) return [source];
  if (source instanceof URL) return [lineOf(source)];
  if (isFile(source)) return readFile(pathOf(source.file));
  if (types.isSet(source)) return piecesOf([...(source as ReadonlySet<string>)]);
  if (Array.isArray(source)) return isBytes(source) ? source : joinLines(source);
  return isLineReader(source) ? endLines(source) : (source as ListPieces);
}

/** @throws INVALID_INPUT for a text that is the path of a list and no list. */
export function assertNoPath(source: unknown): void {
  if (typeof source !== 'string' || !isPath(source.trim())) return;
  // What has a colon may be a login.
  const path = /:(?![\\/])/.test(source) ? 'path' : JSON.stringify(source.trim());
  throw invalidInput(`The list is a text that looks like a path. To read the file, give { file: ${path} }.`);
}

function isPath(text: string): boolean {
  if (text === '' || text.length > 1024 || /[\r\n@]|:\/\/|:\d{1,5}(?!\d)|^(?:[#;{[<"']|\/\/)/.test(text))
    return false;
  if (/\.(?:txt|list|lst|csv|tsv|jsonl?|ndjson|ya?ml|conf|ppx)$/i.test(text)) return true;
  // Base64 has slashes too.
  return /[\\/]/.test(text) && !/^[\w+/=-]{40,}$/.test(text);
}

function assertElements(elements: readonly unknown[]): void {
  if (isBytes(elements)) return;
  for (const [index, element] of elements.entries()) {
    if (element instanceof URL) assertProxyUrl(element, index);
    else if (typeof element !== 'string')
      throw invalidInput(
        `An array is a list of lines or proxy URLs, and at index ${index} it has ${kindOf(element)}.`,
        { index },
      );
  }
  assertWholeLines(elements.map((element) => (typeof element === 'string' ? element : '')));
}

/** Its first element is looked at by itself, since `every` passes over holes. */
function isBytes(elements: readonly unknown[]): elements is readonly Uint8Array[] {
  return types.isUint8Array(elements[0]) && elements.every(types.isUint8Array);
}

/** Elements of several lines, of which some are not ended, may as well be pieces that are cut anywhere. */
function assertWholeLines(elements: readonly string[]): void {
  const several = elements.findIndex((text) => /[\r\n][^\r\n]/.test(text));
  if (several === -1 || elements.slice(0, -1).every((text) => /[\r\n]$/.test(text))) return;
  throw invalidInput(
    `An array is a list of lines, and at index ${several} it has several lines: split them, or join the array if its elements are pieces of one text.`,
    { index: several },
  );
}

function assertProxyUrl({ protocol }: URL, index?: number): void {
  if (protocol !== 'file:') return;
  const place = index === undefined ? '' : ` at index ${index}`;
  throw invalidInput(
    `The URL${place} is that of a file and not of a proxy. To read the file, give { file: url }.`,
    index === undefined ? {} : { index },
  );
}

function isFile(source: unknown): source is { file: string | URL } {
  return typeof source === 'object' && source !== null && 'file' in source && !isIterable(source);
}

function pathOf(file: unknown): string {
  if (file instanceof URL && file.protocol === 'file:') return fileURLToPath(file);
  if (typeof file === 'string' && file !== '' && !file.includes('\0')) {
    assertPath(file, 'file');
    return file;
  }
  throw invalidInput(`file must be a path or a file: URL; this is ${kindOf(file)}.`);
}

async function* readFile(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const piece of createReadStream(path)) yield piece;
  } catch (error) {
    throw fileError(error, `The list ${path} cannot be read`, path);
  }
}

function* joinLines(lines: readonly (string | URL)[]): Generator<string, void, undefined> {
  let piece = '';
  for (const line of lines) {
    const text = typeof line === 'string' ? line : lineOf(line);
    piece += text.endsWith('\n') ? text : `${text}\n`;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

/** A `URL` as a line of a list, with its port. */
function lineOf({ protocol, hostname, href, username, password, port, pathname, search, hash }: URL): string {
  const defaultPort = DEFAULT_PORTS[protocol];
  if (defaultPort === undefined) return href;
  const login = username === '' && password === '' ? '' : `${username}:${password}@`;
  // The class adds a slash to every URL of these schemes.
  const path = pathname === '/' ? '' : pathname;
  return `${protocol}//${login}${hostname}:${port === '' ? defaultPort : port}${path}${search}${hash}`;
}

/** What `node:readline` and `FileHandle.readLines` give: lines without their ends. */
function isLineReader(source: object): source is AsyncIterable<string> {
  return 'line' in source && 'terminal' in source && Symbol.asyncIterator in source;
}

async function* endLines(lines: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  for await (const line of lines) yield `${line}\n`;
}

function isIterable(source: unknown): source is object {
  return (
    typeof source === 'object' &&
    source !== null &&
    ((Symbol.iterator in source && typeof source[Symbol.iterator] === 'function') ||
      (Symbol.asyncIterator in source && typeof source[Symbol.asyncIterator] === 'function'))
  );
}

/** What a value is, for a person; never the value itself. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object') return value === '' ? 'an empty text' : `a ${typeof value}`;
  if (Array.isArray(value)) return 'an array';
  return `an object of the class ${value.constructor?.name || 'Object'}`;
}
