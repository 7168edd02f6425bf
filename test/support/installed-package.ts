import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { SCRATCH } from '../faults/scratch.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SHELL = process.platform === 'win32';
const NPM = SHELL ? 'npm.cmd' : 'npm';

/** The package as a user has it. */
export interface InstalledPackage {
  /** A program's folder, outside the checkout, made by `npm init -y`: a CommonJS package. */
  folder: string;
  /** The package in it. */
  root: string;
  /** Its files, as npm packed them. */
  files: string[];
  /** What npm said while it installed the package. */
  said: string;
}

/** Packs the package and installs it, before the tests of a file. It is removed after them. */
export function installedPackage(): InstalledPackage {
  const installed: InstalledPackage = { folder: '', root: '', files: [], said: '' };
  beforeAll(() => {
    const folder = mkdtempSync(join(SCRATCH, 'proxyvault-installed-'));
    installed.folder = folder;
    installed.root = join(folder, 'node_modules', 'proxyvault');
    // It is built already (build.setup.ts).
    const output = npm(ROOT, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder).stdout;
    const parsed: unknown = JSON.parse(output);
    const [packed] = (Array.isArray(parsed) ? parsed : Object.values(parsed as object)) as {
      filename: string;
      files: { path: string }[];
    }[];
    if (!packed) throw new Error('npm pack said nothing');
    installed.files = packed.files.map(({ path }) => path);
    npm(folder, 'init', '-y');
    const { stdout, stderr } = npm(
      folder,
      'install',
      '--no-audit',
      '--no-fund',
      '--prefer-offline',
      join(folder, packed.filename),
    );
    installed.said = stdout + stderr;
  }, 120_000);
  afterAll(() => rmSync(installed.folder, { recursive: true, force: true, maxRetries: 3 }));
  return installed;
}

/** Runs a program in a folder, its key and data folders inside it. */
export function runIn(
  folder: string,
  ...args: string[]
): { status: number | null; stdout: string; stderr: string } {
  const home = join(folder, 'home');
  mkdirSync(home, { recursive: true });
  const env = {
    ...process.env,
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    APPDATA: join(home, 'appdata'),
    LOCALAPPDATA: join(home, 'localappdata'),
    PROXYVAULT_KEY: undefined,
    PROXYVAULT_KEY_FILE: undefined,
  };
  return spawnSync(process.execPath, args, { cwd: folder, env, encoding: 'utf8' });
}

/** Runs npm, and gives what it printed. */
export function npm(cwd: string, ...args: string[]): { stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(NPM, args, { cwd, encoding: 'utf8', shell: SHELL });
  if (status !== 0) throw new Error(`npm ${args[0]} failed: ${stderr}`);
  return { stdout, stderr };
}
