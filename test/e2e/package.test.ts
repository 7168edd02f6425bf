import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const shell = process.platform === 'win32';

/** Runs a program in a folder, its key and data folders inside it. */
function run(folder: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
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

const TYPED_PROGRAM = `
import { type EncryptedData, initDatabase, ProxyVaultError, type RotationConfig } from 'proxyvault/database';
import { EncryptedCredentialsRepository, ProxyRepository, RotationConfigRepository } from 'proxyvault/database/repositories';
import { EncryptionService } from 'proxyvault/database/services';

using db = initDatabase({ path: ':memory:' });
const proxy: { id: string; latency: number | null } | null = new ProxyRepository(db).findById('x');
const config: RotationConfig = new RotationConfigRepository(db).get();
const encrypted: EncryptedData = new EncryptionService().encrypt('x');
const removed: boolean = new EncryptedCredentialsRepository(db).delete(proxy?.id ?? '');
const streamed: string[] = [...new ProxyRepository(db).iterate()].map(({ name }) => name);
// @ts-expect-error a number is no id
new ProxyRepository(db).findById(7);
console.log(config.strategy, encrypted.iv, removed, streamed, ProxyVaultError.name);
`;

describe('the packed package', () => {
  let tarball: string;
  let files: string[];

  beforeAll(() => {
    const folder = temporaryFolderOfFile();
    const output = execFileSync(npm, ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: root,
      encoding: 'utf8',
      shell,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const parsed: unknown = JSON.parse(output);
    const [packed] = (Array.isArray(parsed) ? parsed : Object.values(parsed as object)) as {
      filename: string;
      files: { path: string }[];
    }[];
    if (!packed) throw new Error('npm pack said nothing');
    tarball = join(folder, packed.filename);
    files = packed.files.map(({ path }) => path);
  });

  it('holds what a user needs and nothing else', () => {
    for (const file of [
      'README.md',
      'LICENSE',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/cli/bin.js',
      'examples/proxies.txt',
    ]) {
      expect(files).toContain(file);
    }
    expect(
      files.filter((file) => /^(?:src|test|bench|scripts|node_modules|data)\/|\.(?:db|key)$/.test(file)),
    ).toEqual([]);
  });

  it('installs into an empty folder, and its usage examples, library and command run there', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    execFileSync(
      npm,
      ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', tarball],
      {
        cwd: folder,
        shell,
        stdio: 'ignore',
      },
    );

    const source = readFileSync(join(root, 'examples/codemap.ts'), 'utf8');
    // The example has no type syntax, so that every Node runs it under this name.
    writeFileSync(join(folder, 'codemap.js'), source);
    const plain = run(folder, 'codemap.js');
    expect(plain).toMatchObject({ status: 0, stdout: '{"password":"my-password","sticky":true}\n' });
    expect(plain.stderr).toContain('INSERT INTO');
    expect(plain.stderr).not.toContain('my-password');

    // Its types hold in a strict program that has no types of the engine.
    writeFileSync(join(folder, 'typed.ts'), TYPED_PROGRAM);
    const settings = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--lib',
      'es2023,esnext.disposable',
      '--types',
      'node',
    ];
    const typeRoots = ['--typeRoots', join(root, 'node_modules', '@types')];
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const compiled = run(folder, compiler, ...settings, ...typeRoots, 'typed.ts');
    expect(compiled).toMatchObject({ status: 0, stdout: '' });

    const version = run(folder, 'node_modules/proxyvault/dist/cli/bin.js', '--version');
    expect(version).toMatchObject({
      status: 0,
      stdout: `${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}\n`,
    });

    // One file, as an application that is bundled ships it: only the native engine stays outside.
    for (const format of ['esm', 'cjs'] as const) {
      const bundled = join(folder, format);
      mkdirSync(bundled);
      const extension = format === 'esm' ? 'mjs' : 'cjs';
      const entry = `
        import { initDatabase, ProxyRepository, EncryptionService, EncryptedCredentialsRepository } from 'proxyvault';
        async function main() {
          const db = initDatabase({ path: './data/pool.db' });
          db.migrations.up();
          const encryption = new EncryptionService();
          const proxies = new ProxyRepository(db, encryption);
          const { id } = proxies.create({ host: 'h.example', port: 1080, protocol: 'socks5', credentials: { username: 'u', password: 'secret' } });
          const [row] = await db.background.all('SELECT count(*) AS n FROM proxies');
          const report = await db.check();
          console.log(row.n, report.ok, new EncryptedCredentialsRepository(db, encryption).reveal(id).password);
          db.close();
        }
        main();`;
      writeFileSync(join(folder, 'app.js'), entry);
      const outfile = join(bundled, `app.${extension}`);
      await build({
        entryPoints: [join(folder, 'app.js')],
        bundle: true,
        platform: 'node',
        format,
        outfile,
        external: ['better-sqlite3'],
        logLevel: 'silent',
      });
      expect(run(bundled, outfile)).toMatchObject({ status: 0, stdout: '1 true secret\n', stderr: '' });
    }
    const example = join(folder, 'bundled-example');
    mkdirSync(example);
    await build({
      entryPoints: [join(folder, 'codemap.js')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: join(example, 'codemap.mjs'),
      external: ['better-sqlite3'],
      logLevel: 'silent',
    });
    cpSync(join(folder, 'node_modules', 'better-sqlite3'), join(example, 'node_modules', 'better-sqlite3'), {
      recursive: true,
    });
    expect(run(example, 'codemap.mjs')).toMatchObject({
      status: 0,
      stdout: '{"password":"my-password","sticky":true}\n',
    });
  }, 180_000);

  it('does not load the command line\u2019s packages with the library', () => {
    const script = `
      import { registerHooks } from 'node:module';
      const seen = [];
      registerHooks({ resolve(specifier, context, next) { seen.push(specifier); return next(specifier, context); } });
      await import('proxyvault');
      console.log(JSON.stringify(seen.filter((name) => /commander|cli-table3|cli-progress|inquirer|napi-rs|csv|yaml|proxy-chain/.test(name))));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(stdout).toBe('[]\n');
  });
});

/** As `temporaryFolder`, for a hook: it is removed with the system's temporary files. */
function temporaryFolderOfFile(): string {
  const folder = join(root, 'node_modules', '.cache', 'proxyvault-pack');
  mkdirSync(folder, { recursive: true });
  return folder;
}
