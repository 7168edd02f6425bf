/** How a person puts proxies out for a time, sees who is out, and lets them back in. */
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

interface Listed {
  id: string;
  name: string;
  cooldowns: Record<string, unknown>[];
}

interface Page {
  items: Listed[];
  total: number;
  cooling: number;
}

const CSV = `protocol,host,port,name,region
http,a.example,1,first,EU
http,b.example,2,second,US
http,c.example,3,third,EU
http,d.example,4,fourth,EU
`;

function withPool() {
  const cli = commandLine();
  expect(cli.run(['import', '-'], { input: CSV }).status).toBe(0);
  const page = (...args: string[]): Page => cli.json('list', ...args);
  const names = (...args: string[]): string[] => page(...args).items.map(({ name }) => name);
  const one = (name: string): Listed => cli.json('show', name);
  /** Lets all times out end now. */
  const wait = (): void => {
    const db = new Database(cli.db);
    db.exec(
      `UPDATE proxy_cooldowns SET since = '2026-01-01T00:00:00.000Z', until = '2026-01-01T00:01:00.000Z'`,
    );
    db.close();
  };
  return { ...cli, page, names, one, wait };
}

describe('cool', () => {
  it('puts proxies out for a time, with a reason, in every process', () => {
    const { run, json, one } = withPool();
    const { id } = one('first');
    expect(run(['cool', 'first', '--for', '10m', '--reason', 'a\u001bcaptcha\n']).status).toBe(1);
    expect(run(['cool', 'first', '--for', '10m', '--reason', 'asked for a captcha']).stdout).toMatch(
      new RegExp(`^first \\(${id}\\) is out until (?:\\S+ )?\\d\\d:\\d\\d:\\d\\d UTC\\.\\n$`),
    );
    expect(json('cool', 'second', 'third', '--for', '1h')).toMatchObject({
      cooled: [
        { cooldowns: [{ kind: 'manual', source: 'person', domain: null, state: 'cooling' }] },
        { cooldowns: [{ kind: 'manual' }] },
      ],
    });
    expect(json('next')).toMatchObject({ name: 'fourth' });
    expect(json('next')).toMatchObject({ name: 'fourth' });
  });

  it('may be for one domain', () => {
    const { run, json } = withPool();
    const out = run([
      'cool',
      'first',
      'second',
      'third',
      '--for',
      '10m',
      '--domain',
      'https://Shop.example/x',
    ]);
    expect(out.stdout).toMatch(/is out for shop\.example until/);
    for (let n = 0; n < 3; n++)
      expect(json('next', '--domain', 'shop.example')).toMatchObject({ name: 'fourth' });
    expect(json('next', '--domain', 'other.example', '--exclude', 'fourth')).toMatchObject({ name: 'first' });
  });

  it('needs a time with a unit, and changes nothing for an unknown proxy', () => {
    const { run, names } = withPool();
    for (const args of [[], ['--for', '10'], ['--for', 'x']])
      expect([args, run(['cool', 'first', ...args]).status]).toEqual([args, 2]);
    for (const args of [
      ['--for', '0s'],
      ['--for', '10m', '--domain', '*.x.example'],
    ])
      expect([args, run(['cool', 'first', ...args]).status]).toEqual([args, 1]);
    expect(run(['cool', 'first', 'nobody', '--for', '1h']).status).toBe(1);
    expect(names('--state', 'cooling')).toEqual([]);
  });
});

