import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

interface Proxy {
  id: string;
  host: string;
  name: string;
  protocol: string;
  region: string | null;
  status: string;
  remoteDns: boolean | null;
  url: string;
}

const CSV = `protocol,host,port,username,password,name,region,status
http,a.example,1,,,first,EU,
socks5,b.example,2,user-{session}-{country}-{ttl},canary-1,second,US,disabled
socks4,c.example,3,,,third,EU,
https,d.example,4,u,canary-2,fourth,,
`;

function withPool(csv = CSV) {
  const cli = commandLine();
  cli.json('init');
  const added = cli.run(['import', '-', '--tag', 'first'], { input: csv });
  if (added.status !== 0) throw new Error(added.stderr);
  const list = (...args: string[]): Proxy[] => cli.json<{ items: Proxy[] }>('list', ...args).items;
  const hosts = (...args: string[]): string[] => list(...args).map(({ host }) => host);
  const idOf = (host: string): string => list('--search', host)[0]?.id ?? '';
  const sql = (text: string): void => {
    const db = new Database(cli.db);
    db.pragma('foreign_keys = OFF');
    db.exec(text);
    db.close();
  };
  return { ...cli, list, hosts, idOf, sql };
}

const cells = (count: number): string =>
  `host,port\n${Array.from({ length: count }, (_, n) => `h${n}.example,1`).join('\n')}\n`;

describe('the options of list', () => {
  it('choose proxies, and the count is of those', () => {
    const { hosts, run } = withPool();
    expect(hosts('--status', 'disabled')).toEqual(['b.example']);
    expect(hosts('--protocol', 'https')).toEqual(['d.example']);
    expect(hosts('--region', 'EU')).toEqual(['a.example', 'c.example']);
    expect(hosts('--search', 'third')).toEqual(['c.example']);
    expect(run(['list', '--region', 'EU', '--limit', '1']).stdout).toMatch(/\n1 of 2\. More: --after \S+\n$/);
    expect(run(['list', '--region', 'EU']).stdout).toMatch(/\n2 of 2\.\n$/);
  });

  it('end a page after 50 proxies, or so many', () => {
    const { json } = withPool(cells(51));
    const { items, next } = json<{ items: Proxy[]; next: string }>('list');
    expect([items.length, next]).toEqual([50, items[49]?.id]);
    expect(json<{ items: Proxy[] }>('list', '--after', next)).toMatchObject({ items: [{}], next: null });
    expect(json<{ items: Proxy[] }>('list', '--limit', '51').items).toHaveLength(51);
  });

  it('show logins only with --reveal', () => {
    const { run, idOf } = withPool();
    for (const args of [['list'], ['show', idOf('d.example')], ['list', '--json'], ['export']])
      expect([args, run(args).stdout.includes('canary')]).toEqual([args, false]);
    for (const args of [['list'], ['show', idOf('d.example')], ['list', '--json'], ['export']])
      expect([args, run([...args, '--reveal']).stdout.includes('canary-2')]).toEqual([args, true]);
  });
});

describe('the options of next', () => {
  it('choose by protocol, region and domain', () => {
    const { run, json, idOf } = withPool();
    expect(json('next', '--protocol', 'socks4')).toMatchObject({ host: 'c.example' });
    expect(json('next', '--protocol', 'https', '--reveal')).toMatchObject({
      url: 'https://u:canary-2@d.example:4',
    });
    for (let n = 0; n < 3; n++) expect(json('next', '--region', 'EU')).toMatchObject({ region: 'EU' });
    json('sticky', 'set', 'shop.example', idOf('c.example'));
    for (let n = 0; n < 3; n++)
      expect(json('next', '--domain', 'https://shop.example/x')).toMatchObject({ host: 'c.example' });
    expect(run(['next', '--region', 'nowhere'])).toMatchObject({ status: 1 });
  });

  it('fill in a template: with a new session each time, the country of the proxy, or what is given', () => {
    const { json } = withPool(
      'host,port,username,password,country\na.example,1,u-{session}-{country}-{ttl},p,DE\n',
    );
    const login = (...args: string[]): string =>
      json<Proxy>('next', '--reveal', ...args)
        .url.split('//')[1]
        ?.split(':')[0] ?? '';
    const [one, other] = [login('--ttl', '5'), login('--ttl', '5')];
    expect(one).toMatch(/^u-[\da-f]{8}-de-5$/);
    expect(one).not.toBe(other);
    expect(login('--session', 's', '--exit-country', 'US', '--ttl', '10')).toBe('u-s-US-10');
  });
});

