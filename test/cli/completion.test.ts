import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** How each shell is started at a terminal, and what it reads first. Its `proxyvault` writes down what it is called with. */
const SHELLS = {
  bash: {
    start: 'bash --noprofile --rcfile ./rc -i',
    rc: `proxyvault() { { printf '%s|' "$@" | tr '\\n' '~'; echo; } >> got; }\nsource ./script\n`,
  },
  zsh: {
    start: 'ZDOTDIR=. zsh -i',
    rc: `proxyvault() { { printf '%s|' "$@"; echo } >> got }\nautoload -Uz compinit; compinit -u -D\nsource ./script\n`,
  },
  fish: {
    start: "fish --no-config -i --init-command 'source ./rc'",
    rc: `function proxyvault; begin; printf '%s|' $argv; echo; end >> got; end\nsource ./script\n`,
  },
} as const;

/** What is typed after `proxyvault`, with the Tab key as >, and what the command then gets. */
const TYPED: readonly (readonly [typed: string, words: string[]])[] = [
  ['li>--statu>ac>', ['list', '--status', 'active']],
  ['key stat>', ['key', 'status']],
  ['--db=po>ke>veri>', ['--db=pool.txt', 'key', 'verify']],
  ['--db po>-q ke>recovery->', ['--db', 'pool.txt', '-q', 'key', 'recovery-code']],
  ['imp>no>--strict->', ['import', 'notes.txt', '--strict-protocol']],
  ['export --format te>--out>no>', ['export', '--format', 'template', '--output', 'notes.txt']],
  ['export --format=cs>', ['export', '--format=csv']],
  [
    'exec --key-fi>no>probe-of->no>--js>',
    ['exec', '--key-file', 'notes.txt', 'probe-of-test', 'notes.txt', '--js'],
  ],
  ['completion fi>', ['completion', 'fish']],
  ['list --tag no>', ['list', '--tag', 'no']],
  ['he>expo>', ['help', 'export']],
  ['help ke>veri>', ['help', 'key', 'verify']],
];

describe('the script of proxyvault completion', () => {
  it.for(Object.entries(SHELLS))(
    'completes commands, options, values, programs and paths in %s (skipped where it, or script(1), is missing)',
    { timeout: 90_000 },
    ([shell, { start, rc }], context) => {
      if (process.platform !== 'linux' || !has(shell) || !has('script'))
        return context.skip(`${shell} or script(1) is missing`);
      const { run, folder, env } = commandLine();
      const { status, stdout, stderr } = run(['completion', shell]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      for (const [name, text] of [
        ['script', stdout],
        ['rc', rc],
        ['.zshrc', rc],
        ['notes.txt', ''],
        ['pool.txt', ''],
        ['probe-of-test', ''],
      ] as const)
        writeFileSync(join(folder, name), text);
      chmodSync(join(folder, 'probe-of-test'), 0o755);
      const typed = TYPED.map(([line]) => `proxyvault ${line.replaceAll('>', '\t')}\n`);
      spawnSync('script', ['-qec', start, '/dev/null'], {
        cwd: folder,
        input: `${typed.join('')}exit\n`,
        timeout: 60_000,
        env: { ...env, TERM: 'dumb', PATH: `${folder}:${env.PATH ?? ''}` },
      });
      const got = readFileSync(join(folder, 'got'), 'utf8').trimEnd().split('\n');
      expect(got).toEqual(TYPED.map(([, words]) => `${words.join('|')}|`));
      expect(existsSync(join(folder, 'pool.db'))).toBe(false);
    },
  );

  it('completes a name with a line end in bash (skipped where it, or script(1), is missing)', (context) => {
    if (process.platform !== 'linux' || !has('bash') || !has('script')) return context.skip();
    const { run, folder, env } = commandLine();
    writeFileSync(join(folder, 'script'), run(['completion', 'bash']).stdout);
    writeFileSync(join(folder, 'rc'), SHELLS.bash.rc);
    writeFileSync(join(folder, 'odd\nname.txt'), '');
    spawnSync('script', ['-qec', SHELLS.bash.start, '/dev/null'], {
      cwd: folder,
      input: 'proxyvault import od\t\nproxyvault export --output=od\t\nexit\n',
      timeout: 60_000,
      env: { ...env, TERM: 'dumb' },
    });
    expect(readFileSync(join(folder, 'got'), 'utf8')).toBe(
      'import|odd~name.txt|\nexport|--output=odd~name.txt|\n',
    );
  });

  it('is for a shell that is known, and opens no pool', () => {
    const { run, folder } = commandLine();
    expect(run(['completion', 'tcsh'])).toMatchObject({ status: 2, stdout: '' });
    expect(run(['completion'])).toMatchObject({ status: 2, stdout: '' });
    expect(run(['--json', 'completion', 'bash'])).toMatchObject({ status: 2, stdout: '' });
    expect(run(['completion', '--help']).stdout).toContain('~/.config/fish/completions/proxyvault.fish');
    expect(readdirSync(folder)).toEqual([]);
  });
});
