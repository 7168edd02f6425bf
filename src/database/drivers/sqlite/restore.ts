import { copyFileSync, existsSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { ProxyVaultError } from '../../../errors.ts';
import { makeFolder } from '../../../files/durable.ts';
import { fileError } from '../../../files/file-error.ts';
import { isSameFile } from '../../../files/same-file.ts';
import { createTemporary, removeAbandonedTemporaries, removeTemporary } from '../../../files/temporary.ts';
import { firstThrown } from '../../../first-thrown.ts';
import { invalidInput } from '../../../model/validation.ts';
import { assertName } from './backup-target.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { type BackupProgress, copyTo, makePool, Progress, sealCopy } from './copy.ts';
import { refused, translate } from './errors.ts';
import { COMPANIONS, companionsOf } from './exclusive.ts';
import { assertOwnLog } from './foreign-log.ts';
import { keptName, removeOldReplaced } from './kept.ts';
import { isAbsent, replaceDatabase } from './replace.ts';

/** How many replaced pools are kept. */
const KEPT = 3;

interface Restoration<T> {
  source: ConnectionOptions;
  path: string;
  overwrite: boolean;
  onProgress: ((progress: BackupProgress) => void) | undefined;
  /** How long to wait until nobody has the pool open. */
  waitMs: number;
  /** Looks at the copy before it becomes the pool. */
  verify: (copy: string) => Promise<T>;
}

/**
 * The files of `restoreDatabase`: copies the backup, has the copy verified, and puts it in the place of the pool.
 *
 * @returns what `verify` gave, where the pool that was replaced is kept, and where a log is kept that had no pool.
 */
export async function restoreFile<T>(
  restoration: Restoration<T>,
): Promise<{ found: T; replaced: string | null; strayLog: string | null }> {
  const { source, path, overwrite, onProgress, waitMs, verify } = restoration;
  const progress = new Progress(onProgress);
  try {
    // Links are followed: the file that a link leads to is replaced, and not the link.
    const real = statSync(path, { throwIfNoEntry: false }) ? realpathSync(path) : path;
    assertRestorable(source.path, real, overwrite);
    makeFolder(dirname(real));
    removeAbandonedTemporaries(real);
    const copy = createTemporary(real, 'partial');
    try {
      const found = await checked(source.path, async () => {
        assertOwnLog(realpathSync(source.path));
        await copyBackup(source, copy, progress);
        sealCopy(copy);
        return verify(copy);
      });
      makePool(copy);
      const kept = keptName(real, new Date());
      const hasStrayLog = !existsSync(real) && existsSync(`${real}-wal`);
      const isKept = await replaceDatabase({ copy, path: real, kept, waitMs });
      removeOldReplaced(real, KEPT, source.path);
      return { found, replaced: isKept ? kept : null, strayLog: hasStrayLog ? `${kept}-wal` : null };
    } finally {
      removeTemporary(copy);
    }
  } catch (error) {
    progress.rethrow();
    throw translate(fileError(error, `The pool ${path} cannot be restored`, path), { path });
  }
}

function assertRestorable(backup: string, path: string, overwrite: boolean): void {
  if (backup === ':memory:' || path === ':memory:')
    throw invalidInput('A backup is restored from a file to a file.');
  assertName(path);
  if (['', ...COMPANIONS].some((suffix) => isSameFile(backup, `${path}${suffix}`))) {
    throw invalidInput(`${backup} is the pool itself or a part of it: give the path of a backup.`);
  }
  const [from, to] = [statSync(backup, { throwIfNoEntry: false }), statSync(path, { throwIfNoEntry: false })];
  if (from === undefined) {
    throw new ProxyVaultError('CANNOT_OPEN', `There is no backup at ${backup}: check the path.`, {
      details: { path: backup },
    });
  }
  const other = !from.isFile() ? backup : to?.isFile() === false ? path : null;
  if (other !== null) throw refused('CANNOT_OPEN', other, 'is not a regular file: give the path of a file');
  if (!overwrite && to !== undefined && !isAbsent(path)) {
    throw new ProxyVaultError(
      'CONFLICT',
      `There is a pool at ${path}: say that it may be replaced (\`--force\`; it is kept under another name), or give another path.`,
      { details: { path } },
    );
  }
}

/** Says of an error that it is the backup's. */
async function checked<T>(backup: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = firstThrown(thrown);
    const known = translate(error, { path: backup });
    if (!['NOT_A_DATABASE', 'CORRUPT', 'DATABASE_NEWER', 'MIGRATION_CHANGED'].includes(known.code))
      throw error;
    throw new ProxyVaultError(
      known.code,
      `The backup ${backup} cannot be restored, and the pool was not changed. ${known.message}`,
      { cause: error, details: { ...known.details, path: backup } },
    );
  }
}

/**
 * SQLite cannot open a backup in WAL mode where it may not write, such as on a read-only disk: nobody can have that open to
 * write, so that its bytes are copied if it has no log.
 */
async function copyBackup(...[source, copy, progress]: Parameters<typeof copyTo>): Promise<void> {
  try {
    await copyTo(source, copy, progress);
  } catch (error) {
    // A caller who throws ends the restore, whatever the error says.
    progress.rethrow();
    const { code } = translate(error, { path: source.path });
    const hasLog = companionsOf(source.path).length > 0;
    if (!['CANNOT_OPEN', 'READ_ONLY'].includes(code) || hasLog) throw error;
    copyFileSync(source.path, copy);
  }
}
