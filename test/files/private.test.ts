import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
