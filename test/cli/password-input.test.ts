/** The password that add and edit read from standard input. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BIN, commandLine } from '../support/command-line.ts';

const ADD = ['add', 'http://a.example:1', '--username', 'me', '--password-stdin'];
const EDIT = ['edit', 'a.example:1', '--password-stdin'];

describe('--password-stdin', () => {
  it.each(['', '\n', '\r\n'])(
    'rejects an empty password %j, as of an unset variable, and changes nothing',
    (input) => {
      const { run, json, db } = commandLine();
      const added = run(ADD, { input });
      expect(added).toMatchObject({ status: 1, stdout: '' });
      expect(added.stderr).toMatch(
        /There is no password on standard input.*Nothing was changed\. \(INVALID_INPUT\)/,
      );
      expect(existsSync(db)).toBe(false);
      run(ADD, { input: 'canary' });
      expect(run([...EDIT, '--name', 'other'], { input })).toMatchObject({ status: 1, stdout: '' });
      expect(json('show', 'a.example:1', '--reveal')).toMatchObject({
        name: 'a.example:1',
        url: 'http://me:canary@a.example:1',
      });
    },
  );

  it('rejects what is not UTF-8, since another password would be stored', () => {
    const { run, env, folder, json } = commandLine();
    run(ADD, { input: 'canary' });
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...EDIT], {
      cwd: folder,
      env,
      input: Buffer.from('p\u00e4ss', 'latin1'),
      encoding: 'utf8',
    });
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/is not UTF-8: convert it first\. Nothing was changed\. \(INVALID_INPUT\)/);
    expect(stderr).not.toContain('ss ');
    expect(json('show', 'a.example:1', '--reveal')).toMatchObject({ url: 'http://me:canary@a.example:1' });
  });

  it('keeps every character of a password but the last line end', () => {
    const { run, json } = commandLine();
    run(ADD, { input: ' \ufeffä b \n' });
    expect(json('show', 'a.example:1', '--reveal')).toMatchObject({
      url: `http://me:${encodeURIComponent(' \ufeffä b ')}@a.example:1`,
    });
  });

  it('is not given together with --no-password, which takes the password away and keeps the username', () => {
    const { run, json } = commandLine();
    run(ADD, { input: 'canary' });
    expect(run([...EDIT, '--no-password'], { input: 'x' })).toMatchObject({ status: 2, stdout: '' });
    const edited = run(['edit', 'a.example:1', '--no-password']);
    expect(edited).toMatchObject({ status: 0, stdout: expect.stringContaining('password: *** -> -') });
    expect(json('show', 'a.example:1', '--reveal')).toMatchObject({ url: 'http://me:@a.example:1' });
  });
});
