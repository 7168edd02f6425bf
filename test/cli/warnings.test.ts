import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, fchmodSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { BIN, commandLine } from '../support/command-line.ts';
import type { Ran } from '../support/command-server.ts';

type CommandLine = ReturnType<typeof commandLine>;

/** The codes of the warnings on standard error, which must be JSON and nothing else. */
function codesOf({ stderr }: Pick<Ran, 'stderr'>): string[] {
  const lines = stderr.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const { warning } = JSON.parse(line) as { warning: { code: string; message: string } };
    expect(warning).toEqual(expect.objectContaining({ message: expect.stringMatching(/.\.$/) }));
    return warning.code;
  });
}

/** Runs with --json, and without, where each code is in a line for a person. */
function warningsOf({ run }: Pick<CommandLine, 'run'>, [name = '', ...args]: readonly string[]): string[] {
  const codes = codesOf(run([name, '--json', ...args]));
  const { stderr } = run([name, ...args]);
  for (const code of codes) expect(stderr).toMatch(new RegExp(`^Warning: .*\\. \\(${code}\\)$`, 'm'));
  return codes;
}

function withLogins(): CommandLine {
  const cli = commandLine();
  cli.run(['import', '-'], { input: 'http://us%3Aer:p@a.example:1\nb.example:1:user:password\n' });
  return cli;
}

function change({ db }: CommandLine, sql: string): void {
  const opened = new Database(db);
  opened.exec(sql);
  opened.close();
}

