import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Child processes of the tests run what users run, the built package, so build it from today's source. */
export default async function buildPackage(): Promise<void> {
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  await bundleWriter();
}

/** The processes that are killed hundreds of times, with the library in one file: they start in less than half the time. */
export async function bundleWriter(): Promise<void> {
  await build({
    entryPoints: ['writer', 'leaser'].map((name) => join(root, `test/fixtures/${name}.mjs`)),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['better-sqlite3', '@napi-rs/keyring'],
    outdir: join(root, 'node_modules/.cache/proxyvault-tests'),
    outExtension: { '.js': '.mjs' },
    // The package as it is built: the paths in tsconfig.json lead to the source.
    tsconfigRaw: {},
    logLevel: 'error',
  });
}
