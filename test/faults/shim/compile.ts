import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const SOURCE = fileURLToPath(new URL('file-calls.c', import.meta.url));

/** The compiled shim, or why there is none here. */
export type Shim = { path: string; problem?: never } | { path?: never; problem: string };

/** Compiles file-calls.c into a folder that goes when the test file ends. */
export function compileShim(): Shim {
  if (process.platform !== 'linux') return { problem: 'file-system calls are intercepted on Linux only' };
  const folder = mkdtempSync(join(tmpdir(), 'proxyvault-shim-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'file-calls.so');
  const built = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', path, SOURCE, '-ldl', '-pthread'], {
    encoding: 'utf8',
  });
  if (built.error) return { problem: 'there is no C compiler (cc): install gcc and libc6-dev' };
  if (built.status !== 0) return { problem: `the shim does not compile here: ${built.stderr.slice(0, 500)}` };
  return { path };
}
