import { readFileSync } from 'node:fs';

/**
 * Inlines `.sql` files, and the background worker's source, as strings, so that they reach a user who
 * bundles the library into one file or packs it into an Electron asar. Serves the build and the tests.
 */
export function rawText(): { name: string; load: (id: string) => { code: string; moduleType: 'js' } | null } {
  return {
    name: 'raw-text',
    load(id) {
      if (!/\.(sql|worker\.js)$/.test(id)) return null;
      const text = readFileSync(id, 'utf8').replaceAll('\r\n', '\n');
      return { code: `export default ${JSON.stringify(text)};`, moduleType: 'js' };
    },
  };
}
