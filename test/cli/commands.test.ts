import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BIN, commandLine } from '../support/command-line.ts';
import { HAS_TERMINAL } from '../support/terminal.ts';

const LIST = `# two good, one bad
h.example:8080
gate.example:1080:canary-user:canary-password
nonsense here
`;

interface Proxy {
  id: string;
  url: string;
  status: string;
  totalRequests: number;
}

function withPool(): ReturnType<typeof commandLine> & { ids: string[] } {
  const cli = commandLine();
  writeFileSync(join(cli.folder, 'list.txt'), LIST);
  cli.run(['import', 'list.txt']);
  return { ...cli, ids: cli.json<{ items: Proxy[] }>('list').items.map(({ id }) => id) };
}

describe('--help', () => {
  it('is there for every command, with an example, and exits 0', () => {
    const { run } = commandLine();
    const main = run(['--help']);
    expect(main).toMatchObject({ status: 0, stderr: '' });
    const commands = [
      'tour',
      'init',
      'import',
      'export',
      'add',
      'list',
      'show',
      'remove',
      'next',
      'serve',
      'report',
      'stats',
      'events',
      'sticky',
      'rules',
      'config',
      'migrate',
      'backup',
      'restore',
      'check',
    ];
    for (const command of commands) expect(main.stdout).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'));
    const nested = [
      ['migrate', 'up'],
      ['migrate', 'down'],
      ['migrate', 'status'],
      ['migrate', 'plan'],
      ['sticky', 'set'],
      ['rules', 'add'],
      ['config', 'set'],
    ];
    const leaves = commands
      .filter((command) => !['sticky', 'rules', 'config', 'migrate'].includes(command))
      .map((command) => [command]);
    for (const path of [...leaves, ...nested]) {
      const { status, stdout } = run([...path, '--help']);
      expect([path, status]).toEqual([path, 0]);
      expect(stdout).toContain('Example');
      if (path[0] !== 'tour') expect(stdout).toContain('--json');
    }
  }, 120_000);
});

describe('used wrongly', () => {
  it('exits 2 and says how, on standard error', () => {
    const { run } = commandLine();
    const cases = [
      ['nonsense'],
      ['import'],
      ['list', '--limit', 'x'],
      ['list', '--status', 'broken'],
      ['report', 'id'],
      ['report', 'id', '--ok', '--fail'],
      ['list', '--nonsense'],
      ['migrate', 'sideways'],
    ];
    for (const args of cases) {
      const { status, stdout, stderr } = run(args);
      expect([args, status, stdout]).toEqual([args, 2, '']);
      expect(stderr).toMatch(/error|Usage/);
    }
    const { status, stderr } = run(['list', '--limit', 'x', '--json']);
    expect(status).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'USAGE' } });
  }, 60_000);

  it('shows help without a command', () => {
    expect(commandLine().run([]).stderr).toContain('Usage: proxyvault');
  });
});

describe('a pool that is not there', () => {
  it('is exit 1 in one line that says what to do, and is not made', () => {
    const { run, db } = commandLine();
    for (const command of ['list', 'next', 'stats', 'events', 'check']) {
      const { status, stdout, stderr } = run([command]);
      // What `next` prints then: fail-closed.test.ts.
      if (command !== 'next') expect(stdout).toBe('');
      expect(status).toBe(1);
      expect(stderr).toMatch(/^proxyvault: There is no pool at .*proxyvault init[^\n]*\n$/);
    }
    expect(existsSync(db)).toBe(false);
    expect(JSON.parse(run(['list', '--json']).stderr)).toMatchObject({ error: { code: 'CANNOT_OPEN' } });
  });

  it('is looked for where --db, then PROXYVAULT_DB, then the platform says, and it says which', () => {
    const { run, runProcess, folder, db } = commandLine();
    expect(run(['init']).stderr).toBe(`Pool: ${db} (PROXYVAULT_DB)\n`);
    const other = join(folder, 'other.db');
    expect(run(['init', '--db', 'other.db']).stderr).toBe(`Pool: ${other} (--db)\n`);
    const byDefault = runProcess(['init'], { env: { PROXYVAULT_DB: '' } });
    expect(byDefault.stderr).toContain('(the default)');
    if (process.platform === 'linux')
      expect(existsSync(join(folder, 'share', 'proxyvault', 'proxyvault.db'))).toBe(true);
  });

  it('that is another file is refused', () => {
    const { run, db } = commandLine();
    writeFileSync(db, 'hello');
    expect(run(['list']).stderr).toContain('NOT_A_DATABASE');
    expect(readFileSync(db, 'utf8')).toBe('hello');
  });
});

