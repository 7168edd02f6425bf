import { type ListSource, parseProxyLine } from '../lists/index.ts';
import { assertListSource, assertNoPath } from '../lists/source.ts';
import { invalidInput } from '../model/validation.ts';

/** A list with the name under which its refusals are reported. */
export interface NamedList {
  name: string;
  source: ListSource;
}

/** A list of an import; without a name if it is the only one. */
export interface List {
  name: string | undefined;
  source: ListSource;
}

/** The lists that an import is given. @throws INVALID_INPUT for anything else, before it reads. */
export function listsOf(source: unknown): readonly List[] {
  if (!Array.isArray(source) || !source.some(isNamed)) return [requireList({ name: undefined, source })];
  return source.map((list: unknown, index) => {
    if (isNamed(list)) return requireList(list);
    throw invalidInput(`The list at index ${index} has no name and source.`, { index });
  });
}

function requireList({ name, source }: { name: string | undefined; source: unknown }): List {
  assertNoPath(source);
  assertListSource(source);
  assertNoDownload(source);
  return { name, source };
}

/** @throws INVALID_INPUT for the URL of a list. It may hold a token, so it is not repeated. */
function assertNoDownload(source: ListSource): void {
  const isOne = source instanceof URL || (typeof source === 'string' && source.length <= 2048);
  const text = isOne ? String(source).trim() : '';
  if (!/^https?:\/\/\S+$/i.test(text) || !URL.canParse(text)) return;
  const { pathname, search } = new URL(text);
  const verdict = parseProxyLine(text);
  if ((pathname === '/' && search === '') || verdict.kind !== 'refused') return;
  if (verdict.code !== 'missing-port' && verdict.code !== 'trailing-text') return;
  throw invalidInput(
    'The list is a URL, and an import downloads nothing: fetch it, check that this worked, and give its text.',
  );
}

function isNamed(list: unknown): list is { name: string; source: unknown } {
  return (
    typeof list === 'object' &&
    list !== null &&
    'name' in list &&
    'source' in list &&
    typeof list.name === 'string'
  );
}
