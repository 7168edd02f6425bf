import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './temporary.ts';

/** The built command line. */
export const BIN = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** The built command line in a folder of its own, with its pool, key and home there. */
export function commandLine(): {
  folder: string;
  db: string;
  run: (args: readonly string[], options?: { input?: string; env?: Record<string, string> }) => Ran;
  json: <T = Record<string, unknown>>(...args: string[]) => T;
} {
  const folder = temporaryFolder();
  const db = join(folder, 'pool.db');
  const run = (
    args: readonly string[],
    { input = '', env = {} }: { input?: string; env?: Record<string, string> } = {},
  ): Ran => {
    const {
      PROXYVAULT_DB: _,
      PROXYVAULT_KEY: __,
      PROXYVAULT_KEY_FILE: ___,
      FORCE_COLOR: ____,
      ...inherited
    } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
      cwd: folder,
      encoding: 'utf8',
      input,
      env: {
        ...inherited,
        HOME: folder,
        XDG_CONFIG_HOME: join(folder, 'config'),
        XDG_DATA_HOME: join(folder, 'share'),
        APPDATA: join(folder, 'config'),
        LOCALAPPDATA: join(folder, 'share'),
        PROXYVAULT_DB: db,
        PROXYVAULT_KEY_FILE: join(folder, 'key'),
        ...env,
      },
    });
    return { status, stdout, stderr };
  };
  const json = <T>(...args: string[]): T => {
    const { status, stdout, stderr } = run([...args, '--json']);
    if (status !== 0) throw new Error(`exit ${String(status)}: ${stderr}`);
    return JSON.parse(stdout) as T;
  };
  return { folder, db, run, json };
}