describe('list --state', () => {
  it('gives those that are ready, cool or may try, with a line for each cooldown', () => {
    const { run, names, page, wait } = withPool();
    run(['cool', 'first', '--for', '10m']);
    run(['cool', 'first', '--for', '20m', '--domain', 'shop.example', '--reason', 'a captcha']);
    run(['report', 'third', '--status', '429', '--domain', 'shop.example']);
    expect(names('--state', 'cooling')).toEqual(['first', 'third']);
    expect(names('--state', 'ready')).toEqual(['second', 'third', 'fourth']);
    expect(names('--state', 'probing')).toEqual([]);
    expect(names('--state', 'cooling', '--sort', '-name')).toEqual(['third', 'first']);
    expect(page('--state', 'ready', '--region', 'EU')).toMatchObject({ total: 2, cooling: 2 });
    expect(page('--state', 'cooling').items[0]?.cooldowns).toMatchObject([
      { domain: null, kind: 'manual', detail: null },
      { domain: 'shop.example', kind: 'manual', detail: 'a captcha' },
    ]);
    const { stdout } = run(['list', '--state', 'cooling']);
    const rows = stdout.split('\n').map((row) => row.split(/ {2,}/));
    expect(rows[0]).toEqual(['ID', 'URL', 'STATUS', 'FOR', 'UNTIL', 'WHY', 'TIMES', 'BY']);
    const time = expect.stringMatching(/^\d{4}-\S+Z$/);
    expect(rows.slice(1, 4).map((row) => row.slice(3))).toEqual([
      ['everything', time, 'manual', '1', 'person'],
      ['shop.example', time, 'manual, a captcha', '1', 'person'],
      ['shop.example', time, 'blocked, status 429', '1', 'engine'],
    ]);
    wait();
    expect(names('--state', 'probing')).toEqual(['first', 'third']);
    expect(names('--state', 'ready')).toHaveLength(4);
    expect(run(['list', '--state', 'broken']).status).toBe(2);
  });

  it('is shown as a hint by the plain list, and show has all of one', () => {
    const { run, one } = withPool();
    expect(run(['list']).stdout).not.toContain('cooling');
    run(['cool', 'first', '--for', '10m', '--domain', 'shop.example']);
    run(['report', 'second', '--status', '407']);
    expect(run(['list']).stdout).toContain('2 cooling: --state cooling says until when and why.');
    expect(run(['show', 'first']).stdout).toMatch(
      /^cooldowns +out for shop\.example until .* UTC \(manual\)$/m,
    );
    expect(run(['show', 'second']).stdout).toMatch(/^cooldowns +out until a new login \(auth.*\)$/m);
    expect(run(['show', 'third']).stdout).toMatch(/^cooldowns +-$/m);
    expect(one('first').cooldowns).toHaveLength(1);
  });
});

describe('reset', () => {
  it('lets proxies back in, all or none', () => {
    const { run, json, names, one } = withPool();
    run(['cool', 'first', 'second', 'third', '--for', '10m']);
    run(['cool', 'first', '--for', '10m', '--domain', 'shop.example']);
    expect(run(['reset', 'first', 'nobody']).status).toBe(1);
    expect(names('--state', 'cooling')).toHaveLength(3);
    const { id } = one('first');
    expect(json('reset', 'first', id)).toEqual({ reset: [id], cooldowns: 2 });
    expect(run(['reset', 'second']).stdout).toBe(`second (${one('second').id}) is back.\n`);
    expect(names('--state', 'cooling')).toEqual(['third']);
  });

  it('of all that cool needs --yes where nobody can be asked', () => {
    const { run, names } = withPool();
    run(['cool', 'first', 'second', '--for', '10m']);
    expect(run(['reset', '--all'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('this would reset 2 proxies that cool: say --yes'),
    });
    expect(names('--state', 'cooling')).toHaveLength(2);
    expect(run(['reset', '--all', '--yes'])).toMatchObject({ status: 0, stdout: 'Reset 2.\n' });
    expect(names('--state', 'cooling')).toEqual([]);
    for (const args of [[], ['first', '--all']])
      expect([args, run(['reset', ...args]).status]).toEqual([args, 2]);
  });
});

describe('enable', () => {
  it('ends the cooldowns too, and says so', () => {
    const { run, json, names, one } = withPool();
    const { id } = one('first');
    run(['cool', 'first', 'second', '--for', '10m']);
    json('disable', 'first');
    expect(run(['enable', 'first', 'second', 'third']).stdout.split('\n')).toEqual([
      `first (${id}) is active now, and no longer cools.`,
      `second (${one('second').id}) was active already, and no longer cools.`,
      `third (${one('third').id}) was active already.`,
      '',
    ]);
    expect(names('--state', 'cooling')).toEqual([]);
    run(['cool', 'first', '--for', '10m']);
    expect(json('enable', 'first')).toMatchObject({ changed: [], already: [id], reset: [id] });
  });
});

describe('stats', () => {
  it('says how many are ready and out', () => {
    const { run, json } = withPool();
    run(['cool', 'first', '--for', '10m']);
    run(['disable', 'second']);
    expect(run(['stats']).stdout).toMatch(/^now +2 ready, 1 cooling, 1 disabled$/m);
    for (const args of [[], ['--by', 'proxy']])
      expect(json('stats', ...args)).toMatchObject({
        pool: { states: { ready: 2, cooling: 1, disabled: 1 } },
      });
  });
});
