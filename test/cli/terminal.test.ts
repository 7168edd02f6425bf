import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { table } from '../../src/cli/output.ts';
import { bold, Text, text, toJson, visible, writeError, writeOut } from '../../src/cli/terminal.ts';
import { BIN, commandLine } from '../support/command-line.ts';
import { HAS_TERMINAL } from '../support/terminal.ts';

/** What a terminal obeys or does not show: controls, bidirectional controls, invisible characters, halves of pairs. */
const UNSAFE =
  /(?![\n\t])[\p{Cc}\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}\p{Cs}]/u;
const HOSTILE = '\u001b]0;t\u0007\u009b31m\u202e\u2066\u200b\u2028\u061c\u{e0041}\ud800';

const nasty = fc.string({
  unit: fc.oneof(fc.constantFrom(...HOSTILE, '\n', '\\'), fc.string({ unit: 'binary' })),
});

function printed(write: () => void, stream: NodeJS.WriteStream = process.stdout): string {
  const spy = vi.spyOn(stream, 'write').mockImplementation(() => true);
  try {
    write();
    return spy.mock.calls.map(([text]) => String(text)).join('');
  } finally {
    spy.mockRestore();
  }
}

describe('whatever is printed', () => {
  it('has nothing that a terminal obeys or hides, and no bold but ours', () => {
    fc.assert(
      fc.property(nasty, (value) => {
        expect(visible(value)).not.toMatch(UNSAFE);
        expect(visible(value)).not.toMatch(/[\n\t]/);
        const cell = table(['HEAD'], [[value]]);
        expect(cell.toString().split('\n')).toHaveLength(2);
        const line = printed(() => writeOut(text`${value}, ${bold(value)}, ${text`(${value})`}`));
        expect(line).not.toMatch(/[\n\t]/);
        const all = [
          line,
          printed(() => writeOut(cell)),
          // What is taken as it is may have lines, and still commands nothing.
          printed(() => writeError(Text.ours(value)), process.stderr),
          toJson({ [value]: value }, 2),
        ];
        // Here standard output is no terminal, so nothing is bold.
        for (const output of all) expect(output).not.toMatch(UNSAFE);
      }),
      { numRuns: 500 },
    );
    expect(visible('a\u001b[1m\nü \u202eb')).toBe('a\\u{1b}[1m\\u{a}ü \\u{202e}b');
    expect(visible('São Paulo, 東京 🇩🇪')).toBe('São Paulo, 東京 🇩🇪');
  });

  it('is the same value in JSON', () => {
    fc.assert(
      fc.property(fc.oneof(nasty, fc.anything({ values: [nasty], withNullPrototype: false })), (value) => {
        if (JSON.stringify(value) === undefined) return;
        expect(JSON.parse(toJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 300 },
    );
  });

  it('goes through one file', () => {
    const folder = fileURLToPath(new URL('../../src/cli', import.meta.url));
    const filesWith = (code: RegExp): string[] =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts') && code.test(readFileSync(join(folder, file), 'utf8')))
        .sort();
    // The line for an old Node, in which the others do not load, is a text of our own.
    expect(filesWith(/process\.std(?:out|err)\.write|console\.|JSON\.stringify\(.*process/)).toEqual([
      'bin.ts',
      'terminal.ts',
    ]);
    // What is printed as it is: JSON, tables, help, and the SQL of migrations.
    expect(filesWith(/Text\.ours/)).toEqual([
      join('commands', 'migrate.ts'),
      'fail.ts',
      'output.ts',
      'program.ts',
      'terminal.ts',
      'warn.ts',
    ]);
  });
});

describe('hostile names', () => {
  it.skipIf(process.platform === 'win32')(
    'of files, proxies and arguments do not reach the terminal (skipped on Windows, whose names have no controls)',
    () => {
      const { run, folder } = commandLine();
      const name = '\u001b]0;owned\u0007\u202ex\nproxyvault: all is well.txt';
      mkdirSync(join(folder, 'lists'));
      writeFileSync(join(folder, 'lists', name), 'nonsense\nhttp://h.example:1#%E2%80%AE%C2%ADevil\n');
      writeFileSync(join(folder, 'lists', 'good.txt'), 'h.example:2\n');
      const outputs = [
        run(['import', 'lists']),
        run(['import', `missing${name}`]),
        run(['import', `missing${name}`, '--json']),
        run([`--${name}`]),
        run(['list', '--json']),
        run(['show', name, '--db', `${name}/x`], { env: { PROXYVAULT_DEBUG: '1' } }),
      ];
      for (const { stdout, stderr } of outputs) {
        expect(stdout).not.toMatch(UNSAFE);
        expect(stderr).not.toMatch(UNSAFE);
        expect(stdout + stderr).not.toMatch(/^proxyvault: all is well\.txt/m);
      }
      expect(outputs[0]?.stdout).toContain(
        '\\u{1b}]0;owned\\u{7}\\u{202e}x\\u{a}proxyvault: all is well.txt',
      );
      const { items } = JSON.parse(outputs[4]?.stdout ?? '') as { items: { name: string }[] };
      expect(items.map((item) => item.name)).toContain('\u202e\u00adevil');
    },
    120_000,
  );

  it.runIf(HAS_TERMINAL)(
    'in an export are byte-exact in a pipe and visible on a terminal (skipped without script(1))',
    () => {
      const { run, env, folder } = commandLine();
      run(['import', '-', '--format', 'json'], {
        input: '[{"ip":"192.0.2.1","port":80,"name":"a\u202eb"}]',
      });
      expect(run(['export', '--format', 'csv']).stdout).toContain(',a\u202eb,');
      const command = `"${process.execPath}" "${BIN}" export --format csv`;
      const shown = spawnSync('script', ['-qec', command, '/dev/null'], {
        cwd: folder,
        env,
        encoding: 'utf8',
      });
      expect(shown.stdout).toContain(',a\\u{202e}b,');
    },
    120_000,
  );
});

describe('a long table', () => {
  it('has the same columns in all its lines, and takes no minutes', () => {
    const rows = Array.from({ length: 10_000 }, (_, i) => [
      `id-${i}`,
      i === 9_000 ? '日本語'.repeat(5) : 'x'.repeat((i % 7) + 1),
      'end',
    ]);
    const start = performance.now();
    const drawn = String(table(['ID', 'NAME', 'LAST'], rows)).split('\n');
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(drawn).toHaveLength(10_001);
    const widest = 30;
    expect(drawn[1]).toBe(`id-0     x${' '.repeat(widest + 1)}end`);
    expect(drawn[9_001]).toBe(`id-9000  ${'日本語'.repeat(5)}  end`);
    expect(drawn[10_000]).toBe(`id-9999  ${'x'.repeat(4)}${' '.repeat(widest - 2)}end`);
  });
});
