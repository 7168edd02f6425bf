import { isIP } from 'node:net';
import { readProxyLine, readUnnamedCells } from '../../line/parse-line.ts';
import type { ParseOptions } from '../../options.ts';
import { toAddress } from '../../parts/address.ts';
import { MASK, maskLine } from '../../parts/mask.ts';
import { type Scheme, schemeNameOf, schemesNamed } from '../../parts/scheme.ts';
import { fieldOf } from '../../record/field-names.ts';
import { readNamedLine } from '../../record/named-line.ts';
import { hasAddress, maskRecord, readRecord } from '../../record/record.ts';
import { nameOrMember, UnreadNames } from '../../record/unread-names.ts';
import { isKnown, isObject } from '../../record/values.ts';
import type { LineVerdict, ListVerdict, RefusalCode } from '../../verdicts.ts';
import { placed, tooLong } from '../list-reader.ts';
import { type Element, ElementSplitter, MAX_RECORD } from './elements.ts';
import { hasLogin, isRecordLike, readExport } from './exports.ts';
import { ListProtocols, schemesInName } from './protocols.ts';

/** Members under which a list may be a text, a proxy a line. */
const LIST_NAME = /^(?:data|results?|prox(?:y|ies)|prox(?:y|ies)_?list|list|items|content|body|text)$/i;
/** Lists that never hold proxies. */
const OTHER_LIST = /^(?:errors?|messages?|warnings?)$/i;
/** Lists of the names of columns. */
const COLUMNS = /^(?:columns|headers?|fields)$/i;
const MOST_COLUMNS = 64;
const MOST_NAMES = 32;
const SPACE = 32;
/** How deep lists and objects may be nested. */
const MOST_DEPTH = 8;
const SEVERAL = 'the name of the list has several protocols';
const REPEATED = 'a name stands twice in the record';
const BESIDE = 'a login beside a list was not read: each record needs its own';

type Entries = readonly (readonly [string, unknown])[];

/** Reads the values of a JSON document: records, texts, rows, lists by protocol, and the exports of other tools. */
export class JsonValues {
  /** Whether there was a list in an object that was one value. */
  hasList = false;
  /** Whether a list of errors was passed over. */
  hasErrors = false;
  /** The names of the members of the document itself. */
  readonly topNames = new Set<string>();
  readonly #options: ParseOptions;
  readonly #names = new UnreadNames('member');
  /** The names of the cells of rows. */
  #columns: string[] = [];
  readonly #protocols = new ListProtocols();

  constructor(options: ParseOptions) {
    this.#options = options;
  }

  /** The verdicts on a value. A setting beside lists gets no verdict. */
  read(element: Element, depth = 0): Iterable<ListVerdict> {
    const { text, line, path, kind } = element;
    if (path[0] !== undefined) this.#addTopName(path[0]);
    if (text === null) return [tooLong(line, MAX_RECORD, 'record')];
    const value = parse(text);
    if (isObject(value)) return this.#readObject(value, element, depth);
    // A part of an object that is malformed spoils no other.
    if (value === undefined && text.startsWith('{') && kind !== 'element')
      return this.#readMembers(element, depth);
    // Python writes texts so.
    const quoted = value === undefined ? /^'([^'"\\]*)'$/.exec(text)?.[1] : undefined;
    if (quoted !== undefined && kind === 'element') return this.#readElement(quoted, element);
    return kind === 'member' ? this.#readMember(value, element) : this.#readElement(value, element);
  }

