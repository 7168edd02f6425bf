import { Pool } from 'proxyvault';
import type { RotationRule } from 'proxyvault/database';
import {
  ProxyRepository,
  type RotationRuleInput,
  RotationRulesRepository,
} from 'proxyvault/database/repositories';
import { expect, it } from 'vitest';
import { openMigrated, thrownBy } from '../../support/temporary.ts';

const BLOCK: RotationRuleInput['actions'] = [{ type: 'block' }];

it('every field, operator and action is stored and read back', () => {
  const rules = new RotationRulesRepository(openMigrated());
  const texts = [
    'equals',
    'not-equals',
    'contains',
    'not-contains',
    'starts-with',
    'ends-with',
    'matches',
  ] as const;
  const conditions: RotationRule['conditions'] = [
    ...(['url', 'path', 'protocol', 'region', 'tag', 'session'] as const).flatMap((field) => [
      ...texts.map((operator) => ({ field, operator, value: 'Ab', caseSensitive: true })),
      { field, operator: 'in' as const, value: ['Ab', 'c'], caseSensitive: false },
    ]),
    { field: 'domain', operator: 'matches', value: '^a' },
    { field: 'country', operator: 'not-in', value: ['DE', 'FR'] },
    { field: 'hour', operator: 'between', value: [22, 6] },
  ];
  const actions: RotationRule['actions'] = [
    { type: 'use-proxy', proxyId: 'p' },
    { type: 'use-tag', tag: 't' },
    { type: 'use-country', country: 'DE' },
    { type: 'use-region', region: 'r' },
    { type: 'use-protocol', protocol: 'socks5' },
    { type: 'use-strategy', strategy: 'fastest' },
    { type: 'exclude-proxy', proxyId: 'q' },
    { type: 'exclude-country', country: 'FR' },
    { type: 'exclude-tag', tag: 'slow' },
    { type: 'rotate' },
    { type: 'keep' },
    { type: 'block' },
  ];
  const { id } = rules.create({ name: 'all', conditions, actions });
  expect(rules.findById(id)).toMatchObject({ conditions, actions });
});

it('countries are stored in capital letters, and logins of URLs and patterns not at all', () => {
  const rules = new RotationRulesRepository(openMigrated());
  const rule = rules.create({
    name: 'n',
    conditions: [
      { field: 'country', operator: 'in', value: ['de', 'Fr'] },
      { field: 'url', operator: 'not-contains', value: 'https://u:s3cret@a.example/' },
      { field: 'url', operator: 'matches', value: 'https://u:s3cret@a.example/' },
      { field: 'tag', operator: 'matches', value: '//team@eu' },
    ],
    actions: [
      { type: 'use-country', country: 'de' },
      { type: 'exclude-country', country: 'fr' },
    ],
  });
  expect(rule.conditions.map(({ value }) => value)).toEqual([
    ['DE', 'FR'],
    'https://a.example/',
    'https://a.example/',
    // No URL.
    '//team@eu',
  ]);
  expect(rule.actions).toEqual([
    { type: 'use-country', country: 'DE' },
    { type: 'exclude-country', country: 'FR' },
  ]);
});

it('a stored pattern that is not valid is a malformed rule, which might be the one that blocks', () => {
  const db = openMigrated();
  const rules = new RotationRulesRepository(db);
  new ProxyRepository(db).create({ id: 'p', host: 'h.example', port: 1, protocol: 'http' });
  const condition = { field: 'path', operator: 'matches', value: '^/a' } as const;
  const { id } = rules.create({ name: 'n', conditions: [condition], actions: BLOCK });
  expect(thrownBy(() => new Pool(db).choose({ url: 'https://x.example/ab' }))).toMatchObject({
    code: 'NO_PROXY',
  });
  expect(new Pool(db).choose({ url: 'https://x.example/b' }).id).toBe('p');
  db.driver.exec(`UPDATE rotation_rules SET conditions_json = replace(conditions_json, '^/a', '(a')`);
  expect(thrownBy(() => rules.findById(id))).toMatchObject({
    code: 'INVALID_ROW',
    details: { table: 'rotation_rules', id, column: 'conditions_json' },
  });
  expect(thrownBy(() => new Pool(db).choose())).toMatchObject({ code: 'INVALID_ROW' });
});

it('rules of older versions are read as they were written', () => {
  const db = openMigrated();
  const conditions = [
    { field: 'domain', operator: 'equals', value: 'https://shop.example/cart' },
    { field: 'domain', operator: 'in', value: ['*.a.example', 'x y'] },
    { field: 'weekday', operator: 'between', value: [5, 1] },
    { field: 'protocol', operator: 'equals', value: 'anything' },
  ];
  db.driver.run(
    `INSERT INTO rotation_rules (id, name, conditions_json, actions_json) VALUES ('old', 'n', :conditions, :actions)`,
    { conditions: JSON.stringify(conditions), actions: '[{"type":"use-region","region":"DE"}]' },
  );
  const actions = [{ type: 'use-region', region: 'DE' }];
  expect(new RotationRulesRepository(db).findById('old')).toMatchObject({ conditions, actions });
});
