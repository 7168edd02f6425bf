import { describe, expect, it } from 'vitest';
import { commandLine } from '../../support/command-line.ts';

interface Rule {
  id: string;
  name: string;
  conditions: unknown[];
  actions: unknown[];
}

/** A pool with one proxy, and its id. */
function withProxy(): ReturnType<typeof commandLine> & { id: string } {
  const cli = commandLine();
  cli.run(['add', 'http://gate.example:8080']);
  return { ...cli, id: cli.json<{ id: string }>('show', 'gate.example:8080').id };
}

describe('rules add', () => {
  it('takes conditions and actions as options, and names the rule by its conditions', () => {
    const { json } = withProxy();
    const args = ['--when', 'domain ends-with .shop.example', '--then', 'use-country=de'];
    expect(json('rules', 'add', ...args)).toMatchObject({
      name: 'domain ends-with .shop.example',
      priority: 0,
      conditions: [{ field: 'domain', operator: 'ends-with', value: '.shop.example' }],
      conditionLogic: 'AND',
      actions: [{ type: 'use-country', country: 'DE' }],
      stopOnMatch: true,
      enabled: true,
    });
  });

  it('takes every option, and any form of a proxy', () => {
    const { json, run, id } = withProxy();
    const conditions = [
      '--when',
      'path contains /Cart',
      '--when',
      'weekday in sat,sun',
      '--any',
      '--case-sensitive',
    ];
    const actions = [
      '--then',
      'use-proxy=gate.example:8080',
      '--then',
      `exclude-proxy=${id.slice(0, 30)}`,
      '--then',
      'keep',
    ];
    const others = ['--name', 'carts', '--priority', '-5', '--continue', '--disabled'];
    const rule = json<Rule>('rules', 'add', ...conditions, ...actions, ...others);
    expect(rule).toMatchObject({
      name: 'carts',
      priority: -5,
      conditions: [
        { field: 'path', operator: 'contains', value: '/Cart', caseSensitive: true },
        { field: 'weekday', operator: 'in', value: [6, 0] },
      ],
      conditionLogic: 'OR',
      actions: [{ type: 'use-proxy', proxyId: id }, { type: 'exclude-proxy', proxyId: id }, { type: 'keep' }],
      stopOnMatch: false,
      enabled: false,
    });
    const listed = run(['rules', 'list']).stdout.replaceAll(/\s+/g, ' ');
    expect(listed).toContain('path contains case-sensitive /Cart OR weekday in sat,sun');
    expect(listed).toContain(`use-proxy=${id}, exclude-proxy=${id}, keep`);
    expect(json('rules', 'list')).toMatchObject({ rules: [rule] });
  });

  it('decides what is handed out', () => {
    const { run } = withProxy();
    run([
      'rules',
      'add',
      '--when',
      'domain matches ^(www\\.)?bank\\.',
      '--then',
      'block',
      '--name',
      'no bank',
    ]);
    expect(run(['next', '--domain', 'www.bank.example'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('The rule "no bank" blocks this request'),
    });
    expect(run(['next', '--domain', 'bakery.example'])).toMatchObject({ status: 0 });
  });

  it.each<[args: string[], status: number, message: string]>([
    [[], 2, "say what the rule is, such as --when 'domain ends-with .shop.example' --then use-country=DE"],
    [['--then', 'block'], 2, 'say when the rule holds'],
    [['--when', 'hour equals 3'], 2, 'say what the rule does'],
    [['{}', '--name', 'x'], 2, 'by options or as JSON'],
    [['--priority', 'high'], 2, 'It must be a whole number'],
    [
      ['--when', 'domain equals a.example', '--then', 'block', '--case-sensitive'],
      2,
      'leave out --case-sensitive',
    ],
    [['--when', 'domain is a.example', '--then', 'block'], 2, 'There is no operator "is"'],
    [['--when', 'hour equals 3', '--then', 'use-proxy=nobody'], 1, 'NOT_FOUND'],
    [['--when', 'hour equals 3', '--then', 'blok'], 2, 'There is no action "blok"'],
    [['--when', 'url matches (', '--then', 'block'], 2, 'RE2 syntax: missing closing )'],
    ...(
      [
        ['', 'A condition is FIELD OPERATOR VALUE'],
        ['domain', 'Its operator is one of equals, '],
        ['domain equals', 'has no value'],
        ['domain equals a b', 'Write a domain such as shop.example'],
        ['domain equals *.x.example', 'a wildcard is not one domain'],
        ['hour between 9', 'takes two numbers with a comma between them'],
        ['hour between 9,x', 'must be followed by a number'],
        ['hour equals 1e400', 'must be followed by a number'],
        ['weekday in foo', 'must be followed by sun, mon, '],
        ['path matches a{1001}', 'RE2 syntax'],
        ['country equals Germany', 'must be two letters of ISO 3166-1, such as DE'],
        [`path equals ${'x'.repeat(1025)}`, 'must have at most 1024 characters'],
      ] as const
    ).map(
      ([when, message]) => [['--when', when, '--then', 'block'], 2, message] as [string[], number, string],
    ),
    ...(
      [
        ['', 'There are use-proxy, use-tag, '],
        ['use-country', 'write use-country=DE'],
        ['use-country=', 'write use-country=DE'],
        ['use-country=Germany', 'must be two letters of ISO 3166-1, such as DE'],
        ['use-protocol=ftp', 'must be one of http, https, socks4, socks5'],
        ['use-strategy=x', 'must be one of round-robin, random, '],
        ['block=1', 'write block alone'],
        ['use-proxy=me:secret@x.example:1', 'NOT_FOUND'],
      ] as const
    ).map(
      ([then, message]) =>
        [['--when', 'hour equals 3', '--then', then], message === 'NOT_FOUND' ? 1 : 2, message] as [
          string[],
          number,
          string,
        ],
    ),
    [['{'], 2, 'the rule is not JSON'],
    [['null'], 1, 'must be an object'],
    [['{"name":"x","conditions":[],"actions":[{"type":"block"}]}'], 1, 'conditions: must not be empty'],
  ])('%j is rejected, and nothing is stored', (args, status, message) => {
    const { run, json } = withProxy();
    const ran = run(['rules', 'add', ...args]);
    expect(ran).toMatchObject({ status, stdout: '' });
    expect(`${ran.stderr}${run(['rules', 'add', ...args, '--json']).stderr}`).toContain(message);
    expect(json('rules', 'list')).toMatchObject({ rules: [] });
  });
});

describe('rules edit', () => {
  it('replaces what is given, and leaves the rest', () => {
    const { json, run, id } = withProxy();
    const added = json<Rule>('rules', 'add', '--when', 'hour equals 3', '--then', 'block');
    const edit = (...args: string[]): Rule => json<Rule>('rules', 'edit', added.id, ...args);
    expect(edit('--priority', '7')).toEqual({ ...added, priority: 7 });
    expect(edit('--when', 'hour equals 4', '--when', 'tag equals a', '--any')).toMatchObject({
      // The name was only the conditions.
      name: 'hour equals 4 OR tag equals a',
      conditionLogic: 'OR',
      actions: added.actions,
      priority: 7,
    });
    expect(
      edit('--name', 'mine', '--continue', '--disabled', '--then', 'use-proxy=gate.example:8080'),
    ).toMatchObject({
      name: 'mine',
      stopOnMatch: false,
      enabled: false,
      actions: [{ type: 'use-proxy', proxyId: id }],
    });
    expect(edit('--all', '--stop', '--when', 'tag equals B', '--case-sensitive')).toMatchObject({
      name: 'mine',
      conditions: [{ field: 'tag', operator: 'equals', value: 'B', caseSensitive: true }],
      conditionLogic: 'AND',
      stopOnMatch: true,
      enabled: false,
    });
    expect(run(['rules', 'edit', added.id, '--name', 'yours'])).toMatchObject({
      status: 0,
      stdout: `Changed yours (${added.id}).\n`,
    });
  });

  it.each<[args: string[], status: number, message: string]>([
    [[], 2, 'say what to change'],
    [['--case-sensitive'], 2, '--case-sensitive is for conditions of --when'],
    [['--any', '--all'], 2, 'cannot be used with'],
    [['--continue', '--stop'], 2, 'cannot be used with'],
    [['--when', 'hour equals x'], 2, 'must be followed by a number'],
    [['--when', 'domain', '--name', 'x'], 2, 'Its operator is one of equals, '],
    [['--then', 'blok', '--priority', '5'], 2, 'There is no action'],
    [['--priority', '1e3'], 2, 'It must be a whole number'],
    [['--priority', '9999999999', '--name', 'x'], 1, 'priority: must be at most'],
    [['--name', ''], 1, 'name: must not be empty'],
    [['--name', 'x', '--then', 'use-proxy=nobody'], 1, 'NOT_FOUND'],
  ])('%j is rejected, and nothing is changed', (args, status, message) => {
    const { run, json } = withProxy();
    const { id } = json<Rule>('rules', 'add', '--when', 'hour equals 3', '--then', 'block');
    const before = json('rules', 'list');
    const ran = run(['rules', 'edit', id, ...args, '--json']);
    expect(ran).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(message) });
    expect(json('rules', 'list')).toEqual(before);
  });

  it('says so if there is no such rule', () => {
    const { run } = withProxy();
    expect(run(['rules', 'edit', 'nobody', '--priority', '1', '--json'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('NOT_FOUND'),
    });
  });
});
