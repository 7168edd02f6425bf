import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { installedPackage, runIn } from '../support/installed-package.ts';
import { temporaryFolder } from '../support/temporary.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/bundling.md'), 'utf8');
const BUNDLERS = ['esbuild', 'rollup', '@rollup', 'vite', 'webpack'];

/** Runs what has no command of its own. */
const WEBPACK = `
  import webpack from 'webpack';
  import config from './webpack.config.mjs';
  webpack(config, (error, stats) => {
    if (error || stats.hasErrors()) throw error ?? new Error(stats.toString());
    if (stats.hasWarnings()) console.error(stats.toString({ all: false, warnings: true }));
  });`;

/** How a bundle is made: a file of the page, what is changed in it, and what runs it. */
interface Way {
  file: string;
  change?: (config: string) => string;
  run: string[];
}

const toCommonJs = (config: string): string =>
  config
    .replace("'esm'", "'cjs'")
    .replace('dist/program.mjs', 'dist/program.cjs')
    .replace(/ +banner: .*\n/, '');
/** As a user's configuration that forgets the engine. */
const withoutExternal = (config: string): string =>
  config.replace(", external: ['better-sqlite3']", '').replace(/ +externals?: .*better-sqlite3.*\n/, '');
/** Most programs have these plugins; without them rollup cannot bundle the engine. Leaving out unused code takes seconds. */
const withPlugins = (config: string): string =>
  `import json from '@rollup/plugin-json';\n${config.replace(
    'plugins: [',
    'treeshake: false,\nplugins: [json(), ',
  )}`;
/** Making it small takes many seconds; esbuild has a test of that. */
const fast = (config: string): string => config.replace("mode: 'production'", "mode: 'none'");

const ESBUILD = { file: 'build.mjs', run: ['build.mjs'] };
const ROLLUP = {
  file: 'rollup.config.mjs',
  run: ['node_modules/rollup/dist/bin/rollup', '--config', 'rollup.config.mjs', '--silent'],
};
const VITE = {
  file: 'vite.config.mjs',
  run: ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn'],
};
const WEBPACK_5 = { file: 'webpack.config.mjs', run: ['--input-type=module', '-e', WEBPACK] };

const WAYS: Record<string, Way> = {
  'esbuild, ES modules': ESBUILD,
  'esbuild, CommonJS': { ...ESBUILD, change: toCommonJs },
  'esbuild, minified': {
    ...ESBUILD,
    change: (config) => config.replace('bundle: true', 'bundle: true, minify: true'),
  },
  rollup: ROLLUP,
  vite: VITE,
  webpack: { ...WEBPACK_5, change: fast },
};

const MISTAKES: Record<string, Way> = {
  'esbuild, ES modules': { ...ESBUILD, change: withoutExternal },
  'esbuild, CommonJS': { ...ESBUILD, change: (config) => toCommonJs(withoutExternal(config)) },
  rollup: { ...ROLLUP, change: (config) => withPlugins(withoutExternal(config)) },
  vite: { ...VITE, change: withoutExternal },
  webpack: { ...WEBPACK_5, change: (config) => fast(withoutExternal(config)) },
};

describe('a program in one file', () => {
  const installed = installedPackage();

  beforeAll(() => {
    cpSync(join(ROOT, 'test/fixtures/whole-program.mjs'), join(installed.folder, 'program.mjs'));
    for (const name of BUNDLERS)
      symlinkSync(join(ROOT, 'node_modules', name), join(installed.folder, 'node_modules', name), 'junction');
  });

  /** Makes one file of the program, with the page's file for a bundler, and moves it to where only the engine is installed. */
  function bundle({ file, change, run }: Way): { folder: string; program: string; said: string } {
    const [, config = ''] = new RegExp(`\`\`\`js\n(// ${file}\n[\\s\\S]*?)\`\`\``).exec(PAGE) ?? [];
    expect(config).toContain('better-sqlite3');
    const changed = change === undefined ? config : change(config);
    if (change !== undefined) expect(changed).not.toBe(config);
    writeFileSync(join(installed.folder, file), changed);
    const dist = join(installed.folder, 'dist');
    rmSync(dist, { recursive: true, force: true });
    const { status, stdout, stderr } = runIn(installed.folder, ...run);
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });

    const made = readdirSync(dist).filter((name) => !name.endsWith('.LICENSE.txt'));
    expect(made).toEqual([expect.stringMatching(/^program\.[cm]js$/)]);
    const program = String(made[0]);
    const folder = temporaryFolder();
    renameSync(join(dist, program), join(folder, program));
    mkdirSync(join(folder, 'node_modules'));
    const engine = join('node_modules', 'better-sqlite3');
    symlinkSync(join(installed.folder, engine), join(folder, engine), 'junction');
    return { folder, program, said: stdout + stderr };
  }

  it.each(Object.entries(WAYS))('%s: does everything that the library does', (_, way) => {
    const { folder, program, said } = bundle(way);
    expect(said).not.toMatch(/warning|critical dependency/i);
    const { status, stdout, stderr } = runIn(folder, program);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      migrations: 12,
      added: { text: 1, csv: 1, json: 1, clash: 1, proxychains: 1, proxifier: 1 },
      passwords: [null, 's3cret,2', 's3cret-1', 's3cret-3', 's3cret-4', 's3cret-5'],
      background: 6,
      stats: 6,
      check: [true, expect.objectContaining({ verified: true, ok: true, checked: 5 })],
      fetched: 'PROXY_FAILED',
      blocked: expect.stringMatching(/^NO_PROXY: The rule "no carts" blocks/),
      exported: { urls: 5, colon: expect.any(Number), csv: 5, json: 5 },
      keychain: expect.stringMatching(/^UNSUPPORTED: .*npm install @napi-rs\/keyring/),
      pendingAgain: 1,
      schemaVersion: 11,
      rows: 6,
      missing: expect.stringMatching(/^CANNOT_OPEN: .*is a folder/),
    });
  });

  it.each(Object.entries(MISTAKES))('%s: with the engine in it, says what to mark as external', (_, way) => {
    const { folder, program } = bundle(way);
    const { status, stdout, stderr } = runIn(folder, program);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(
      /ProxyVaultError: better-sqlite3 cannot run from a bundle.*: mark `better-sqlite3` as external in your bundler/,
    );
    expect(stderr).toContain("code: 'UNSUPPORTED'");
    expect(readdirSync(folder)).not.toContain('pool.db');
  });
});