describe('import', () => {
  it('says what was added and what was refused and why, and changes nothing the second time', () => {
    const { run, json, folder } = commandLine();
    writeFileSync(join(folder, 'list.txt'), LIST);
    const first = run(['import', 'list.txt']);
    expect(first.status).toBe(0);
    expect(first.stdout).toContain(
      '4 lines: 2 added, 0 updated, 0 unchanged, 1 rejected, 1 comment, 0 blank.',
    );
    expect(first.stdout).toMatch(/4 +1 +.*\*\*\*/);
    expect(json('import', 'list.txt')).toEqual({
      lines: 4,
      added: 0,
      updated: 0,
      unchanged: 2,
      comments: 1,
      blank: 0,
      refused: [{ line: 4, column: 1, code: expect.any(String), reason: expect.any(String), text: '***' }],
    });
  });

  it('reads standard input, and exits 1 if all is refused', () => {
    const { run, folder } = commandLine();
    expect(run(['import', '-', '--protocol', 'socks5'], { input: 'h.example:1\n' }).stdout).toContain(
      '1 added',
    );
    expect(run(['import', '-'], { input: 'nonsense\n' })).toMatchObject({
      status: 1,
      stdout: expect.stringContaining(
        '1 line: 0 added, 0 updated, 0 unchanged, 1 rejected, 0 comments, 0 blank.',
      ),
      stderr: expect.stringContaining('No proxy was found in the list'),
    });
    expect(run(['import', '-'], { input: '' })).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('The list is empty'),
    });
    expect(run(['import', 'missing.txt'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('The list missing.txt cannot be read'),
    });
    mkdirSync(join(folder, 'empty'));
    expect(run(['import', 'empty'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('has no list'),
    });
  });
});

