import { parseProxyLine } from '../line.ts';
import { MASK, maskLine } from '../mask.ts';
import { maskRecord, readRecord } from '../record.ts';
import type { LineVerdict, ListVerdict, ParseOptions, RefusalCode } from '../types.ts';
import { type Element, ElementSplitter } from './json-elements.ts';
import { LineReader, type ListReader, placed, tooLong } from './reader.ts';

/** No record is longer; a longer one is refused without being kept. */
const MAX_RECORD = 65_536;

/** A reader of JSON lines: a record, or a proxy as a text, in each. */
export function readJsonLines(options: ParseOptions): ListReader {
  return new LineReader((line) => {
    const text = line.trim();
    return text === '' ? [{ kind: 'blank' }] : readValue(text, options).verdicts;
  }, MAX_RECORD);
}

/** A reader of a JSON list that stands behind `before`, its `[` included, with which the text begins. */
export class JsonReader implements ListReader {
  readonly #options: ParseOptions;
  readonly #elements: ElementSplitter;
  #skip: number;

  constructor(before: string, options: ParseOptions) {
    const lines = before.split('\n');
    const place = { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
    this.#skip = before.length;
    this.#elements = new ElementSplitter(MAX_RECORD, place);
    this.#options = options;
  }

  *push(text: string): Generator<ListVerdict, void, undefined> {
    const rest = text.slice(this.#skip);
    this.#skip -= text.length - rest.length;
    for (const element of this.#elements.push(rest)) yield* this.#verdicts(element);
  }

  *finish(): Generator<ListVerdict, void, undefined> {
    if (!this.#elements.closed) yield truncated(this.#elements.place);
  }

  *#verdicts({ text, line, column }: Element): Generator<ListVerdict, void, undefined> {
    if (text === null) {
      yield tooLong(line, MAX_RECORD, 'record');
      return;
    }
    const { verdicts, mask } = readValue(text, this.#options);
    for (const verdict of verdicts)
      yield placed(verdict.kind === 'refused' ? { ...verdict, column } : verdict, line, mask);
  }
}

/** The verdicts on a value, and how it is shown where it is refused. */
interface Value {
  verdicts: LineVerdict[];
  mask: (code: RefusalCode) => string;
}

/** Reads a record, or a proxy as a text. */
function readValue(text: string, options: ParseOptions): Value {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return malformed('this is not JSON');
  }
  if (typeof value === 'string')
    return { verdicts: [parseProxyLine(value, options)], mask: (code) => maskLine(value, code) };
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return malformed('this is neither a record nor a text');
  const entries = Object.entries(value);
  return { verdicts: readRecord(entries, options), mask: (code) => maskRecord(entries, code) };
}

function malformed(reason: string): Value {
  return { verdicts: [{ kind: 'refused', code: 'bad-record', reason, column: 1 }], mask: () => MASK };
}

function truncated(place: { line: number; column: number }): ListVerdict {
  const reason = 'the JSON ends before its list does: the file is cut off';
  return { kind: 'refused', code: 'truncated', reason, ...place, text: '' };
}
