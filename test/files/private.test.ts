import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { whoElseMayWrite } from '../../src/files/private.ts';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

describe.skipIf(process.platform === 'win32')('who else may write a path', () => {
  function inFolder(mode: number): string {
    const folder = join(temporaryFolder(), 'a');
    mkdirSync(join(folder, 'b'), { recursive: true });
    const file = join(folder, 'b', 'file');
    writeFileSync(file, '', { mode: 0o600 });
    chmodSync(folder, mode);
    return file;
  }

  it('is nobody for a private file in private folders, below a sticky one', () => {
    expect(whoElseMayWrite(inFolder(0o700))).toBeNull();
    expect(whoElseMayWrite(inFolder(0o1777))).toBeNull();
  });

  it('is everybody for a writable file, or one below a writable folder, also through a link', () => {
    const file = inFolder(0o777);
    expect(whoElseMayWrite(file)).toMatchObject({ problem: 'can be written by others' });
    const link = join(temporaryFolder(), 'link');
    symlinkSync(file, link);
    expect(whoElseMayWrite(link)).toMatchObject({ path: expect.stringMatching(/\/a$/) });
    const open = inFolder(0o700);
    chmodSync(open, 0o602);
    expect(whoElseMayWrite(open)).toMatchObject({ path: expect.stringMatching(/file$/) });
  });

  it('is the group if it may write, and everybody for a folder that is itself the path, be it sticky', () => {
    const file = inFolder(0o700);
    chmodSync(file, 0o620);
    expect(whoElseMayWrite(file)).toMatchObject({
      path: file,
      isFolder: false,
      problem: 'can be written by others',
    });
    const shared = temporaryFolder();
    chmodSync(shared, 0o1777);
    expect(whoElseMayWrite(shared)).toMatchObject({
      path: shared,
      isFolder: true,
      problem: 'can be written by others',
    });
    // What is in it, and ours, is nobody else's.
    writeFileSync(join(shared, 'file'), '', { mode: 0o600 });
    expect(whoElseMayWrite(join(shared, 'file'))).toBeNull();
    chmodSync(join(shared, 'file'), 0o1602);
    expect(whoElseMayWrite(join(shared, 'file'))).toMatchObject({ isFolder: false });
  });

  it.skipIf(!isRoot)('is not root, who may write everything anyway (needs root)', () => {
    const file = inFolder(0o700);
    vi.spyOn(process, 'geteuid').mockReturnValue(NOBODY);
    expect(whoElseMayWrite(file)).toBeNull();
    chownSync(file, NOBODY, NOBODY);
    expect(whoElseMayWrite(file)).toBeNull();
    chownSync(file, NOBODY - 1, NOBODY);
    expect(whoElseMayWrite(file)).toMatchObject({ problem: 'belongs to another user' });
    vi.restoreAllMocks();
  });

  it.skipIf(!isRoot)('is the owner for what belongs to another user (needs root)', () => {
    const file = inFolder(0o700);
    chownSync(file, NOBODY, NOBODY);
    expect(whoElseMayWrite(file)).toMatchObject({ problem: 'belongs to another user' });
  });

  it('is the error of the operating system for what does not exist', () => {
    expect(thrownBy(() => whoElseMayWrite(join(temporaryFolder(), 'absent')))).toMatchObject({
      code: 'ENOENT',
    });
  });
});
