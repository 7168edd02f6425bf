import { createReadStream, existsSync, readdirSync, type Stats, statSync } from 'node:fs';
import { extname, join } from 'node:path';

import { ProxyVaultError } from '../errors.ts';
import { fileError, withFileErrors } from '../files/file-error.ts';
import { type ListSource, parseProxyLine } from '../lists/index.ts';
import { invalidInput } from '../model/validation.ts';
import type { NamedList } from '../transfer/index.ts';

/** What an argument names: a list, or several by name. */
export type ListFiles = ListSource | NamedList[];

/** What is read of a folder. */
const EXTENSIONS = [
  '',
  '.txt',
  '.list',
  '.csv',
  '.tsv',
  '.json',
  '.jsonl',
  '.ndjson',
  '.yaml',
  '.yml',
  '.conf',
  '.ppx',
];

/**
 * A file, standard input for `-`, or the lists directly in a folder, by name: those with a known extension or none, and not
 * hidden. `onBytes` is told how many bytes of all were read.
 *
 * @throws INVALID_INPUT for a URL or a proxy in place of a path; CANNOT_OPEN if there is no list, or what `fileError` says.
 */
export function findLists(path: string, onBytes: (done: number, total: number) => void): ListFiles {
  if (path === '-') return process.stdin;
  if (!existsSync(path)) assertPath(path);
  const files = withFileErrors(`The list ${path} cannot be read`, path, () => {
    const stats = statSync(path);
    return stats.isDirectory() ? filesIn(path) : [{ name: path, path, stats }];
  });
  if (files.length === 0)
    throw new ProxyVaultError(
      'CANNOT_OPEN',
      `The folder ${path} has no list: a list in it ends in ${EXTENSIONS.join(' ').trim()}, or has no extension. Folders inside it are not read.`,
    );
  const total = files.reduce((sum, { stats }) => sum + stats.size, 0);
  let done = 0;
  const count = (bytes: number): void => {
    done += bytes;
    onBytes(done, total);
  };
  const lists = files.map((file) => ({ name: file.name, source: readFile(file.path, count) }));
  return lists.length === 1 && lists[0] ? lists[0].source : lists;
}

/** No error repeats the text, if it may hold a login or a token. @throws INVALID_INPUT, CANNOT_OPEN. */
function assertPath(text: string): void {
  const isUrl = /^[a-z][a-z\d+.-]+:\/\//i.test(text);
  if (parseProxyLine(text).kind === 'proxy' && !/^https?:\/\/[^/]*[/?]./i.test(text))
    throw invalidInput(
      'This is a proxy, and `import` reads a file: add one proxy with `proxyvault add`. To download a list, run `curl --fail URL | proxyvault import -`.',
    );
  if (!isUrl && /@|:\d/.test(text))
    throw new ProxyVaultError(
      'CANNOT_OPEN',
      'There is no file with this name, which may hold a login and is not repeated: check the path, or add a proxy with `proxyvault add`.',
    );
  if (!isUrl) return;
  throw invalidInput(
    'This is a URL, and `import` downloads nothing: run `curl --fail --location URL | proxyvault import -`, or give the path of a file.',
  );
}

function filesIn(folder: string): { name: string; path: string; stats: Stats }[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.') && EXTENSIONS.includes(extname(name).toLowerCase()))
    .sort()
    .flatMap((name) => {
      // A link that leads nowhere, and a file that was removed meanwhile, are no lists.
      const stats = statSync(join(folder, name), { throwIfNoEntry: false });
      return stats?.isFile() ? [{ name, path: join(folder, name), stats }] : [];
    });
}

/** Opens the file when it is read, so that a folder of thousands holds one open at a time. */
async function* readFile(
  path: string,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const piece of createReadStream(path)) {
      onBytes(piece.length);
      yield piece;
    }
  } catch (error) {
    throw fileError(error, `The list ${path} cannot be read`, path);
  }
}
