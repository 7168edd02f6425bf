import { defineConfig, type UserConfig } from 'tsdown';

import { lazyRe2 } from './lazy-re2.config.ts';
import { rawText } from './raw-text.config.ts';
import { wholeYaml } from './whole-yaml.config.ts';

const code = {
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
  // Modules that are loaded together become one file, since opening hundreds of files takes most of the time of a short command.
  // `bin.ts` imports the rest only after its check of the Node version, so no file that it needs before has the engine.
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
  dts: false,
  clean: true,
  plugins: [rawText(), wholeYaml(), lazyRe2()],
} satisfies UserConfig;

export default defineConfig([
  code,
  {
    entry: code.entry,
    format: 'esm',
    // A file for each source: in the declarations of a program, the compiler names types by these.
    unbundle: true,
    fixedExtension: false,
    dts: { emitDtsOnly: true },
    clean: false,
    plugins: [rawText()],
  },
]);