describe('add, show, list and remove', () => {
  it('work on one proxy, its password from standard input', () => {
    const { run, json } = commandLine();
    const added = run(
      [
        'add',
        'socks5://gate.example:1080',
        '--username',
        'canary-user',
        '--password-stdin',
        '--region',
        'EU',
      ],
      { input: 'canary-p@ss\n' },
    );
    expect(added).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Added gate\.example:1080 as [\da-f-]{36}\.\n$/),
    });
    const [proxy] = json<{ items: Proxy[] }>('list', '--region', 'EU').items;
    expect(proxy?.url).toBe('socks5h://***:***@gate.example:1080');
    const shown = json<Record<string, unknown>>('show', String(proxy?.id), '--reveal');
    expect(shown).toMatchObject({
      url: 'socks5h://canary-user:canary-p%40ss@gate.example:1080',
      usage: { requestCount: 0 },
      domains: [],
    });
    expect(run(['show', String(proxy?.id)]).stdout).toMatch(/^region +EU$/m);
    expect(
      run(['add', 'socks5://gate.example:1080', '--username', 'canary-user', '--password-stdin'], {
        input: 'canary-p@ss',
      }),
    ).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`the id ${proxy?.id}`),
    });
    expect(run(['remove', String(proxy?.id), 'nobody']).status).toBe(1);
    expect(json<{ items: Proxy[] }>('list').items).toHaveLength(1);
    expect(run(['remove', String(proxy?.id)]).status).toBe(0);
    expect(run(['show', String(proxy?.id)])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('NOT_FOUND'),
    });
    expect(run(['add', 'nonsense']).status).toBe(1);
  });

  it('add keeps the name of a URL, reads a form by name, and says what an import would note', () => {
    const { run, json } = commandLine();
    expect(run(['add', 'socks5://u:p@a.example:1#My%20name']).stdout).toMatch(/^Added My name as /);
    expect(run(['add', 'a.example:2#theirs', '--name', 'mine']).stdout).toMatch(/^Added mine as /);
    expect(run(['add', 'a.example:3;canary-u;canary-p']).status).toBe(1);
    const form = ['add', 'a.example:3;canary-u;canary-p', '--format', 'host:port:user:pass'];
    expect(json(...form)).toMatchObject({ url: 'http://***:***@a.example:3' });
    const half = run(['add', ':canary-p@a.example:4']);
    expect(half.stderr).toContain('Note: a password stands without a username. (NOTE)');
    expect(run(['add', 'a.example:5', '--username', 'canary-u', '--json']).stderr).toContain(
      '"code":"NOTE","message":"The proxy was added. Note: a username stands without a password."',
    );
    const whole = run(['add', 'canary-u@a.example:6', '--password-stdin'], { input: 'canary-p\n' });
    expect(whole).toMatchObject({ status: 0, stderr: expect.not.stringContaining('Note') });
    for (const args of [['--username', 'other'], ['--password-stdin']]) {
      const other = run(['add', 'canary-u:canary-p@a.example:7', ...args], { input: 'other' });
      expect(other).toMatchObject({ status: 1, stderr: expect.stringContaining('names another one') });
      expect(other.stderr).not.toContain('canary');
    }
  });

  it('list pages and filters', () => {
    const { json, run } = commandLine();
    run(['import', '-'], { input: Array.from({ length: 5 }, (_, i) => `h${i}.example:80`).join('\n') });
    const first = json<{ items: Proxy[]; next: string }>('list', '--limit', '3');
    expect(first.items).toHaveLength(3);
    const second = json<{ items: Proxy[]; next: null }>('list', '--limit', '3', '--after', first.next);
    expect(second).toMatchObject({ items: [{}, {}], next: null });
    expect(json<{ items: Proxy[] }>('list', '--search', 'h4').items).toHaveLength(1);
    expect(run(['list', '--limit', '3']).stdout).toContain(`3 of 5. More: --after ${first.next}`);
  });
});

describe('next and report', () => {
  it('hand out in turn, mask the login, and count', () => {
    const { run, runProcess, json, ids } = withPool();
    expect(run(['next']).stdout).toBe('http://h.example:8080\n');
    const masked = run(['next']);
    expect(masked.stdout).toBe('http://***:***@gate.example:1080\n');
    expect(masked.stderr).toContain('--reveal');
    expect(run(['next', '--reveal', '--protocol', 'http', '--domain', 'x.example']).stdout).toBe(
      'http://h.example:8080\n',
    );
    // Each filter has its own turn.
    expect(run(['next']).stdout).toBe('http://h.example:8080\n');
    expect(run(['next', '--reveal']).stdout).toBe('http://canary-user:canary-password@gate.example:1080\n');
    expect(runProcess(['next', '--protocol', 'socks4'])).toMatchObject({
      status: 1,
      stdout: 'http://no-proxy-available.invalid:1\n',
      stderr: expect.stringContaining('NO_PROXY'),
    });
    expect(json('report', String(ids[0]), '--ok', '--latency', '120')).toMatchObject({
      totalRequests: 1,
      latency: 120,
    });
    expect(run(['report', String(ids[0]), '--fail']).stdout).toContain(
      '2 requests, 50 % success, 1 failures in a row',
    );
    expect(run(['report', 'nobody', '--ok']).status).toBe(1);
    expect(json<{ totals: object }>('stats').totals).toMatchObject({ requestCount: 2, successCount: 1 });
    expect(run(['stats']).stdout).toMatch(/^total +- +2 +50/m);
    expect(json<{ counts: object }>('events').counts).toMatchObject({ startup: 0, scheduled: 0 });
    for (let n = 0; n < 3; n++) run(['rotate', '--session', 's']);
    expect(json<{ counts: object }>('events').counts).toMatchObject({ startup: 0, manual: 2 });
    expect(run(['events', '--limit', '1']).stdout.split('\n')).toHaveLength(4);
  });
});

