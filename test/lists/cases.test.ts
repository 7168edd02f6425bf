import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ListVerdict } from '../../src/lists/index.ts';
import { collect } from '../support/verdicts.ts';

/** What a verdict must be: see the comment of each form. */
type Expected =
  /** A rejection, a comment or blank line, a header (which is a comment), or any verdict. */
  | 'refused'
  | 'comment'
  | 'blank'
  | 'header'
  | 'any'
  /** Several proxies from one line. */
  | ProxyFields[]
  | { oneOf: Expected[] }
  /** One verdict of all. */
  | { anywhere: Expected }
  | ProxyFields;
/** Fields of a proxy; `null` is absent, and `note` is a part of one of its notes. */
type ProxyFields = Record<string, string | number | null>;

interface Case {
  name: string;
  why: string;
  input: string;
  expect: Expected[];
}

const cases: Case[] = JSON.parse(
  readFileSync(new URL('../fixtures/lists.json', import.meta.url), 'utf8'),
) as Case[];

/** How many of the verdicts, from the first on, are what is expected; null if they are something else. */
function match(expected: Expected, verdicts: readonly ListVerdict[]): number | null {
  const [verdict] = verdicts;
  if (typeof expected === 'object' && 'anywhere' in expected) {
    const wanted = expected.anywhere as Expected;
    return verdicts.some((_, index) => match(wanted, verdicts.slice(index)) !== null)
      ? verdicts.length
      : null;
  }
  if (verdict === undefined) return null;
  if (typeof expected === 'string') {
    const kind = expected === 'header' ? 'comment' : expected;
    return kind === 'any' || verdict.kind === kind ? 1 : null;
  }
  if (Array.isArray(expected))
    return expected.every((fields, index) => isProxy(fields, verdicts[index])) ? expected.length : null;
  if ('oneOf' in expected) {
    const found = (expected.oneOf as unknown as Expected[]).map((each) => match(each, verdicts));
    return found.find((count) => count !== null) ?? null;
  }
  return isProxy(expected, verdict) ? 1 : null;
}

function isProxy({ note, ...fields }: ProxyFields, verdict: ListVerdict | undefined): boolean {
  if (verdict?.kind !== 'proxy') return false;
  const proxy = verdict.proxy as unknown as Record<string, unknown>;
  const hasFields = Object.entries(fields).every(([name, value]) => (proxy[name] ?? null) === value);
  return hasFields && (typeof note !== 'string' || verdict.notes.some((text) => text.includes(note)));
}

/** Whether the verdicts are the expected ones, each in its place and no more. */
function isRight(expected: readonly Expected[], verdicts: readonly ListVerdict[]): boolean {
  let rest = verdicts;
  for (const each of expected) {
    const count = match(each, rest);
    if (count === null) return false;
    rest = rest.slice(count);
  }
  return rest.length === 0;
}

describe('lists as people have them', () => {
  it.each(cases)('$name: $why', async ({ input, expect: expected }) => {
    const verdicts = await collect(input);
    expect({ isRight: isRight(expected, verdicts), verdicts }).toEqual({ isRight: true, verdicts });
  });
});
