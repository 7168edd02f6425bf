import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { declarationOf } from '../../src/cli/command.ts';
import { allCommands, createProgram } from '../../src/cli/program.ts';
import { pathOf, withReference } from '../support/cli-reference.ts';
import { commandLine } from '../support/command-line.ts';

const PAGE = fileURLToPath(new URL('../../docs/cli.md', import.meta.url));

const all = allCommands(createProgram(false, [])).filter(({ parent }) => parent !== null);
const commands = all
  .filter(({ commands: below }) => below.length === 0)
  .map((command) => [pathOf(command), command] as const);

/** The arguments of `proxyvault` in an example, as a shell gives them. */
function argumentsOf(example: string): string[] {
  const script = `proxyvault() { printf '%s\\0' "$@" >&3; }\nexport() { :; }\n${example}`;
  const { output } = spawnSync('bash', ['-c', script], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    env: { PASSWORD: 'p' },
  });
  return String(output[3]).split('\0').slice(0, -1);
}

/** The command that would run, and nothing is run. */
function parsed(args: readonly string[]): string {
  const program = createProgram(true, args);
  let found = '';
  for (const command of allCommands(program))
    if (command.commands.length === 0)
      command.action(() => {
        found = pathOf(command);
      });
  program.parse(args, { from: 'user' });
  return found;
}

describe.each(commands)('%s', (path, command) => {
  const declaration = declarationOf(command);

  it('has a purpose and names of one form, and says what each option is for', () => {
    expect(declaration?.name).toBe(command.name());
    expect(declaration?.purpose).toMatch(/^[a-z`].*[^.]$/s);
    for (const name of path.split(' ')) expect(name).toMatch(/^[a-z]+(?:-[a-z]+)*$/);
    for (const argument of command.registeredArguments) {
      const { description, argChoices } = argument;
      expect(argument.name()).toMatch(/^[a-z]+(?:-[a-z]+)*$/);
      expect([path, description + String(argChoices ?? '')]).toEqual([path, expect.stringMatching(/\w/)]);
    }
    for (const { long, flags, description } of command.options) {
      expect([flags, long]).toEqual([flags, expect.stringMatching(/^--[a-z]+(?:-[a-z]+)*$/)]);
      expect([flags, description]).toEqual([flags, expect.stringMatching(/\w.*[^.]$/s)]);
    }
  });

  it('has an example that it takes', () => {
    const args = argumentsOf(declaration?.example ?? '');
    expect([args, parsed(args)]).toEqual([args, path]);
  });
});

it('--help of each command shows its example, and when it needs the key', () => {
  const { run } = commandLine();
  for (const [path, command] of commands) {
    const { key, example, reads } = declarationOf(command) ?? {};
    const { stdout, stderr, status } = run([...path.split(' '), '--help']);
    expect([path, status, stderr]).toEqual([path, 0, '']);
    expect(stdout).toContain(`Example:\n  $ ${example}\n`);
    expect([path, /^Needs the key/m.test(stdout)]).toEqual([path, key !== undefined]);
    expect([path, stdout.includes('Works on a pool that may not be written.')]).toEqual([
      path,
      reads === true,
    ]);
  }
}, 60_000);

it('help shows the same as --help, and an unknown name is used wrongly', () => {
  const { run } = commandLine();
  expect(run(['help'])).toEqual(run(['--help']));
  for (const path of ['list', 'key', 'key rotate'])
    expect(run(['help', ...path.split(' ')])).toEqual(run([...path.split(' '), '--help']));
  expect(run(['help', 'nope'])).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringContaining("unknown command 'nope'"),
  });
  expect(run(['help', 'key', 'nope'])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("unknown command 'nope' of key"),
  });
  expect(run(['--json', '--quiet', 'help', 'list'])).toEqual(run(['list', '--help']));
  expect(run(['key', 'help', 'rotate'])).toMatchObject({ status: 2, stdout: '' });
  expect(run(['help', 'key', 'key']).stderr).toContain("unknown command 'key' of key");
});

it('docs/cli.md has every command and option, as they are declared (`npm test -- test/cli/declarations.test.ts -u` writes it)', async () => {
  const page = withReference(readFileSync(PAGE, 'utf8'));
  await expect(page).toMatchFileSnapshot(PAGE);
  for (const [path, command] of commands) {
    expect(page).toContain(`\n### \`${path}`);
    for (const { flags } of command.options)
      expect([path, flags, page.includes(`| \`${flags}\` |`)]).toEqual([path, flags, true]);
  }
});