describe('the options of report, events and stats', () => {
  it('say how it went', () => {
    const { json, idOf } = withPool();
    const id = idOf('a.example');
    expect(json('report', id, '--fail')).toMatchObject({ totalRequests: 1, failureCount: 1, successRate: 0 });
    expect(json('report', id, '--ok', '--latency', '120')).toMatchObject({
      latency: 120,
      failureCount: 0,
      successRate: 50,
    });
  });

  it('choose days, and how many events', () => {
    const { json, sql, idOf } = withPool();
    const id = idOf('a.example');
    sql(
      ['01', '02', '03']
        .map(
          (day) =>
            `INSERT INTO proxy_usage_stats (proxy_id, date, request_count, success_count, failure_count) VALUES ('${id}', '2026-01-${day}', 1, 1, 0);`,
        )
        .join('\n'),
    );
    const of = (...args: string[]) =>
      json<{ days: { date: string }[]; totals: { requestCount: number } }>('stats', ...args);
    const found = (...args: string[]) => {
      const { days, totals } = of(...args);
      return [
        days
          .map(({ date }) => date.slice(-2))
          .sort()
          .join(' '),
        totals.requestCount,
      ];
    };
    expect(found()).toEqual(['01 02 03', 3]);
    expect(found('--from', '2026-01-02')).toEqual(['02 03', 2]);
    expect(found('--to', '2026-01-02')).toEqual(['01 02', 2]);
    expect(found('--from', '2026-01-02', '--to', '2026-01-02')).toEqual(['02', 1]);
    for (let n = 0; n < 23; n++) json('rotate', '--session', 's');
    const events = (...args: string[]): number => json<{ events: object[] }>('events', ...args).events.length;
    expect([events(), events('--limit', '1'), events('--limit', '21')]).toEqual([20, 1, 21]);
  });
});

describe('the options of add', () => {
  it('name the proxy, its region, protocol and form, and who resolves names', () => {
    const { json, run } = commandLine();
    expect(
      json('add', 'a.example:1', '--name', 'n', '--region', 'r', '--protocol', 'socks5', '--local-dns'),
    ).toMatchObject({
      name: 'n',
      region: 'r',
      protocol: 'socks5',
      remoteDns: false,
      url: 'socks5://a.example:1',
    });
    expect(json('add', 'b:1:c:2', '--format', 'user:pass:host:port')).toMatchObject({ host: 'c', port: 2 });
    const refused: [string[], string][] = [
      [['b:1:c:2'], 'both as'],
      [['a.example:2', '--strict-protocol'], 'no protocol is named'],
      [['socks5h://a.example:2', '--local-dns'], 'leave one of them out'],
      [['http://u:p@a.example:2', '--username', 'v'], 'leave one of them out'],
      [['# a.example:2'], 'empty or a comment'],
    ];
    for (const [args, why] of refused)
      expect(run(['add', ...args])).toMatchObject({
        status: 1,
        stdout: '',
        stderr: expect.stringContaining(why),
      });
    expect(json('add', 'a.example:2', '--strict-protocol', '--protocol', 'https')).toMatchObject({
      protocol: 'https',
    });
  });

  it('take the password from standard input, without its line end, and print it nowhere', () => {
    for (const end of ['', '\n', '\r\n']) {
      const { run, json } = commandLine();
      const args = ['add', 'http://a.example:1', '--username', 'me', '--password-stdin'];
      const added = run(args, { input: `canary p${end}` });
      expect(added).toMatchObject({ status: 0 });
      expect(`${added.stdout}${added.stderr}`).not.toContain('canary');
      expect(json('next', '--reveal')).toMatchObject({ url: 'http://me:canary%20p@a.example:1' });
    }
  });
});

