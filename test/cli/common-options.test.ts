import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allCommands, createProgram, declaredFlags } from '../../src/cli/program.ts';
import { isCommand, wantsJson } from '../../src/cli/read-arguments.ts';
import { commandLine } from '../support/command-line.ts';

const takesValue = ({ required, optional }: Option): boolean => required || optional;

/** Whether commander finds `--json` for the command that it would run; null if it would run nothing. */
function parsed(args: readonly string[]): boolean | null {
  const program = createProgram(true, args);
  let json: boolean | null = null;
  for (const command of allCommands(program)) {
    if (command.commands.length > 0) continue;
    command.action(() => {
      json = command.optsWithGlobals().json === true;
    });
  }
  try {
    program.parse(args, { from: 'user' });
  } catch {
    return null;
  }
  return json;
}

/** The words before a command's own: its path in the program. */
function pathOf(command: Command): string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}

describe('options before a command and after it', () => {
  it('do the same', () => {
    const { run, folder } = commandLine();
    const other = join(folder, 'other.db');
    expect(run(['--db', other, '--json', 'init'])).toMatchObject({ status: 0, stderr: '' });
    expect(existsSync(other)).toBe(true);
    for (const args of [
      ['--db', other, '--json', 'list'],
      ['--json', 'list', '--db', other],
      ['list', '--db', other, '--json'],
    ])
      expect(JSON.parse(run(args).stdout)).toMatchObject({ items: [], next: null, total: 0 });
    for (const args of [
      ['--db', other, 'key', '--json', 'status'],
      ['key', '--db', other, '--json', 'status'],
    ])
      expect(JSON.parse(run(args).stdout)).toMatchObject({ problem: null });
    expect(existsSync(join(folder, 'pool.db'))).toBe(false);
  });

  it('of one that is given twice the later one counts, wherever it is', () => {
    const { run, folder } = commandLine();
    const pool = join(folder, 'wanted.db');
    const other = join(folder, 'other.db');
    run(['init', '--db', pool]);
    for (const args of [
      ['--db', other, 'stats', '--db', pool],
      ['--db', other, '--db', pool, 'stats'],
      ['stats', '--db', other, '--db', pool],
      ['--db', other, 'sticky', '--db', pool, 'list'],
      ['--db', other, 'sticky', '--db', other, 'list', '--db', pool],
    ])
      expect(run(args)).toMatchObject({ status: 0, stderr: `Pool: ${pool} (--db)\n` });
    expect(existsSync(other)).toBe(false);
  });

  it('of exec are its own, and what is after its command is not', () => {
    const { run } = commandLine();
    const fails = (...args: string[]): unknown => {
      const { status, stderr } = run(args);
      return [status, stderr.startsWith('{')];
    };
    expect(fails('--json', 'exec', 'true')).toEqual([125, true]);
    expect(fails('exec', '--json', 'true')).toEqual([125, true]);
    expect(fails('exec', 'true', '--json')).toEqual([125, false]);
    expect(fails('--db', 'none.db', 'exec', '--', 'true', '--json')).toEqual([125, false]);
    expect(fails('--db', 'none.db', 'exec', '--nonsense')).toEqual([125, false]);
    expect(fails('--nonsense', 'exec', 'true')).toEqual([125, false]);
  });

  it('are refused for what works on no pool of the user', () => {
    const { run, folder } = commandLine();
    const { status, stderr } = run(['--db', 'x.db', 'tour']);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringContaining('tour works on no pool of yours'),
    });
    expect(existsSync(join(folder, 'data'))).toBe(false);
  });

  it('do not repeat a login that is in the wrong place', () => {
    const { run } = commandLine();
    for (const args of [
      ['--db', 'postgres://u:canary@h/x', 'list'],
      ['--nonsense=http://u:canary@h:1', 'list'],
      ['http://u:canary@h:1'],
    ]) {
      const { status, stdout, stderr } = run(args);
      expect(status).not.toBe(0);
      expect(stdout + stderr).not.toContain('canary');
    }
  });
});

