import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BIN } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

interface Home {
  folder: string;
  temporary: string;
  /** Runs the command with this home and temporary folder, and says what of the cache it used. */
  run: (env?: Record<string, string | undefined>) => { cached: boolean; stdout: string; log: string };
}

function home(): Home {
  const folder = realpathSync(temporaryFolder());
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary, { mode: 0o777 });
  const run: Home['run'] = (env = {}) => {
    const { NODE_COMPILE_CACHE: _, XDG_CACHE_HOME: __, ...inherited } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, '--version'], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 20_000,
      env: { ...inherited, HOME: folder, TMPDIR: temporary, NODE_DEBUG_NATIVE: 'COMPILE_CACHE', ...env },
    });
    expect(status).toBe(0);
    return { cached: /compile cache/i.test(stdout + stderr), stdout, log: stdout + stderr };
  };
  return { folder, temporary, run };
}

const ours = (folder: string): string => join(folder, '.cache', 'proxyvault');

// Elsewhere the cache is in a folder of the platform, and there are no modes on Windows.
describe.runIf(process.platform === 'linux')('compiled code', () => {
  it('is kept in a folder that only this user can enter, and nothing in the temporary folder', () => {
    const { folder, temporary, run } = home();
    expect(run().cached).toBe(true);
    expect(statSync(ours(folder)).mode & 0o777).toBe(0o700);
    expect(readdirSync(ours(folder))).toHaveLength(1);
    expect(run().log).toMatch(/reading cache .*success/i);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it.runIf(isRoot)(
    'that another user has planted is neither run nor replaced (skipped without root, who can chown)',
    () => {
      const { temporary, run } = home();
      const planted = join(temporary, 'node-compile-cache');
      mkdirSync(planted, { mode: 0o777 });
      run({ NODE_COMPILE_CACHE: planted });
      const before = listing(planted);
      expect(before.length).toBeGreaterThan(5);
      for (const path of ['', ...before]) chownSync(join(planted, path.split(' ')[0] ?? ''), NOBODY, NOBODY);
      chownSync(temporary, NOBODY, NOBODY);
      expect(run().log).not.toContain(planted);
      expect(run({ HOME: '/nonexistent' }).log).not.toContain(planted);
      expect(listing(planted)).toEqual(before);
    },
  );

  it.skipIf(process.platform !== 'linux')(
    'is not kept in a folder that takes no new ones, such as /proc',
    () => {
      const { run } = home();
      expect(run({ XDG_CACHE_HOME: '/proc/nothing' }).cached).toBe(false);
    },
  );

  it('is not kept where others can write, or where there is no home', () => {
    const writable = home();
    mkdirSync(ours(writable.folder), { recursive: true });
    chmodSync(ours(writable.folder), 0o777);
    const readable = home();
    mkdirSync(ours(readable.folder), { recursive: true, mode: 0o755 });
    const above = home();
    mkdirSync(join(above.folder, '.cache'));
    chmodSync(join(above.folder, '.cache'), 0o777);
    const linked = home();
    const elsewhere = join(linked.folder, 'elsewhere');
    mkdirSync(elsewhere, { mode: 0o700 });
    mkdirSync(join(linked.folder, '.cache'));
    symlinkSync(elsewhere, ours(linked.folder));
    for (const { folder, run } of [writable, readable, above, linked]) {
      expect(run().cached).toBe(false);
      const kept = existsSync(ours(folder)) ? readdirSync(ours(folder)) : [];
      expect(kept).toEqual([]);
    }
    const relative = home();
    expect(relative.run({ XDG_CACHE_HOME: 'cache' }).cached).toBe(false);
    expect(relative.run({ HOME: '' }).cached).toBe(false);
    expect(readdirSync(relative.folder)).toEqual(['tmp']);
    const file = home();
    expect(file.run({ XDG_CACHE_HOME: '/dev/null' }).cached).toBe(false);
  });

  it.runIf(isRoot)('is not kept in a folder of another user (skipped without root, who can chown)', () => {
    const folderOfOther = home();
    mkdirSync(ours(folderOfOther.folder), { recursive: true, mode: 0o700 });
    chownSync(ours(folderOfOther.folder), NOBODY, NOBODY);
    expect(folderOfOther.run().cached).toBe(false);
    const homeOfOther = home();
    chownSync(homeOfOther.folder, NOBODY, NOBODY);
    expect(homeOfOther.run().cached).toBe(false);
    expect(readdirSync(homeOfOther.folder)).toEqual(['tmp']);
  });
});

function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`);
}
