import type { ParseOptions } from '../../options.ts';
import type { ListVerdict } from '../../verdicts.ts';
import { type Line, LineSplitter } from '../line-splitter.ts';
import { type ListReader, notAList, tooLong } from '../list-reader.ts';
import { type Element, ElementSplitter, MAX_RECORD } from './elements.ts';
import { JsonValues } from './values.ts';

/** Reads JSON lines: a record, or a proxy as a text, in each. */
export function jsonLinesReader(options: ParseOptions): ListReader {
  const lines = new LineSplitter(MAX_RECORD);
  const values = new JsonValues(options);
  let line = 0;
  function* read(given: readonly Line[]): Iterable<ListVerdict> {
    for (const each of given) {
      line++;
      const text = each?.trim();
      if (each === null || text === undefined) yield tooLong(line, MAX_RECORD);
      else if (text === '') yield { kind: 'blank', line };
      else {
        const column = each.length - each.trimStart().length + 1;
        yield* values.read({ text, line, column, path: [], kind: 'element' });
      }
    }
  }
  return { push: (text) => read(lines.push(text)), finish: () => read(lines.finish()) };
}

/** Reads a JSON document: every list and record in it is looked at. */
export function jsonReader(options: ParseOptions): ListReader {
  const elements = new ElementSplitter();
  const values = new JsonValues(options);
  let isEmpty = true;
  function* read(given: Iterable<Element>): Iterable<ListVerdict> {
    for (const element of given)
      for (const verdict of values.read(element)) {
        isEmpty &&= verdict.kind === 'comment';
        yield verdict;
      }
  }
  return {
    push: (text) => read(elements.push(text)),
    *finish() {
      yield* read(elements.finish());
      const { problem } = elements;
      const hasList = (elements.hasList || values.hasList) && !values.hasErrors;
      if (problem) yield { kind: 'refused', code: 'truncated', ...problem, text: '' };
      else if (isEmpty && !hasList) yield notAList(kindOf(values.topNames));
    },
  };
}

/** What JSON without a list is, by the names of its members. */
function kindOf(names: ReadonlySet<string>): string {
  const isError = [...names].some((name) =>
    /^(?:errors?|detail|message|msg|code|status|success)$/i.test(name),
  );
  return isError ? 'an error message in JSON, as a provider sends it' : 'JSON that holds no list of proxies';
}
