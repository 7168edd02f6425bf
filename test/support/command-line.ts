import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './temporary.ts';

/** The built command line. */
export const BIN = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));

/** Where the compiled code of the command line is kept between the processes of the tests. */
const COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/proxyvault-tests', import.meta.url));

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** The built command line in a folder of its own, with its pool, key and home there. */
export function commandLine(): {
  folder: string;
  db: string;
  /** The environment in which it runs. */
  env: NodeJS.ProcessEnv;
  run: (args: readonly string[], options?: { input?: string; env?: Record<string, string> }) => Ran;
  json: <T = Record<string, unknown>>(...args: string[]) => T;
} {
  const folder = temporaryFolder();
  const db = join(folder, 'pool.db');
  const own = environmentIn(folder);
  const run = (
    args: readonly string[],
    { input = '', env = {} }: { input?: string; env?: Record<string, string> } = {},
  ): Ran => {
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
  return { folder, db, env: own, run, json };
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
