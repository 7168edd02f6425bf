import { defineConfig } from 'tsdown';

import { rawText } from './raw-text.config.ts';
import { wholeYaml } from './whole-yaml.config.ts';

/** One output file a source file, so that the Node version check runs before better-sqlite3 is loaded. */
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
  ],
  format: 'esm',
  platform: 'node',
  target: 'node22.14',
  unbundle: true,
  fixedExtension: false,
  dts: true,
  clean: true,
  plugins: [rawText(), wholeYaml()],
});
