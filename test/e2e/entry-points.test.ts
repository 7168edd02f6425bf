import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a program prints that imports an entry point where neither native package is installed, and the modules that it loads. */
function runWithoutNative(entry: string, program: string): { printed: unknown; modules: string[] } {
  const script = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({
      resolve(specifier, context, next) {
        if (/^(?:better-sqlite3|@napi-rs)/.test(specifier)) throw new Error('not installed: ' + specifier);
        return next(specifier, context);
      },
      load(url, context, next) {
        loaded.push(url);
        return next(url, context);
      },
    });
    const library = await import('${entry}');
    const printed = await (${program})(library);
    console.log(JSON.stringify({ printed, loaded }));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  const { printed, loaded }: { printed: unknown; loaded: string[] } = JSON.parse(stdout);
  const built = loaded.filter((url) => url.includes('/dist/'));
  // A built file says of which modules it is made.
  const modules = built.flatMap((url) =>
    [...readFileSync(fileURLToPath(url), 'utf8').matchAll(/^\/\/ src\/(\S+)$/gm)].map(
      ([, path]) => path ?? '',
    ),
  );
  expect(modules).not.toEqual([]);
  return { printed, modules };
}

it('the root needs the native engine, so that the tests below would notice it', () => {
  expect(() => runWithoutNative('proxyvault', '() => null')).toThrow(/not installed: better-sqlite3/);
});

it('proxyvault/lists reads and writes lists without the engine and without the database', () => {
  const program = `async ({ formatProxyUrl, parseProxyList }) => {
    const urls = [];
    for await (const verdict of parseProxyList('h.example:1080:me:s3cret\\nhost: h2.example', { protocol: 'socks5' }))
      urls.push(verdict.kind === 'proxy' ? formatProxyUrl(verdict.proxy, { reveal: true }) : verdict.kind);
    return urls;
  }`;
  const { printed, modules } = runWithoutNative('proxyvault/lists', program);
  expect(printed).toEqual(['socks5h://me:s3cret@h.example:1080', 'refused']);
  expect(modules.filter((path) => /^(?:database|keys|rotation|transfer|cli)\//.test(path))).toEqual([]);
});

it('proxyvault/keys gives a key without the engine and without the database', () => {
  const program = `({ explicitKey }) => Buffer.from(explicitKey(Buffer.alloc(32, 7).map((byte, i) => byte * i)).read()).length`;
  const { printed, modules } = runWithoutNative('proxyvault/keys', program);
  expect(printed).toBe(32);
  expect(modules.filter((path) => /^(?:database|lists|rotation|transfer|cli)\//.test(path))).toEqual([]);
});

it('proxyvault/driver runs the steps of a transaction without an engine', () => {
  const program = `({ OpenTransaction, settled, step }) => {
    const transaction = new OpenTransaction();
    transaction.enter();
    return settled(step(7).next().value).then((value) => [value, transaction.scope.isUndone]);
  }`;
  const { printed, modules } = runWithoutNative('proxyvault/driver', program);
  expect(printed).toEqual([7, false]);
  expect(modules.filter((path) => path.includes('/sqlite/'))).toEqual([]);
});
