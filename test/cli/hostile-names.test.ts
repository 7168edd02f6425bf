import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/registry.ts';
import { BIN, commandLine } from '../support/command-line.ts';

const FORGED = 'proxyvault: forged';
/** A line of its own, escape sequences and a bidirectional control. */
const HOSTILE = `x\n${FORGED}\u001b]0;owned\u0007\u001b[31m\u202e`;
const RAW = /(?![\n])[\p{Cc}\u202e]/u;

it.skipIf(process.platform === 'win32')(
  'no command prints a line end or an escape sequence of a path or a value (skipped on Windows, whose names have none)',
  () => {
    const { folder: outer, run: runIn, env: own } = commandLine();
    const folder = join(outer, HOSTILE);
    mkdirSync(folder);
    const at = (name: string): string => join(folder, name);
    const env = { PROXYVAULT_DB: at('pool.db'), PROXYVAULT_KEY_FILE: at('key') };
    const passphrase = ['--passphrase-file', at('passphrase')];
    writeFileSync(at('passphrase'), 'correct horse battery staple');
    writeFileSync(at('list.txt'), 'http://u:p@a.example:1\nnonsense\n');
    const ran = new Set<string>();
    const outputs: string[] = [];
    /** Runs a command, which must end with this exit code, or in any way if that depends on the machine. */
    const run = (name: string, args: readonly string[], status: number | null = 0): string => {
      const argv = [...name.split(' '), ...args];
      const result =
        name === 'tour'
          ? spawnSync(process.execPath, [BIN, ...argv], { cwd: folder, env: own, encoding: 'utf8' })
          : runIn(argv, { env });
      if (status !== null) expect([argv, result]).toMatchObject([argv, { status }]);
      ran.add(name);
      outputs.push(result.stdout, result.stderr);
      return result.stdout;
    };

    run('init', []);
    run('import', [at('list.txt')]);
    run('import', [at('missing')], 1);
    run('export', ['--reveal', '--output', at('exported')]);
    run('export', ['--format', HOSTILE], 2);
    run('add', ['http://b.example:1']);
    run('add', [HOSTILE], 1);
    run('list', ['--reveal']);
    run('list', ['--search', HOSTILE], 1);
    const { items } = JSON.parse(run('list', ['--json'])) as { items: { id: string }[] };
    const id = String(items[1]?.id);
    run('show', [id]);
    run('show', [HOSTILE], 1);
    run('next', ['--reveal']);
    run('next', ['--domain', HOSTILE], 1);
    run('rotate', ['--session', 'a\u202eb', '--exit-country', 'a\u202eb']);
    run('rotate', ['--country', HOSTILE], 1);
    run('explain', ['--session', 'a\u202eb', '--url', `http://a.example/${HOSTILE}`]);
    run('explain', ['--url', HOSTILE], 1);
    run('exec', ['--', 'true']);
    run('exec', ['--', at('no-command')], 127);
    run('serve', ['--port', '0', '--host', HOSTILE], 1);
    run('serve', ['--port', '0', '--users', at(HOSTILE)], 1);
    run('serve', ['--listen', HOSTILE], 2);
    run('report', [id, '--ok']);
    run('report', [HOSTILE, '--ok'], 1);
    run('report', [`lease-${HOSTILE}`, '--ok'], 1);
    run('cool', [HOSTILE, '--for', '1m'], 1);
    run('cool', [id, '--for', '1m', '--reason', HOSTILE], 1);
    run('cool', [id, '--for', '1m']);
    run('list', ['--state', 'cooling']);
    run('reset', [HOSTILE], 1);
    run('reset', [id]);
    run('stats', ['--from', HOSTILE], 1);
    run('events', ['--limit', HOSTILE], 2);
    run('edit', [id, '--name', 'a\u202eb', '--add-tag', 'a\u202eb']);
    run('edit', [HOSTILE, '--name', 'x'], 1);
    run('edit', [id, '--region', 'eu']);
    run('disable', [HOSTILE], 1);
    run('disable', [id]);
    run('enable', [id]);
    run('stats', [HOSTILE], 1);
    run('events', ['--proxy', HOSTILE], 1);
    run('prune', ['--events-older-than', HOSTILE], 2);
    run('sticky set', ['a.example', id]);
    run('sticky set', ['a.example', HOSTILE], 1);
    run('sticky list', []);
    run('sticky remove', [HOSTILE], 1);
    const rule = {
      name: 'a\u202eb',
      conditions: [{ field: 'domain', operator: 'contains', value: 'a\u202eb' }],
      actions: [{ type: 'use-region', region: 'DE' }],
    };
    const added = JSON.parse(run('rules add', [JSON.stringify(rule), '--json'])) as { id: string };
    run('rules add', [JSON.stringify(rule)]);
    run('rules list', []);
    run('rules add', ['--when', HOSTILE, '--then', 'block'], 2);
    run('rules add', ['--when', `tag equals ${HOSTILE}`, '--then', 'block'], 2);
    run('rules add', ['--when', 'tag matches (\u202e', '--then', 'block'], 2);
    run('rules edit', [added.id, '--then', HOSTILE], 2);
    run('rules edit', [added.id, '--when', 'tag equals a\u202eb', '--then', 'use-tag=a\u202eb']);
    run('rules edit', [HOSTILE, '--priority', '1'], 1);
    run('rules list', []);
    run('explain', ['--domain', 'a.example']);
    run('rules disable', [added.id]);
    run('rules enable', [HOSTILE], 1);
    run('rules remove', [HOSTILE], 1);
    run('config set', [`options.regions=["a\u202eb"]`]);
    run('config set', [`${HOSTILE}=1`], 2);
    run('config show', []);
    run('config reset', []);
    run('key status', []);
    run('key verify', []);
    run('key rotate', []);
    run('key recovery-code', ['--output', at('code')]);
    run('key passphrase', passphrase);
    run('key file', passphrase);
    run('key keychain', [], null);
    run('key environment', [], 1);
    run('key recover', ['--code-file', at('code'), '--force']);
    run('key recover', ['--code-file', at('nowhere')], 1);
    run('migrate status', []);
    run('migrate plan', []);
    run('migrate down', []);
    run('migrate up', []);
    run('migrate baseline', ['1'], 1);
    run('backup', [at('backup')]);
    run('backup', [at('key')], 1);
    run('check', ['--deep']);
    run('restore', [at('backup'), '--force']);
    run('restore', [at('nowhere')], 1);
    run('remove', [id]);
    run('remove', [HOSTILE], 1);
    run('tour', []);
    run('completion', ['zsh']);
    run('help', ['list']);
    run('help', [HOSTILE], 2);
    expect(ran).toEqual(new Set(COMMANDS.flatMap((create) => leavesOf(create()))));
    for (const output of outputs) {
      expect(output.split('\n').filter((line) => line.startsWith(FORGED))).toEqual([]);
      expect(output).not.toMatch(RAW);
    }
    expect(outputs.filter((output) => output.includes('forged\\u{1b}]0;owned')).length).toBeGreaterThan(40);
  },
  300_000,
);

/** The names of the commands that do something. */
function leavesOf(command: Command): string[] {
  if (command.commands.length === 0) return [command.name()];
  return command.commands.flatMap(leavesOf).map((name) => `${command.name()} ${name}`);
}
