import { constants } from 'node:os';
import { expect, it } from 'vitest';
import { errnoOf, fileError } from '../../src/files/file-error.ts';

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
