import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compileRules } from '../../../src/rotation/rules/compile.ts';
import { NOON, someRule } from './some-rule.ts';

const piece = fc.constantFrom(
  'a',
  'B',
  '[ab]',
  '[^a]',
  'a*',
  'b+',
  '(a|b)',
  '.',
  '\\d',
  '\\b',
  'a{2}',
  '(ab)?',
);
const pattern = fc
  .tuple(fc.constantFrom('', '^'), fc.array(piece, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '$'))
  .map(([start, pieces, end]) => `${start}${pieces.join('')}${end}`);
const text = fc.stringMatching(/^[abAB1 ]{1,12}$/);

it('patterns that are matched together match as each would alone, in any number', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(pattern, fc.boolean()), { minLength: 1, maxLength: 80 }),
      fc.array(fc.array(text, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 20 }),
      (patterns, requests) => {
        const rules = compileRules(
          patterns.map(([value, caseSensitive], index) =>
            someRule({
              id: String(index).padStart(3, '0'),
              conditions: [{ field: 'tag', operator: 'matches', value, caseSensitive }],
            }),
          ),
        );
        for (const tags of requests) {
          const expected = patterns.flatMap(([value, caseSensitive], index) => {
            const expression = new RegExp(value, caseSensitive ? '' : 'i');
            return tags.some((tag) => expression.test(tag)) ? [index] : [];
          });
          const { matched } = rules.match({ now: NOON, tags });
          expect(matched.map(({ id }) => Number(id))).toEqual(expected);
        }
      },
    ),
    { numRuns: 200 },
  );
});

it('a hundred patterns that others take years for take milliseconds', () => {
  const url = `https://x.example/${'a'.repeat(10_000)}!`;
  const rules = compileRules(
    Array.from({ length: 100 }, (_, n) =>
      someRule({
        id: String(n),
        conditions: [{ field: 'url', operator: 'matches', value: n === 99 ? '(a|a)*!$' : `(a+)+${n}$` }],
      }),
    ),
  );
  expect(rules.match({ now: NOON, url }).matched.map(({ id }) => id)).toEqual(['99']);
});

it('each of a hundred patterns matches its own text and no other', () => {
  const rules = compileRules(
    Array.from({ length: 100 }, (_, n) =>
      someRule({ id: String(n), conditions: [{ field: 'session', operator: 'matches', value: `^s${n}$` }] }),
    ),
  );
  for (let n = 0; n < 100; n++)
    expect(rules.match({ now: NOON, session: `s${n}` }).matched.map(({ id }) => id)).toEqual([String(n)]);
});
