import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { nodeVersionProblem } from '../src/node-version.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

describe('the Node version check', () => {
  it('takes a Node with Node-API 10, whatever its number', () => {
    for (const napi of ['10', '11', '100']) expect(nodeVersionProblem({ node: '22.14.0', napi })).toBeNull();
    expect(nodeVersionProblem()).toBeNull();
  });

  it('refuses one without, in one line that says what to do', () => {
    for (const napi of ['9', '', undefined]) {
      expect(nodeVersionProblem({ node: '22.13.1', napi })).toMatch(
        /^proxyvault needs Node 22\.14, 23\.6 or newer, and this is Node 22\.13\.1: install[^\n]*$/,
      );
    }
  });

  it('agrees with package.json', () => {
    const { engines } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
    expect(engines.node).toBe('^22.14.0 || >=23.6.0');
  });

  it.runIf(process.env.PROXYVAULT_EXPECT_NODE)('runs the tests on the Node that CI asked for', () => {
    expect(process.versions.node.split('.')[0]).toBe(process.env.PROXYVAULT_EXPECT_NODE);
  });

  const old = oldNode();
  it.runIf(old)(
    'ends an old Node with that line, exit 1 and no segmentation fault (skipped where none is installed)',
    () => {
      const cli = spawnSync(String(old), [`${root}/dist/cli/bin.js`, 'list'], { encoding: 'utf8' });
      expect(cli).toMatchObject({ status: 1, signal: null, stdout: '' });
      expect(cli.stderr).toMatch(/^proxyvault needs Node 22\.14, 23\.6 or newer[^\n]*\n$/);

      const json = spawnSync(String(old), [`${root}/dist/cli/bin.js`, 'list', '--json'], {
        encoding: 'utf8',
      });
      expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: 'UNSUPPORTED' } });

      for (const entry of ['index.js', 'database/index.js']) {
        const library = spawnSync(String(old), [`${root}/dist/${entry}`], { encoding: 'utf8' });
        expect(library).toMatchObject({ status: 1, signal: null });
        expect(library.stderr).toContain('ProxyVaultError: proxyvault needs Node 22.14, 23.6 or newer');
      }
    },
  );
});

/** A Node of the system's that is too old, if there is one. */
function oldNode(): string | null {
  const path = '/usr/bin/node';
  if (!existsSync(path)) return null;
  const versions = JSON.parse(
    execFileSync(path, ['-p', 'JSON.stringify(process.versions)'], { encoding: 'utf8' }),
  );
  return nodeVersionProblem(versions) === null ? null : path;
}