describe('the options of import', () => {
  it('say what the lines are, who resolves names, and what the tag is', () => {
    const { run, json } = commandLine();
    const imported = (input: string, ...args: string[]) =>
      JSON.parse(run(['import', '-', '--json', ...args], { input }).stdout) as object;
    expect(imported('a.example:1\n', '--protocol', 'socks5', '--local-dns', '--tag', 't')).toMatchObject({
      added: 1,
    });
    expect(json<{ items: object[] }>('list').items).toMatchObject([{ protocol: 'socks5', remoteDns: false }]);
    expect(run(['export', '--tag', 't']).stdout).toBe('socks5://a.example:1\n');
    expect(imported('b:1:c:2\n', '--format', 'user:pass:host:port')).toMatchObject({ added: 1 });
    expect(imported('a.example:3\nhttp://a.example:4\n', '--strict-protocol')).toMatchObject({
      added: 1,
      refused: [{ line: 1 }],
    });
    expect(imported('a.example:5\n', '--dry-run')).toMatchObject({ added: 1, dryRun: true });
    expect(run(['export', '--tag', 't']).stdout).not.toContain(':5');
    expect(run(['list']).stdout).toMatch(/\n3 of 3\.\n$/);
  });

  it('stop a sync that would remove too many, unless it is forced', () => {
    const { run, hosts } = withPool(cells(4));
    const sync = (...args: string[]) =>
      run(['import', '-', '--tag', 'first', '--sync', ...args], { input: 'h0.example:1\n' });
    const stopped = sync('--max-remove', '2');
    expect(stopped).toMatchObject({ status: 1, stderr: expect.stringContaining('SYNC_STOPPED') });
    for (const host of ['h1', 'h2', 'h3']) expect(stopped.stderr).toContain(`http://${host}.example:1`);
    expect(sync('--max-remove', '2', '--dry-run')).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('would be stopped'),
    });
    expect(hosts()).toHaveLength(4);
    expect(sync('--max-remove', '2', '--force')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('3 removed'),
    });
    expect(hosts()).toEqual(['h0.example']);
  });

  it.each([
    [20, ''],
    [21, '... and 1 more; --json lists them.'],
  ])('of %i rejections show twenty, and count the rest', (count, more) => {
    const { stdout } = commandLine().run(['import', '-'], {
      input: `a.example:1\n${'a.example:0\n'.repeat(count)}`,
    });
    expect(stdout.match(/ a\.example:0$/gm)).toHaveLength(20);
    expect(stdout.includes('and 1 more')).toBe(more !== '');
    expect(stdout).toContain(`1 added, 0 updated, 0 unchanged, ${count} rejected`);
    expect(stdout).toContain(more);
  });

  it('read of a folder what has the extension of a list, in any case and by name', () => {
    const { folder, json } = commandLine();
    mkdirSync(join(folder, 'lists', 'inner.txt'), { recursive: true });
    const names = ['txt', 'list', 'csv', 'tsv', 'json', 'jsonl', 'ndjson', 'yaml', 'yml', 'conf', 'ppx'];
    const files = [
      ...names.map((name, n) => (n % 2 === 0 ? `${n}.${name}` : `${n}.${name.toUpperCase()}`)),
      'bare',
    ];
    for (const [n, name] of files.entries())
      writeFileSync(join(folder, 'lists', name), `h.example:${n + 1}\nbad:0\n`);
    for (const name of ['.hidden.txt', 'x.html', 'x.txt.bak'])
      writeFileSync(join(folder, 'lists', name), 'other.example:1\n');
    const { added, refused } = json<{ added: number; refused: { file: string }[] }>('import', 'lists');
    expect(added).toBe(files.length);
    expect(refused.map(({ file }) => file)).toEqual([...files].sort());
  });

  it.each([
    ['http://u:canary@h.example:1', 'proxyvault add'],
    ['u:canary@h.example', 'is not repeated'],
    ['https://h.example/list?token=canary', 'downloads nothing'],
  ])('given %s in place of a file repeat no login', (path, advice) => {
    const { status, stdout, stderr } = commandLine().run(['import', path]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(advice);
    expect(stderr).not.toContain('canary');
  });
});

