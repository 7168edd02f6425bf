import type { ParseOptions } from '../../options.ts';
import type { ListVerdict } from '../../verdicts.ts';
import { type Line, LineSplitter } from '../line-splitter.ts';
import { type ListReader, tooLong } from '../list-reader.ts';
import { type Element, ElementSplitter } from './elements.ts';
import { JsonValues } from './values.ts';

/** The longest record; a longer one is rejected and not kept in memory. */
const MAX_RECORD = 65_536;

/** A reader of JSON lines: a record, or a proxy as a text, in each. */
export class JsonLinesReader implements ListReader {
  readonly #lines = new LineSplitter(MAX_RECORD);
  readonly #values: JsonValues;

  constructor(options: ParseOptions) {
    this.#values = new JsonValues(options, MAX_RECORD);
  }

  *push(text: string): Generator<ListVerdict, void, undefined> {
    for (const line of this.#lines.push(text)) yield* this.#verdicts(line);
  }

  *finish(): Generator<ListVerdict, void, undefined> {
    for (const line of this.#lines.finish()) yield* this.#verdicts(line);
  }

  *#verdicts(text: Line): Generator<ListVerdict, void, undefined> {
    const line = this.#lines.count;
    if (text === null) yield tooLong(line, MAX_RECORD);
    else if (text.trim() === '') yield { kind: 'blank', line };
    else
      yield* this.#values.read({
        text: text.trim(),
        line,
        column: text.length - text.trimStart().length + 1,
        path: [],
        kind: 'element',
      });
  }
}

/** A reader of a JSON document: every list and record in it is looked at. */
export class JsonReader implements ListReader {
  readonly #elements = new ElementSplitter(MAX_RECORD);
  readonly #values: JsonValues;
  #isEmpty = true;

  constructor(options: ParseOptions) {
    this.#values = new JsonValues(options, MAX_RECORD);
  }

  *push(text: string): Generator<ListVerdict, void, undefined> {
    for (const element of this.#elements.push(text)) yield* this.#verdicts(element);
  }

  *finish(): Generator<ListVerdict, void, undefined> {
    for (const element of this.#elements.finish()) yield* this.#verdicts(element);
    const { problem } = this.#elements;
    if (problem) yield { kind: 'refused', code: 'truncated', ...problem, text: '' };
    else if (this.#isEmpty && !this.#hasList) yield notAList(this.#values.topNames);
  }

  get #hasList(): boolean {
    return (this.#elements.hasList || this.#values.hasList) && !this.#values.hasErrors;
  }

  *#verdicts(element: Element): Generator<ListVerdict, void, undefined> {
    for (const verdict of this.#values.read(element)) {
      this.#isEmpty &&= verdict.kind === 'comment';
      yield verdict;
    }
  }
}

function notAList(names: ReadonlySet<string>): ListVerdict {
  const isError = [...names].some((name) =>
    /^(?:errors?|detail|message|msg|code|status|success)$/i.test(name),
  );
  const what = isError
    ? 'an error message in JSON, as a provider sends it'
    : 'JSON that holds no list of proxies';
  const reason = `this is no list of proxies: it looks like ${what}`;
  return { kind: 'refused', code: 'not-a-list', reason, column: 1, line: 1, text: '' };
}
