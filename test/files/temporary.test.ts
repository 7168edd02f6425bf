import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { ownMark } from '../../src/files/owner.ts';
import { createTemporary, removeAbandonedTemporaries, removeTemporary } from '../../src/files/temporary.ts';
import { temporaryFolder } from '../support/temporary.ts';

const RANDOM = '0123456789ab';

it('a temporary file is hidden, beside the file that it becomes, only for this user, and names its owner', () => {
  const path = join(temporaryFolder(), 'file');
  const temporaries = ['tmp', 'partial', 'tmp'].map((suffix) => createTemporary(path, suffix as 'tmp'));
  expect(new Set(temporaries).size).toBe(3);
  for (const temporary of temporaries) {
    expect(dirname(temporary)).toBe(dirname(path));
    expect(basename(temporary)).toMatch(
      new RegExp(`^\\.file\\.${ownMark()}\\.[0-9a-f]{12}\\.(tmp|partial)$`),
    );
    if (process.platform !== 'win32') expect(statSync(temporary).mode & 0o777).toBe(0o600);
  }
  // They are of a process that lives.
  removeAbandonedTemporaries(path);
  for (const temporary of temporaries) expect(existsSync(temporary)).toBe(true);
});

it('goes with all that SQLite puts beside it, and what cannot be removed is no error', () => {
  const path = join(temporaryFolder(), 'file');
  const temporary = createTemporary(path, 'partial');
  for (const suffix of ['-wal', '-journal']) writeFileSync(`${temporary}${suffix}`, '');
  mkdirSync(`${temporary}-shm`);
  removeTemporary(temporary);
  expect(readdirSync(dirname(path))).toEqual([basename(`${temporary}-shm`)]);
});

it('those of processes that have ended are removed, and nothing else', () => {
  const folder = temporaryFolder();
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  const place = ownMark().split('-', 2).join('-');
  const dead = `${place}-${pid}-1`;
  const write = (name: string, minutes = 0): string => {
    const then = new Date(Date.now() - minutes * 60_000);
    writeFileSync(join(folder, name), 'left');
    utimesSync(join(folder, name), then, then);
    return name;
  };
  for (const suffix of ['tmp', 'partial', 'partial-wal', 'partial-shm', 'partial-journal'])
    write(`.other.${dead}.${RANDOM}.${suffix}`);
  // Version 0.1.0 named no owner, and its key files only by their own name.
  for (const suffix of ['partial', 'partial-wal', 'partial-shm', 'partial-journal'])
    write(`.other.${RANDOM}.${suffix}`, 11);
  write(`.file.${RANDOM}.tmp`, 11);
  const stay = [
    write(`.other.${ownMark()}.${RANDOM}.tmp`, 60),
    write('.recent.ba9876543210.partial', 9),
    write('.file.ba9876543210.tmp', 9),
    write(`.other.${RANDOM}.tmp`, 60),
    write(`.other.${dead}.${RANDOM}.tmp.kept`, 60),
    write(`.other.${dead}.0123456789.tmp`, 60),
    write(`other.${dead}.${RANDOM}.tmp`, 60),
    write('.hidden', 60),
    write('file', 60),
  ];
  removeAbandonedTemporaries(join(folder, 'file'));
  expect(readdirSync(folder).sort()).toEqual(stay.sort());
});
