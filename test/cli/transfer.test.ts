import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

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
    expect(json('import', 'list.txt', '--tag', 'a', '--sync', '--dry-run')).toMatchObject({ removed: 1 });
    expect(run(['import', 'list.txt', '--tag', 'a', '--sync']).stdout).toContain('1 unchanged, 1 removed,');
    expect(run(['import', 'list.txt', '--sync'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('needs a tag'),
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
    const args = ['next', '--reveal', '--country', 'de', '--session', 's1', '--ttl', '10'];
    expect(run(args).stdout).toBe('http://u-de-s1:p-10@h.example:1\n');
    expect(run(['next', '--reveal', '--country', 'de', '--ttl', '10']).stdout).toMatch(
      /u-de-[\da-f]{8}:p-10@/,
    );
    expect(run(['next', '--reveal', '--ttl', '10'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('give a country'),
    });
    expect(run(['next']).stdout).toBe('http://***:***@h.example:1\n');
  });
});
