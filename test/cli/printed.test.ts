import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { newPassphrase } from '../../src/cli/new-passphrase.ts';
import { SkippedRows } from '../../src/cli/skipped-rows.ts';
import { ProxyVaultError } from '../../src/errors.ts';
import { commandLine } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary.ts';

describe('a wrong use', () => {
  it('is one line, whatever was typed, with a suggestion in a second one', () => {
    const { run } = commandLine();
    for (const args of [
      ['lis\nproxyvault: forged (X)'],
      ['list', '--no\nproxyvault: forged (X)'],
      ['list', '--limit', '1\nproxyvault: forged'],
    ]) {
      const { status, stderr } = run(args);
      expect({ args, status, forged: /^proxyvault: forged/m.test(stderr) }).toEqual({
        args,
        status: 2,
        forged: false,
      });
      expect(stderr).toContain('\\u{a}proxyvault: forged');
    }
    expect(run(['lst']).stderr).toMatch(/^error: .*'lst'\n\(Did you mean list\?\)\n/);
  });
});

describe('a table', () => {
  it('has 0 as a number, and - where nothing is known', () => {
    const { run, json } = commandLine();
    run(['import', '-'], { input: 'h.example:1\n' });
    const [{ id = '' } = {}] = json<{ items: { id: string }[] }>('list').items;
    run(['report', id, '--ok']);
    expect(run(['stats']).stdout).toMatch(/^total\s+-\s+1\s+100\s+0\s+-$/m);
  });
});

describe('a passphrase', () => {
  const file = (passphrase: string): string => {
    const path = join(temporaryFolder(), 'passphrase');
    writeFileSync(path, passphrase, { mode: 0o600 });
    return path;
  };

  it.each(['abcde abcde', '😀😁😂😃😄😀😁😂😃😄x', 'abcdabcdabcd', 'aaaaaaaaaaaaaaaaaaaaaaaa'])(
    'of less than 12 characters, or less than 5 different ones, is weak: %s',
    async (passphrase) => {
      await expect(newPassphrase(file(passphrase), {})).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringMatching(/^The passphrase is weak: .*--allow-weak\. Nothing was changed\.$/),
      });
    },
  );

  it.each(['abcde abcdef', '😀😁😂😃😄😀😁😂😃😄xy', 'abcdeabcdeab'])('%s is not', async (passphrase) => {
    await expect(newPassphrase(file(passphrase), {})).resolves.toBe(passphrase);
  });
});

describe('rows that were left out', () => {
  const malformed = (id: string, column: string): ProxyVaultError =>
    new ProxyVaultError('INVALID_ROW', 'x', { details: { table: 'proxies', id, column } });

  it('are counted and named once each, however often they were met', () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      const skipped = new SkippedRows();
      skipped.report(true);
      expect(write).not.toHaveBeenCalled();
      for (const [id, column] of ['a b', 'a b', 'a c', 'd b', 'a b'].map((each) => each.split(' ')))
        skipped.add(malformed(id ?? '', column ?? ''));
      skipped.report(true);
      expect(JSON.parse(String(write.mock.calls[0]?.[0]))).toMatchObject({
        warning: {
          code: 'SKIPPED_ROWS',
          message: expect.stringContaining('Skipped 3 malformed rows:'),
          count: 3,
          rows: [
            { id: 'a', column: 'b' },
            { id: 'a', column: 'c' },
            { id: 'd', column: 'b' },
          ],
        },
      });
    } finally {
      write.mockRestore();
    }
  });
});
