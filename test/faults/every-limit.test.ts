/**
 * Every public operation (operations.ts), the command line's too, under each limit of the system. It may succeed or throw a
 * typed error that fits (fitting.ts), nothing else: see every-limit.trial.ts.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BIN } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { TIMEOUT_MS, tally } from './campaign.ts';
import { SCRATCH } from './scratch.ts';
import { compileShim } from './shim/compile.ts';
import type { Verdict } from './trial.ts';

const TRIAL = fileURLToPath(new URL('every-limit.trial.ts', import.meta.url));
const shim = compileShim();
const isRootOnLinux = process.platform === 'linux' && process.getuid?.() === 0;

/** Runs all operations under a limit, by a shell that sets it up; gives what was wrong. */
function under(limit: string, env: Record<string, string | undefined> = {}, shell = 'exec "$@"'): string[] {
  const args = ['-c', shell, 'sh', process.execPath, TRIAL, limit];
  const { status, stdout, stderr } = spawnSync('sh', args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: TIMEOUT_MS,
  });
  const verdicts = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Verdict);
  const problems = verdicts.filter(({ problem }) => problem !== null);
  tally({
    part: 'limits',
    tried: verdicts.length,
    failed: problems.length,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(verdicts.length).toBeGreaterThan(40);
  return problems.map(({ name, problem }) => `${name}: ${problem}`);
}

describe.skipIf(process.platform === 'win32')('every operation', () => {
  it(
    'that the system refuses a kind of call says a fitting error',
    (context) => {
      if (shim.problem) return context.skip(shim.problem);
      expect(under('calls', { LD_PRELOAD: shim.path })).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'without file descriptors says a fitting error',
    () => {
      expect(under('descriptors', {}, 'ulimit -n 120; exec "$@"')).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'on a full disk says DISK_FULL',
    (context) => {
      if (!isRootOnLinux) return context.skip('a small file system needs root on Linux');
      const folder = temporaryFolder();
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]).status !== 0)
        return context.skip('a small file system cannot be mounted here');
      onTestFinished(() => {
        execFileSync('umount', [folder]);
      });
      expect(under('disk', { PROXYVAULT_TEST_DISK: folder })).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it('above the file-size limit says DISK_FULL', () => {
    const folder = temporaryFolder();
    const list = join(folder, 'list.txt');
    writeFileSync(list, Array.from({ length: 20_000 }, (_, n) => `h${n}.example:80\n`).join(''));
    const args = [BIN, 'import', list, '--json', '--db', join(folder, 'pool.db')];
    const { status, stderr } = spawnSync(
      'sh',
      ['-c', 'ulimit -f 400; exec "$@"', 'sh', process.execPath, ...args],
      {
        encoding: 'utf8',
      },
    );
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('"code":"DISK_FULL"') });
  });

  it(
    'without permission says a fitting error',
    (context) => {
      if (isRootOnLinux && spawnSync('setpriv', ['--version']).error)
        return context.skip('root needs setpriv to be another user');
      const folder = mkdtempSync(join(SCRATCH, 'proxyvault-limits-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      if (isRootOnLinux) chownSync(folder, 65_534, 65_534);
      const shell = isRootOnLinux
        ? 'exec setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"'
        : 'exec "$@"';
      const env = { PROXYVAULT_TEST_DISK: folder };
      expect(under('permissions', env, shell)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'on a path that leads nowhere says a fitting error',
    () => {
      expect(under('paths')).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