describe('sticky, rules and config', () => {
  it('are set, listed and removed', () => {
    const { run, json, ids } = withPool();
    const id = String(ids[1]);
    expect(run(['sticky', 'set', '*.example.com', id, '--ttl', '60000']).status).toBe(0);
    expect(json<object[]>('sticky', 'list')).toMatchObject([
      { domain: '*.example.com', proxyId: id, ttl: 60_000 },
    ]);
    expect(json('next', '--domain', 'a.example.com')).toMatchObject({ id });
    expect(run(['sticky', 'remove', '*.example.com']).status).toBe(0);
    expect(run(['sticky', 'remove', '*.example.com']).status).toBe(1);
    expect(run(['sticky', 'set', 'a b', id]).stderr).toContain('INVALID_INPUT');

    const rule = JSON.stringify({
      name: 'no',
      conditions: [{ field: 'domain', operator: 'equals', value: 'bad.example' }],
      actions: [{ type: 'block' }],
    });
    const created = json<{ id: string }>('rules', 'add', rule);
    expect(run(['next', '--domain', 'bad.example']).stderr).toContain('blocks this request');
    run(['rules', 'disable', created.id]);
    expect(run(['next', '--domain', 'bad.example']).status).toBe(0);
    expect(json<{ rules: object[] }>('rules', 'list').rules).toMatchObject([{ name: 'no', enabled: false }]);
    expect(run(['rules', 'list']).stdout).toContain('domain equals bad.example');
    expect(run(['rules', 'remove', created.id]).status).toBe(0);
    expect(run(['rules', 'add', '{']).stderr).toContain('not JSON');

    expect(
      json('config', 'set', 'strategy=least-used', 'failureThreshold=3', 'options.stickyTtlMs=5'),
    ).toMatchObject({
      strategy: 'least-used',
      failureThreshold: 3,
      options: { stickyTtlMs: 5 },
    });
    expect(run(['config', 'show']).stdout).toMatch(/^strategy +least-used$/m);
    expect(run(['config', 'set', 'strategy=x']).stderr).toContain('round-robin');
    const wrong = [
      [['nonsense'], 'there is no setting "nonsense"'],
      [['strategy'], 'the setting "strategy" has no value'],
      [['=random'], 'there is no setting ""'],
      [['strategy=random', 'strategy=fastest'], 'the setting "strategy" is given twice'],
      [['options={}', 'options.stickyTtlMs=5'], 'options and options.stickyTtlMs are both given'],
    ] as const;
    for (const [settings, message] of wrong) {
      const { status, stderr } = run(['config', 'set', ...settings]);
      expect([settings, status, stderr.includes(message)]).toEqual([settings, 2, true]);
    }
    expect(json('config', 'set', 'options={"custom":"fastest"}')).toMatchObject({
      options: { stickyTtlMs: 5, custom: 'fastest' },
    });
    expect(json('config', 'set', 'options.custom=null', 'failureThreshold=null')).toMatchObject({
      failureThreshold: null,
      options: { stickyTtlMs: 5 },
    });
    expect(json('config', 'show')).not.toHaveProperty('options.custom');
    for (const name of ['__proto__', 'toString', 'updatedAt', 'options.__proto__', 'options.constructor'])
      expect([name, run(['config', 'set', `${name}=1`]).status]).toEqual([name, 2]);
    expect(run(['config', 'set', 'options.weights={"__proto__":1}'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('INVALID_INPUT'),
    });
  });
});

describe('migrate', () => {
  it('says where the schema stands and moves it; other commands ask for the newest', () => {
    const { run, json } = withPool();
    const status = json<{ version: number; pending: object[] }>('migrate', 'status');
    expect(status.pending).toEqual([]);
    expect(run(['migrate', 'down', '--steps', String(status.version - 3)]).stdout).toContain('pending');
    expect(run(['list'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('proxyvault migrate up'),
    });
    expect(run(['migrate', 'plan']).stdout).toContain('CREATE TABLE proxy_tags');
    expect(json('migrate', 'up')).toMatchObject({ version: status.version, pending: [] });
    expect(run(['migrate', 'plan']).stdout).toBe('Nothing is pending.\n');
    expect(run(['migrate', 'down', '--steps', '0']).status).toBe(2);
    expect(run(['list']).status).toBe(0);
  });
});

describe('backup and check', () => {
  it('copy, refuse to overwrite, and look for damage', () => {
    const { run, json, folder, db } = withPool();
    const copy = join(folder, 'copy.db');
    expect(json('backup', 'copy.db')).toEqual({ path: copy });
    expect(run(['backup', 'copy.db'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('CONFLICT'),
    });
    expect(run(['backup', 'copy.db', '--force']).stdout).toContain(join(folder, 'key'));
    expect(run(['next', '--reveal', '--db', copy]).status).toBe(0);
    expect(json('check', '--deep')).toMatchObject({ ok: true });
    expect(run(['check']).stdout).toBe('Sound.\n');

    const bytes = readFileSync(db);
    bytes.fill(0x5a, 4096 * 8, 4096 * 30);
    writeFileSync(db, bytes);
    const damaged = run(['check']);
    expect(damaged.status).toBe(1);
    expect(damaged.stdout + damaged.stderr).toMatch(/Not sound|CORRUPT/);
  });
});

describe('the key', () => {
  it('that is missing stops what needs it, and none is made', () => {
    const { run, folder } = withPool();
    const lost = { env: { PROXYVAULT_KEY_FILE: join(folder, 'lost') } };
    expect(run(['list'], lost).status).toBe(0);
    expect(run(['list', '--reveal'], lost)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('KEY_MISSING'),
    });
    expect(
      run(['import', '-'], { input: '# a list\nx.example:1\n\nx.example:1:u:p', ...lost }),
    ).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /[Ll]ine 4: There is no encryption key .*Nothing was stored\. \(KEY_MISSING\)/,
      ),
    });
    expect(existsSync(join(folder, 'lost'))).toBe(false);
    const other = { env: { PROXYVAULT_KEY: 'ab12'.repeat(16) } };
    expect(run(['list', '--reveal'], other).stderr).toContain('KEY_MISMATCH');
    expect(run(['list', '--reveal', '--key-file', join(folder, 'key')], other).status).toBe(0);
  });
});

