import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import semver from 'semver';
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

  it('is met by every package that a user installs', () => {
    const { packages } = JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8'));
    const needs = Object.entries<{ dev?: boolean; engines?: { node?: string } }>(packages)
      .filter(([, { dev }]) => !dev)
      .map(([name, { engines }]) => [name, engines?.node ?? '*'] as const);
    expect(needs.length).toBeGreaterThan(10);
    for (const [name, range] of needs)
      for (const version of ['22.14.0', '22.20.0', '23.6.0', '24.0.0'])
        expect([name, range, version, semver.satisfies(version, range)]).toEqual([
          name,
          range,
          version,
          true,
        ]);
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
