import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/registry.ts';
import { commandLine } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const README = readFileSync(join(root, 'README.md'), 'utf8');

/** Runs the code of a document as a user's module would, in a folder of its own with the package. */
function runExample(code: string, folder = temporaryFolder()): ReturnType<typeof spawnSync> {
  const script = join(folder, 'example.mjs');
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/proxyvault'));
  writeFileSync(script, code);
  const env = { ...process.env, PROXYVAULT_KEY: undefined, PROXYVAULT_KEY_FILE: join(folder, 'key') };
  return spawnSync(process.execPath, [script], { cwd: folder, env, encoding: 'utf8' });
}

it('the README has the two commands of a clone', () => {
  const [, block = ''] = /## From a clone\n\n```sh\n([\s\S]*?)```/.exec(README) ?? [];
  const commands = block
    .trim()
    .split('\n')
    .map((line) => line.replace(/ +#.*/, ''));
  expect(commands).toEqual(['npm ci && npm start', 'npm ci && npm test']);
});

it('the README is short', () => {
  expect(README.split('\n').length).toBeLessThan(120);
});

it('the README\u2019s library example runs as it stands', () => {
  const [, example = ''] = /```js\n(import \{ openVault[\s\S]*?)```/.exec(README) ?? [];
  expect(example).toContain('pool.report');
  const check = "console.log(url === 'socks5h://me:s3cret@gate.example.com:1080');";
  expect(runExample(`${example}\n${check}`)).toMatchObject({ status: 0, stdout: 'true\n', stderr: '' });
});

it('the page on the library runs from top to bottom', () => {
  const page = readFileSync(join(root, 'docs/library.md'), 'utf8');
  const blocks = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code);
  expect(blocks).toHaveLength(9);
  const { status, stdout, stderr } = runExample(blocks.join('\n'));
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain('1 me 1');
  expect(stdout).toContain('connect reported');
  expect(stdout).toMatch(/true true 8/);
  expect(stdout).toMatch(/\.before-restore\.backup fits/);
});

it('the example of the page on errors runs as it stands', () => {
  const [, example = ''] =
    /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, 'docs/errors.md'), 'utf8')) ?? [];
  const { status, stdout, stderr } = runExample(example);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^[\da-f-]{36}\n$/);
});

it('the page on rotation runs from top to bottom, and prints what it shows', () => {
  const page = readFileSync(join(root, 'docs/rotation.md'), 'utf8');
  const blocks = (language: string): string[] =>
    [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
      ([, text = '']) => text,
    );
  expect([blocks('js').length, blocks('text').length]).toEqual([12, 11]);
  const { status, stdout, stderr } = runExample(blocks('js').join('\n'));
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toBe(blocks('text').join(''));
});

it('the page on own tables builds its application, and prints what it shows', () => {
  const page = readFileSync(join(root, 'docs/own-tables.md'), 'utf8');
  const blocks = (language: string): string[] =>
    [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
      ([, text = '']) => text,
    );
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'migrations'));
  for (const file of blocks('sql')) {
    const [, name = ''] = /^-- Migration: (\w+)$/m.exec(file) ?? [];
    expect(page).toContain(`\`migrations/${name}.sql\``);
    writeFileSync(join(folder, 'migrations', `${name}.sql`), file);
  }
  expect([blocks('js').length, blocks('text').length]).toEqual([9, 9]);
  const { status, stdout, stderr } = runExample(blocks('js').join('\n'), folder);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toBe(blocks('text').join(''));
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
  expect(rows.length).toBe(40);
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