  #readObject(value: object, element: Element, depth: number): Iterable<ListVerdict> {
    const { kind, path, line } = element;
    const entries = Object.entries(value);
    if (kind === 'top') for (const [name] of entries) this.#addTopName(name);
    const exported = readExport(value);
    if (exported !== null) {
      if ('settings' in exported) return [{ kind: 'comment', line }];
      if ('other' in exported) return [this.#refused(element, `this is ${exported.other}`)];
      return exported.records.flatMap((record) => this.#readEntries(record, element));
    }
    if (hasAddress(entries))
      return repeatsName(element.text ?? '', value)
        ? [this.#refused(element, REPEATED)]
        : this.#readEntries(entries, element);
    const key = kind === 'member' ? path.at(-1) : undefined;
    if (key !== undefined && isAddress(key))
      return this.#readEntries([...entries, [isIP(key) === 0 ? 'url' : 'host', key]], element);
    const hasList = entries.some(([, each]) => Array.isArray(each) && each.length > 0);
    if (hasList && hasLogin(value)) return [this.#refused(element, BESIDE)];
    if (!hasList && isRecordLike(value)) return this.#readEntries(entries, element);
    if (kind === 'element' && !entries.some(isContent)) return this.#readEntries(entries, element);
    if (depth >= MOST_DEPTH)
      return [this.#refused(element, 'the lists and objects lie too deep inside each other')];
    return this.#readMembers(element, depth, entries);
  }

  *#readMembers(element: Element, depth: number, entries: Entries = []): Iterable<ListVerdict> {
    this.#protocols.enter(element.path);
    for (const [name, value] of entries) this.#protocols.add(element.path, name, value);
    const splitter = new ElementSplitter(element);
    for (const member of splitter.push((element.text ?? '').slice(1))) yield* this.read(member, depth + 1);
    this.hasList ||= splitter.hasList;
    const { problem } = splitter;
    if (problem) yield { kind: 'refused', code: 'truncated', ...problem, text: '' };
  }

  /** A member that is no object, beside lists: a text with a list, an address with something of it, or a setting. */
  *#readMember(value: unknown, element: Element): Iterable<ListVerdict> {
    const name = element.path.at(-1) ?? '';
    const field = fieldOf(name);
    const isList = typeof value === 'string' && (namesProtocol(name) || LIST_NAME.test(name));
    if (isList && hasProxy(value)) yield* this.#readText(value, this.#protocols.of(element.path), element);
    else if (isAddress(name)) yield* this.#readKeyed(name, value, element);
    else if ((field === 'username' || field === 'password') && typeof value === 'string' && isKnown(value))
      yield this.#refused(element, BESIDE);
    else if (!this.#protocols.add(element.path.slice(0, -1), name, value))
      yield this.#refused(element, 'the protocol comes after the list that it is meant for');
    else if (typeof value === 'string' && hasProxy(value))
      yield this.#refused(
        element,
        `${nameOrMember(name)} may be a proxy, and is not read: put it into a list`,
      );
  }

  /** An address as a name, with a protocol, or nothing that is known, as its value. */
  *#readKeyed(address: string, value: unknown, element: Element): Iterable<ListVerdict> {
    const schemes = typeof value === 'string' ? schemesNamed(value) : null;
    if (schemes) yield* this.#readText(address, schemes, element);
    else if (typeof value === 'string' && isKnown(value))
      yield this.#refused(element, 'the value of an address is not a protocol');
    else yield* this.#readText(address, this.#protocols.of(element.path.slice(0, -1)), element);
  }

  /** An element of a list, or a value outside of lists. */
  #readElement(value: unknown, element: Element, depth = 0): Iterable<ListVerdict> {
    if (element.path.length > 0 && OTHER_LIST.test(element.path.at(-1) ?? '')) {
      this.hasErrors = true;
      return [];
    }
    if (typeof value === 'string') return this.#readListedText(value, element);
    if (Array.isArray(value) && depth < MOST_DEPTH) return this.#readArray(value, element, depth);
    if (isObject(value)) return this.#readEntries(Object.entries(value), element);
    const what = value === undefined ? 'this is not JSON' : 'this is neither a record nor a text';
    return [this.#refused(element, what)];
  }

  #readListedText(text: string, element: Element): ListVerdict[] {
    if (element.path.length > 0 && COLUMNS.test(element.path.at(-1) ?? '')) {
      if (this.#columns.length < MOST_COLUMNS) this.#columns.push(text);
      return [];
    }
    return this.#readText(text, this.#protocols.of(element.path), element);
  }

  /** A row, such as `["192.0.2.1", 80]`, or a list inside a list. */
  *#readArray(cells: readonly unknown[], element: Element, depth: number): Iterable<ListVerdict> {
    const texts = cells.map((cell) => (typeof cell === 'number' ? String(cell) : cell));
    const isRow = texts.every((cell) => typeof cell === 'string' || cell === null);
    const [first] = texts;
    if (cells.length === 0) {
      yield this.#refused(element, 'the list is empty');
    } else if (isRow && this.#isHeader(texts)) {
      this.#columns = texts.map(String).slice(0, MOST_COLUMNS);
      yield { kind: 'comment', line: element.line };
    } else if (isRow && this.#columns.length >= texts.length) {
      const entries = texts.map((cell, index) => [this.#columns[index] ?? '', cell] as const);
      yield* this.#readEntries(entries, element);
    } else if (isRow && typeof first === 'string' && texts.length > 1 && toAddress(first.trim(), 1)) {
      const row = texts.map((cell) => cell ?? '') as string[];
      for (const verdict of readUnnamedCells(row, this.#options))
        yield placedAt(verdict, element, () => MASK);
    } else {
      for (const cell of cells) yield* this.#readElement(cell, element, depth + 1);
    }
  }

  #isHeader(cells: readonly unknown[]): boolean {
    const fields = new Set(cells.map((cell) => (typeof cell === 'string' ? fieldOf(cell) : null)));
    fields.delete(null);
    return fields.size > 1 && (fields.has('host') || fields.has('url')) && fields.size >= cells.length - 2;
  }

  #readEntries(entries: Entries, element: Element): ListVerdict[] {
    const schemes = this.#protocols.of(element.path);
    if (schemes === null) return [this.#refused(element, SEVERAL)];
    const named = schemes.map(({ remoteDns = false, ...scheme }) => schemeNameOf({ ...scheme, remoteDns }));
    const isNamed = named.length > 0 && !entries.some(([name]) => fieldOf(name) === 'protocol');
    const all: Entries = isNamed ? [...entries, ['protocols', named]] : entries;
    return readRecord(all, this.#options, this.#names).map((verdict) =>
      placedAt(verdict, element, (code) => maskRecord(entries, code)),
    );
  }

  /** A proxy, or a list of them in lines. */
  #readText(text: string, schemes: readonly Scheme[] | null, element: Element): ListVerdict[] {
    if (schemes === null) return [this.#refused(element, SEVERAL)];
    if (!text.includes('\n') && !text.includes('\r')) return this.#readLine(text, schemes, element);
    return text.split(/\r\n?|\n/).flatMap((line) => this.#readLine(line, schemes, element));
  }

  #readLine(line: string, schemes: readonly Scheme[], element: Element): ListVerdict[] {
    const isNamed = schemes.length > 0;
    const verdicts = isNamed
      ? readNamedLine(line, schemes, this.#options, { ofTargets: true })
      : readProxyLine(line, this.#options);
    return verdicts.map((verdict) => placedAt(verdict, element, (code) => maskLine(line, code)));
  }

  #addTopName(name: string): void {
    if (this.topNames.size < MOST_NAMES) this.topNames.add(name.slice(0, MOST_COLUMNS));
  }

  #refused({ line, column }: Element, reason: string): ListVerdict {
    return { kind: 'refused', code: 'bad-record', reason, column, line, text: MASK };
  }
}

function placedAt(
  verdict: LineVerdict,
  { line, column }: Element,
  mask: (code: RefusalCode) => string,
): ListVerdict {
  return placed(verdict.kind === 'refused' ? { ...verdict, column } : verdict, line, mask);
}

/** Whether a member of an object is a list, an object, or a proxy by its protocol, as `"http": "http://192.0.2.1:80"`. */
function isContent([name, value]: readonly [string, unknown]): boolean {
  if (typeof value === 'string') return namesProtocol(name) && hasProxy(value);
  return typeof value === 'object' && value !== null;
}

function namesProtocol(name: string): boolean {
  return schemesInName(name)?.length !== 0;
}

/** Whether an object of JSON has a name twice, of which only the last is in its value. */
function repeatsName(text: string, value: object): boolean {
  let written = 0;
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1))
    if (text[at - 1] === '"' || text.charCodeAt(at - 1) <= SPACE) written++;
  let read = 0;
  const stack: object[] = [value];
  for (let each = stack.pop(); each !== undefined; each = stack.pop()) {
    const values: unknown[] = Object.values(each);
    if (!Array.isArray(each)) read += values.length;
    for (const inner of values) if (typeof inner === 'object' && inner !== null) stack.push(inner);
  }
  // A text may have a quote and a colon in it.
  return (
    written > read &&
    [...text.matchAll(/"(?:[^"\\]|\\.)*"\s*(:)?/g)].filter(([, colon]) => colon).length > read
  );
}

/** Whether one of the first lines of a text is a proxy. */
function hasProxy(text: string): boolean {
  return text.split(/\r\n?|\n/, 20).some((line) => readProxyLine(line)[0]?.kind === 'proxy');
}

/** Whether the name of a member is the address of a proxy. */
function isAddress(name: string): boolean {
  if (isIP(name) !== 0) return true;
  return name.length < 300 && /[.\]:][^.\]]*:\d{1,5}$/.test(name) && readProxyLine(name)[0]?.kind === 'proxy';
}

/** The value of a JSON text; undefined if it is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
