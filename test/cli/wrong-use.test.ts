/** What ends with exit code 2, and what it says to do. */
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

function withPool() {
  const cli = commandLine();
  cli.run(['import', '-'], { input: 'http://c.example:1\nhttp://b.example:2\nhttp://a.example:3\n' });
  return cli;
}

describe('used wrongly is', () => {
  it.each([
    ['list', '--limit', '0'],
    ['list', '--limit', '10001'],
    ['events', '--limit', '0'],
    ['stats', '--by', 'proxy', '--limit', '0'],
  ])('%s with %s %s', (...args) => {
    const { status, stdout, stderr } = withPool().run(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/It must be at (?:least 1\.|most 10000: --after begins the next page\.)/);
  });

  it('events --by hour with a limit, which it would not heed', () => {
    const { run } = withPool();
    expect(run(['events', '--by', 'hour', '--limit', '3'])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('leave --limit out'),
    });
    expect(run(['events', '--by', 'hour']).status).toBe(0);
    expect(run(['events', '--limit', '3']).status).toBe(0);
  });

  it.each([
    [['import', '-', '--force'], '--force is for a sync: add --sync and --tag'],
    [['import', '-', '--sync'], '--sync needs --tag'],
    [['export', '--layout', '{host}'], '--layout is for lines of your own: add --format template'],
    [['migrate', 'down', '--steps', '0'], 'It must be at least 1.'],
  ])('an option that would do nothing: %j', (args, said) => {
    const { run } = withPool();
    const { status, stdout, stderr } = run(args, { input: 'd.example:4\n' });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(said);
  });

  it('--db with an empty path, as of an unset variable: an error that changes nothing', () => {
    for (const args of [['init'], ['list']])
      expect(commandLine().run([...args, '--db', ''])).toMatchObject({
        status: 1,
        stdout: '',
        stderr: expect.stringContaining('--db is empty: give the path of the pool'),
      });
  });

  it('list --after with anything but what a page of the same order printed', () => {
    const { run, json } = withPool();
    const first = json<{ next: string; items: { id: string }[] }>('list', '--limit', '1');
    const byHost = json<{ next: string }>('list', '--limit', '1', '--sort', 'host');
    for (const args of [
      ['nonsense'],
      [''],
      [byHost.next],
      ['nonsense', '--sort', 'host'],
      [first.next, '--sort', 'host'],
      [byHost.next, '--sort', '-host'],
    ]) {
      const { status, stdout, stderr } = run(['list', '--after', ...args]);
      expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: '' });
      expect(stderr).toContain('--after takes what the page before printed');
    }
    const rest = json<{ items: { host: string }[] }>('list', '--after', byHost.next, '--sort', 'host');
    expect(rest.items.map(({ host }) => host)).toEqual(['b.example', 'c.example']);
    // The proxy at which a page ended may be gone.
    run(['remove', first.next]);
    expect(json('list', '--after', first.next).items).toHaveLength(2);
  });

  it('an unknown option, of exec only if exec may be the command', () => {
    const { run } = commandLine();
    for (const [status, ...args] of [
      [2, '--nonsense', 'x', 'list', 'exec'],
      [2, '--nonsense=x', 'list', 'exec'],
      [125, '--nonsense', 'x', 'exec', 'true'],
      [125, '--nonsense', 'exec', 'true'],
      [125, '-x', 'y', 'exec', 'true'],
    ] as const)
      expect([args, run(args).status]).toEqual([args, status]);
  });
});
