import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BIN, commandLine } from '../support/command-line.ts';
import { HAS_TERMINAL } from '../support/terminal.ts';

describe('import', () => {
  it('reads the lists of a folder as one, and names the file of what is refused', () => {
    const { folder, run, json } = commandLine();
    const lists = join(folder, 'lists');
    mkdirSync(join(lists, 'inner'), { recursive: true });
    writeFileSync(join(lists, 'a.txt'), 'h.example:1\nnonsense\n');
    writeFileSync(join(lists, 'b.json'), '[{"ip":"192.0.2.1","port":80}]');
    writeFileSync(join(lists, 'c.html'), 'h.example:7\n');
    writeFileSync(join(lists, '.hidden.txt'), 'h.example:8\n');
    writeFileSync(join(lists, 'd.yaml'), '<html>');
    writeFileSync(join(lists, 'inner', 'e.txt'), 'h.example:9\n');
    expect(json('import', 'lists')).toMatchObject({
      added: 2,
      refused: [
        { file: 'a.txt', line: 2, code: 'missing-port' },
        { file: 'd.yaml', line: 1, code: 'not-a-list' },
      ],
    });
    expect(run(['import', 'lists']).stdout).toMatch(/^FILE +LINE/m);
  });

  it('syncs by tag, rehearses without a pool or key, and settles what reads two ways', () => {
    const { folder, run, json, db } = commandLine();
    const list = (text: string): void => writeFileSync(join(folder, 'list.txt'), text);
    list('h.example:1:u:p\nh.example:2\n');
    expect(json('import', 'list.txt', '--dry-run')).toMatchObject({ added: 2, dryRun: true });
    expect(run(['import', 'list.txt', '--dry-run']).stdout).toContain('nothing was changed');
    expect([existsSync(db), existsSync(join(folder, 'key'))]).toEqual([false, false]);
    expect(json('import', 'list.txt', '--tag', 'a', '--sync')).toMatchObject({ added: 2, removed: 0 });
    list('h.example:2\n');
    expect(json('import', 'list.txt', '--tag', 'a', '--sync', '--dry-run')).toMatchObject({
      removed: 1,
      removal: { of: 2, leaving: 1, stopped: false },
    });
    expect(run(['import', 'list.txt', '--tag', 'a', '--sync']).stdout).toContain('1 unchanged, 1 removed,');
    expect(run(['import', 'list.txt', '--sync'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--sync needs --tag'),
    });
    list('a:1:b:2\n');
    expect(run(['import', 'list.txt'])).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('host:port:user:pass and as user:pass:host:port'),
    });
    expect(json('import', 'list.txt', '--format', 'user:pass:host:port', '--batch', '1')).toMatchObject({
      added: 1,
    });
    expect(run(['import', 'list.txt', '--format', 'x']).status).toBe(2);
  });
});

describe('--strict-protocol', () => {
  const list = 'h.example:1\nsocks5://h.example:2\nh.example:3:u:p\n';

  it('rejects lines that name no protocol, unless --protocol names it', () => {
    const { run } = commandLine();
    const import_ = (...more: string[]): Record<string, unknown> =>
      JSON.parse(run(['import', '-', '--dry-run', '--json', ...more], { input: list }).stdout);
    expect(import_()).toMatchObject({ added: 3, refused: [] });
    expect(import_('--strict-protocol')).toMatchObject({
      added: 1,
      refused: [
        { line: 1, code: 'unknown-scheme' },
        { line: 3, code: 'unknown-scheme' },
      ],
    });
    for (const protocol of ['http', 'socks5'])
      expect(import_('--strict-protocol', '--protocol', protocol)).toMatchObject({ added: 3, refused: [] });
    expect(run(['import', '-', '--strict-protocol'], { input: 'h.example:1\n' })).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('no protocol is named'),
    });
  });

  it('is also an option of add', () => {
    const { run, json } = commandLine();
    expect(run(['add', 'h.example:1', '--strict-protocol'])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no protocol is named.*\(INVALID_INPUT\)/),
    });
    expect(json('add', 'h.example:1', '--strict-protocol', '--protocol', 'http')).toMatchObject({
      protocol: 'http',
    });
    expect(json('add', 'https://h.example:2', '--strict-protocol')).toMatchObject({ protocol: 'https' });
  });
});

