import { expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

const URL_OF_SHOP = 'https://canary-user:canary-pass@Shop.Example:8443/cart?x=1';

function withPool(): ReturnType<typeof commandLine> & { ids: string[] } {
  const cli = commandLine();
  cli.run(['import', '-'], { input: 'h.example:1\nh.example:2\nh.example:3\n' });
  return { ...cli, ids: cli.json<{ items: { id: string }[] }>('list').items.map(({ id }) => id) };
}

it('a URL stands for its host wherever a domain is asked for, and its login is dropped', () => {
  const { run, json, ids } = withPool();
  const id = String(ids[2]);
  const set = run(['sticky', 'set', URL_OF_SHOP, id]);
  expect(set).toMatchObject({ status: 0, stdout: `shop.example sticks to ${id}.\n` });
  expect(run(['sticky', 'set', 'https://*.wild.example/', id]).status).toBe(0);
  expect(json('sticky', 'list')).toMatchObject([
    { domain: '*.wild.example', isWildcard: true },
    { domain: 'shop.example', proxyId: id },
  ]);
  const hosts = [
    'shop.example',
    URL_OF_SHOP,
    'shop.example:443',
    'u:p@shop.example',
    'http://a.wild.example:1/',
  ];
  for (const domain of hosts) expect([domain, json('next', '--domain', domain).id]).toEqual([domain, id]);
  expect(run(['exec', '--domain', URL_OF_SHOP, '--', 'env']).stdout).toContain(
    'http_proxy=http://h.example:3\n',
  );
  const json1 = run(['sticky', 'set', URL_OF_SHOP, id, '--json']);
  const removed = run(['sticky', 'remove', URL_OF_SHOP]);
  expect(removed).toMatchObject({ status: 0, stdout: 'Removed shop.example.\n' });
  const again = run(['sticky', 'remove', URL_OF_SHOP]);
  expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('"shop.example"') });
  for (const { stdout, stderr } of [set, json1, removed, again])
    expect(`${stdout}${stderr}`).not.toContain('canary');
});

it('a rule compares hosts, whatever way the domain of the rule or of the request is written', () => {
  const { run, json } = withPool();
  const rule = (operator: string, value: unknown): void => {
    const conditions = [{ field: 'domain', operator, value }];
    expect(
      json('rules', 'add', JSON.stringify({ name: 'n', conditions, actions: [{ type: 'block' }] })),
    ).toBeTruthy();
  };
  rule('equals', URL_OF_SHOP);
  rule('in', ['bank.example:443', 'https://[2001:db8::1]/']);
  rule('ends-with', '.evil.example');
  expect(JSON.stringify(json('rules', 'list'))).not.toContain('canary');
  for (const domain of [
    'shop.example',
    'https://shop.example/other',
    'SHOP.example.:80',
    'bank.example',
    '[2001:db8::1]:443',
    '2001:db8::1',
    'http://a.evil.example/?x',
  ])
    expect([domain, run(['next', '--domain', domain]).stderr.includes('blocks this request')]).toEqual([
      domain,
      true,
    ]);
  expect(run(['next', '--domain', 'https://other.example/shop.example']).status).toBe(0);
});

it.each([
  ['sticky', 'set', 'canary word', 'x'],
  ['sticky', 'remove', 'canary:pa/ss@shop.example'],
  ['next', '--domain', 'https://canary:x@/'],
  ['next', '--domain', '*.shop.example'],
])('%j: what is no domain is rejected, and not printed', (...args) => {
  const { run } = withPool();
  const { status, stdout, stderr } = run(args);
  expect(status).toBe(1);
  expect(stderr).toMatch(/INVALID_INPUT/);
  expect(stderr).toContain('Write a domain such as shop.example, or a URL.');
  expect(`${stdout}${stderr}`).not.toContain('canary');
});

it('the login of a URL in a rule is neither stored nor shown', () => {
  const { run, json } = withPool();
  const values = ['http://canary-user@bank.example/', '//canary@c.example/a@b'];
  const conditions = [
    { field: 'url', operator: 'starts-with', value: 'https://canary-user:canary-pass@shop.example/cart' },
    { field: 'url', operator: 'in', value: values },
  ];
  const rule = { name: 'n', conditionLogic: 'OR', conditions, actions: [{ type: 'block' }] };
  expect(run(['rules', 'add', JSON.stringify(rule)]).status).toBe(0);
  expect(run(['rules', 'list']).stdout).not.toContain('canary');
  const [stored] = json<{ rules: { conditions: { value: unknown }[] }[] }>('rules', 'list').rules;
  expect(stored?.conditions.map(({ value }) => value)).toEqual([
    'https://shop.example/cart',
    ['http://bank.example/', '//c.example/a@b'],
  ]);
});
