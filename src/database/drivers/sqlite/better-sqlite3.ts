// The only file that loads the engine. First what must be evaluated before it: an old Node gets a sentence instead of a
// segmentation fault, and so does a bundle that cannot load the engine.
import './require-node.ts';
import './bundled-engine.ts';

import Database from 'better-sqlite3';
import { bundledError, stopWaiting } from './bundled-engine.ts';
import { sqliteCode } from './errors.ts';

stopWaiting();

/**
 * Opens a file with SQLite's own settings.
 *
 * @throws as better-sqlite3 does; UNSUPPORTED if the engine is a part of a bundle.
 */
export function connect(path: string, options: Database.Options): Database.Database {
  try {
    return new Database(path, options);
  } catch (error) {
    if (sqliteCode(error) === null && engineFile() === null && !opensAnything()) throw bundledError(error);
    throw error;
  }
}

/**
 * The file that the engine was loaded from, for a thread to load it too. Null if it was not loaded from a file of its own, as in
 * a bundle, or if something else than Node has loaded it, such as a loader of TypeScript.
 */
export function engineFile(): string | null {
  const { cache } = createRequire(process.execPath);
  const found = Object.entries(cache).find(([, module]) => module?.exports === Database);
  return found?.[0] ?? null;
}

/** Where a file of this program would load the engine from. @throws UNSUPPORTED if it is not installed there. */
export function resolveEngine(): string {
  try {
    // A bundle of CommonJS has a file name and no import.meta.url.
    return createRequire(typeof __filename === 'string' ? __filename : import.meta.url).resolve(
      'better-sqlite3',
    );
  } catch (error) {
    throw bundledError(error);
  }
}

/** Node's own, under a name that no bundler knows: webpack replaces the imported one by its own at build time. */
function createRequire(from: string): NodeJS.Require {
  return process.getBuiltinModule('node:module').createRequire(from);
}

function opensAnything(): boolean {
  try {
    new Database(':memory:').close();
    return true;
  } catch {
    return false;
  }
}