describe('a sync from the command line', () => {
  const hosts = (count: number): string =>
    Array.from({ length: count }, (_, n) => `h${n + 1}.example:80:canary-u:canary-p\n`).join('');
  const sync = ['import', '-', '--tag', 'a', '--sync'];

  it.each([
    [20, undefined],
    [21, '... and 1 more'],
  ])('that is stopped before it removes %i shows twenty of them, and counts the rest', (removed, more) => {
    const { run } = commandLine();
    expect(run(sync, { input: hosts(removed + 1) }).status).toBe(0);
    const { stderr } = run(sync, { input: hosts(1) });
    expect(stderr.match(/^ {2}[\da-f-]{36} http:\/\/h\d+\.example:80$/gm)).toHaveLength(20);
    expect(/\.\.\. and .*/.exec(stderr)?.[0]).toBe(more);
  });

  it('that would remove most of the pool is stopped, with a list of what would go', () => {
    const { run } = commandLine();
    expect(run(sync, { input: hosts(32) }).status).toBe(0);
    const wrong = { input: 'h1.example:80:canary-u:canary-p\nnew.example:80\n' };
    const stopped = run(sync, wrong);
    expect(stopped).toMatchObject({ status: 1, stdout: '' });
    expect(stopped.stderr).toMatch(
      /Warning: The sync would remove 31 proxies that left the list\. \(SYNC_STOPPED\)/,
    );
    expect(stopped.stderr.match(/^ {2}[\da-f-]{36} http:\/\/h\d+\.example:80$/gm)).toHaveLength(20);
    expect(stopped.stderr).toContain('... and 11 more');
    expect(stopped.stderr).toMatch(
      /Nothing was changed\..*--max-remove 100% or --force.* \(INVALID_INPUT\)$/m,
    );
    const [warning, error] = run([...sync, '--json'], wrong)
      .stderr.trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(warning).toMatchObject({ warning: { code: 'SYNC_STOPPED', count: 31 } });
    expect(warning.warning.proxies).toHaveLength(31);
    expect(error).toMatchObject({ error: { code: 'INVALID_INPUT' } });
    const rehearsed = run([...sync, '--dry-run'], wrong);
    expect(rehearsed.status).toBe(1);
    expect(rehearsed.stdout).toMatch(
      /31 of the 32 proxies with the tag would be removed:\n(?: {2}[\da-f-]{36} http.*\n){20}/,
    );
    expect(rehearsed.stdout).toContain('A real run would be stopped');
    const facts = run([...sync, '--dry-run', '--json'], wrong);
    expect(facts.status).toBe(1);
    expect(JSON.parse(facts.stdout)).toMatchObject({ dryRun: true, removed: 31, removal: { stopped: true } });
    expect(run([...sync, '--max-remove', '30'], wrong).status).toBe(1);
    expect(run([...sync, '--max-remove', '100%', '--dry-run'], wrong)).toMatchObject({
      status: 0,
      stdout: expect.not.stringContaining('would be stopped'),
    });
    for (const { stdout, stderr } of [stopped, rehearsed, facts])
      expect(stdout + stderr).not.toContain('canary');
    for (const limit of ['half', '101%', '-1', '1.5', ''])
      expect(run([...sync, '--max-remove', limit], wrong).status).toBe(2);
    expect(run([...sync, '--max-remove', '97%'], wrong).stdout).toContain('31 removed');
    expect(run([...sync, '--force'], { input: '' }).stdout).toContain('2 removed');
  });
});

