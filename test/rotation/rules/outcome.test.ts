import type { RotationRule } from 'proxyvault/database';
import { describe, expect, it } from 'vitest';
import { compileRules } from '../../../src/rotation/rules/compile.ts';
import type { RuleOutcome } from '../../../src/rotation/rules/outcome.ts';
import type { RuleTrace } from '../../../src/rotation/rules/trace.ts';
import { NOON, someRule } from './some-rule.ts';

type Actions = RotationRule['actions'];

const ALWAYS: RotationRule['conditions'] = [{ field: 'hour', operator: 'greater-than', value: -1 }];

/** The outcome of rules that all match, the highest first. */
function outcome(...actions: Actions[]): RuleOutcome {
  const rules = actions.map((each, index) =>
    someRule({ id: `r${index}`, priority: -index, conditions: ALWAYS, actions: each }),
  );
  return compileRules(rules.toReversed()).match({ now: NOON });
}

describe('the higher rule wins', () => {
  it.each([
    ['proxy', [{ type: 'use-proxy', proxyId: 'a' }], [{ type: 'use-proxy', proxyId: 'b' }], 'a'],
    ['tag', [{ type: 'use-tag', tag: 'a' }], [{ type: 'use-tag', tag: 'b' }], 'a'],
    ['country', [{ type: 'use-country', country: 'DE' }], [{ type: 'use-country', country: 'FR' }], 'DE'],
    ['region', [{ type: 'use-region', region: 'a' }], [{ type: 'use-region', region: 'b' }], 'a'],
    [
      'protocol',
      [{ type: 'use-protocol', protocol: 'http' }],
      [{ type: 'use-protocol', protocol: 'socks5' }],
      'http',
    ],
    [
      'strategy',
      [{ type: 'use-strategy', strategy: 'random' }],
      [{ type: 'use-strategy', strategy: 'fastest' }],
      'random',
    ],
  ] as [keyof RuleOutcome, Actions, Actions, string][])('for %s', (kind, high, low, value) => {
    expect(outcome(high, low)[kind]).toMatchObject({ value, rule: { id: 'r0' } });
    // Within a rule the first action wins.
    expect(outcome([...high, ...low])[kind]).toMatchObject({ value });
    expect(outcome([{ type: 'keep' }], high)[kind]).toMatchObject({ value, rule: { id: 'r1' } });
  });

  it('between rotate and keep', () => {
    expect(outcome([{ type: 'keep' }], [{ type: 'rotate' }])).toMatchObject({
      keep: { id: 'r0' },
      rotate: null,
    });
    expect(outcome([{ type: 'rotate' }], [{ type: 'keep' }])).toMatchObject({
      rotate: { id: 'r0' },
      keep: null,
    });
    expect(outcome([{ type: 'rotate' }, { type: 'keep' }])).toMatchObject({
      rotate: { id: 'r0' },
      keep: null,
    });
  });

  it('but any rule that is reached may block', () => {
    expect(
      outcome([{ type: 'use-proxy', proxyId: 'a' }], [{ type: 'block' }], [{ type: 'block' }]).block?.id,
    ).toBe('r1');
  });

  it('and exclusions add up', () => {
    const { excludeProxies, excludeCountries, excludeTags, matched } = outcome(
      [
        { type: 'exclude-proxy', proxyId: 'a' },
        { type: 'exclude-country', country: 'DE' },
      ],
      [
        { type: 'exclude-proxy', proxyId: 'b' },
        { type: 'exclude-tag', tag: 't' },
      ],
    );
    const plain = (list: RuleOutcome['excludeTags']): unknown =>
      list.map(({ value, rule }) => [value, rule.id]);
    expect(plain(excludeProxies)).toEqual([
      ['a', 'r0'],
      ['b', 'r1'],
    ]);
    expect(plain(excludeCountries)).toEqual([['DE', 'r0']]);
    expect(plain(excludeTags)).toEqual([['t', 'r1']]);
    expect(matched.map(({ id }) => id)).toEqual(['r0', 'r1']);
  });
});

describe('a trace', () => {
  it('has every rule in its order, with each condition and its fact, and why one was not asked', () => {
    const on = (id: string, parts: Partial<RotationRule>): RotationRule => someRule({ id, ...parts });
    const domain = { field: 'domain', operator: 'ends-with', value: '.example' } as const;
    const tag = { field: 'tag', operator: 'equals', value: 'b' } as const;
    const latency = { field: 'latency', operator: 'less-than', value: 5 } as const;
    const trace: RuleTrace[] = [];
    const result = compileRules([
      on('off', { priority: 4, conditions: [domain], enabled: false }),
      on('no', { priority: 3, conditions: [domain, latency] }),
      on('yes', { priority: 2, conditions: [tag, latency], conditionLogic: 'OR', stopOnMatch: true }),
      on('late', { priority: 1, conditions: [domain] }),
    ]).match({ now: NOON, domain: 'SHOP.example.', tags: ['a', 'b'] }, trace);
    expect(result.matched.map(({ id }) => id)).toEqual(['yes']);
    const held = { condition: domain, holds: true, fact: 'shop.example' };
    const unknown = { condition: latency, holds: false, fact: null };
    expect(trace).toEqual([
      { rule: expect.objectContaining({ id: 'off' }), holds: true, conditions: [held], reason: 'disabled' },
      { rule: expect.objectContaining({ id: 'no' }), holds: false, conditions: [held, unknown] },
      {
        rule: expect.objectContaining({ id: 'yes' }),
        holds: true,
        conditions: [{ condition: tag, holds: true, fact: ['a', 'b'] }, unknown],
      },
      { rule: expect.objectContaining({ id: 'late' }), holds: true, conditions: [held], reason: 'stopped' },
    ]);
  });

  it('has no login in it, whatever form the request has', () => {
    const conditions: RotationRule['conditions'] = (['domain', 'url', 'path'] as const).map((field) => ({
      field,
      operator: 'not-equals',
      value: 'x',
    }));
    const compiled = compileRules([someRule({ conditions })]);
    for (const text of ['https://user:s3cret@x.example/a', '//user:s3cret@x.example/', 'user:s3cret@x y']) {
      const trace: RuleTrace[] = [];
      compiled.match({ now: NOON, url: text, domain: text }, trace);
      const facts = trace[0]?.conditions.map(({ fact }) => fact);
      if (text !== 'user:s3cret@x y') expect(JSON.stringify(facts)).not.toContain('s3cret');
      expect(JSON.stringify(facts?.[0])).not.toContain('s3cret');
    }
  });
});
