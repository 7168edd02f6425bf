import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/registry.ts';
import { commandLine } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const README = readFileSync(join(root, 'README.md'), 'utf8');

/** Runs the code of a document as a user's module would, in a folder of its own. */
function runExample(code: string): ReturnType<typeof spawnSync> {
  const folder = temporaryFolder();
  const script = join(folder, 'example.mjs');
  writeFileSync(
    script,
    code.replace("'proxyvault'", JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)),
  );
  const env = { ...process.env, PROXYVAULT_KEY: undefined, PROXYVAULT_KEY_FILE: join(folder, 'key') };
  return spawnSync(process.execPath, [script], { cwd: folder, env, encoding: 'utf8' });
}

it('the README\u2019s library example runs as it stands', () => {
  const example = /```ts\n(import \{ EncryptionService[\s\S]*?)```/.exec(README)?.[1] ?? '';
  expect(example).toContain('rotator.report');
  expect(runExample(example)).toMatchObject({ status: 0, stdout: '', stderr: '' });
});

it('the page on the library runs from top to bottom', () => {
  const page = readFileSync(join(root, 'docs/library.md'), 'utf8');
  const blocks = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code);
  expect(blocks).toHaveLength(6);
  const { status, stdout, stderr } = runExample(blocks.join('\n'));
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain('1 me 1');
  expect(stdout).toMatch(/true true \d+ 4/);
});

it('the example of the page on errors runs as it stands', () => {
  const [, example = ''] =
    /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, 'docs/errors.md'), 'utf8')) ?? [];
  const { status, stdout, stderr } = runExample(example);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^[\da-f-]{36}\n$/);
});

it('the README\u2019s command line does what it shows', () => {
  const { run, folder, json } = commandLine();
  mkdirSync(join(folder, 'lists'), { recursive: true });
  writeFileSync(
    join(folder, 'proxies.txt'),
    '# a list\nh.example:8080\ngate.example:1080:user:password\nnonsense here\n',
  );
  const { stdout } = run(['import', 'proxies.txt']);
  expect(README).toContain(stdout.trim());
  expect(run(['config', 'set', 'strategy=least-used', 'failureThreshold=3']).status).toBe(0);
  const { id } = json<{ id: string }>('next', '--domain', 'example.com');
  expect(run(['report', id, '--ok', '--latency', '230']).status).toBe(0);
  expect(run(['stats']).status).toBe(0);
});

it('the documents name commands and options that there are', () => {
  const text = readFileSync(join(root, 'docs/cli.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z]+)[^|]*\|([^|]*)\|$/gm)];
  expect(rows.length).toBe(34);
  const commands = new Map(COMMANDS.map((create) => create()).map((command) => [command.name(), command]));
  let options = 0;
  for (const [, name = '', rest = ''] of rows) {
    const command = commands.get(name);
    expect([name, command !== undefined]).toEqual([name, true]);
    const help = [command, ...(command?.commands ?? [])].map((each) => each?.helpInformation()).join('\n');
    for (const [option] of rest.matchAll(/--[a-z-]+/g)) {
      expect([name, option, help.includes(option)]).toEqual([name, option, true]);
      options++;
    }
  }
  expect(options).toBeGreaterThan(30);
});
