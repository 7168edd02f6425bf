import { closeSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ERROR_CODES, ProxyVaultError } from '../../src/errors.ts';
import { errnoOf, fileError, withFileErrors } from '../../src/files/file-error.ts';
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

/** What a person can do about each. */
it.each([
  ['ENOENT', 'CANNOT_OPEN', 'check the path'],
  ['ENOTDIR', 'CANNOT_OPEN', 'check the path'],
  ['EISDIR', 'CANNOT_OPEN', 'give the path of a file'],
  ['ELOOP', 'CANNOT_OPEN', 'give the real path'],
  ['ENAMETOOLONG', 'CANNOT_OPEN', 'choose a shorter one'],
  ['EACCES', 'CANNOT_OPEN', 'check its permissions'],
  ['EPERM', 'CANNOT_OPEN', 'check the owner'],
  ['EMFILE', 'CANNOT_OPEN', 'ulimit -n'],
  ['ENFILE', 'CANNOT_OPEN', 'raise the limit'],
  ['ENXIO', 'CANNOT_OPEN', 'not a regular file'],
  ['EROFS', 'READ_ONLY', 'choose another place'],
  ['EEXIST', 'CONFLICT', 'choose another path'],
  ['ENOTEMPTY', 'CONFLICT', 'choose another path'],
  ['EBUSY', 'BUSY', 'try again'],
  ['ETXTBSY', 'BUSY', 'try again'],
  ['ENOSPC', 'DISK_FULL', 'free space'],
  ['EDQUOT', 'DISK_FULL', 'raise the quota'],
  ['EFBIG', 'DISK_FULL', 'ulimit -f'],
  ['EIO', 'IO', 'check the disk'],
  ['ENOTRECOVERABLE', 'IO', 'check the disk'],
] as const)('%s is %s and says what to do', (errno, code, advice) => {
  const error = Object.assign(new Error('raw'), { code: errno, syscall: 'write' });
  const made = fileError(error, 'The file cannot be written', '/f');
  expect(made).toMatchObject({
    code,
    message: expect.stringMatching(`^The file cannot be written \\(${errno}\\): .*${advice}`),
    cause: error,
    details: { errno, path: '/f' },
  });
  expect(Object.keys(ERROR_CODES)).toContain(code);
});

it('leaves typed errors, and errors that are not the operating system\u2019s, as they are', () => {
  const mine = new ProxyVaultError('CLOSED');
  const fault = new TypeError('x is not a function');
  expect(fileError(mine, 'It failed', '/f')).toBe(mine);
  expect(fileError(fault, 'It failed', '/f')).toBe(fault);
});

it.runIf('EDQUOT' in constants.errno)('a used-up quota, which Node calls UNKNOWN, is DISK_FULL', () => {
  const error = Object.assign(new Error('UNKNOWN: unknown error, write'), {
    code: 'UNKNOWN',
    errno: -constants.errno.EDQUOT,
    syscall: 'write',
  });
  expect(errnoOf(error)).toBe('EDQUOT');
  expect(fileError(error, 'The file cannot be written', '/a')).toMatchObject({
    code: 'DISK_FULL',
    message: expect.stringContaining('quota'),
  });
  expect(
    fileError(Object.assign(error, { errno: -99_999 }), 'The file cannot be written', '/a'),
  ).toMatchObject({
    code: 'IO',
    details: { errno: 'UNKNOWN' },
  });
});
