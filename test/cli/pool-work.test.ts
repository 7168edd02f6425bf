/** How a person works with the proxies of a pool: names them, lists, changes, switches and removes them. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

interface Listed {
  id: string;
  name: string;
  host: string;
  port: number;
  protocol: string;
  status: string;
  region: string | null;
  url: string;
  tags: string[];
  totalRequests: number;
  remoteDns: boolean;
  geolocation: { country?: string } | null;
}

const CSV = `protocol,host,port,username,password,name,region,country
http,a.example,1,me,canary-1,first,EU,DE
socks5,b.example,2,,,second,US,US
http,c.example,3,,,,,DE
`;

function withPool(csv = CSV) {
  const cli = commandLine();
  const added = cli.run(['import', '-', '--tag', 'mine'], { input: csv });
  if (added.status !== 0) throw new Error(added.stderr);
  const list = (...args: string[]): Listed[] => cli.json<{ items: Listed[] }>('list', ...args).items;
  const hosts = (...args: string[]): string[] => list(...args).map(({ host }) => host);
  const one = (typed: string): Listed => cli.json<Listed>('show', typed);
  return { ...cli, list, hosts, one };
}

describe('what is shown of a proxy', () => {
  it('tells the failures in a row from those of the history', () => {
    const { run, json } = withPool();
    for (const outcome of ['--fail', '--fail', '--ok']) json('report', 'first', outcome);
    const { stdout } = run(['show', 'first']);
    expect(stdout).toMatch(/^failureCount +0$/m);
    expect(stdout).toMatch(/^usage\.failureCount +2$/m);
    const names = stdout
      .trimEnd()
      .split('\n')
      .map((row) => row.split(' ')[0]);
    expect(names.toSorted()).toEqual([...new Set(names)].toSorted());
  });

  it('is the same by report as by list', () => {
    const { json, list } = withPool();
    const reported = json<Listed>('report', 'first', '--ok');
    const { tags: _, ...listed } = list('--search', 'first')[0] ?? { tags: [] };
    expect(reported).toEqual(listed);
    expect(reported.url).toBe('http://***:***@a.example:1');
  });

  it('as removed is a list, by every command', () => {
    const { json } = withPool();
    const rule = {
      name: 'all',
      conditions: [{ field: 'domain', operator: 'contains', value: '.' }],
      actions: [{ type: 'block' }],
    };
    const { id } = json<{ id: string }>('rules', 'add', JSON.stringify(rule));
    expect(json('rules', 'remove', id)).toEqual({ removed: [id] });
    json('sticky', 'set', 'shop.example', 'first');
    expect(json('sticky', 'remove', 'shop.example')).toEqual({ removed: ['shop.example'] });
  });
});

describe('a proxy is named by', () => {
  it('its id, the beginning of it, host:port, a URL or its name, in every command that takes one', () => {
    const { run, json, one, list } = withPool();
    const { id } = one('second');
    const short = id.slice(0, 34);
    const isOnly = list().filter((each) => each.id.startsWith(short)).length === 1;
    expect(isOnly).toBe(true);
    for (const typed of [id, short, 'b.example:2', 'socks5://b.example:2', 'second']) {
      expect(one(typed).id).toBe(id);
      expect(json('report', typed, '--ok')).toMatchObject({ id });
      expect(json('sticky', 'set', 'shop.example', typed)).toMatchObject({ proxyId: id });
      expect(json('disable', typed)).toMatchObject({ changed: [id] });
      expect(json('enable', typed)).toMatchObject({ changed: [id] });
      expect(json('stats', typed)).toMatchObject({ proxy: { id } });
      expect(json('events', '--proxy', typed)).toHaveProperty('events');
      const rule = {
        name: 'all',
        conditions: [{ field: 'domain', operator: 'contains', value: '.' }],
        actions: [{ type: 'use-proxy', proxyId: typed }],
      };
      expect(json('rules', 'add', JSON.stringify(rule))).toMatchObject({
        actions: [{ type: 'use-proxy', proxyId: id }],
      });
    }
    expect(one('second').totalRequests).toBe(5);
    expect(run(['remove', 'second'])).toMatchObject({ status: 0, stdout: 'Removed 1.\n' });
  });

  it('what fits several is rejected with their ids and addresses, and what fits none with what to try', () => {
    const { run, json, list, hosts } = withPool(`${CSV}http,d.example,4,,,second,,\n`);
    const both = list('--search', 'second');
    expect(both).toHaveLength(2);
    const commands = [
      ['show', 'second'],
      ['remove', 'second', '--yes'],
      ['report', 'second', '--ok'],
      ['edit', 'second', '--name', 'x'],
      ['disable', 'second'],
      ['sticky', 'set', 'a.example', 'second'],
    ];
    for (const args of commands) {
      const { status, stdout, stderr } = run(args);
      expect([args, status, stdout]).toEqual([args, 1, '']);
      for (const { id, host, port } of both) {
        expect(stderr).toContain(id);
        expect(stderr).toContain(`${host}:${port}`);
      }
      const unknown = run(args.map((word) => (word === 'second' ? 'nobody' : word)));
      expect(unknown.status).toBe(1);
      expect(unknown.stderr).toMatch(/There is no proxy "nobody".*proxyvault list --search.*\(NOT_FOUND\)/);
    }
    expect(hosts()).toHaveLength(4);
    expect(json('sticky', 'list')).toEqual([]);
  });

  it('nothing that was typed is repeated if it may be a login', () => {
    const { run } = withPool();
    for (const typed of [
      'me:canary@nowhere.example:1',
      'nowhere.example:80@canary:1234',
      'http://me:canary@x',
    ])
      for (const args of [
        ['show', typed],
        ['edit', typed, '--name', 'x'],
        ['remove', typed],
        ['disable', typed],
        ['events', '--proxy', typed],
        ['stats', typed],
      ]) {
        const { status, stdout, stderr } = run(args);
        expect([args, status]).toEqual([args, 1]);
        expect(stdout + stderr).not.toContain('canary');
        expect(run([...args, '--json']).stderr).not.toContain('canary');
      }
  });
});

describe('list', () => {
  it('chooses by tag, country and the others, and counts by status', () => {
    const { run, json, hosts } = withPool();
    json('disable', 'second');
    expect(hosts('--tag', 'mine')).toHaveLength(3);
    expect(hosts('--tag', 'other')).toEqual([]);
    expect(hosts('--country', 'de')).toEqual(['a.example', 'c.example']);
    expect(hosts('--tag', 'mine', '--status', 'disabled')).toEqual(['b.example']);
    expect(json('list', '--tag', 'mine', '--limit', '1')).toMatchObject({
      total: 3,
      counts: { active: 2, disabled: 1, failed: 0, checking: 0 },
      items: [{ tags: ['mine'] }],
    });
    const { stdout } = run(['list']);
    expect(stdout).toMatch(/^ID +URL +STATUS +REGION .* COUNTRY +NAME +TAGS\n/);
    expect(stdout).toMatch(/http:\/\/\*\*\*:\*\*\*@a\.example:1 +active +EU .* DE +first +mine\n/);
    // A name that only repeats the address is left out.
    expect(stdout).toMatch(/http:\/\/c\.example:3 +active +- .* DE +- +mine\n/);
    expect(stdout).toMatch(/\n2 active, 1 disabled\.\n3 of 3\.\n$/);
    expect(run(['list', '--tag', 'other']).stdout).toMatch(/\n0 of 0\.\n$/);
    expect(run(['list', '--country', 'Germany'])).toMatchObject({ status: 1, stdout: '' });
  });

  it('sorts by a key, in both directions, page by page', () => {
    const { run, json, hosts } = withPool();
    json('report', 'second', '--ok', '--latency', '2s');
    json('report', 'c.example:3', '--ok', '--latency', '100ms');
    expect(hosts('--sort', 'latency')).toEqual(['c.example', 'b.example', 'a.example']);
    expect(hosts('--sort', '-latency')).toEqual(['b.example', 'c.example', 'a.example']);
    expect(hosts('--sort=-host')).toEqual(['c.example', 'b.example', 'a.example']);
    const { next } = json<{ next: string }>('list', '--sort', 'latency', '--limit', '2');
    expect(hosts('--sort', 'latency', '--limit', '2', '--after', next)).toEqual(['a.example']);
    const wrong = run(['list', '--sort', 'speed']);
    expect(wrong).toMatchObject({ status: 2, stdout: '' });
    expect(wrong.stderr).toContain('latency, successRate');
  });
});

describe('edit', () => {
  it('changes what is given and nothing else, and says what changed', () => {
    const { run, one } = withPool();
    const before = one('second');
    const { status, stdout } = run([
      'edit',
      'second',
      '--name=third',
      '--region',
      '',
      '--country',
      'fr',
      '--status',
      'failed',
      '--local-dns',
      '--add-tag',
      'new',
      '--add-tag',
      'newer',
      '--remove-tag',
      'mine',
    ]);
    expect(status).toBe(0);
    expect(stdout).toBe(
      [
        `Changed third (${before.id}):`,
        '  name: second -> third',
        '  status: active -> failed',
        '  region: US -> -',
        '  remoteDns: true -> false',
        '  country: US -> FR',
        '  tags: mine -> new, newer',
        '',
      ].join('\n'),
    );
    const after = one('third');
    expect(after).toMatchObject({
      id: before.id,
      host: 'b.example',
      region: null,
      status: 'failed',
      remoteDns: false,
      geolocation: { country: 'FR' },
      tags: ['new', 'newer'],
    });
    const same = ['--status', 'failed', '--add-tag', 'new', '--country', 'FR', '--local-dns', '--region', ''];
    expect(run(['edit', 'third', ...same]).stdout).toMatch(/was so already: nothing changed/);
    expect(one('third')).toEqual(after);
    expect(run(['edit', 'third', '--country', '', '--remote-dns']).status).toBe(0);
    expect(one('third')).toMatchObject({ geolocation: null, remoteDns: true });
  });

  it('begins to count failures again when the status becomes active, as enable does', () => {
    const { run, json, one } = withPool();
    run(['config', 'set', 'failureThreshold=1']);
    for (const back of [
      ['enable', 'first'],
      ['edit', 'first', '--status', 'active'],
    ]) {
      json('report', 'first', '--fail');
      expect(one('first')).toMatchObject({ status: 'failed', failureCount: 1 });
      expect(run(back).status).toBe(0);
      expect(one('first')).toMatchObject({ status: 'active', failureCount: 0 });
    }
    run(['config', 'set', 'failureThreshold=null']);
    json('report', 'first', '--fail');
    for (const already of [
      ['enable', 'first'],
      ['edit', 'first', '--status', 'active'],
    ])
      expect(run(already).stdout).toContain('already');
    expect(one('first')).toMatchObject({ failureCount: 1 });
  });

  it('a new password keeps the id and the statistics, and shows neither password', () => {
    const { run, json, one } = withPool();
    json('report', 'first', '--ok', '--latency', '100');
    const { id } = one('first');
    const rotated = run(['edit', 'first', '--password-stdin'], { input: 'canary-2\n' });
    expect(rotated).toMatchObject({
      status: 0,
      stdout: `Changed first (${id}):\n  password: *** -> ***\n`,
    });
    expect(rotated.stdout + rotated.stderr).not.toContain('canary');
    expect(json('show', id, '--reveal')).toMatchObject({
      id,
      url: 'http://me:canary-2@a.example:1',
      totalRequests: 1,
      latency: 100,
      tags: ['mine'],
    });
    const changed = json('edit', id, '--username', 'you', '--rotate-url', 'https://x.example/canary-url');
    expect(changed).toMatchObject({
      changes: [
        { field: 'username', from: '***', to: '***' },
        { field: 'rotateUrl', from: null, to: '***' },
      ],
    });
    expect(JSON.stringify(changed)).not.toMatch(/canary|you/);
    expect(json('show', id, '--reveal')).toMatchObject({
      url: 'http://you:canary-2@a.example:1',
      rotateUrl: 'https://x.example/canary-url',
    });
    run(['edit', id, '--username', '', '--no-password', '--rotate-url', '']);
    expect(one(id)).toMatchObject({ hasCredentials: false, url: 'http://a.example:1' });
  });

  it('a new address keeps the login, which opens there, and a name that was the address follows', () => {
    const { run, json } = withPool();
    const moved = run(['edit', 'first', '--host', 'New.Example', '--port', '8080', '--protocol', 'socks5']);
    expect(moved.stdout).toMatch(
      /protocol: http -> socks5\n {2}host: a\.example -> new\.example\n {2}port: 1 -> 8080\n$/,
    );
    expect(json('show', 'first', '--reveal')).toMatchObject({
      url: 'socks5h://me:canary-1@new.example:8080',
    });
    expect(run(['edit', 'c.example:3', '--port', '33']).stdout).toContain(
      'name: c.example:3 -> c.example:33',
    );
    expect(run(['edit', 'second', '--name', '']).stdout).toContain('name: second -> b.example:2');
    expect(json('check', '--deep')).toMatchObject({ ok: true });
  });

  it('all or nothing: a wrong part leaves the others unchanged', () => {
    const { run, one, json } = withPool();
    const before = [one('first'), one('second')];
    const wrong = [
      ['first', '--name', 'x', '--region', 'x'.repeat(200)],
      ['first', '--name', 'x', '--local-dns'],
      ['first', '--name', 'x', '--country', 'Germany'],
      ['first', '--name', 'x', '--rotate-url', 'not a url'],
      ['second', '--name', 'x', '--add-tag', ''],
      // Another proxy is there.
      ['second', '--name', 'x', '--protocol', 'http', '--host', 'c.example', '--port', '3'],
    ];
    for (const args of wrong) {
      const { status, stdout } = run(['edit', ...args]);
      expect([args, status, stdout]).toEqual([args, 1, '']);
    }
    expect([one('first'), one('second')]).toEqual(before);
    for (const args of [
      ['edit', 'first'],
      ['edit', 'first', '--remote-dns', '--local-dns'],
      ['edit', 'first', '--port', 'x'],
      ['edit', 'first', '--status', 'gone'],
    ])
      expect([args, run(args).status]).toEqual([args, 2]);
    expect(json('check', '--deep')).toMatchObject({ ok: true });
  });
});

describe('enable and disable', () => {
  it('switch several, say which were so already, and do all or none', () => {
    const { run, json, one } = withPool();
    json('config', 'set', 'failureThreshold=2');
    json('report', 'first', '--fail');
    json('report', 'first', '--fail');
    expect(one('first').status).toBe('failed');
    const { id } = one('first');
    expect(run(['enable', 'first', 'second', id]).stdout).toBe(
      `first (${id}) is active now.\nsecond (${one('second').id}) was active already.\n`,
    );
    // It has its failures forgiven, or the next one would take it out at once.
    json('report', 'first', '--fail');
    expect(one('first')).toMatchObject({ status: 'active', failureCount: 1 });
    expect(run(['disable', 'first', 'nobody']).status).toBe(1);
    expect(one('first').status).toBe('active');
    json('disable', 'first', 'second', 'c.example:3');
    expect(run(['next']).status).toBe(1);
    expect(json('enable', 'second')).toMatchObject({ status: 'active', already: [] });
    expect(json('next')).toMatchObject({ name: 'second' });
  });
});

describe('remove', () => {
  it('of several needs --yes where nobody can be asked, and changes nothing without', () => {
    const { run, hosts } = withPool();
    for (const args of [
      ['remove', 'first', 'second'],
      ['remove', '--tag', 'mine'],
    ]) {
      const { status, stdout, stderr } = run(args);
      expect([args, status, stdout]).toEqual([args, 2, '']);
      expect(stderr).toMatch(/would remove \d proxies with their logins and history: say --yes/);
      const { error } = JSON.parse(run([...args, '--json']).stderr) as { error: object };
      expect(error).toMatchObject({ code: 'USAGE', message: expect.stringContaining('--yes') });
    }
    expect(hosts()).toHaveLength(3);
    // The same proxy twice is one.
    expect(run(['remove', 'first', 'a.example:1']).status).toBe(0);
    expect(run(['remove', '--country', 'DE']).status).toBe(0);
    expect(hosts()).toEqual(['b.example']);
  });

  it('takes a filter or ids, and not both or neither', () => {
    const { run, json, hosts } = withPool();
    expect(run(['remove']).status).toBe(2);
    expect(run(['remove', 'first', '--tag', 'mine']).status).toBe(2);
    expect(json('remove', '--tag', 'other', '-y')).toEqual({ removed: [] });
    json('disable', 'first', 'second');
    expect(
      json<{ removed: string[] }>('remove', '--tag', 'mine', '--status', 'disabled', '-y').removed,
    ).toHaveLength(2);
    expect(hosts()).toEqual(['c.example']);
  });
});

describe('next', () => {
  it('says on standard error which proxy it is, so that a script can report it', () => {
    const { run, json, one } = withPool();
    const { status, stdout, stderr } = run(['next', '--reveal', '--region', 'EU']);
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'http://me:canary-1@a.example:1\n' });
    const [, id = '', address] = /^Proxy: (\S+) (\S+)$/m.exec(stderr) ?? [];
    expect([id, address]).toEqual([one('first').id, 'a.example:1']);
    expect(stderr).not.toContain('canary');
    expect(json('report', id, '--ok')).toMatchObject({ totalRequests: 1 });
    expect(run(['next', '--json']).stderr).not.toContain('Proxy:');
    expect(run(['next', '--quiet', '--region', 'US'])).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('stats and events', () => {
  it('begin with the state of the pool', () => {
    const { run, json } = withPool();
    json('disable', 'second');
    const { stdout } = run(['stats']);
    expect(stdout).toMatch(
      /^proxies +3\nactive +2\nfailed +0\nchecking +0\ndisabled +1\nnow +2 ready, 1 disabled\nwith login +1\nwithout +2\n\nDAY /,
    );
    expect(json('stats')).toMatchObject({
      proxies: { total: 3, active: 2, disabled: 1, withLogin: 1, withoutLogin: 2 },
      days: [],
    });
  });

  it('show usage by proxy, the worst first, and of one proxy', () => {
    const { run, json } = withPool();
    json('report', 'first', '--ok', '--latency', '100');
    for (const _ of [1, 2]) json('report', 'second', '--fail');
    json('report', 'second', '--ok');
    const names = (...args: string[]): string[] =>
      json<{ byProxy: { name: string }[] }>('stats', '--by', 'proxy', ...args).byProxy.map(
        ({ name }) => name,
      );
    expect(names()).toEqual(['second', 'first']);
    expect(names('--sort', 'failures', '--limit', '1')).toEqual(['second']);
    expect(names('--sort', '-failures')).toEqual(['first', 'second']);
    expect(names('--sort', 'successRate')).toEqual(['second', 'first']);
    expect(names('--since', '1h')).toHaveLength(2);
    expect(names('--to', '2020-01-01')).toEqual([]);
    expect(run(['stats', '--by', 'proxy']).stdout).toMatch(/second +3 +33\.3 +2 +-\n/);
    expect(json('stats', 'second')).toMatchObject({
      days: [{ requestCount: 3, failureCount: 2 }],
      totals: { requestCount: 3 },
    });
    expect(run(['stats', 'first']).stdout).toMatch(/^first \(.*\): active, 0 failures in a row\.\n\nDAY /);
    for (const args of [
      ['--sort', 'size'],
      ['--by', 'month'],
      ['--since', '24'],
      ['--since', '1d', '--from', '2026-01-01'],
      // They would change nothing.
      ['--sort', 'failures'],
      ['--limit', '3'],
      ['first', '--by', 'proxy'],
    ])
      expect([args, run(['stats', ...args]).status]).toEqual([args, 2]);
  });

  it('reject an order that only JavaScript knows', () => {
    const { run } = commandLine();
    for (const sort of ['constructor', '-constructor', '-toString', '-__proto__'])
      expect([sort, run(['stats', '--by', 'proxy', '--sort', sort]).status]).toEqual([sort, 2]);
  });

  it('choose events by proxy, reason and time, and count them by hour', () => {
    const { run, json, one } = withPool();
    json('config', 'set', 'failureThreshold=1');
    for (let n = 0; n < 3; n++) json('rotate', '--session', 's', '--exclude', 'c.example:3');
    json('report', 'first', '--fail');
    const events = (...args: string[]): { reason: string }[] =>
      json<{ events: { reason: string }[] }>('events', ...args).events;
    const all = events();
    expect(all.length).toBeGreaterThan(2);
    expect(events('--reason', 'failure')).toHaveLength(1);
    expect(events('--proxy', 'c.example:3')).toEqual([]);
    expect(events('--proxy', one('first').id).length).toBeGreaterThan(0);
    expect(events('--since', '1h')).toEqual(all);
    expect(events('--to', '2020-01-01')).toEqual([]);
    expect(events('--limit', '1')).toEqual(all.slice(0, 1));
    const { hours } = json<{ hours: Record<string, number>[] }>('events', '--by', 'hour');
    expect(hours.reduce((sum, hour) => sum + (hour.failure ?? 0), 0)).toBe(1);
    expect(run(['events', '--by', 'hour']).stdout).toMatch(
      /^HOUR +SCHEDULED +FAILURE +MANUAL +STARTUP\n\d{4}-/,
    );
    expect(run(['events', '--reason', 'boredom']).status).toBe(2);
    expect(run(['events', '--from', 'yesterday']).status).toBe(1);
  });
});

it('a wrong use makes no pool', () => {
  const { run, db } = commandLine();
  for (const args of [['edit', 'x'], ['prune'], ['remove'], ['enable'], ['disable']])
    expect([args, run(args).status]).toEqual([args, 2]);
  expect(existsSync(db)).toBe(false);
});