describe('output', () => {
  it('has no colour where it is no terminal', () => {
    expect(withPool().run(['list']).stdout).not.toContain('\u001B');
  });

  it.skipIf(process.platform === 'win32')('ends quietly when its reader does', () => {
    const { run, db } = withPool();
    // More than a pipe holds: it cannot have written all when its reader has gone.
    const list = Array.from({ length: 2000 }, (_, n) => `many.example:${n + 1}`).join('\n');
    expect(run(['import', '-'], { input: list }).status).toBe(0);
    const whole = run(['list', '--json', '--limit', '2000']).stdout;
    expect(whole.length).toBeGreaterThan(4 * 65_536);
    const script = '{ "$0" "$1" list --json --limit 2000; echo "exit $?" >&2; } | head -c 1';
    const piped = spawnSync('sh', ['-c', script, process.execPath, BIN], {
      encoding: 'utf8',
      env: { ...process.env, PROXYVAULT_DB: db },
    });
    expect(piped).toMatchObject({ stdout: '{', stderr: 'exit 0\n' });
  });

  it.runIf(HAS_TERMINAL)('is bold on a terminal, unless NO_COLOR is set, with a bar for long work', () => {
    const { db, folder } = withPool();
    const onTerminal = (args: string, env: Record<string, string>): string => {
      // Node takes a terminal of a CI system for one without colours.
      const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...inherited } = process.env;
      const command = `"${process.execPath}" "${BIN}" ${args}`;
      const result = spawnSync('script', ['-qec', command, '/dev/null'], {
        encoding: 'utf8',
        env: { ...inherited, PROXYVAULT_DB: db, TERM: 'xterm', ...env },
      });
      return result.stdout;
    };
    expect(onTerminal('list', {})).toContain('\u001B[1m');
    expect(onTerminal('list', { NO_COLOR: '1' })).not.toContain('\u001B[1m');
    const list = join(folder, 'long.txt');
    writeFileSync(list, Array.from({ length: 3000 }, (_, i) => `h${i}.example:80`).join('\n'));
    expect(onTerminal(`import ${list}`, {})).toMatch(/Importing \[.*3000\/3000/s);
    expect(onTerminal(`import ${list} --json`, {})).not.toContain('Importing');
  });

  it('never shows a login without --reveal', () => {
    const { run, ids } = withPool();
    const id = String(ids[1]);
    const all = [
      ['list'],
      ['show', id],
      ['next'],
      ['next'],
      ['stats'],
      ['events'],
      ['sticky', 'list'],
      ['rules', 'list'],
      ['config', 'show'],
      ['check'],
      ['migrate', 'status'],
      ['import', 'list.txt'],
      ['report', id, '--ok'],
      ['remove', id],
    ];
    for (const args of all) {
      for (const more of [[], ['--json']]) {
        const { stdout, stderr } = run([...args, ...more], { env: { PROXYVAULT_DEBUG: '1' } });
        expect(`${stdout}${stderr}`).not.toContain('canary');
      }
    }
  }, 120_000);
});

