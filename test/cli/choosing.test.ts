import { readFileSync } from 'node:fs';
import { openVault } from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

const CSV = `protocol,host,port,username,password,name,region,country,status
http,a.example,1,,,first,EU,DE,
socks5,b.example,2,user-{session}-{country}-{ttl},canary-1,second,US,US,
http,c.example,3,,,third,EU,DE,
https,d.example,4,u,canary-2,fourth,,,disabled
http,e.example,5,,,fifth,EU,FR,
`;

interface Handed {
  id: string;
  host: string;
  url: string;
}

interface Explained {
  proxy: { id: string; host: string } | null;
  decidedBy: string | null;
  strategy: string;
  reason: string;
}

function withPool() {
  const cli = commandLine();
  expect(cli.run(['import', '-', '--tag', 'mine'], { input: CSV }).status).toBe(0);
  const host = (name: string, ...args: string[]): string => cli.json<Handed>(name, ...args).host;
  const next = (...args: string[]): string => host('next', ...args);
  const explain = (...args: string[]): Explained => cli.json('explain', ...args);
  return { ...cli, host, next, explain };
}

const PAGE = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');

/** The id of the only rule. */
function ruleId(list: string): string {
  return (JSON.parse(list) as { rules: { id: string }[] }).rules[0]?.id ?? '';
}

/** The host of each of `count` hand-outs. */
const several = (count: number, handOut: () => string): string[] => Array.from({ length: count }, handOut);

