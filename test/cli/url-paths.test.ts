import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/registry.ts';
import { commandLine } from '../support/command-line.ts';

const URL = 'postgres://user-7:s3cr%33t@db.example:5432/pool?password=hunter-9';
const SECRETS = /user-7|s3cr|hunter-9|db\.example/;

/** Arguments with which a command gets as far as opening the pool. */
const ARGUMENTS: Record<string, string[]> = {
  add: ['192.0.2.1:80'],
  import: ['-'],
  'migrate baseline': ['1'],
  'config set': ['strategy=random'],
  'rules add': ['{}'],
  'rules edit': ['id', '--priority', '1'],
  'rules enable': ['id'],
  report: ['id', '--ok'],
  cool: ['id', '--for', '1m'],
  edit: ['id', '--name', 'x'],
  prune: ['--vacuum'],
  remove: ['id'],
  'key passphrase': ['--passphrase-file', 'passphrase.txt', '--allow-weak'],
};

/** Every command that has `--db`, with its arguments. */
const TAKERS = COMMANDS.flatMap((create) => leavesOf(create(), []))
  .filter(({ command }) => command.options.some(({ long }) => long === '--db'))
  .map(({ command, names }) => {
    const given = ARGUMENTS[names.join(' ')];
    return [...names, ...(given ?? command.registeredArguments.map(() => 'x'))];
  });

function leavesOf(command: Command, above: readonly string[]): { command: Command; names: string[] }[] {
  const names = [...above, command.name()];
  return command.commands.length === 0
    ? [{ command, names }]
    : command.commands.flatMap((each) => leavesOf(each, names));
}

/** Runs it in a pool of its own; nothing of the URL but its scheme is printed, and no file is made. */
function fails(
  args: readonly string[],
  { env = {}, hasPool = false }: { env?: Record<string, string>; hasPool?: boolean } = {},
): { stdout: string; stderr: string } {
  const { run, folder } = commandLine();
  if (hasPool) run(['import', '-'], { input: 'h.example:1:user:password\n' });
  run(['init'], { env: { PROXYVAULT_DB: 'other.db' } });
  writeFileSync(join(folder, 'passphrase.txt'), 'four words of no meaning');
  const before = readdirSync(folder, { recursive: true });
  const { status, stdout, stderr } = run(args, { env, input: 'h.example:1\n' });
  expect(status).not.toBe(0);
  expect(`${stdout}${stderr}`).not.toMatch(SECRETS);
  expect(readdirSync(folder, { recursive: true })).toEqual(before);
  return { stdout, stderr };
}

describe('a URL in place of the pool', () => {
  it('is found in every command that takes a pool', () => {
    expect(TAKERS.length).toBeGreaterThan(30);
  });

  it.each(TAKERS.map((args) => [args.join(' '), args] as const))('%s rejects it', (_, args) => {
    // `exec` takes what follows its command for its arguments.
    const withDb = args[0] === 'exec' ? ['exec', '--db', URL, 'true'] : [...args, '--db', URL];
    const plain = fails(withDb).stderr;
    expect(plain).toContain('--db must be the path of a file: a postgres:// URL is not supported.');
    expect(fails(args, { env: { PROXYVAULT_DB: URL } }).stderr).toContain(
      'PROXYVAULT_DB must be the path of a file',
    );
  });

  it.each([[['check', '--db', URL, '--json']], [['init', `--db=${URL}`, '--json']]])(
    '%j says so as JSON',
    (args) => {
      expect(JSON.parse(fails(args).stderr)).toEqual({
        error: {
          code: 'INVALID_INPUT',
          message: '--db must be the path of a file: a postgres:// URL is not supported.',
        },
      });
    },
  );

  it('is not in what PROXYVAULT_DEBUG shows', () => {
    expect(fails(['check', '--db', URL], { env: { PROXYVAULT_DEBUG: '1' } }).stderr).toContain('assertPath');
  });
});

describe('a URL in place of another path', () => {
  it.each([
    ['backup', URL],
    ['restore', URL, '--force'],
    ['export', '--output', URL],
    ['key', 'recovery-code', '--output', URL],
    ['key', 'recover', '--code-file', URL],
    ['key', 'status', '--key-file', URL],
    ['key', 'file', '--key-file', URL],
    ['key', 'passphrase', '--passphrase-file', URL],
    ['import', '-', '--key-file', URL],
    ['serve', '--ca', URL],
    ['serve', '--users', URL],
  ])('%s %s %s is rejected', (...args) => {
    const { stderr } = fails(args, { hasPool: true });
    expect(stderr).toContain('must be the path of a file: a postgres:// URL is not supported.');
  });

  it.each(['PROXYVAULT_KEY_FILE', 'PROXYVAULT_PASSPHRASE_FILE', 'PROXYVAULT_MIGRATIONS_TABLE'])(
    '%s is not printed',
    (name) => {
      fails(['key', 'passphrase'], { env: { [name]: URL }, hasPool: true });
    },
  );

  it('a pool is not made if the key file is a URL', () => {
    const { stderr } = fails(['init', '--db', 'new.db', '--key-file', URL]);
    expect(stderr).toContain('must be the path of a file');
  });
});

describe('a login in the wrong place of a command line', () => {
  it('hides nothing of our own words', () => {
    const { stderr } = fails(['add', '192.0.2.1:80', '--format', 'zzz']);
    expect(stderr).toContain('user:pass@host:port, host:port@user:pass');
    expect(fails(['sticky', 'set', 'a.example', 'me@x', 'extra']).stderr).toContain('a.example, ***, extra');
  });

  it.each([
    [[URL]],
    [['check', URL]],
    [[`--dbb=${URL}`, 'check']],
    [['check', `--dbb=${URL}`]],
    [['list', '--limit', URL]],
    [['config', 'set', `${URL}=1`]],
    [['show', URL]],
    [['remove', 'user-7:s3cret@db.example:80']],
    [['show', 'db.example:80:user-7:s3cret']],
    [['check', 'user-7:s3cret@db.example:80']],
    [['list', 'user-7:s3cr=et@db.example:80']],
    [['list', "user-7:s3cr'et@db.example:80"]],
    [['list', 'user-7:my s3cret@db.example:80']],
    [['list', 'db.example:80:user-7:s3cret']],
    [['report', URL, '--ok']],
    [['rules', 'enable', URL]],
    [['rules', 'edit', URL, '--priority', '1']],
    [['rules', 'add', '--when', URL, '--then', 'block']],
    [['rules', 'add', '--when', `domain ${URL}`, '--then', 'block']],
    [['rules', 'add', '--when', `hour equals ${URL}`, '--then', 'block']],
    [['rules', 'add', '--when', `domain equals a b ${URL}`, '--then', 'block']],
    [['rules', 'add', '--when', `url matches ${URL}(`, '--then', 'block']],
    [['rules', 'add', '--when', 'hour equals 1', '--then', URL]],
    [['rules', 'add', '--when', 'hour equals 1', '--then', `use-proxy=${URL}`]],
    [['rules', 'add', '--when', 'hour equals 1', '--then', `use-country=${URL}`]],
    [['rules', 'add', '--priority', URL]],
    [['import', URL]],
    [['exec', URL]],
  ])('%j is not repeated', (args) => {
    fails(args, { hasPool: true });
    fails([...args, '--json'], { hasPool: true });
  });

  it('leaves the rest of the message', () => {
    expect(fails(['list', '--limit', URL]).stderr).toContain(
      "option '--limit <n>' argument 'postgres://***' is invalid. It must be",
    );
  });
});