describe('what is read before commander parses', () => {
  const flags = declaredFlags();

  it.each<[args: string[], json: boolean]>([
    [['list', '--json'], true],
    [['--json', 'list'], true],
    [['-q', '--json', 'list'], true],
    [['--db', '--json', 'list'], false],
    [['--db=x', '--json', 'list'], true],
    [['next', '--domain', '--json'], false],
    [['next', '--domain', '--region', '--json'], true],
    [['list', '--', '--json'], false],
    [['next', '--domain', '--', '--json'], true],
    [['exec', 'curl', '--json'], false],
    [['exec', '--no-report', '--json', 'curl'], true],
    [['--db', 'exec', 'list', 'x', '--json'], true],
    [['--db', 'x', 'exec', '--ok-exit', '1', 'curl', '--json'], false],
  ])('%j', (args, json) => {
    expect(wantsJson(args, flags)).toBe(json);
  });

  it('is what commander then finds, for any command and options', () => {
    const leaves = allCommands(createProgram(true, [])).filter(({ commands }) => commands.length === 0);
    const value = fc.constantFrom('x', '--json', '--', '-q', 'exec', 'list');
    const wordsOf = ({ options }: Command): fc.Arbitrary<string[]> => {
      const plain = options.filter(
        ({ parseArg, argChoices, long }) => !parseArg && !argChoices && long !== '--version',
      );
      if (plain.length === 0) return fc.constant([]);
      const option = fc.constantFrom(...plain).chain((found): fc.Arbitrary<string[]> => {
        const name = found.long ?? '';
        if (!takesValue(found)) return fc.constant([name]);
        return fc
          .tuple(value, fc.boolean())
          .map(([text, isOne]) => (isOne ? [`${name}=${text}`] : [name, text]));
      });
      return fc.array(option, { maxLength: 3 }).map((each) => each.flat());
    };
    const line: fc.Arbitrary<string[]> = fc.constantFrom(...leaves).chain((command) => {
      const [program] = [command.parent?.parent ?? command.parent];
      const operands = command.registeredArguments.map(() => fc.constantFrom('1', 'x'));
      return fc
        .tuple(
          program ? wordsOf(program) : fc.constant<string[]>([]),
          wordsOf(command),
          fc.tuple(...operands),
          fc.constantFrom<string[][]>([], ['--json'], ['--', '--json']),
        )
        .map(([before, after, words, last]) => [...before, ...pathOf(command), ...after, ...words, ...last]);
    });
    let compared = 0;
    fc.assert(
      fc.property(line, (args) => {
        const json = parsed(args);
        if (json === null) return;
        compared++;
        expect([args, wantsJson(args, flags)]).toEqual([args, json]);
      }),
      { numRuns: 400 },
    );
    expect(compared).toBeGreaterThan(50);
  });

  it('finds the command after options with values, and doubts it after an unknown one', () => {
    expect(isCommand('next', ['--db', 'x', '-q', 'next'])).toBe(true);
    expect(isCommand('next', ['--db', 'next', 'list'])).toBe(false);
    expect(isCommand('next', ['list', 'next'])).toBe(false);
    expect(isCommand('next', ['--nonsense', 'x', 'next'])).toBe(true);
    expect(isCommand('exec', [])).toBe(false);
  });
});

describe('--quiet', () => {
  it('leaves standard error to errors and warnings, and standard output as it is', () => {
    const { run, folder } = commandLine();
    writeFileSync(join(folder, 'list.txt'), 'http://user:password@a.example:8080\nb.example:1\n');
    expect(run(['import', 'list.txt', '--tag', 'one']).status).toBe(0);
    const { id } = JSON.parse(run(['next', '--json']).stdout) as { id: string };
    for (const args of [
      ['list'],
      ['show', id],
      ['stats'],
      ['events'],
      ['export'],
      ['next'],
      ['check'],
      ['report', id, '--ok'],
      ['config', 'show'],
      ['key', 'status'],
      ['key', 'recovery-code', '--output', 'code.txt'],
      ['init'],
    ]) {
      for (const quiet of [
        [...args, '--quiet'],
        ['-q', ...args],
      ]) {
        if (args.includes('--output')) quiet.push('--output', `code-${quiet.indexOf('-q')}.txt`);
        expect([quiet, run(quiet)]).toEqual([
          quiet,
          { status: 0, stdout: expect.stringMatching(/./), stderr: '' },
        ]);
      }
    }
    const notes = run(['next']).stderr + run(['next']).stderr;
    expect(notes).toContain('The login is masked');
    expect(run(['-q', 'list']).stdout).toBe(run(['list']).stdout);
  });

  it('hides no error, and no warning of a secret or of something left out', () => {
    const { run, folder } = commandLine();
    expect(run(['-q', 'list']).stderr).toMatch(/^proxyvault: There is no pool at .*\(CANNOT_OPEN\)\n$/);
    expect(run(['-q', 'lst']).stderr).toContain("unknown command 'lst'");
    const { stderr } = run(['-q', 'add', 'http://user@a.example:1']);
    expect(stderr).toMatch(
      /^Warning: A new key was made\..*\(KEY_CREATED\)\n {2}\S+ \(protected by permissions\)\n$/,
    );
    expect(run(['add', 'http://user@b.example:1']).stderr).toContain('(NOTE)');
    expect(run(['-q', 'add', 'http://user@c.example:1']).stderr).toBe('');
    run(['add', 'http://us%3Aer:p@d.example:1']);
    expect(
      run(['-q', 'export', '--reveal', '--format', 'colon', '--output', join(folder, 'o')]).stderr,
    ).toMatch(/^Warning: .*\(LEFT_OUT\)/);
  });
});
