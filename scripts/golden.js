// Makes a set of golden files with a build of proxyvault: what that version leaves on a user's disk.
//   node scripts/golden.js [--name NAME] [CHECKOUT OR INSTALLED PACKAGE]
// Run it at a release, and commit the new folder in test/fixtures/golden/. A set that exists is never made again.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { endianness, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { fullPool } from './golden/full-pool.js';
import { everyKeySource } from './golden/key-sources.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({ options: { name: { type: 'string' } }, allowPositionals: true });
const build = resolve(positionals[0] ?? root);
const { version } = JSON.parse(readFileSync(join(build, 'package.json'), 'utf8'));
const commit = commitOf(build);
const name = values.name ?? version;
const target = join(root, 'test/fixtures/golden', name);
if (existsSync(target))
  throw new Error(`${target} exists: golden files are never changed. Give another --name.`);

// The key sources were exported by the root before they had an entry point of their own.
const entries = ['dist/index.js', 'dist/keys/index.js'].map((file) => join(build, file)).filter(existsSync);
const library = Object.assign(
  {},
  ...(await Promise.all(entries.map((file) => import(pathToFileURL(file).href)))),
);
const scratch = mkdtempSync(join(tmpdir(), 'proxyvault-golden-'));
try {
  const start = Date.UTC(2026, 0, 5, 12);
  let now = start;
  // A second a call, so that no two times of the set are equal. Ids keep the real time.
  const tools = { library, scratch, clock: () => (now += 1000) };
  const full = await fullPool(tools);
  const pools = [full.pool, ...(await everyKeySource(tools))];
  const manifest = {
    name,
    madeBy: { version, commit, node: process.version, platform: process.platform, byteOrder: endianness() },
    /** The time after the last change, in milliseconds: open the pools at it, so that nothing expires. */
    now,
    ...full.manifest,
    pools: pools.map(({ files, ...facts }) => ({ ...facts, files: Object.keys(files) })),
  };
  for (const [file, content] of Object.entries(full.files)) put(file, content);
  for (const { name: pool, files } of pools)
    for (const [file, content] of Object.entries(files)) put(join(pool, file), content);
  put('manifest.json', `${textOf(manifest)}\n`);
  console.log(
    `${target}: ${pools.length} pools, ${manifest.lists.length} lists, ${manifest.exports.length} exports.`,
  );
  for (const note of full.notes) console.log(`  not in this version: ${note}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** A database is compressed: most of its pages are empty. */
function put(file, content) {
  const path = join(target, file);
  mkdirSync(dirname(path), { recursive: true });
  if (file.endsWith('.db')) writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
  else writeFileSync(path, content);
}

/** JSON with what is short on one line, and in ASCII, so that no editor changes the form of a letter. */
function textOf(value, indent = '') {
  const line = JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  if (line.length < 400 || typeof value !== 'object') return line;
  const deeper = `${indent} `;
  const parts = Object.entries(value).map(([key, part]) =>
    Array.isArray(value) ? textOf(part, deeper) : `${JSON.stringify(key)}: ${textOf(part, deeper)}`,
  );
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${parts.map((part) => deeper + part).join(',\n')}\n${indent}${close}`;
}

/** What the build was made of; null for a package that was installed. */
function commitOf(folder) {
  try {
    const git = (...args) => execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8' }).trim();
    const isCheckout = resolve(git('rev-parse', '--show-toplevel')) === folder;
    return isCheckout ? git('describe', '--always', '--dirty', '--abbrev=40', '--exclude=*') : null;
  } catch {
    return null;
  }
}
