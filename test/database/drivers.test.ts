import { describe, expect, it } from 'vitest';
import { closedError, isFailedSync, translate } from '../../src/database/drivers/sqlite/errors.ts';
import { ProxyVaultError } from '../../src/errors.ts';

const engineError = (code: string): Error => Object.assign(new Error(`engine says ${code}`), { code });

describe('translate', () => {
  const cases: [engine: string, ours: string][] = [
    ['SQLITE_BUSY', 'BUSY'],
    ['SQLITE_BUSY_SNAPSHOT', 'BUSY'],
    ['SQLITE_LOCKED', 'BUSY'],
    ['SQLITE_CORRUPT', 'CORRUPT'],
    ['SQLITE_CORRUPT_INDEX', 'CORRUPT'],
    ['SQLITE_NOTADB', 'NOT_A_DATABASE'],
    ['SQLITE_READONLY', 'READ_ONLY'],
    ['SQLITE_READONLY_DIRECTORY', 'READ_ONLY'],
    ['SQLITE_FULL', 'DISK_FULL'],
    ['SQLITE_CANTOPEN', 'CANNOT_OPEN'],
    ['SQLITE_CANTOPEN_ISDIR', 'CANNOT_OPEN'],
    ['SQLITE_IOERR_READ', 'IO'],
    ['SQLITE_IOERR_FSYNC', 'IO'],
    ['SQLITE_CONSTRAINT_UNIQUE', 'CONFLICT'],
    ['SQLITE_CONSTRAINT_PRIMARYKEY', 'CONFLICT'],
    ['SQLITE_CONSTRAINT_FOREIGNKEY', 'CONSTRAINT'],
    ['SQLITE_CONSTRAINT_CHECK', 'CONSTRAINT'],
    ['SQLITE_CONSTRAINT_NOTNULL', 'CONSTRAINT'],
    ['SQLITE_ERROR', 'SQL'],
    ['SQLITE_SOMETHING_NEW', 'SQL'],
  ];
  it.each(cases)('%s is %s, with the engine\u2019s error as its cause', (engine, ours) => {
    const cause = engineError(engine);
    const error = translate(cause, { path: '/pool.db' });
    expect(error).toMatchObject({ code: ours, cause, details: { sqlite: engine } });
  });

  it('leaves our own errors alone, takes misuse for bad input, and a closed connection for CLOSED', () => {
    const own = new ProxyVaultError('NOT_FOUND');
    expect(translate(own, { path: 'p' })).toBe(own);
    expect(translate(new TypeError('Missing named parameter "x"'), { path: 'p' }).code).toBe('INVALID_INPUT');
    expect(closedError('p').code).toBe('CLOSED');
  });

  it('takes an error of the operating system or of a thread for what it is, not for bad input', () => {
    const context = { path: '/pool.db' };
    const system = Object.assign(new Error('EMFILE: too many open files'), {
      code: 'EMFILE',
      syscall: 'open',
    });
    expect(translate(system, context)).toMatchObject({
      code: 'CANNOT_OPEN',
      message: expect.stringContaining('ulimit -n'),
      cause: system,
    });
    for (const code of ['ERR_WORKER_INIT_FAILED', 'ERR_WORKER_OUT_OF_MEMORY']) {
      const cause = Object.assign(new Error('it did not start'), { code });
      expect(translate(cause, context)).toMatchObject({
        code: 'IO',
        message: expect.stringContaining('Check the memory'),
        cause,
      });
    }
    for (const code of ['ERR_DLOPEN_FAILED', 'MODULE_NOT_FOUND']) {
      const cause = Object.assign(new Error('made for another\nNode.'), { code });
      expect(translate(cause, context)).toMatchObject({
        code: 'UNSUPPORTED',
        message: expect.stringMatching(/: made for another Node\. Install better-sqlite3 again/),
        cause,
      });
    }
    expect(translate(engineError('SQLITE_NOMEM'), context)).toMatchObject({
      code: 'IO',
      message: expect.stringContaining('not enough memory: free some'),
    });
  });

  it('knows a failed fsync, after which the connection is not used again', () => {
    expect(
      ['SQLITE_IOERR_FSYNC', 'SQLITE_IOERR_DIR_FSYNC'].map((code) => isFailedSync(engineError(code))),
    ).toEqual([true, true]);
    expect(['SQLITE_IOERR_READ', 'SQLITE_FULL'].map((code) => isFailedSync(engineError(code)))).toEqual([
      false,
      false,
    ]);
  });
});
