import { accessSync, closeSync, constants, openSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { makeFolder, syncFolder } from '../../../files/durable.ts';
import { errnoOf, withFileErrors } from '../../../files/file-error.ts';
import { assertName } from './backup-target.ts';
import { refused } from './errors.ts';
import { assertOwnLog } from './foreign-log.ts';
import { guardCompanions } from './permissions.ts';

/**
 * Makes sure that SQLite may open a database at `path`: creates missing folders (0700) and the file (0600), and looks at the
 * files beside it that SQLite would apply to it.
 *
 * @throws CANNOT_OPEN for a folder, a missing file in read-only mode, missing permission, or a log of another user;
 *   NOT_A_DATABASE, CORRUPT if the log is not the file's own; INVALID_INPUT for a name that SQLite uses. Nothing was changed.
 */
export function prepareFile(path: string, readonly: boolean): void {
  assertName(path);
  const found = withFileErrors(`${path} cannot be opened`, path, () =>
    statSync(path, { throwIfNoEntry: false }),
  );
  if (found?.isDirectory()) throw refused('CANNOT_OPEN', path, 'is a folder: give the path of a file');
  if (found && !found.isFile()) throw refused('CANNOT_OPEN', path, 'is not a regular file');
  if (found) assertAccess(path, readonly);
  else if (readonly)
    throw refused('CANNOT_OPEN', path, 'does not exist, and a read-only database is never created');
  else withFileErrors(`${path} cannot be created`, path, () => createFile(path));
  // SQLite follows a symbolic link to the database, and looks for its log and journal beside the real file.
  withFileErrors(`${path} cannot be opened`, path, () => {
    const real = realpathSync(path);
    assertName(real);
    guardCompanions(real);
    assertOwnLog(real);
  });
}

function createFile(path: string): void {
  // Its names are longer, so that this may fail where the file itself could be made.
  assertOwnLog(path);
  try {
    makeFolder(dirname(path));
    // SQLite would create it 0644; its -wal and -shm take their mode from this file.
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    // Another process was first.
    if (statSync(path, { throwIfNoEntry: false })?.isFile()) return;
    throw refused(
      'CANNOT_OPEN',
      path,
      'cannot be created, since a part of its path is a file and not a folder',
      error,
    );
  }
  // SQLite itself does this for the log: https://www.sqlite.org/atomiccommit.html
  syncFolder(dirname(path));
}

function assertAccess(path: string, readonly: boolean): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw refused('CANNOT_OPEN', path, 'may not be read by this user: check its permissions', error);
  }
  if (readonly) return;
  try {
    accessSync(path, constants.W_OK);
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    throw refused(
      'CANNOT_OPEN',
      path,
      'or its folder may not be written by this user: check the permissions, or open it with readonly: true',
      error,
    );
  }
}
