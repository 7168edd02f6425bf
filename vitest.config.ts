import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

import { rawText } from './raw-text.config.ts';

const source = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

const TESTS = 'test/**/*.test.ts';
/** Test files that replace a module, or the clock, for all that runs after them. */
const alone = globSync(TESTS).filter(
  (file) => /\bvi\.(?:do)?[mM]ock\(/.test(readFileSync(file, 'utf8')) || /\binterleavings\b/.test(file),
);

export default defineConfig({
  plugins: [{ ...rawText(), enforce: 'pre' }],
  resolve: {
    alias: [
      // As the build has it (whole-yaml.config.ts).
      {
        find: /^yaml$/,
        replacement: fileURLToPath(new URL('node_modules/yaml/browser/index.js', import.meta.url)),
      },
      { find: /^proxyvault$/, replacement: source('index.ts') },
      { find: /^proxyvault\/database$/, replacement: source('database/index.ts') },
      { find: /^proxyvault\/database\/repositories$/, replacement: source('database/repositories/index.ts') },
      { find: /^proxyvault\/database\/services$/, replacement: source('database/services/index.ts') },
      { find: /^proxyvault\/driver$/, replacement: source('database/drivers/index.ts') },
      { find: /^proxyvault\/keys$/, replacement: source('keys/index.ts') },
      { find: /^proxyvault\/lists$/, replacement: source('lists/index.ts') },
    ],
  },
  test: {
    globalSetup: ['test/build.setup.ts', 'test/faults/summary.setup.ts'],
    setupFiles: ['test/chance.setup.ts'],
    pool: 'forks',
    // One more than CI has processors: many tests wait for a timer or a child.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The files that one worker runs share what it has loaded, and its command server: to start both for each is slow.
    projects: [
      { extends: true, test: { name: 'shared', include: [TESTS], exclude: alone, isolate: false } },
      { extends: true, test: { name: 'isolated', include: alone, isolate: true } },
    ],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary', 'html'] },
  },
});