describe('next chooses', () => {
  it('by country in any case, which fills in a login in small letters', () => {
    const { next, json, run } = withPool();
    for (const country of ['US', 'us'])
      expect(json('next', '--country', country, '--ttl', '5', '--session', 's', '--reveal')).toMatchObject({
        host: 'b.example',
        url: expect.stringContaining('user-s-us-5:canary-1@'),
      });
    expect(new Set(several(4, () => next('--country', 'DE')))).toEqual(new Set(['a.example', 'c.example']));
    expect(run(['next', '--country', 'JP'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('"country JP"'),
    });
  });

  it('the country of a login alone with --exit-country, as it is typed', () => {
    const { json } = withPool();
    const url = (...args: string[]): string =>
      json<Handed>('next', '--protocol', 'socks5', '--ttl', '5', '--session', 's', '--reveal', ...args).url;
    expect(url('--exit-country', 'Fr')).toContain('user-s-Fr-5:');
    expect(url('--exit-country', 'fr', '--country', 'US')).toContain('user-s-fr-5:');
  });

  it('the same proxy for a session, whatever the strategy, and another one for an excluded proxy', () => {
    const { next, run, json } = withPool();
    for (const strategy of ['random', 'round-robin', 'least-used']) {
      const session = ['--session', `cart-${strategy}`, '--strategy', strategy];
      const { id, host: first } = json<Handed>('next', ...session);
      expect(several(3, () => next(...session))).toEqual([first, first, first]);
      const other = next(...session, '--exclude', id);
      expect(other).not.toBe(first);
      expect(next(...session)).toBe(other);
    }
    expect(run(['next', '--exclude', 'nobody'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('(NOT_FOUND)'),
    });
  });

  it('without each proxy that --exclude names by id, address or name', () => {
    const { next, json } = withPool();
    const { id } = json<Handed>('next', '--country', 'US');
    const left = several(3, () => next('--exclude', 'first', '--exclude', id, '--exclude', 'c.example:3'));
    expect(left).toEqual(Array(3).fill('e.example'));
  });

  it('by every tag that is given', () => {
    const { run, next } = withPool();
    run(['edit', 'third', '--add-tag', 'fast']);
    expect(several(3, () => next('--tag', 'mine', '--tag', 'fast'))).toEqual(Array(3).fill('c.example'));
    expect(run(['next', '--tag', 'fast', '--tag', 'slow'])).toMatchObject({ status: 1 });
  });

  it('by rules on the URL and its path', () => {
    const { run, next } = withPool();
    run(['rules', 'add', '--when', 'path starts-with /cart', '--then', 'use-country=FR']);
    expect(several(2, () => next('--url', 'https://shop.example/cart/1'))).toEqual(
      Array(2).fill('e.example'),
    );
    expect(next('--url', 'https://shop.example/')).not.toBe('e.example');
  });

  it('by the strategy that is given, and not by the configured one', () => {
    const { next, explain } = withPool();
    expect(next('--country', 'DE', '--exclude', 'third')).toBe('a.example');
    expect(explain()).toMatchObject({ strategy: 'round-robin', proxy: { host: 'a.example' } });
    expect(explain('--strategy', 'weighted')).toMatchObject({ strategy: 'weighted' });
    expect(next('--strategy', 'least-used')).toBe('b.example');
  });

  it('by every strategy', () => {
    const { run, next } = withPool();
    for (const strategy of [
      'round-robin',
      'random',
      'least-used',
      'fastest',
      'failure-aware',
      'weighted',
      'geographic',
      'sticky-session',
      'time-based',
      'custom',
    ]) {
      expect(next('--strategy', strategy)).toMatch(/^[abce]\.example$/);
      expect(run(['config', 'set', `strategy=${strategy}`])).toMatchObject({ status: 0 });
      expect(next()).toMatch(/^[abce]\.example$/);
    }
    expect(run(['next', '--strategy', 'best'])).toMatchObject({ status: 2 });
  });

  it('not by an empty value, such as that of an unset variable', () => {
    const { run } = withPool();
    for (const option of ['--url', '--domain', '--session', '--country', '--region', '--tag', '--exclude'])
      for (const command of ['next', 'rotate', 'explain'])
        expect([option, command, run([command, option, '']).status]).toEqual([option, command, 1]);
  });

  it('for exec as for next', () => {
    const { run, next } = withPool();
    const host = next('--session', 's', '--country', 'DE');
    const print = ['--', process.execPath, '-p', 'process.env.https_proxy'];
    expect(run(['exec', '--session', 's', '--country', 'DE', ...print]).stdout).toContain(host);
  });
});

describe('rotate', () => {
  it('gives a session or domain another proxy, which it keeps', () => {
    const { next, host, run, json } = withPool();
    run(['config', 'set', 'options.stickyByDefault=true']);
    for (const key of [
      ['--session', 's'],
      ['--domain', 'shop.example'],
    ]) {
      const first = next(...key);
      const second = host('rotate', ...key);
      expect(second).not.toBe(first);
      expect(several(2, () => next(...key))).toEqual([second, second]);
    }
    expect(json<{ events: { reason: string }[] }>('events', '--reason', 'manual').events).toHaveLength(2);
  });

  it('ends an interval, of the filter that is given', () => {
    const { next, host, run } = withPool();
    run(['config', 'set', 'strategy=time-based', 'intervalMs=1h']);
    const [all, german] = [next(), next('--country', 'DE')];
    expect([next(), next('--country', 'DE')]).toEqual([all, german]);
    const other = host('rotate', '--country', 'DE');
    expect(other).not.toBe(german);
    expect([next(), next('--country', 'DE')]).toEqual([all, other]);
    expect(host('rotate')).not.toBe(all);
  });

  it('prints what next prints, and keeps the only proxy that fits', () => {
    const { run, json } = withPool();
    const args = ['--protocol', 'socks5', '--session', 's', '--ttl', '5'];
    const { stdout, stderr } = run(['rotate', ...args]);
    expect(stdout).toBe('socks5h://***:***@b.example:2\n');
    expect(stderr).toMatch(/^Proxy: \S+ b\.example:2$/m);
    expect(stderr).toContain('The login is masked');
    expect(json('rotate', ...args, '--reveal')).toEqual(
      expect.objectContaining({ url: 'socks5h://user-s-us-5:canary-1@b.example:2', hasCredentials: true }),
    );
  });
});

describe('explain', () => {
  it('is what vault.pool.explain gives with --json, and hands out nothing', async () => {
    const { json, db, explain, run } = withPool();
    run(['rules', 'add', '--name', 'carts', '--when', 'path contains /cart', '--then', 'use-country=DE']);
    const args = [
      '--url',
      'https://www.shop.example/cart',
      '--session',
      's',
      '--exclude',
      'first',
      '--tag',
      'mine',
    ];
    const explained = explain(...args);
    const vault = await openVault({ path: db });
    const { id } = vault.proxies.resolve('first');
    const request = { url: 'https://www.shop.example/cart', session: 's', exclude: [id], tags: ['mine'] };
    expect(explained).toEqual(JSON.parse(JSON.stringify(vault.pool.explain(request))));
    await vault.close();
    expect(explain(...args)).toEqual(explained);
    expect(json<Handed>('next', ...args).id).toBe(explained.proxy?.id);
    expect(explain(...args.slice(0, 4))).toMatchObject({
      decidedBy: 'mapping',
      mapping: { kind: 'session', name: 's', proxyId: explained.proxy?.id },
    });
  });

  it('prints each rule with its conditions, each filter, the decision and the runners-up', () => {
    const { run, json } = withPool();
    for (const [name, logic, condition, then] of [
      ['carts', '--any', 'session equals none', 'use-country=DE'],
      ['later', '--continue', 'domain ends-with .example', 'block'],
    ] as const)
      run([
        'rules',
        'add',
        '--name',
        name,
        logic,
        '--when',
        'path matches ^/cart',
        '--when',
        condition,
        '--then',
        then,
      ]);
    const { id, name } = json<Handed & { name: string }>('next', '--country', 'DE', '--session', 's');
    const { stdout, status } = run([
      'explain',
      '--url',
      'https://u:canary@www.shop.example/cart',
      '--session',
      's',
    ]);
    expect(status).toBe(0);
    const rows = stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(rows.slice(0, 5)).toEqual([
      ['RULE', 'PRIORITY', 'APPLIES', 'CONDITION', 'HOLDS', 'COMPARED WITH', 'THEN'],
      ['carts', '0', 'yes', 'path matches ^/cart', 'yes', '/cart', 'use-country=DE'],
      ['carts', '0', 'yes', 'OR session equals none', 'no', 's', 'use-country=DE'],
      ['later', '0', 'no: stopped', 'path matches ^/cart', 'yes', '/cart', 'block'],
      ['later', '0', 'no: stopped', 'AND domain ends-with .example', 'yes', 'www.shop.example', 'block'],
    ]);
    expect(rows).toContainEqual(['FILTER', 'LEFT OUT', 'LEFT']);
    expect(rows).toContainEqual(['not disabled', '1', '4']);
    expect(rows).toContainEqual(['country DE', '2', '2']);
    expect(rows).toContainEqual(['session', `s keeps ${id}`]);
    expect(rows).toContainEqual(['proxy', `${id} ${name}`]);
    expect(rows).toContainEqual(['decided by', 'mapping']);
    expect(rows).toContainEqual(['strategy', 'round-robin']);
    const at = rows.findIndex(([head]) => head === 'RUNNER-UP');
    expect(rows.slice(at + 1, -1)).toHaveLength(1);
    expect(stdout).not.toContain('canary');
  });

  it('prints the interval, and what a condition has nothing to be compared with', () => {
    const { run, json } = withPool();
    run(['config', 'set', 'strategy=time-based', 'intervalMs=1h']);
    run([
      'rules',
      'add',
      '--when',
      'weekday in sun,mon,tue,wed,thu,fri,sat',
      '--when',
      'latency greater-than 5',
      '--then',
      'block',
    ]);
    json('next');
    const { stdout } = run(['explain']);
    expect(stdout).toMatch(/ weekday in sun,\S+ +yes +(?:sun|mon|tue|wed|thu|fri|sat) +block$/m);
    expect(stdout).toMatch(/ AND latency greater-than 5 +no +- +block$/m);
    expect(stdout).toMatch(/^until {7}\d{4}-\d\d-\d\dT[\d:.]+Z$/m);
    expect(stdout).toMatch(/^decided by {2}interval$/m);
  });

  it('prints what docs/cli.md shows', () => {
    const { run, next } = withPool();
    run(['remove', 'fifth']);
    run(['config', 'set', 'strategy=round-robin']);
    for (let n = 0; n < 3; n++) expect(next('--exclude', 'third', '--country', 'DE')).toBe('a.example');
    for (let n = 0; n < 4; n++) expect(next('--exclude', 'first', '--country', 'DE')).toBe('c.example');
    run([
      'rules',
      'add',
      '--name',
      'carts',
      '--when',
      'path starts-with /cart',
      '--then',
      'use-strategy=least-used',
    ]);
    run(['rules', 'edit', ruleId(run(['rules', 'list', '--json']).stdout), '--continue']);
    run(['rules', 'add', '--name', 'bank', '--when', 'domain equals bank.example', '--then', 'block']);
    const [, args = '', shown = ''] = /^\$ proxyvault (explain .*)\n([\s\S]*?)```/m.exec(PAGE) ?? [];
    const withoutIds = (text: string): string => text.replaceAll(/[\da-f]{8}-[\da-f-]{27}/g, 'ID');
    expect(withoutIds(run(args.split(' ')).stdout)).toBe(withoutIds(shown));
  });

  it('of a refusal is no failure', () => {
    const { run, explain } = withPool();
    const refused = { proxy: null, decidedBy: null, reason: expect.stringContaining('"country JP"') };
    expect(explain('--country', 'JP')).toMatchObject({ ...refused, runnersUp: [] });
    const { status, stdout, stderr } = run(['explain', '--country', 'JP']);
    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.not.stringContaining('NO_PROXY') });
    expect(stdout).toMatch(/^No rule is tried\.$/m);
    expect(stdout).toMatch(/^proxy {7}-$/m);
    run(['rules', 'add', '--name', 'never', '--when', 'domain equals bank.example', '--then', 'block']);
    expect(explain('--domain', 'bank.example').reason).toBe('The rule "never" blocks this request.');
    expect(run(['explain', '--protocol', 'gopher'])).toMatchObject({ status: 2, stdout: '' });
  });
});
