import { accessSync, chmodSync, constants, copyFileSync, existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { ProxyVaultError } from '../errors.ts';
import { errnoOf, withFileErrors } from '../files/file-error.ts';
import { openVault, type VaultOptions } from '../open-vault.ts';
import { Vault } from '../vault.ts';
import { createPrivateFolder } from './private-folder.ts';

/** What the system says where something may not be written. */
const FORBIDDEN = ['EACCES', 'EPERM', 'EROFS'];

/** Why this user may not write a pool that exists, for a person; null if it may, or if that cannot be told. */
export function writeProblem(path: string): string | null {
  try {
    const real = realpathSync(path);
    for (const place of [real, dirname(real)]) {
      try {
        accessSync(place, constants.W_OK);
      } catch (error) {
        const errno = errnoOf(error) ?? '';
        if (!FORBIDDEN.includes(errno)) return null;
        return errno === 'EROFS' ? 'its file system is read-only' : `this user may not write ${place}`;
      }
    }
    return null;
  } catch {
    // Whoever opens it says why it cannot be.
    return null;
  }
}

/** @throws READ_ONLY, for a command that writes. */
export function assertWritable(path: string): void {
  const problem = writeProblem(path);
  if (problem === null) return;
  throw new ProxyVaultError(
    'READ_ONLY',
    `The pool at ${path} may not be written, since ${problem}: run this as a user who may, or copy the pool with \`proxyvault backup FILE\` and use the copy. Commands that only read, such as list and export, work here.`,
    { details: { path } },
  );
}

/**
 * Opens a pool that may not be written, to read it. SQLite makes files beside a pool, even to read it. Where it may not, a
 * private copy is read, which is removed when the vault is closed; a pool without a log is open to nobody else.
 *
 * @throws what `openVault` throws; also if there is a log that only somebody who may write can move into the pool.
 */
export async function openReadOnly(options: VaultOptions): Promise<Vault> {
  const { path } = options;
  try {
    return await openVault({ ...options, readonly: true });
  } catch (error) {
    // An error of SQLite, and not one of ours, such as that everybody may write the pool.
    if (!(error instanceof ProxyVaultError) || error.details.sqlite === undefined) throw error;
    if (!['READ_ONLY', 'CANNOT_OPEN'].includes(error.code)) throw error;
    const log = logOf(path);
    if (log !== null) throw notApplied(error, path, log);
    return openCopy(options);
  }
}

async function openCopy(options: VaultOptions): Promise<Vault> {
  const { path: folder, remove } = createPrivateFolder();
  try {
    const { database, keys } = await openVault({
      ...options,
      path: copyTo(folder, options.path),
      readonly: true,
    });
    return new TemporaryVault(database, keys, remove);
  } catch (error) {
    remove();
    throw error;
  }
}

/** A vault over a copy that is removed when it is closed. */
class TemporaryVault extends Vault {
  readonly #remove: () => void;

  constructor(database: Vault['database'], keys: Vault['keys'], remove: () => void) {
    super(database, keys);
    this.#remove = remove;
  }

  override async close(): Promise<void> {
    try {
      await super.close();
    } finally {
      this.#remove();
    }
  }
}

/** @throws BUSY if somebody writes the pool meanwhile. */
function copyTo(folder: string, path: string): string {
  const copy = join(folder, 'pool.db');
  withFileErrors(
    `The pool at ${path} cannot be copied, to be read where files may be made beside it`,
    path,
    () => {
      const before = statSync(path, { bigint: true });
      copyFileSync(path, copy);
      // What everybody may write is refused of the copy as of the pool itself.
      chmodSync(copy, 0o600 | (Number(before.mode) & 0o002));
      const after = statSync(path, { bigint: true });
      if (logOf(path) === null && before.mtimeNs === after.mtimeNs && before.ino === after.ino) return;
      throw new ProxyVaultError('BUSY', `The pool at ${path} was changed while it was read: try again.`);
    },
  );
  return copy;
}

function logOf(path: string): string | null {
  const log = `${realpathSync(path)}-wal`;
  return existsSync(log) ? log : null;
}

function notApplied({ code, details }: ProxyVaultError, path: string, log: string): ProxyVaultError {
  return new ProxyVaultError(
    code,
    `The pool at ${path} may not be written by this user, and ${log} has changes that are not in it yet: open it once as a user who may write it, such as with \`proxyvault check\`, and repeat.`,
    { details: { ...details, path } },
  );
}
