import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  type Stats,
} from 'node:fs';
import { dirname, join, sep } from 'node:path';

import { ProxyVaultError } from '../../errors.ts';
import { errnoOf, withFileErrors } from '../../files/file-error.ts';
import { isReadOnlyMount } from '../../files/read-only.ts';

const POSIX = process.platform !== 'win32';
/** More than the keys of a lifetime need. */
const MOST_BYTES = 1024 * 1024;

/**
 * The text of a key file, or null if there is no file. A mounted secret may be a link and open to others, because nobody can
 * change that on a read-only file system; with `trusted` a key file may be so anywhere. @throws KEY_INVALID, CANNOT_OPEN, IO.
 */
export function readKeyFile(path: string, trusted = false): string | null {
  return withFileErrors(`The key file ${path} cannot be read`, path, () => {
    try {
      return read(path, trusted);
    } catch (error) {
      // Kubernetes replaces the files behind its links: the second look finds the new ones.
      if (errnoOf(error) === 'ENOENT') return read(path, trusted);
      throw error;
    }
  });
}

/** What a person should know about a key file that is accepted although its permissions do not protect it; else null. */
export function cautionOf(path: string, trusted: boolean): string | null {
  const real = realPathOf(path, trusted);
  if (real === null) return null;
  const problem = problemOf(real, lstatSync(real));
  const facts = [...(real === path ? [] : ['is a symbolic link']), ...(problem ? [problem.what] : [])];
  if (facts.length === 0) return null;
  const why = isReadOnlyMount(real) ? 'its file system is read-only' : 'you said that it can be trusted';
  return `The key file ${path} ${facts.join(' and ')}; it is accepted because ${why}. Whoever can read it and the pool has every credential: mount the secret for this user only (Kubernetes \`defaultMode: 0400\`, Docker \`mode: 0400\` with \`uid\`). To change the key, change the secret where it is kept.`;
}

/**
 * Throws READ_ONLY if a key file is a link, such as a mounted secret: a rename would put a file in place of the link, and the
 * secret's real place would keep the old key. Throws KEY_INVALID, with the command that fixes it, if it is open to others.
 */
export function assertReplaceable(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (found.isSymbolicLink()) {
    throw new ProxyVaultError(
      'READ_ONLY',
      `The key file ${path} is a symbolic link, as mounted secrets are, and is not changed from here: ${ELSEWHERE}.`,
      { details: { path } },
    );
  }
  const problem = problemOf(path, found);
  if (problem === null || isReadOnlyMount(path)) return;
  throw invalid(
    path,
    `${problem.what}, so it is not changed: run \`${problem.command}\` and repeat this. If it is a mounted secret, ${ELSEWHERE}`,
  );
}

const ELSEWHERE =
  'change the secret where it is kept (the new key first, the old one after it), or copy the key to a file of your own (mode 0600) and name that';

/** @throws KEY_INVALID. */
export function assertSize(path: string, bytes: number): void {
  if (bytes <= MOST_BYTES) return;
  throw invalid(
    path,
    `would be, or is, larger than ${MOST_BYTES} bytes, so it is no key file, or it has too many older keys: use a new key file for this pool`,
  );
}

function read(path: string, trusted: boolean): string | null {
  const real = realPathOf(path, trusted);
  if (real === null) return null;
  // Before it is opened, because opening a pipe would wait for its writer.
  assertSafe(path, real, lstatSync(real), trusted);
  const descriptor = openSync(real, constants.O_RDONLY | (POSIX ? constants.O_NOFOLLOW : 0));
  try {
    // The file that was opened, whatever was there a moment ago.
    const opened = fstatSync(descriptor);
    assertSafe(path, real, opened, trusted);
    assertSize(path, opened.size);
    const bytes = readFileSync(descriptor);
    const text = bytes.toString('utf8');
    bytes.fill(0);
    return text;
  } finally {
    closeSync(descriptor);
  }
}

/** The file to open: `path`, or the target of an acceptable link; null if there is no file. */
function realPathOf(path: string, trusted: boolean): string | null {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  if (!found.isSymbolicLink()) return path;
  const real = targetOf(path);
  if (trusted || isMounted(path, real)) return real;
  throw invalid(
    path,
    `is a symbolic link, and whoever can change the link could put another key there: name the real file (${real}), or put the key itself there with \`cp --remove-destination ${quoted(real)} ${quoted(path)} && chmod 600 ${quoted(path)}\`. ${MOUNTED}`,
  );
}

const MOUNTED =
  'If it is a mounted secret, accept it with --trust-key-file or PROXYVAULT_TRUST_KEY_FILE=1 (in a program, `trustKeyFile: true`)';

function targetOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ELOOP') throw error;
    throw invalid(
      path,
      'is a symbolic link to a file that does not exist: check that the secret is mounted',
      error,
    );
  }
}

/** As Kubernetes does it: link and file are in one folder, and nobody can change either. */
function isMounted(path: string, real: string): boolean {
  const folder = realpathSync(dirname(path));
  return real.startsWith(join(folder, sep)) && isReadOnlyMount(folder) && isReadOnlyMount(real);
}

function assertSafe(path: string, real: string, stats: Stats, trusted: boolean): void {
  if (!stats.isFile()) throw invalid(path, 'is not a regular file: name the file that holds the key');
  const problem = problemOf(real, stats);
  if (problem === null || trusted || isReadOnlyMount(real)) return;
  throw invalid(path, `${problem.what}: run \`${problem.command}\`. ${MOUNTED}`);
}

/** Why the permissions do not protect a file, and the command that fixes it. */
function problemOf(path: string, stats: Stats): { what: string; command: string } | null {
  if (!POSIX) return null;
  const user = process.geteuid?.();
  const chmod = `chmod 600 ${quoted(path)}`;
  const command = stats.uid === user ? chmod : `chown ${user} ${quoted(path)} && ${chmod}`;
  if (stats.uid !== user && stats.uid !== 0) return { what: 'belongs to another user', command };
  if ((stats.mode & 0o077) === 0) return null;
  const access = (stats.mode & 0o022) === 0 ? 'read' : 'read or written';
  return { what: `can be ${access} by others (mode 0${(stats.mode & 0o777).toString(8)})`, command };
}

function invalid(path: string, what: string, cause?: unknown): ProxyVaultError {
  return new ProxyVaultError('KEY_INVALID', `The key file ${path} ${what}.`, { cause, details: { path } });
}

/** As a POSIX shell takes it. */
function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}