describe('the simulated tour', () => {
  it('shows the main job in a pool of its own, afresh each time', () => {
    const { run, folder } = commandLine();
    for (let round = 0; round < 2; round++) {
      const { status, stdout, stderr } = run(['tour', '--simulated'], { env: { npm_lifecycle_event: '' } });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain(
        '373 lines: 333 added, 0 updated, 4 unchanged, 14 rejected, 12 comments, 10 blank.',
      );
      expect(stdout).toContain('www.shop.example got 192.0.2.1:8080 30 times of 30.');
      expect(stdout).toMatch(/^total +- +750/m);
      expect(stdout).toMatch(
        / hotel cannot be reached, 3 times +hotel is out until .* \(connect\) +india +golf india$/m,
      );
      expect(stdout).toMatch(/ golf is back for shop\.example +golf hotel india +golf hotel india$/m);
      expect(stdout).toMatch(/: 0 found\./);
      expect(stdout).toContain(join(folder, 'data', 'tour.db'));
      expect(stdout).toContain('\nproxyvault list --db data/tour.db --key-file data/tour.key\n');
      expect(stdout).not.toMatch(/Gateway-Secret|secret-of-a-bad-line|other-secret/);
    }
    for (const [event, program] of [
      ['start', 'npm start --'],
      ['npx', 'npx proxyvault'],
    ] as const)
      expect(run(['tour', '--simulated'], { env: { npm_lifecycle_event: event } }).stdout).toContain(
        `\n${program} --help\n`,
      );
    expect(existsSync(join(folder, 'share'))).toBe(false);
    const { status } = run(['next', '--reveal', '--db', 'data/tour.db', '--key-file', 'data/tour.key']);
    expect(status).toBe(0);
  }, 60_000);
});
