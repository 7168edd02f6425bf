import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { actionText, parseAction } from '../../../src/cli/commands/rules/action-text.ts';
import { conditionText, parseCondition } from '../../../src/cli/commands/rules/condition-text.ts';
import { actionSchema, type RuleAction } from '../../../src/model/rules/actions.ts';
import {
  conditionSchema,
  NUMBER_FIELDS,
  NUMBER_OPERATORS,
  RULE_FIELDS,
  type RuleCondition,
  TEXT_OPERATORS,
} from '../../../src/model/rules/conditions.ts';
import { thrownBy } from '../../support/temporary.ts';

const awkward = fc.constantFrom(
  '"',
  "'",
  ',',
  ' ',
  '=',
  'case-sensitive ',
  '\\',
  'AND',
  '.example',
  'a',
  'DE',
  '、',
  '\u2003',
);
const value = fc.oneof(
  fc.array(awkward, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }),
  fc.constantFrom('DE', 'fr', 'shop.example', '^/item/\\d+$', 'https://u:p@shop.example/'),
);
const number = fc
  .oneof(fc.integer(), fc.nat({ max: 24 }), fc.double({ noNaN: true, noDefaultInfinity: true }))
  .map((each) => each + 0);

const anyCondition = fc.oneof(
  fc.record(
    {
      field: fc.constantFrom(...RULE_FIELDS),
      operator: fc.constantFrom(...TEXT_OPERATORS),
      value: fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 4 })),
      caseSensitive: fc.constant(true),
    },
    { requiredKeys: ['field', 'operator', 'value'] },
  ),
  fc.record({
    field: fc.constantFrom(...NUMBER_FIELDS),
    operator: fc.constantFrom(...NUMBER_OPERATORS),
    value: fc.oneof(number, fc.array(number, { minLength: 1, maxLength: 4 }), fc.tuple(number, number)),
  }),
);

/** The record as it is stored, for those that can be stored. */
function stored<T>(schema: { safeParse: (value: unknown) => { data?: T } }, some: unknown): T | null {
  return schema.safeParse(some).data ?? null;
}

describe('a condition', () => {
  it('is read as it is written, whatever its values hold', () => {
    let read = 0;
    fc.assert(
      fc.property(anyCondition, (some) => {
        const condition = stored<RuleCondition>(conditionSchema, some);
        if (condition === null) return;
        read++;
        expect(parseCondition(conditionText(condition))).toEqual(condition);
      }),
      { numRuns: 5000 },
    );
    expect(read).toBeGreaterThan(500);
  });

  it.each<[text: string, condition: object]>([
    ['domain ends-with .shop.example', { value: '.shop.example' }],
    ['  Domain   EQUALS  https://u:p@shop.example/x ', { value: 'shop.example' }],
    ['hour between 9,17', { value: [9, 17] }],
    ['hour between 22 , 6', { value: [22, 6] }],
    ['weekday in sat,Sunday', { value: [6, 0] }],
    ['weekday equals Thurs', { value: 4 }],
    ['weekday equals 3', { value: 3 }],
    ['failurecount greater-than 2', { field: 'failureCount', value: 2 }],
    ['successRate less-than 99.5', { value: 99.5 }],
    ['path matches ^/item/\\d+$', { value: '^/item/\\d+$' }],
    ['path contains case-sensitive /Cart', { value: '/Cart', caseSensitive: true }],
    ['session equals case-sensitive', { value: 'case-sensitive' }],
    ['session equals "case-sensitive x"', { value: 'case-sensitive x' }],
    ["tag in \"a, b\",'it''s', c", { value: ['a, b', "it's", 'c'] }],
    ['url contains a b  c', { value: 'a b  c' }],
    ['country not-in de,FR', { value: ['DE', 'FR'] }],
  ])('%s', (text, condition) => {
    const read = parseCondition(text);
    expect(read).toMatchObject(condition);
    expect(read.caseSensitive).toBe((condition as RuleCondition).caseSensitive);
  });

  it('is in its case if all are, where there is a case', () => {
    const read = (text: string): unknown => parseCondition(text, { caseSensitive: true }).caseSensitive;
    expect(['url contains X', 'domain contains X', 'hour equals 1'].map(read)).toEqual([
      true,
      undefined,
      undefined,
    ]);
  });

  it.each<[text: string, message: string]>([
    ['', 'A condition is FIELD OPERATOR VALUE, such as'],
    ['domian equals x', 'There is no field "domian"; there are domain, url, path, country'],
    ['https://u:s3cret@x.example equals x', 'Its field is one of domain, url'],
    ['domain', 'The condition on domain must be FIELD OPERATOR VALUE'],
    ['domain is x', 'There is no operator "is"; there are equals, not-equals, contains'],
    ['hour contains 3', 'There is no operator "contains"; there are equals, not-equals, greater-than'],
    ['domain equals', '"domain equals" has no value'],
    ['domain equals s3cret.example x', 'The condition "domain equals" is not valid: value: '],
    ['country equals Germany', 'must be two letters of ISO 3166-1, such as DE'],
    ['hour equals noon', '"hour equals" must be followed by a number'],
    ['weekday equals fr', 'sun, mon, tue, wed, thu, fri, sat, or a number from 0 (sun) to 6 (sat)'],
    ['weekday equals someday', 'sun, mon, tue, wed, thu, fri, sat, or'],
    ['hour between 9', 'takes two numbers with a comma between them'],
    ['tag in a,,b', 'A value of "tag in" is missing'],
    ['tag in "a" b', 'A quoted value of "tag in" is followed by text'],
    ['tag equals "a', 'A quote in the value of "tag equals" is not closed'],
    ['tag equals "a"b', 'After the closing quote of "tag equals" there is more text'],
    ['domain contains case-sensitive x', '"domain contains" has no case'],
    ['path matches (a', 'is not a regular expression in RE2 syntax: missing closing ): `(a`'],
    [
      'path matches (?=a)',
      'is not a regular expression in RE2 syntax: invalid or unsupported Perl syntax: `(?=`',
    ],
    [
      'url matches //u:s3cret@[z-a]',
      'is not a regular expression in RE2 syntax: invalid character class range',
    ],
    [
      'path matches (\\pL{100}){10}(\\pL{100}){10}(\\pL{1000}){1}\\pL{1000}\\pL{1000}\\pL{999}',
      'repeats too much',
    ],
  ])('%j is rejected: %s', (text, message) => {
    const error = thrownBy(() => parseCondition(text));
    expect(error).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining(message) });
    expect(String(error)).not.toContain('s3cret');
  });
});

