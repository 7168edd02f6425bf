import { ProxyVaultError } from '../errors.ts';
import type { ListSource } from '../lists/index.ts';
import { assertListSource, assertNoPath } from '../lists/source.ts';

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

/** The lists that an import is given. @throws INVALID_INPUT for what is none, before anything is read. */
export function listsOf(source: unknown): readonly List[] {
  if (!Array.isArray(source) || !source.some(isNamed)) return [requireList({ name: undefined, source })];
  return source.map((list: unknown, index) => {
    if (isNamed(list)) return requireList(list);
    throw new ProxyVaultError('INVALID_INPUT', `The list at index ${index} has no name and source.`, {
      details: { index },
    });
  });
}

function requireList({ name, source }: { name: string | undefined; source: unknown }): List {
  assertNoPath(source);
  assertListSource(source);
  return { name, source };
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
