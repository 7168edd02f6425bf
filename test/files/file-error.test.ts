import { closeSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ERROR_CODES, ProxyVaultError } from '../../src/errors.ts';
import { fileError, withFileErrors } from '../../src/files/file-error.ts';
import { temporaryFolder, thrownBy } from '../support/temporary.ts';

/** What the library throws for what the operating system throws. */
function typed(work: () => unknown): unknown {
  return thrownBy(() => withFileErrors('The list cannot be read', '/a/list', work));
}

it('real errors become typed ones that say what to do', () => {
  const folder = temporaryFolder();
  const file = join(folder, 'file');
  writeFileSync(file, '');
  symlinkSync('loop', join(folder, 'loop'));
  expect(typed(() => readFileSync(join(folder, 'absent')))).toMatchObject({
    code: 'CANNOT_OPEN',
    message: 'The list cannot be read (ENOENT): it does not exist: check the path.',
    details: { errno: 'ENOENT', path: '/a/list' },
  });
  expect(typed(() => readFileSync(folder))).toMatchObject({
    code: 'CANNOT_OPEN',
    details: { errno: 'EISDIR' },
  });
  expect(typed(() => readFileSync(join(file, 'x')))).toMatchObject({ details: { errno: 'ENOTDIR' } });
  expect(typed(() => readFileSync(join(folder, 'loop')))).toMatchObject({ details: { errno: 'ELOOP' } });
  expect(typed(() => readFileSync(join(folder, 'x'.repeat(300))))).toMatchObject({
    details: { errno: 'ENAMETOOLONG' },
  });
  expect(typed(() => mkdirSync(folder))).toMatchObject({ code: 'CONFLICT' });
  expect(typed(() => closeSync(openSync(file, 'wx')))).toMatchObject({ code: 'CONFLICT' });
});

it.each([
  ['ENOSPC', 'DISK_FULL'],
  ['EDQUOT', 'DISK_FULL'],
  ['EFBIG', 'DISK_FULL'],
  ['EMFILE', 'CANNOT_OPEN'],
  ['ENFILE', 'CANNOT_OPEN'],
  ['EROFS', 'READ_ONLY'],
  ['EBUSY', 'BUSY'],
  ['EIO', 'IO'],
  ['ENOTRECOVERABLE', 'IO'],
] as const)('%s is %s', (errno, code) => {
  const error = Object.assign(new Error('raw'), { code: errno, syscall: 'write' });
  const made = fileError(error, 'The file cannot be written', '/f');
  expect(made).toMatchObject({ code, cause: error });
  expect(Object.keys(ERROR_CODES)).toContain(code);
});

it('leaves typed errors, and errors that are not the operating system\u2019s, as they are', () => {
  const mine = new ProxyVaultError('CLOSED');
  const fault = new TypeError('x is not a function');
  expect(fileError(mine, 'It failed', '/f')).toBe(mine);
  expect(fileError(fault, 'It failed', '/f')).toBe(fault);
});
