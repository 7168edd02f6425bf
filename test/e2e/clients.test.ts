import { execFile } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Gateway, type Listening, openVault, type Vault } from 'proxyvault';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TEST_CERTIFICATE } from '../../src/cli/commands/tour/loopback/certificate.ts';
import { TargetServer } from '../../src/cli/commands/tour/loopback/target-server.ts';
import { UpstreamServer } from '../../src/cli/commands/tour/loopback/upstream-server.ts';
import { SCRATCH } from '../faults/scratch.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

interface Recipe {
  heading: string;
  language: string;
  /** What it needs besides. */
  needs: string;
  code: string;
}

const page = readFileSync(join(ROOT, 'docs/clients.md'), 'utf8');
const recipes: Recipe[] = page
  .split(/^## /m)
  .slice(1)
  .flatMap((section) => {
    const [heading = ''] = section.split('\n', 1);
    return [...section.matchAll(/^```(\w+) ?([\w-]*)\n([\s\S]*?)^```$/gm)].map(
      ([, language = '', needs = '', code = '']) => ({ heading, language, needs, code }),
    );
  });

/** Other versions of Node, which `.ci/run` installs. */
const NODES = join(ROOT, 'node_modules/.cache/nodes/node_modules');
const otherNode = (name: string): string | null => {
  const path = join(NODES, name, 'bin/node');
  return existsSync(path) ? path : null;
};
/** Chromium is a package of Debian. */
const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(isExecutable);

let folder: string;
let vault: Vault;
let gateway: Gateway;
let ports: Listening[];
let upstreams: UpstreamServer[];
let target: TargetServer;

beforeAll(async () => {
  folder = mkdtempSync(join(SCRATCH, 'proxyvault-clients-'));
  mkdirSync(join(folder, 'node_modules'));
  for (const name of [
    'undici',
    'axios',
    'got',
    'https-proxy-agent',
    'playwright-core',
    '@crawlee',
    'electron',
  ])
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  symlinkSync(ROOT, join(folder, 'node_modules/proxyvault'));
  writeFileSync(join(folder, 'certificate.pem'), TEST_CERTIFICATE);
  target = await TargetServer.start({ kind: 'https' });
  const resolve = (host: string) =>
    host === 'shop.example' ? { host: '127.0.0.1', port: target.port } : null;
  upstreams = await Promise.all(
    (['http', 'socks5'] as const).map((kind) =>
      UpstreamServer.start({ kind, resolve, login: { username: 'me', password: 's3cret' } }),
    ),
  );
  vault = await openVault({ path: join(folder, 'pool.db'), keyFile: join(folder, 'key') });
  await vault.import(upstreams.map(({ kind, port }) => `${kind}://me:s3cret@127.0.0.1:${port}`).join('\n'));
  for (const { id } of vault.proxies.findAll()) vault.proxies.update(id, { geolocation: { country: 'DE' } });
  gateway = await vault.serve({ port: 0 });
  ports = [await gateway.listen({ session: 'a' }), await gateway.listen({ session: 'b' })];
});

afterAll(async () => {
  await vault.close();
  await Promise.all([target, ...upstreams].map((server) => server.close()));
});

/** The recipe with the addresses of this test. */
function located(code: string): string {
  return code
    .replaceAll('24001', String(ports[0]?.port))
    .replaceAll('24002', String(ports[1]?.port))
    .replaceAll('127.0.0.1:8888', `127.0.0.1:${gateway.port}`)
    .replace('chromium.launch({', `chromium.launch({ executablePath: '${chromium}', args: ARGS,`)
    .replaceAll('browser.newContext({', 'browser.newContext({ ignoreHTTPSErrors: true,');
}

const ARGS = `const ARGS = ['--no-sandbox', '--disable-background-networking'];\n`;
let files = 0;

async function runScript(
  code: string,
  node = process.execPath,
  more: Record<string, string> = {},
): Promise<string> {
  const file = join(folder, `recipe-${files++}.mjs`);
  writeFileSync(file, (code.includes('ARGS') ? ARGS : '') + code);
  const env = {
    ...process.env,
    NODE_EXTRA_CA_CERTS: join(folder, 'certificate.pem'),
    CRAWLEE_PERSIST_STORAGE: '0',
    CRAWLEE_LOG_LEVEL: 'ERROR',
    PATH: [dirname(node), process.env.PATH].join(delimiter),
    ...more,
  };
  const { stdout } = await run(node, [file], { cwd: folder, env });
  return stdout;
}

const passed = (): number => upstreams.reduce((sum, { seen }) => sum + seen.connections, 0);

describe('the recipes of docs/clients.md', () => {
  it('are found', () => {
    expect(recipes.map(({ language }) => language)).toEqual(expect.arrayContaining(['sh', 'js', 'ts']));
    expect(recipes.length).toBeGreaterThan(10);
  });

  it.each(recipes.filter(({ language }) => language === 'sh'))('$heading: $code', async ({ code }) => {
    for (const command of code.trim().split('\n')) {
      const before = passed();
      const env = { ...process.env, CURL_CA_BUNDLE: join(folder, 'certificate.pem') };
      const { stdout } = await run('sh', ['-c', located(command.replace('curl ', 'curl -sS --fail '))], {
        env,
      });
      expect(JSON.parse(stdout)).toMatchObject({ method: 'GET', url: '/' });
      expect(passed()).toBeGreaterThan(before);
    }
  });

  it.each(recipes.filter(({ language, needs }) => language === 'js' && needs !== 'chromium'))(
    '$heading',
    async ({ code, needs }) => {
      const before = passed();
      const env: Record<string, string> =
        needs === 'node-env' ? { NODE_USE_ENV_PROXY: '1', HTTPS_PROXY: gateway.url } : {};
      expect(await runScript(located(code), process.execPath, env)).toBe('200\n');
      expect(passed()).toBeGreaterThan(before);
    },
  );

  it.skipIf(chromium === undefined)(
    'Playwright: two sessions in one browser by two ports (skipped if Debian’s chromium is missing)',
    async () => {
      const [recipe] = recipes.filter(({ needs }) => needs === 'chromium');
      const before = passed();
      expect(await runScript(located(recipe?.code ?? ''))).toBe('200\n200\n');
      expect(passed()).toBeGreaterThan(before);
    },
  );

  for (const name of ['oldest', 'newest']) {
    const node = otherNode(name);
    it.skipIf(node === null)(
      `undici and lease.fetch, in the ${name} Node (skipped if .ci/run has not installed it)`,
      async () => {
        const chosen = recipes.filter(({ heading, needs }) => heading === 'undici' || needs === 'vault');
        expect(chosen).toHaveLength(4);
        for (const { code } of chosen) expect(await runScript(located(code), node ?? '')).toBe('200\n');
      },
    );
  }

  it('are correct programs for Electron', async () => {
    const [recipe] = recipes.filter(({ language }) => language === 'ts');
    writeFileSync(join(folder, 'electron.mts'), recipe?.code ?? '');
    const settings = [
      '--noEmit',
      '--strict',
      '--target',
      'es2024',
      '--module',
      'nodenext',
      '--types',
      'node',
    ];
    const types = ['--typeRoots', join(ROOT, 'node_modules/@types'), '--skipLibCheck'];
    const tsc = join(ROOT, 'node_modules/.bin/tsc');
    const { stdout } = await run(process.execPath, [tsc, ...settings, ...types, 'electron.mts'], {
      cwd: folder,
    });
    expect(stdout).toBe('');
  });
});

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
