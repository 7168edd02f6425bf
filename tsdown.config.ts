import { defineConfig } from 'tsdown';

import { rawText } from './raw-text.config.ts';
import { wholeYaml } from './whole-yaml.config.ts';

/**
 * Modules that are loaded together become one file, since opening hundreds of files takes most of the time of a short
 * command. `bin.ts` imports the rest only after its check of the Node version, so better-sqlite3 is never in a file that loads
 * before it.
 */
export default defineConfig({
  entry: [
    'src/index.ts',
    'src/database/index.ts',
    'src/database/repositories/index.ts',
    'src/database/services/index.ts',
    'src/database/drivers/index.ts',
    'src/keys/index.ts',
    'src/lists/index.ts',
    'src/cli/bin.ts',
    'src/cli/main.ts',
  ],
  format: 'esm',
  platform: 'node',
  target: 'node22.14',
  outputOptions: {
    // Two levels below the package's folder, as src/cli/package-folder.ts is.
    chunkFileNames: 'parts/[name].js',
    // What must run before the engine is loaded: a file runs after all that it imports.
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [{ name: 'before-engine', test: /[\\/](require-node|bundled-engine)\.ts$/ }],
    },
  },
  fixedExtension: false,
  dts: true,
  clean: true,
  plugins: [rawText(), wholeYaml()],
});
