import type { ParseOptions } from '../../options.ts';
import type { ListVerdict } from '../../verdicts.ts';
import { type Line, LineSplitter } from '../line-splitter.ts';
import { type ListReader, notAList, tooLong } from '../list-reader.ts';
import { type Element, ElementSplitter } from './elements.ts';
import { JsonValues } from './values.ts';

/** The longest record; a longer one is rejected and not kept in memory. */
const MAX_RECORD = 65_536;

/** A reader of JSON lines: a record, or a proxy as a text, in each. */
export function jsonLinesReader(options: ParseOptions): ListReader {
  const lines = new LineSplitter(MAX_RECORD);
  const values = new JsonValues(options, MAX_RECORD);
  const read = (given: Line): Iterable<ListVerdict> => {
    const line = lines.count;
    if (given === null) return [tooLong(line, MAX_RECORD)];
    const text = given.trim();
    if (text === '') return [{ kind: 'blank', line }];
    const column = given.length - given.trimStart().length + 1;
    return values.read({ text, line, column, path: [], kind: 'element' });
  };
  return {
    *push(text) {
      for (const line of lines.push(text)) yield* read(line);
    },
    *finish() {
      for (const line of lines.finish()) yield* read(line);
    },
  };
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
    const hasList = (this.#elements.hasList || this.#values.hasList) && !this.#values.hasErrors;
    if (problem === null && this.#isEmpty && !hasList) yield notAList(kindOf(this.#values.topNames));
  }

  *#verdicts(element: Element): Generator<ListVerdict, void, undefined> {
    for (const verdict of this.#values.read(element)) {
      this.#isEmpty &&= verdict.kind === 'comment';
      yield verdict;
    }
  }
}

/** What JSON without a list is, by the names of its members. */
function kindOf(names: ReadonlySet<string>): string {
  const isError = [...names].some((name) =>
    /^(?:errors?|detail|message|msg|code|status|success)$/i.test(name),
  );
  return isError ? 'an error message in JSON, as a provider sends it' : 'JSON that holds no list of proxies';
}
