import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { ownMark } from '../../src/files/owner.ts';
import { PrivateFile } from '../../src/files/private-file.ts';
import { failing, record } from '../support/file-calls.ts';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

vi.mock('node:fs', async (load) => (await import('../support/file-calls.ts')).watched(await load()));

describe('a private file', () => {
  it('is written in parts where the system takes only a part at a time', async () => {
    const folder = temporaryFolder();
    const text = 'h.example:1:u:p\u00e4ssw\u00f6rd\n';
    const parts = (call: string): 'short' | null => (call === 'write' ? 'short' : null);
    const write = (): void => {
      using file = new PrivateFile(join(folder, 'list'));
      file.write(text);
      file.publish();
    };
    expect(await failing(folder, parts, write)).toBeNull();
    expect(readFileSync(join(folder, 'list'), 'utf8')).toBe(text);
  });

  it('says why it could not be written, also if it cannot be closed either', async () => {
    const folder = temporaryFolder();
    const answer = (call: string): 'ENOSPC' | 'EIO' | null =>
      call === 'write' ? 'ENOSPC' : call === 'close' ? 'EIO' : null;
    const write = (): void => {
      using file = new PrivateFile(join(folder, 'list'));
      file.write('text');
    };
    expect(await failing(folder, answer, write)).toMatchObject({ code: 'DISK_FULL' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('has no name that SQLite removes beside a pool', () => {
    const folder = temporaryFolder();
    for (const name of ['pool.db-journal', 'pool.db-wal', 'pool.db-SHM'])
      expect(thrownBy(() => new PrivateFile(join(folder, name)))).toMatchObject({ code: 'INVALID_INPUT' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is a conflict if there is a file already, before anything is made', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'list'), 'mine');
    const calls = await record(folder, () =>
      expect(thrownBy(() => new PrivateFile(join(folder, 'list')))).toMatchObject({
        code: 'CONFLICT',
        details: { path: join(folder, 'list') },
      }),
    );
    expect(calls.map(({ call }) => call)).toEqual(['lstat']);
  });

  it('is a conflict if another process makes the file meanwhile, and that one stays', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'list');
    {
      using file = new PrivateFile(path);
      file.write('ours');
      writeFileSync(path, 'theirs');
      expect(thrownBy(() => file.publish())).toMatchObject({
        code: 'CONFLICT',
        message: expect.stringContaining('not overwritten'),
      });
    }
    expect(readdirSync(folder)).toEqual(['list']);
    expect(readFileSync(path, 'utf8')).toBe('theirs');
  });

  it('removes what killed processes have left of others, which may hold passwords', () => {
    const folder = temporaryFolder();
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const place = ownMark().split('-', 2).join('-');
    const living = `.living.${ownMark()}.0123456789ab.tmp`;
    const foreign = '.foreign.0123456789ab.tmp';
    for (const name of [living, foreign, `.other.json.${place}-${pid}-1.0123456789ab.tmp`])
      writeFileSync(join(folder, name), 'left');
    {
      using file = new PrivateFile(join(folder, 'list.json'));
      file.write('text');
      file.publish();
    }
    {
      using dropped = new PrivateFile(join(folder, 'dropped'));
      dropped.write('text');
    }
    expect(readdirSync(folder).sort()).toEqual([foreign, living, 'list.json'].sort());
    expect(readFileSync(join(folder, 'list.json'), 'utf8')).toBe('text');
    expect(thrownBy(() => new PrivateFile(join(folder, 'list.json')))).toMatchObject({ code: 'CONFLICT' });
  });
});

it('a private file that has its name is not written to', () => {
  const path = join(temporaryFolder(), 'list.json');
  using file = new PrivateFile(path);
  file.write('text');
  file.publish();
  expect(() => file.write('more')).toThrow(RangeError);
  expect(readFileSync(path, 'utf8')).toBe('text');
});
