import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProxyRepository } from 'proxyvault';
import { expect, it } from 'vitest';
import { openDatabase, temporaryFolder } from '../support/temporary.ts';
import { compileShim } from './shim/compile.ts';

const IMPORT = fileURLToPath(new URL('../fixtures/import-in-doubt.mjs', import.meta.url));
const shim = compileShim();

it.for([
  ['in a short transaction', 900] as const,
  ['in a long transaction on a connection of its own', 1500] as const,
])(
  'an import whose commit is in doubt closes the database, which is written no more: %s',
  ([, lines], context) => {
    if (shim.problem) return context.skip(shim.problem);
    const path = join(temporaryFolder(), 'pool.db');
    const { stdout, stderr } = spawnSync(process.execPath, [IMPORT, path, String(lines)], {
      encoding: 'utf8',
      env: { ...process.env, LD_PRELOAD: shim.path },
    });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      imported: {
        code: 'IO',
        message: expect.stringContaining('in doubt'),
        details: expect.objectContaining({ inDoubt: true }),
      },
      isOpen: false,
      later: {
        code: 'CLOSED',
        message: expect.stringMatching(/input\/output error.*in doubt/s),
        details: expect.anything(),
      },
      isFileUntouched: true,
    });
    // What had been acknowledged is there, and of the import all or nothing.
    expect([20, 20 + lines]).toContain(new ProxyRepository(openDatabase({ path })).count());
  },
);
