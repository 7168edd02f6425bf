import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('file-calls.c', import.meta.url));
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/proxyvault-tests', import.meta.url));

/** The compiled shim, or why it could not be compiled. */
export type Shim = { path: string; problem?: never } | { path?: never; problem: string };

/** Compiles file-calls.c, unless this source was compiled before. */
export function compileShim(): Shim {
  if (process.platform !== 'linux') return { problem: 'file-system calls are intercepted on Linux only' };
  const version = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 12);
  const path = join(CACHE, `file-calls-${version}.so`);
  if (existsSync(path)) return { path };
  mkdirSync(CACHE, { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  const built = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', unfinished, SOURCE, '-ldl', '-pthread'], {
    encoding: 'utf8',
  });
  if (built.error) return { problem: 'there is no C compiler (cc): install gcc and libc6-dev' };
  if (built.status !== 0) return { problem: `the shim does not compile here: ${built.stderr.slice(0, 500)}` };
  renameSync(unfinished, path);
  return { path };
}