describe('the options of export', () => {
  it('choose the format, the tag, the layout and the file', () => {
    const { run, folder } = withPool('host,port,username,password\na.example,1,u,canary\n');
    run(['import', '-', '--tag', 'second'], { input: 'b.example:2\n' });
    expect(run(['export']).stdout).toBe('http://***:***@a.example:1\nhttp://b.example:2\n');
    expect(run(['export', '--tag', 'second', '--format', 'colon']).stdout).toBe('b.example:2\n');
    const layout = ['--format', 'template', '--layout', '{host}:{port}@{username}:{password}'];
    expect(run(['export', '--tag', 'first', ...layout, '--reveal']).stdout).toBe('a.example:1@u:canary\n');
    expect(run(['export', '--reveal', '--output', 'out.txt']).stdout).toBe('');
    expect(readFileSync(join(folder, 'out.txt'), 'utf8')).toBe(
      'http://u:canary@a.example:1\nhttp://b.example:2\n',
    );
  });

  it('exit 1 if a proxy was left out, of which 20 are named', () => {
    const csv = `host,port,username,password\n${Array.from({ length: 21 }, (_, n) => `h${n}.example,1,a:b,c`).join('\n')}\n`;
    const { run } = withPool(csv);
    const left = run(['export', '--format', 'colon', '--reveal', '--json']);
    expect(left).toMatchObject({ status: 1, stdout: '' });
    const { warning } = JSON.parse(left.stderr) as {
      warning: { code: string; count: number; proxies: object[] };
    };
    expect([warning.code, warning.count, warning.proxies.length]).toEqual(['LEFT_OUT', 21, 20]);
    expect(run(['export', '--format', 'csv']).status).toBe(0);
  });
});

describe('remove, sticky, rules and config', () => {
  it('remove all or none', () => {
    const { run, hosts, idOf } = withPool();
    const unknown = run(['remove', idOf('a.example'), 'nobody', '--json']);
    expect(unknown).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('NOT_FOUND') });
    expect(hosts()).toContain('a.example');
    expect(run(['remove', idOf('a.example'), idOf('c.example'), '--yes'])).toMatchObject({
      status: 0,
      stdout: 'Removed 2.\n',
    });
    expect(hosts()).toEqual(['b.example', 'd.example']);
  });

  it('say what is not there', () => {
    const { run } = withPool();
    for (const args of [
      ['sticky', 'remove', 'x.example'],
      ['rules', 'remove', 'x'],
      ['rules', 'enable', 'x'],
      ['show', 'x'],
    ])
      expect(run([...args, '--json'])).toMatchObject({
        status: 1,
        stdout: '',
        stderr: expect.stringContaining('"NOT_FOUND"'),
      });
    expect(run(['rules', 'add', '{', '--json'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('"USAGE"'),
    });
  });

  it('keep what was set', () => {
    const { json, run, sql, idOf } = withPool();
    const id = idOf('c.example');
    expect(json('sticky', 'set', 'https://x.example/y', id, '--ttl', '60000')).toMatchObject({
      domain: 'x.example',
      ttl: 60_000,
    });
    expect(json('show', id)).toMatchObject({ domains: ['x.example'], usage: { requestCount: 0 } });
    expect(run(['show', id]).stdout).toMatch(/^domains +x\.example$/m);
    json('report', idOf('a.example'), '--ok');
    expect(json('show', id)).toMatchObject({ usage: { requestCount: 0 } });
    const rule = json<{ id: string }>(
      'rules',
      'add',
      JSON.stringify({
        name: 'r',
        conditions: [{ field: 'domain', operator: 'equals', value: 'y.example' }],
        actions: [{ type: 'use-region', region: 'EU' }],
      }),
    );
    for (const [word, enabled] of [
      ['disable', false],
      ['enable', true],
    ] as const) {
      json('rules', word, rule.id);
      expect(json('rules', 'list')).toMatchObject({ rules: [{ enabled }], invalid: [] });
    }
    sql(`UPDATE rotation_rules SET conditions_json = '['`);
    expect(run(['rules', 'list'])).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('Left out: '),
    });
    expect(json('rules', 'list')).toMatchObject({ rules: [], invalid: [{ table: 'rotation_rules' }] });
    expect(json('config', 'set', 'strategy=random', 'options.stickyTtlMs=5')).toMatchObject({
      strategy: 'random',
      options: { stickyTtlMs: 5 },
    });
    expect(json<{ options: object }>('config', 'set', 'options.stickyTtlMs=null').options).not.toHaveProperty(
      'stickyTtlMs',
    );
    expect(json('config', 'reset')).not.toMatchObject({ strategy: 'random' });
  });

  it.each([
    [['nonsense=1']],
    [['options.nonsense=1']],
    [['__proto__=1']],
    [['strategy']],
    [['strategy=random', 'strategy=random']],
    [['options={}', 'options.stickyTtlMs=5']],
  ])('reject the settings %j as a wrong use', (settings) => {
    expect(commandLine().run(['config', 'set', ...settings, '--json'])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('"USAGE"'),
    });
  });
});

