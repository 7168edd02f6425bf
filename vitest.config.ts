import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

import { rawText } from './raw-text.config.ts';

const source = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  plugins: [{ ...rawText(), enforce: 'pre' }],
  resolve: {
    alias: [
      { find: /^proxyvault$/, replacement: source('index.ts') },
      { find: /^proxyvault\/database$/, replacement: source('database/index.ts') },
      { find: /^proxyvault\/database\/repositories$/, replacement: source('database/repositories/index.ts') },
      { find: /^proxyvault\/database\/services$/, replacement: source('database/services/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/build.setup.ts', 'test/faults/summary.setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary', 'html'] },
  },
});
