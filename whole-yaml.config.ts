import { readFileSync } from 'node:fs';
import { build } from 'esbuild';

/**
 * Puts the YAML library into the one file that uses it, for the build: its ES modules, which the package does not offer to
 * Node. A user's bundler would take its CommonJS, which fails in a bundle of ES modules ("Dynamic require … is not supported").
 */
export function wholeYaml(): {
  name: string;
  load: (id: string) => Promise<{ code: string; moduleType: 'js' } | null>;
} {
  return {
    name: 'whole-yaml',
    async load(id) {
      if (!/[\\/]clash[\\/]yaml\.ts$/.test(id)) return null;
      const license = readFileSync(new URL('node_modules/yaml/LICENSE', import.meta.url), 'utf8').trim();
      const { outputFiles } = await build({
        entryPoints: [id],
        bundle: true,
        // Not `node`, whose condition leads to the CommonJS files.
        platform: 'neutral',
        format: 'esm',
        target: 'node22',
        charset: 'utf8',
        banner: { js: `/*! The package yaml, which is included here:\n\n${license}\n*/` },
        write: false,
      });
      return { code: outputFiles[0]?.text ?? '', moduleType: 'js' };
    },
  };
}