it('an import that is used wrongly ends with exit code 2, and makes no pool', () => {
  const { run, db } = commandLine();
  for (const [args, problem] of [
    [['-', '--max-remove', '3'], '--max-remove is for a sync'],
    [[''], 'the path of the list is empty'],
  ] as const)
    expect(run(['import', ...args], { input: 'a.example:1\n' })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(problem),
    });
  expect(existsSync(db)).toBe(false);
});

it('a sync with a list that is broken says where', () => {
  const { run, folder } = commandLine();
  const list = join(folder, 'lists');
  mkdirSync(list);
  writeFileSync(join(list, 'a.txt'), 'a.example:1\nb.example:2:u\n');
  const sync = ['import', list, '--tag', 'a', '--sync'];
  writeFileSync(join(list, 'b.txt'), '<!DOCTYPE html>\n<html></html>\n');
  const page = 'b.txt, line 1: this is no list of proxies: it looks like an HTML page';
  expect(run(sync)).toMatchObject({ status: 1, stderr: expect.stringContaining(page) });
  writeFileSync(join(list, 'b.txt'), '');
  const empty = 'is incomplete, or a part of it is no list (b.txt, line 1: the list is empty), so a sync';
  expect(run(sync)).toMatchObject({ status: 1, stderr: expect.stringContaining(empty) });
  const none = run(['import', '-', '--tag', 'a', '--sync'], { input: '# h\nb.example:2:canary\n' });
  expect(none.status).toBe(1);
  expect(none.stderr).toContain('has no readable proxy (line 2: a username stands without a password');
  expect(none.stderr).not.toContain('canary');
});

describe('an import that finds nothing', () => {
  it.each(['', '\n\n', '# none today\n'])('in %j is an error, also with --json and in a dry run', (input) => {
    const { run } = commandLine();
    for (const more of [[], ['--dry-run'], ['--tag', 'a', '--sync'], ['--batch', '1']]) {
      const human = run(['import', '-', ...more], { input });
      expect(human).toMatchObject({ status: 1, stdout: '' });
      expect(human.stderr).toMatch(/nothing to import.*\(INVALID_INPUT\)$/m);
      const { status, stdout, stderr } = run(['import', '-', '--json', ...more], { input });
      expect([status, stdout]).toEqual([1, '']);
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'INVALID_INPUT' } });
    }
  });

  it('in prose prints its rejections and an error', () => {
    const { run } = commandLine();
    const { status, stdout, stderr } = run(['import', '-', '--json'], { input: 'no proxies today\n' });
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ added: 0, refused: [{ code: 'not-a-proxy' }] });
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'INVALID_INPUT' } });
  });
});

