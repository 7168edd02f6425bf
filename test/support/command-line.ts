import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSyncFn } from 'synckit';
import type { Ran, Request } from './command-server.ts';
import { temporaryFolder } from './temporary.ts';

/** The built command line. */
export const BIN = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));

/** Where the compiled code of the command line is kept between the processes of the tests. */
const COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/proxyvault-tests', import.meta.url));

const askServer = createSyncFn<(request: Request) => Promise<Ran>>(
  new URL('./command-line.worker.ts', import.meta.url),
  { execArgv: [] },
);

type Run = (args: readonly string[], options?: { input?: string; env?: Record<string, string> }) => Ran;

/**
 * The built command line in a folder of its own, with its pool, key and home there.
 *
 * `run` and `json` have a server answer that has loaded the command line once for the test files of a worker. `runProcess` starts
 * the real process, which takes a hundred times as long: for tests of the process itself (CONTRIBUTING.md).
 */
export function commandLine(): {
  folder: string;
  db: string;
  /** The environment in which it runs. */
  env: NodeJS.ProcessEnv;
  run: Run;
  runProcess: Run;
  json: <T = Record<string, unknown>>(...args: string[]) => T;
} {
  const folder = temporaryFolder();
  const db = join(folder, 'pool.db');
  const own = environmentIn(folder);
  const run: Run = (args, { input = '', env = {} } = {}) =>
    askServer({ args, input, cwd: folder, env: { ...own, ...env } });
  const runProcess: Run = (args, { input = '', env = {} } = {}) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
      cwd: folder,
      encoding: 'utf8',
      input,
      env: { ...own, ...env },
    });
    return { status, stdout, stderr };
  };
  const json = <T>(...args: string[]): T => {
    const { status, stdout, stderr } = run([...args, '--json']);
    if (status !== 0) throw new Error(`exit ${String(status)}: ${stderr}`);
    return JSON.parse(stdout) as T;
  };
  return { folder, db, env: own, run, runProcess, json };
}

function environmentIn(folder: string): NodeJS.ProcessEnv {
  const { PROXYVAULT_KEY: _, FORCE_COLOR: __, ...inherited } = process.env;
  return {
    ...inherited,
    HOME: folder,
    NODE_COMPILE_CACHE: COMPILE_CACHE,
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'share'),
    APPDATA: join(folder, 'config'),
    LOCALAPPDATA: join(folder, 'share'),
    PROXYVAULT_DB: join(folder, 'pool.db'),
    PROXYVAULT_KEY_FILE: join(folder, 'key'),
  };
}