describe('a value that an option cannot have', () => {
  it('is a wrong use: exit code 2, one object with --json, and nothing on standard output', () => {
    const { run } = commandLine();
    const wrong = [
      ...['-1', '1.5', 'x', '', '1e3', '9'.repeat(16)].map((n) => ['list', `--limit=${n}`]),
      ...['0', '-1', 'x'].map((n) => ['import', '-', `--batch=${n}`]),
      ...['-1', ' ', 'x', 'Infinity', 'NaN'].map((n) => ['report', 'id', '--ok', `--latency=${n}`]),
      ...['101%', '-1', 'x', '1.5'].map((n) => ['import', '-', '--sync', '--tag', 't', `--max-remove=${n}`]),
      ['import', '-', '--max-remove=1'],
      ['import', ''],
      ['report', 'id', '--ok', '--fail'],
      ['report', 'id'],
      ['next', '--protocol', 'ftp'],
      ['export', '--format', 'x'],
      ['nonsense'],
      [],
    ];
    for (const args of wrong) {
      const { status, stdout, stderr } = run([...args, '--json']);
      expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: '' });
      expect({ args, error: JSON.parse(stderr) as object }).toMatchObject({
        args,
        error: { error: { code: 'USAGE' } },
      });
    }
  });

  it('is no failure if help or the version is asked for', () => {
    const { run } = commandLine();
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(run(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    expect(run(['list', '--help'])).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('check', () => {
  it('finds each kind of damage, names it and exits 1; what only --deep can find, only with it', () => {
    const damages: [sql: string, found: string, isDeep?: boolean][] = [
      ['UPDATE encrypted_credentials SET auth_tag = lower(hex(zeroblob(16)))', 'credential of proxy', true],
      [
        "INSERT INTO proxy_usage_stats (proxy_id, date) VALUES ('nobody', '2026-01-01')",
        'refers to a missing row of proxies',
      ],
      ['DROP INDEX idx_proxies_region', 'idx_proxies_region is missing'],
      ["UPDATE proxies SET port = 0 WHERE host = 'a.example'", 'port'],
    ];
    for (const [damage, found, isDeep = false] of damages) {
      const { run, sql } = withPool();
      expect(run(['check', '--deep'])).toMatchObject({ status: 0, stdout: 'Sound.\n' });
      sql(damage);
      const args = isDeep ? ['check', '--deep'] : ['check'];
      expect({ damage, ...run(args) }).toMatchObject({
        damage,
        status: 1,
        stdout: expect.stringContaining(found),
      });
      expect({ damage, status: run(['check']).status }).toEqual({ damage, status: isDeep ? 0 : 1 });
      expect(JSON.parse(run([...args, '--json']).stdout)).toMatchObject({ ok: false });
    }
  });
});

describe('backup and restore', () => {
  it('replace a file only with --force, and never the key or what belongs to it', () => {
    const { run, db } = withPool();
    expect(run(['backup', 'copy.db']).status).toBe(0);
    expect(run(['backup', 'copy.db'])).toMatchObject({ status: 1, stdout: '' });
    expect(run(['backup', 'copy.db', '--force']).status).toBe(0);
    for (const suffix of ['', '.bak', '.lock'])
      expect(run(['backup', `key${suffix}`, '--force'])).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('place of the key'),
      });
    expect(run(['restore', 'copy.db'])).toMatchObject({ status: 1, stdout: '' });
    const { status, stdout } = run(['restore', 'copy.db', '--force']);
    expect(status).toBe(0);
    expect(stdout).toContain(`The pool that was there is now ${db}`);
    expect(stdout).toContain('Key: fits');
  });
});

describe('migrate', () => {
  it('goes down so many steps, shows what is pending, and other commands ask for it', () => {
    const { run, json } = withPool('host,port\na.example,1\n');
    const steps = (args: string[]) =>
      json<{ applied: object[]; pending: { appliedAt: null }[] }>('migrate', ...args);
    const all = steps(['status']).applied.length;
    const { applied, pending } = steps(['down', '--steps', '2']);
    expect([applied.length, pending.length]).toEqual([all - 2, 2]);
    expect(steps(['status'])).toMatchObject({ pending: [{ appliedAt: null }, { appliedAt: null }] });
    expect(run(['migrate', 'status']).stdout.match(/ pending$/gm)).toHaveLength(2);
    expect(run(['list', '--json'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('MIGRATION_PENDING'),
    });
    expect(run(['check']).stderr).not.toContain('MIGRATION_PENDING');
    expect(steps(['up']).pending).toEqual([]);
  });
});