describe('what import is given', () => {
  it.each([
    [
      'https://lists.example/list.txt?token=canary',
      /downloads nothing: run `curl --fail --location URL \| proxyvault import -`/,
    ],
    ['http://user:canary@lists.example/list', /downloads nothing/],
    ['ftp://lists.example/list.txt', /downloads nothing/],
    ['file:///lists/list.txt', /give the path of a file/],
    ['socks5://user:canary@h.example:1080', /add one proxy with `proxyvault add`/],
    ['h.example:80:user:canary', /add one proxy with `proxyvault add`/],
    ['h.example:99999:user:canary', /no file with this name/],
    ['user:canary@h.example', /no file with this name/],
  ])('may not be %s, and says what to write', (argument, message) => {
    const { run, db } = commandLine();
    const { status, stdout, stderr } = run(['import', argument]);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/\((?:INVALID_INPUT|CANNOT_OPEN)\)$/m);
    expect(stderr).not.toContain('canary');
    expect(existsSync(db)).toBe(false);
  });

  it('may be a path that is missing, or a folder without lists, of which it says so', () => {
    const { run, folder } = commandLine();
    mkdirSync(join(folder, 'lists', 'inner'), { recursive: true });
    writeFileSync(join(folder, 'lists', 'page.html'), 'h.example:1\n');
    writeFileSync(join(folder, 'lists', 'inner', 'a.txt'), 'h.example:1\n');
    expect(run(['import', 'missing.txt'])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/it does not exist: check the path\. \(CANNOT_OPEN\)/),
    });
    expect(run(['import', 'lists'])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/has no list: .*Folders inside it are not read\. \(CANNOT_OPEN\)/),
    });
    expect(run(['import']).status).toBe(2);
    writeFileSync(join(folder, 'lists', 'empty.txt'), '');
    writeFileSync(join(folder, 'lists', 'good.txt'), '10.0.0.1:1\n10.0.0.2:1\n');
    const { status, stdout } = run(['import', 'lists']);
    expect(status).toBe(0);
    expect(stdout).toContain('2 lines: 2 added, 0 updated, 0 unchanged, 1 rejected, 0 comments, 0 blank.');
    expect(stdout).toContain('Note on 2 (good.txt lines 1, 2): the address is private or of this machine.');
    expect(stdout).toMatch(/^empty\.txt +1 +1 +the list is empty +-$/m);
  });

  it('names the lines of a note, at most ten', () => {
    const { run } = commandLine();
    const list = (count: number): string =>
      Array.from({ length: count }, (_, n) => `10.0.0.${n}:1\n`).join('');
    const import_ = (input: string): string => run(['import', '-'], { input }).stdout;
    expect(import_('h.example:1\n10.0.0.1:1\n')).toContain('Note on 1 (line 2): the address is private');
    expect(import_(list(12))).toContain('Note on 12 (lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …): the address');
    expect(import_('192.0.2.1:80 DE\n')).toContain('1 added');
  });

  it.runIf(HAS_TERMINAL)('may be typed into a terminal, which says how to end it', () => {
    const { folder, env } = commandLine();
    const command = `"${process.execPath}" "${BIN}" import -`;
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
      cwd: folder,
      encoding: 'utf8',
      env,
      input: 'h.example:1\n\u0004',
    });
    expect(stdout).toContain('end it with Ctrl-D');
    expect(stdout).toContain('1 line: 1 added');
  });
});

describe('export', () => {
  it('writes what import reads, masked unless revealed, and says what it left out', () => {
    const { run } = commandLine();
    run(['import', '-'], { input: 'http://canary%3Au:p@h.example:1\nsocks5://h.example:2:u:p\n' });
    expect(run(['export']).stdout).toBe('http://***:***@h.example:1\nsocks5h://***:***@h.example:2\n');
    const urls = run(['export', '--reveal']).stdout;
    expect(urls).toBe('http://canary%3Au:p@h.example:1\nsocks5h://u:p@h.example:2\n');
    const other = commandLine();
    expect(
      other.run(['import', '-', '--json'], { input: run(['export', '--format', 'csv', '--reveal']).stdout })
        .stdout,
    ).toContain('"added": 2');
    expect(other.run(['export', '--reveal']).stdout).toBe(urls);
    const colon = run(['export', '--format', 'colon', '--reveal']);
    expect(colon).toMatchObject({ status: 1, stdout: 'socks5h://h.example:2:u:p\n' });
    expect(colon.stderr).toMatch(/1 left out(?:.|\n)*: an import would read another proxy/);
    expect(colon.stderr).not.toContain('canary');
  });
});

describe('next', () => {
  it('fills in a template at hand-out', () => {
    const { run } = commandLine();
    run(['import', '-'], { input: 'http://u-{country}-{session}:p-{ttl}@h.example:1\n' });
    const args = ['next', '--reveal', '--exit-country', 'de', '--session', 's1', '--ttl', '10'];
    expect(run(args).stdout).toBe('http://u-de-s1:p-10@h.example:1\n');
    expect(run(['next', '--reveal', '--exit-country', 'de', '--ttl', '10']).stdout).toMatch(
      /u-de-[\da-f]{8}:p-10@/,
    );
    expect(run(['next', '--reveal', '--ttl', '10'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('give a country'),
    });
    expect(run(['next']).stdout).toBe('http://***:***@h.example:1\n');
  });
});
