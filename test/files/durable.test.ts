import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { makeFolder, publishNew } from '../../src/files/durable.ts';
import { createTemporary } from '../../src/files/temporary.ts';
import { problemsOf } from '../support/durable-order.ts';
import { failing, record } from '../support/file-calls.ts';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

vi.mock('node:fs', async (load) => (await import('../support/file-calls.ts')).watched(await load()));

const POSIX = process.platform !== 'win32';

function prepared(): { folder: string; temporary: string; path: string } {
  const folder = temporaryFolder();
  const path = join(folder, 'file');
  const temporary = createTemporary(path, 'tmp');
  writeFileSync(temporary, 'content');
  return { folder, temporary, path };
}

describe('a new file gets its name', () => {
  it('and the other name goes', () => {
    const { folder, temporary, path } = prepared();
    publishNew(temporary, path);
    expect(readdirSync(folder)).toEqual(['file']);
    expect(readFileSync(path, 'utf8')).toBe('content');
  });

  it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'] as const)(
    'also on a file system that has no hard links (%s), where it replaces no other either',
    async (errno) => {
      const { folder, temporary, path } = prepared();
      const noLinks = (call: string): typeof errno | null => (call === 'link' ? errno : null);
      expect(await failing(folder, noLinks, () => publishNew(temporary, path))).toBeNull();
      expect(readdirSync(folder)).toEqual(['file']);
      expect(readFileSync(path, 'utf8')).toBe('content');
      if (POSIX) expect(statSync(path).mode & 0o777).toBe(0o600);

      const second = createTemporary(path, 'tmp');
      writeFileSync(second, 'other');
      expect(await failing(folder, noLinks, () => publishNew(second, path))).toMatchObject({
        code: 'EEXIST',
      });
      expect(readFileSync(path, 'utf8')).toBe('content');
    },
  );

  it('but not if the link fails for another reason', async () => {
    const { folder, temporary, path } = prepared();
    const full = (call: string): 'ENOSPC' | null => (call === 'link' ? 'ENOSPC' : null);
    expect(await failing(folder, full, () => publishNew(temporary, path))).toMatchObject({ code: 'ENOSPC' });
    expect(readdirSync(folder)).not.toContain('file');
  });

  it.runIf(POSIX)('and is on the disk then', async () => {
    const { folder, temporary, path } = prepared();
    const calls = await record(folder, () => publishNew(temporary, path));
    expect(problemsOf(calls)).toEqual([]);
    const names = calls.filter(({ call }) => ['fsync', 'link'].includes(call)).map(({ call }) => call);
    expect(names).toEqual(['fsync', 'link', 'fsync']);
  });
});

describe('a missing folder', () => {
  it.runIf(POSIX)('is made with those above it, 0700 each, whatever the umask is', async () => {
    const folder = temporaryFolder();
    const before = process.umask(0);
    const calls = await record(folder, () => makeFolder(join(folder, 'a', 'b', 'c')));
    process.umask(before);
    for (const name of ['a', 'a/b', 'a/b/c']) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o700);
    const synced = calls.filter(({ call }) => call === 'fsync').map(({ path }) => path);
    expect(synced).toEqual(['.', 'a', 'a/b']);
    expect(problemsOf(calls)).toEqual([]);
  });

  it('that is there costs no sync', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'a'));
    const calls = await record(folder, () => makeFolder(join(folder, 'a')));
    expect(calls.map(({ call }) => call)).toEqual(['stat']);
  });

  it.runIf(process.platform === 'linux')('cannot be made where the system takes no new names', () => {
    for (const path of ['/proc/proxyvault', '/proc/proxyvault/pool'])
      expect(
        thrownBy(() => makeFolder(path)),
        path,
      ).toMatchObject({ code: 'ENOENT' });
  });

  it('cannot be made where a file is, or below one', () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    for (const path of [file, join(file, 'a'), join(file, 'a', 'b')])
      expect(
        thrownBy(() => makeFolder(path)),
        path,
      ).toMatchObject({ code: 'ENOTDIR' });
  });
});
