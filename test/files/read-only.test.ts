import { afterEach, expect, it, vi } from 'vitest';
import { isReadOnlyMount } from '../../src/files/read-only.ts';

const system = vi.hoisted(() => ({ mounts: '' as string | null, answer: 'EACCES' as string | null }));

vi.mock('node:fs', async (load) => {
  const original = await load<typeof import('node:fs')>();
  return {
    ...original,
    accessSync: () => {
      if (system.answer === null) return;
      throw Object.assign(new Error(system.answer), { code: system.answer, syscall: 'access' });
    },
    readFileSync: (path: string) => {
      if (path !== '/proc/self/mountinfo' || system.mounts === null) throw new Error(`There is no ${path}.`);
      return system.mounts;
    },
  };
});

/** A line of proc_pid_mountinfo(5). */
const mount = (folder: string, options: string): string =>
  `36 35 98:0 / ${folder} ${options} master:1 - ext4 /dev/root rw,errors=continue`;

const mounted = (...lines: string[]): void => {
  system.mounts = `${lines.join('\n')}\n`;
};

afterEach(() => {
  system.answer = 'EACCES';
});

it('a file that may be written is on no read-only mount', () => {
  system.answer = null;
  mounted(mount('/', 'ro'));
  expect(isReadOnlyMount('/run/secrets/key')).toBe(false);
});

it('a file system that says so itself is read-only, whatever the table says', () => {
  system.answer = 'EROFS';
  mounted(mount('/', 'rw'));
  expect(isReadOnlyMount('/run/secrets/key')).toBe(true);
});

it('the nearest mount above a file decides, and of two at one place the later one', () => {
  mounted(mount('/', 'rw'), mount('/run/secrets', 'ro,nosuid'), mount('/run/secrets/open', 'rw'));
  expect(isReadOnlyMount('/run/secrets/key')).toBe(true);
  expect(isReadOnlyMount('/run/secrets')).toBe(true);
  expect(isReadOnlyMount('/run/secrets/open/key')).toBe(false);
  expect(isReadOnlyMount('/run/other')).toBe(false);
  // A folder whose name begins like that of the mount is elsewhere.
  expect(isReadOnlyMount('/run/secrets-of-others/key')).toBe(false);
  mounted(mount('/run', 'ro'), mount('/', 'rw'));
  expect(isReadOnlyMount('/run/key')).toBe(true);
  mounted(mount('/', 'rw'), mount('/a', 'ro'), mount('/a', 'rw'));
  expect(isReadOnlyMount('/a/key')).toBe(false);
  mounted(mount('/', 'ro'), mount('/a', 'rw'));
  expect(isReadOnlyMount('/key')).toBe(true);
});

it('the name of a mount may have a space, which the table writes as a number', () => {
  mounted(mount('/', 'rw'), mount('/my\\040secrets', 'ro'));
  expect(isReadOnlyMount('/my secrets/key')).toBe(true);
});

it('an option is a whole word, and a system without the table has no read-only mount', () => {
  mounted(mount('/', 'rw,errors=ro'));
  expect(isReadOnlyMount('/key')).toBe(false);
  system.mounts = null;
  expect(isReadOnlyMount('/key')).toBe(false);
});
