import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
import module from 'node:module';
import { dirname, isAbsolute } from 'node:path';
import envPaths from 'env-paths';

import { errnoOf } from '../files/file-error.ts';
import { whoElseMayWrite } from '../files/private.ts';

/**
 * Keeps compiled code for the next start, since a good part of a short command is the compiling of its modules. Node runs
 * what it finds there without looking at its owner, so the folder must be one that nobody else can write. If NODE_COMPILE_CACHE
 * is set, Node already uses that folder, which is the user's own choice.
 */
export function useCompileCache(): void {
  const folder = privateFolder(envPaths('proxyvault', { suffix: '' }).cache);
  // Without a folder Node would take a predictable one below the temporary folder.
  if (folder !== null) module.enableCompileCache(folder);
}

/** The real path of the folder, created if it is missing; null if others can write it or a folder above it, or it cannot be made. */
function privateFolder(folder: string): string | null {
  try {
    if (!isAbsolute(folder) || whoElseMayWrite(existing(folder)) !== null) return null;
    makeFolder(folder);
    const found = lstatSync(folder);
    const isPrivate = process.platform === 'win32' || (found.mode & 0o077) === 0;
    const path = realpathSync(folder);
    return found.isDirectory() && isPrivate && whoElseMayWrite(path) === null ? path : null;
  } catch {
    return null;
  }
}

/** Makes a folder and those above it. With `recursive` Node never returns where a folder takes no new ones, such as /proc. */
function makeFolder(path: string): void {
  if (existing(path) === path) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process made it meanwhile.
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/** The folder itself, or the nearest one above it that exists: what is created there is as safe as it is. */
function existing(path: string): string {
  const isThere = lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  return isThere || path === dirname(path) ? path : existing(dirname(path));
}
