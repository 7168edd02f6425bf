/** Other tests have one process run many commands (command-line.ts); here each command is a process, as a user starts it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/registry.ts';
import { commandLine } from '../support/command-line.ts';

const RULE = {
  name: 'all',
  conditions: [{ field: 'domain', operator: 'contains', value: '.' }],
  actions: [{ type: 'block' }],
};

/** A whole life of a pool. `{id}` is the id of its proxy, `{rule}` that of its rule, `{code}` its recovery code. */
const LINES: readonly (readonly string[])[] = [
  ['tour'],
  ['init'],
  ['import', 'list.txt'],
  ['add', 'http://user:password@b.example:8080'],
  ['list', '--reveal'],
  ['show', '{id}'],
  ['edit', '{id}', '--name', 'mine'],
  ['disable', '{id}'],
  ['enable', '{id}'],
  ['next', '--reveal'],
  ['rotate', '--session', 'mine'],
  ['explain', '--domain', 'a.example'],
  ['exec', '--', process.execPath, '--version'],
  ['report', '{id}', '--ok'],
  ['cool', '{id}', '--for', '10m'],
  ['reset', '{id}'],
  ['stats'],
  ['events'],
  ['export'],
  ['sticky', 'set', 'a.example', '{id}'],
  ['sticky', 'list'],
  ['sticky', 'remove', 'a.example'],
  ['rules', 'add', JSON.stringify(RULE)],
  ['rules', 'list'],
  ['rules', 'edit', '{rule}', '--priority', '1'],
  ['rules', 'disable', '{rule}'],
  ['rules', 'enable', '{rule}'],
  ['rules', 'remove', '{rule}'],
  ['config', 'set', 'strategy=random'],
  ['config', 'show'],
  ['config', 'reset'],
  ['key', 'status'],
  ['key', 'verify'],
  ['key', 'rotate'],
  ['key', 'environment', '--i-have-stored-it'],
  ['key', 'file'],
  ['key', 'recovery-code'],
  ['key', 'recover', '{code}', '--force'],
  ['backup', 'copy.db'],
  ['check', '--deep'],
  ['prune', '--events-older-than', '30d', '--vacuum'],
  ['migrate', 'status'],
  ['migrate', 'down'],
  ['migrate', 'plan'],
  ['migrate', 'up'],
  ['restore', 'copy.db', '--force'],
  ['key', 'passphrase', '--passphrase-file', 'passphrase.txt'],
  ['remove', '{id}'],
  ['completion', 'bash'],
  ['help', 'key', 'rotate'],
];

/** What these do is tested beside them: they need a keychain, and tables without a ledger, and one ends at a signal alone. */
const ELSEWHERE = ['key keychain', 'migrate baseline', 'serve'];

it('each command runs as a process of its own, and ends by itself', () => {
  const { runProcess, json, folder } = commandLine();
  writeFileSync(join(folder, 'list.txt'), 'http://user:password@a.example:8080\n');
  writeFileSync(join(folder, 'passphrase.txt'), 'correct horse battery staple');
  let code = '';
  const filled = (word: string): string => {
    if (word === '{id}') return json<{ items: { id: string }[] }>('list').items[0]?.id ?? '';
    if (word === '{rule}') return json<{ rules: { id: string }[] }>('rules', 'list').rules[0]?.id ?? '';
    return word.replace('{code}', code);
  };
  for (const line of LINES) {
    const env = line[1] === 'environment' || line[1] === 'file' ? { PROXYVAULT_KEY: 'ab12'.repeat(16) } : {};
    const { status, stdout, stderr } = runProcess(line.map(filled), { env });
    if (line[1] === 'recovery-code') code = stdout.trim();
    expect({ line, status, stderr }).toMatchObject({ status: 0 });
    expect({ line, stdout }).not.toMatchObject({ stdout: '' });
  }
  const run = LINES.flatMap(([first = '', second = '']) => [first, `${first} ${second}`]);
  const missing = COMMANDS.flatMap((create) => leaves(create())).filter((name) => !run.includes(name));
  expect(missing.sort()).toEqual(ELSEWHERE);
}, 120_000);

/** The full names of the commands that do something. */
function leaves(command: Command): string[] {
  if (command.commands.length === 0) return [command.name()];
  return command.commands.flatMap(leaves).map((name) => `${command.name()} ${name}`);
}