describe('an action', () => {
  const anyAction = fc
    .record({
      type: fc.constantFrom(
        ...(['use-tag', 'use-country', 'use-region', 'use-protocol', 'use-strategy', 'use-proxy'] as const),
        ...(['exclude-proxy', 'exclude-country', 'exclude-tag', 'rotate', 'keep', 'block'] as const),
      ),
      value: fc.oneof(value, fc.constantFrom('http', 'random')),
    })
    .map(({ type, value: given }) => {
      const member = type.endsWith('-proxy') ? 'proxyId' : type.replace(/^(use|exclude)-/, '');
      return type.includes('-') ? { type, [member]: given } : { type };
    });

  it('is read as it is written', () => {
    let read = 0;
    fc.assert(
      fc.property(anyAction, (some) => {
        const action = stored<RuleAction>(actionSchema, some);
        if (action === null) return;
        read++;
        expect(parseAction(actionText(action))).toEqual(action);
      }),
      { numRuns: 2000 },
    );
    expect(read).toBeGreaterThan(500);
  });

  it.each<[text: string, action: RuleAction]>([
    ['block', { type: 'block' }],
    [' Use-Country = de ', { type: 'use-country', country: 'DE' }],
    ['use-proxy=gate.example.com:1080', { type: 'use-proxy', proxyId: 'gate.example.com:1080' }],
    ['exclude-tag="a ""b"""', { type: 'exclude-tag', tag: 'a "b"' }],
    ['use-region=a=b', { type: 'use-region', region: 'a=b' }],
  ])('%s', (text, action) => {
    expect(parseAction(text)).toEqual(action);
  });

  it.each<[text: string, message: string]>([
    ['', 'An action is such as use-country=DE or block. There are use-proxy, use-tag'],
    ['use-counrty=DE', 'There is no action "use-counrty"; there are use-proxy'],
    ['http://u:s3cret@x.example', 'There are use-proxy'],
    ['use-country', 'The action use-country needs a value: write use-country=DE.'],
    ['use-proxy= ', 'write use-proxy=gate.example.com:1080.'],
    ['use-country=Germany', 'The action use-country is not valid: country: must be two letters'],
    ['use-strategy=s3cret', 'strategy: must be one of round-robin, random'],
    ['block=yes', 'The action block takes no value: write block alone.'],
  ])('%j is rejected: %s', (text, message) => {
    const error = thrownBy(() => parseAction(text));
    expect(error).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining(message) });
    expect(String(error)).not.toContain('s3cret');
  });
});
