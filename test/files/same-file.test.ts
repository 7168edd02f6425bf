import { existsSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { identityOf, isSameFile } from '../../src/files/same-file.ts';
import { temporaryFolder } from '../support/temporary.ts';

it('one file is the same by every name and through every link, and two files are not', () => {
  const folder = temporaryFolder();
  const [file, other] = [join(folder, 'file'), join(folder, 'other')];
  for (const path of [file, other]) writeFileSync(path, 'same content');
  linkSync(file, join(folder, 'hard'));
  symlinkSync(file, join(folder, 'soft'));
  symlinkSync(folder, join(folder, 'folder'));
  for (const name of ['file', 'hard', 'soft', 'folder/file', './x/../file'])
    expect(isSameFile(file, join(folder, name)), name).toBe(true);
  expect(isSameFile(file, other)).toBe(false);
  expect(identityOf(file)).not.toBe(identityOf(other));
  expect(identityOf(join(folder, 'absent'))).toBeNull();
});

it('a file and a name that no file has differ, in whichever order, even if only their case differs', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'file'), '');
  expect(isSameFile(join(folder, 'file'), join(folder, 'file-wal'))).toBe(false);
  expect(isSameFile(join(folder, 'file-wal'), join(folder, 'file'))).toBe(false);
  // Where case does not matter, there is a file of this name too.
  const upper = join(folder, 'FILE');
  expect(isSameFile(join(folder, 'file'), upper)).toBe(existsSync(upper));
  expect(isSameFile(upper, join(folder, 'file'))).toBe(existsSync(upper));
});

it('names that no file has are the same if a file system could take them for one', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'a'));
  symlinkSync(join(folder, 'a'), join(folder, 'link'));
  const absent = join(folder, 'a', 'P\u00f6ol.db');
  for (const name of ['a/p\u00f6ol.DB', 'a/Po\u0308ol.db', 'link/P\u00f6ol.db', 'a/../a/P\u00f6ol.db'])
    expect(isSameFile(absent, join(folder, name)), name).toBe(true);
  expect(isSameFile(absent, join(folder, 'P\u00f6ol.db'))).toBe(false);
  symlinkSync('a/P\u00f6ol.db', join(folder, 'dangling'));
  symlinkSync('dangling', join(folder, 'twice'));
  for (const name of ['dangling', 'twice']) expect(isSameFile(absent, join(folder, name)), name).toBe(true);
  // Of a folder that is missing too, the name is compared.
  expect(isSameFile(join(folder, 'no', 'x'), join(folder, 'no', 'X'))).toBe(true);
  expect(isSameFile(join(folder, 'no', 'x'), join(folder, 'none', 'x'))).toBe(false);
});
