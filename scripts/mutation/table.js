// The faults of each area: scripts/mutants/<area>.js.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

const folder = new URL('../mutants/', import.meta.url);

/**
 * A change of one place that a test should notice.
 *
 * @typedef {object} Fault
 * @property {string} file the source file, from the root of the checkout
 * @property {string} what what is wrong then, in a few words
 * @property {string} from the text to replace; it occurs once in the file
 * @property {string} to what replaces it
 * @property {string} [survives] why no test notices it; without it, a fault that survives fails the run
 *
 * @typedef {object} Area
 * @property {string} name
 * @property {string[]} tests which test files to run, as filters of vitest, the nearest first
 * @property {Fault[]} faults
 */

/** The areas of these names, or all. @param {string[]} names @returns {Promise<Area[]>} */
export async function readAreas(names) {
  const known = readdirSync(folder)
    .filter((file) => file.endsWith('.js'))
    .map((file) => basename(file, '.js'))
    .sort();
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`There is no area ${unknown}. Areas: ${known.join(', ')}.`);
  const wanted = names.length > 0 ? names : known;
  return Promise.all(
    wanted.map(async (name) => ({ name, ...(await import(new URL(`${name}.js`, folder).href)).default })),
  );
}

/**
 * The source file in which the fault's text is, and its content with the fault; null if the table is out of date. A file
 * that moved is found by the text, as long as that is in one place of `src/`.
 *
 * @param {string} root @param {Fault} fault @returns {{ file: string, text: string } | null}
 */
export function withFault(root, { file, from, to }) {
  const at = (candidate) => {
    const parts = readFileSync(join(root, candidate), 'utf8').split(from);
    return { file: candidate, places: parts.length - 1, text: parts.join(to) };
  };
  const own = existsSync(join(root, file)) ? at(file) : null;
  if (own !== null && own.places > 0) return own.places === 1 ? own : null;
  const others = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => at(relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/')))
    .filter(({ places }) => places > 0);
  return others.length === 1 && others[0].places === 1 ? others[0] : null;
}
