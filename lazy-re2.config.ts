import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * Puts the library of regular expressions into the one file that uses it, for the build, in a function that is called when the
 * first rule needs it. An import of it would cost every program 6 ms; a `require` of it would be lost in a bundle of one file.
 */
export function lazyRe2(): {
  name: string;
  load: (id: string) => Promise<{ code: string; moduleType: 'js' } | null>;
} {
  return {
    name: 'lazy-re2',
    async load(id) {
      if (!/[\\/]rules[\\/]re2\.ts$/.test(id)) return null;
      const license = readFileSync(new URL('node_modules/re2js/LICENSE', import.meta.url), 'utf8').trim();
      const { outputFiles } = await build({
        // esbuild evaluates what is required, and not imported, when the line is reached.
        stdin: {
          contents: `export function re2() { return require('re2js'); }`,
          resolveDir: fileURLToPath(new URL('.', import.meta.url)),
        },
        bundle: true,
        platform: 'node',
        format: 'esm',
        target: 'node22',
        charset: 'utf8',
        minify: true,
        legalComments: 'none',
        banner: { js: `/*! The package re2js, which is included here:\n\n${license}\n*/` },
        write: false,
      });
      return { code: outputFiles[0]?.text ?? '', moduleType: 'js' };
    },
  };
}
