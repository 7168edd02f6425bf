import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { nodeVersionProblem } from '../src/node-version.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

describe('the Node version check', () => {
  it('takes 22.12 and newer', () => {
    for (const version of ['22.12.0', '22.21.1', '24.0.0', '26.1.0', '100.0.0'])
      expect(nodeVersionProblem(version)).toBeNull();
  });

  it('refuses what is older, in one line that says what to do', () => {
    for (const version of ['0.12.0', '18.20.0', '20.20.2', '22.11.9', 'nonsense']) {
      expect(nodeVersionProblem(version)).toMatch(/^proxyvault needs Node 22\.12 or newer[^\n]*install/);
    }
  });

  it('agrees with package.json', () => {
    const { engines } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
    expect(engines.node).toBe('>=22.12.0');
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
      expect(cli.stderr).toMatch(/^proxyvault needs Node 22\.12 or newer[^\n]*\n$/);

      for (const entry of ['index.js', 'database/index.js']) {
        const library = spawnSync(String(old), [`${root}/dist/${entry}`], { encoding: 'utf8' });
        expect(library).toMatchObject({ status: 1, signal: null });
        expect(library.stderr).toContain('ProxyVaultError: proxyvault needs Node 22.12 or newer');
      }
    },
  );
});

/** A Node of the system's that is too old, if there is one. */
function oldNode(): string | null {
  const path = '/usr/bin/node';
  if (!existsSync(path)) return null;
  const version = execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim();
  return nodeVersionProblem(version) === null ? null : path;
}
