import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { installedPackage, npm, runIn } from '../support/installed-package.ts';
import { temporaryFolder } from '../support/temporary.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

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

/** What each example prints. */
const EXAMPLES: Record<string, string> = {
  'codemap.mts': '{"password":"my-password","sticky":true}\n',
  'kms-key-source.mts': 'kept by the KMS example kms\n',
};

describe('the installed package', () => {
  const installed = installedPackage();
  const read = (file: string): string => readFileSync(join(installed.root, file), 'utf8');
  const manifest = (): Record<string, unknown> => JSON.parse(read('package.json'));

  it('holds what a user needs and nothing else', () => {
    const { files } = installed;
    for (const file of [
      'README.md',
      'LICENSE',
      'SECURITY.md',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/cli/bin.js',
      'docs/bundling.md',
      'examples/proxies.txt',
    ]) {
      expect(files).toContain(file);
    }
    expect(
      files.filter((file) => /^(?:src|test|bench|scripts|node_modules|data)\/|\.(?:db|key)$/.test(file)),
      // The README leads contributors to it.
    ).toEqual(['src/database/README.md']);
  });

  it('runs nothing when it is installed, so that npm has nothing to warn of', () => {
    const scripts = Object.keys(manifest().scripts as object);
    expect(scripts).toContain('build');
    expect(scripts.filter((name) => /^(?:pre|post)?(?:install|prepare|prepublish)$/.test(name))).toEqual([]);
    expect(installed.said).not.toMatch(/warn|script/i);
  });

  it('says who makes it, and where its source and its issues are', () => {
    expect(manifest()).toMatchObject({
      author: 'The proxyvault developers',
      homepage: 'https://github.com/proxyvault/proxyvault#readme',
      repository: { type: 'git', url: 'git+https://github.com/proxyvault/proxyvault.git' },
      bugs: 'https://github.com/proxyvault/proxyvault/issues',
    });
  });

  it('has a changelog whose newest release is its version', () => {
    const headings = [...read('CHANGELOG.md').matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    const released = headings.filter((heading) => heading !== 'Unreleased');
    expect(released[0]).toBe(manifest().version);
    // Only the first may be for what is not released yet.
    expect(headings.lastIndexOf('Unreleased')).toBeLessThanOrEqual(0);
  });

  it('has pages whose links lead to files of the package, and to headings in them', () => {
    const pages = installed.files.filter((file) => file.endsWith('.md'));
    expect(pages).toContain('docs/security.md');
    let links = 0;
    const broken: string[] = [];
    for (const page of pages) {
      // What is in code is no link.
      const text = read(page)
        .replace(/^```[\s\S]*?^```/gm, '')
        .replace(/`[^`\n]*`/g, '');
      for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(link)) continue;
        links++;
        const [path = '', anchor] = link.split('#');
        const file = path === '' ? page : posix.join(posix.dirname(page), path);
        const isThere = installed.files.includes(file);
        if (!isThere || (anchor !== undefined && !anchorsOf(read(file)).has(anchor)))
          broken.push(`${page}: ${link}`);
      }
    }
    expect(broken).toEqual([]);
    expect(links).toBeGreaterThan(15);
  });

  it('has examples that run in a new project, which is a CommonJS package', () => {
    expect(JSON.parse(readFileSync(join(installed.folder, 'package.json'), 'utf8')).type).not.toBe('module');
    const examples = readdirSync(join(installed.root, 'examples')).filter((file) =>
      /\.[cm]?[jt]s$/.test(file),
    );
    expect(examples.toSorted()).toEqual(Object.keys(EXAMPLES));
    for (const [name, stdout] of Object.entries(EXAMPLES)) {
      mkdirSync(join(installed.folder, 'examples'), { recursive: true });
      cpSync(join(installed.root, 'examples', name), join(installed.folder, 'examples', name));
      const ran = runIn(installed.folder, join('examples', name));
      expect({ name, ...ran }).toMatchObject({ name, status: 0, stdout });
      // The first one prints its statements.
      expect(ran.stderr.includes('INSERT INTO')).toBe(name === 'codemap.mts');
      expect(ran.stderr).not.toContain('my-password');
    }
  });

  it('runs when it is required, imported, or imported by a program that is given as a text', () => {
    const use = `const db = initDatabase({ path: ':memory:' });
      db.background.all('SELECT 7 AS n').then((rows) => { console.log(rows[0].n, 'require' in globalThis); db.close(); });`;
    const programs = {
      'required.cjs': `const { initDatabase } = require('proxyvault'); ${use}`,
      'imported.mjs': `import { initDatabase } from 'proxyvault'; ${use}`,
    };
    for (const [name, code] of Object.entries(programs)) {
      writeFileSync(join(installed.folder, name), code);
      expect(runIn(installed.folder, name)).toMatchObject({ status: 0, stdout: '7 false\n', stderr: '' });
    }
    const given = runIn(installed.folder, '--input-type=module', '-e', programs['imported.mjs']);
    expect(given).toMatchObject({ status: 0, stdout: '7 false\n', stderr: '' });
  });

  it('has types that hold in a strict program without types of the engine, and a command that knows its version', () => {
    writeFileSync(join(installed.folder, 'typed.mts'), TYPED_PROGRAM);
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
    const compiled = runIn(installed.folder, compiler, ...settings, ...typeRoots, 'typed.mts');
    expect(compiled).toMatchObject({ status: 0, stdout: '' });

    const version = runIn(installed.folder, 'node_modules/proxyvault/dist/cli/bin.js', '--version');
    expect(version).toMatchObject({ status: 0, stdout: `${manifest().version}\n` });
  });

  it('says what to do if the engine\u2019s binary cannot be loaded, such as one of another system', () => {
    const build = join(installed.folder, 'node_modules', 'better-sqlite3', 'build', 'Release');
    mkdirSync(build, { recursive: true });
    writeFileSync(join(build, 'better_sqlite3.node'), 'made elsewhere');
    const ran = runIn(installed.folder, 'node_modules/proxyvault/dist/cli/bin.js', 'init', '--json');
    rmSync(join(build, '..'), { recursive: true });
    expect(ran).toMatchObject({ status: 1, stdout: '' });
    expect(JSON.parse(ran.stderr)).toMatchObject({
      error: { code: 'UNSUPPORTED', message: expect.stringMatching(/Install better-sqlite3 again/) },
    });
  });

  it('does not load the command line\u2019s packages with the library', () => {
    const script = `
      import { registerHooks } from 'node:module';
      const seen = [];
      registerHooks({ resolve(specifier, context, next) { seen.push(specifier); return next(specifier, context); } });
      await import('proxyvault');
      console.log(JSON.stringify(seen.filter((name) => /commander|cli-table3|cli-progress|napi-rs|csv|yaml|proxy-chain/.test(name))));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(stdout).toBe('[]\n');
  });
});

it('npm builds it before it packs it', () => {
  const folder = temporaryFolder();
  for (const name of readdirSync(root))
    if (/^(?:package\.json|tsconfig\.json|.*\.config\.ts)$/.test(name))
      cpSync(join(root, name), join(folder, name));
  // Nearly empty sources: that the real ones can be built is shown before any test runs (build.setup.ts).
  const config = readFileSync(join(root, 'tsdown.config.ts'), 'utf8');
  for (const [source] of config.matchAll(/src\/[\w/]+\.ts(?=',)/g)) {
    mkdirSync(dirname(join(folder, source)), { recursive: true });
    writeFileSync(join(folder, source), 'export const made: number = 1;\n');
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  const { stdout } = npm(folder, 'pack', '--json', '--dry-run');
  expect(stdout).toContain('"dist/index.js"');
  expect(stdout).toContain('"dist/index.d.ts"');
});

/** The anchors of a page's headings, as GitHub and npm make them. */
function anchorsOf(page: string): Set<string> {
  const headings = page.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