describe('a warning is a line for a person, and an object with --json', () => {
  it('of a country or ttl that the login of the proxy has no place for', () => {
    const cli = commandLine();
    const handOut = (name: string, ...options: string[]): string[] =>
      warningsOf(cli, [name, ...options, ...(name === 'exec' ? ['--', 'true'] : [])]);
    for (const [line, options, unused] of [
      ['h.example:1', ['--ttl', 'canary'], '--ttl'],
      ['http://u:p@h.example:2', ['--ttl', 'canary', '--exit-country', 'de'], '--exit-country, --ttl'],
      ['http://u-{session}-{country}:p@h.example:3', ['--exit-country', 'de'], ''],
      // These do something by themselves.
      ['http://u:p@h.example:3', ['--session', 'canary'], ''],
      ['http://u-{session}:p@h.example:4', ['--session', 'canary', '--ttl', '5'], '--ttl'],
      ['http://u:p@h.example:5', [], ''],
    ] as const) {
      cli.run(['import', '-', '--tag', 'one', '--sync'], { input: `${line}\n` });
      const expected = unused === '' ? [] : ['NO_TEMPLATE'];
      for (const name of ['next', 'exec'])
        expect([line, handOut(name, ...options)]).toEqual([line, expected]);
      expect([line, handOut('next', '--reveal', ...options)]).toEqual([line, expected]);
      const { stderr } = cli.run(['next', ...options]);
      if (unused !== '') expect(stderr).toContain(`Warning: ${unused} changed nothing: proxy `);
      expect(stderr).not.toContain('canary');
    }
    // Without the key nobody knows; then next without --reveal works as before.
    const env = { PROXYVAULT_KEY: 'ab'.repeat(32) };
    expect(cli.run(['next', '--json', '--ttl', 's'], { env })).toMatchObject({ status: 0, stderr: '' });
  }, 120_000);

  it('of a key that is made, and of its weak passphrase', () => {
    const cli = commandLine();
    writeFileSync(join(cli.folder, 'p'), 'short');
    const add = (name: string, ...more: string[]): Ran =>
      cli.run(
        ['add', `http://u:p@${name}.example:1`, '--passphrase-file', 'p', '--key-file', name, ...more],
        {
          env: { PROXYVAULT_DB: join(cli.folder, `${name}.db`) },
        },
      );
    expect(codesOf(add('a', '--json'))).toEqual(['WEAK_PASSPHRASE', 'KEY_CREATED']);
    expect(add('b').stderr).toMatch(
      /^Warning: .*\(WEAK_PASSPHRASE\)\nWarning: .*\(KEY_CREATED\)\n {2}.*b \(/m,
    );
    const weak = ['key', 'passphrase', '--allow-weak', '--passphrase-file', 'p', '--key-file', 'c', '--json'];
    expect(codesOf(cli.run(['init', '--json']))).toEqual([]);
    expect(codesOf(cli.run(weak))).toEqual(['WEAK_PASSPHRASE']);
  }, 120_000);

  it('of a login that a list of processes shows', () => {
    expect(warningsOf(withLogins(), ['exec', '--', 'true', '{proxy}'])).toEqual(['LOGIN_VISIBLE']);
  });

  it.skipIf(process.platform === 'win32')(
    'of secrets in a file that others can read, and of Node',
    () => {
      const { run, folder, env } = withLogins();
      const preload = join(folder, 'warn.cjs');
      writeFileSync(
        preload,
        `process.once('beforeExit', () => process.emitWarning('Odd\\nproxyvault: x.', 'Odd'));`,
      );
      const warned = (mode: number, ...more: string[]): string => {
        const output = openSync(join(folder, `output-${mode}`), 'w');
        fchmodSync(output, mode);
        const { stderr } = spawnSync(
          process.execPath,
          ['--require', preload, BIN, 'list', '--reveal', ...more],
          {
            env,
            stdio: ['ignore', output, 'pipe'],
            encoding: 'utf8',
          },
        );
        closeSync(output);
        return stderr;
      };
      expect(codesOf({ stderr: warned(0o640, '--json') })).toEqual(['OPEN_OUTPUT', 'Odd']);
      expect(codesOf({ stderr: warned(0o600, '--json') })).toEqual(['Odd']);
      expect(warned(0o604)).toMatch(
        /^Warning: .*\(OPEN_OUTPUT\)\nWarning: Odd\\u\{a\}proxyvault: x\. \(Odd\)$/m,
      );
      expect(run(['list', '--reveal']).stderr).not.toContain('OPEN_OUTPUT');
    },
    60_000,
  );

  it('of what is left out of an export', () => {
    expect(warningsOf(withLogins(), ['export', '--reveal', '--format', 'colon'])).toEqual(['LEFT_OUT']);
  });

  it('of logins and rows that cannot be read', () => {
    const cli = withLogins();
    change(cli, `UPDATE encrypted_credentials SET auth_tag = 'AAAAAAAAAAAAAAAAAAAAAA=='`);
    expect(warningsOf(cli, ['list', '--reveal'])).toEqual(['UNREADABLE_LOGINS']);
    change(cli, `UPDATE proxies SET created_at = NULL WHERE host = 'a.example'`);
    expect(warningsOf(cli, ['list'])).toEqual(['SKIPPED_ROWS']);
  }, 60_000);

  it.skipIf(process.platform === 'win32')('of a pool that everybody may write', () => {
    const cli = commandLine();
    cli.run(['init']);
    chmodSync(cli.db, 0o666);
    // The listener of a process takes its form from the arguments of the process.
    expect(warningsOf({ run: cli.runProcess }, ['list'])).toEqual(['PROXYVAULT_OTHERS_MAY_WRITE']);
  });
});

it('an error with --json is an object too, also with where it came from', () => {
  const { run } = commandLine();
  const { stderr } = run(['list', '--json'], { env: { PROXYVAULT_DEBUG: '1' } });
  expect(JSON.parse(stderr)).toMatchObject({
    error: { code: 'CANNOT_OPEN', origin: expect.stringMatching(/\n\s+at /) },
  });
});

it('a command that is missing is an object too, and nothing else is printed', () => {
  const { run } = commandLine();
  const messageOf = (...args: string[]): string => {
    const { status, stdout, stderr } = run(args);
    expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: '' });
    const { error } = JSON.parse(stderr) as { error: { code: string; message: string } };
    expect(error.code).toBe('USAGE');
    return error.message;
  };
  for (const args of [['--json'], ['key', '--json'], ['--json', 'key']])
    expect(messageOf(...args)).toContain('A command is missing');
  expect(run([])).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('Usage:') });
});
