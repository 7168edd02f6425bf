import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { ProxyVaultError } from '../errors.ts';
import { Background } from './drivers/sqlite/background.ts';
import { openConnection, openReader } from './drivers/sqlite/connection.ts';
import type { ConnectionOptions } from './drivers/sqlite/connection-options.ts';
import { translate } from './drivers/sqlite/errors.ts';

export interface BackupProgress {
  totalPages: number;
  remainingPages: number;
}

export interface BackupOptions {
  /** Called after each batch of pages. */
  onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Replace a file that stands at the target; refused otherwise. */
  overwrite?: boolean | undefined;
}

/** Pages copied between two turns of the event loop: 2 MiB of the default page size. */
const PAGES_A_STEP = 512;

/**
 * Copies a database while it is in use. The copy is of one moment: a read transaction pins it, so that
 * writers neither wait for it nor start it anew.
 */
export async function backupTo(
  source: ConnectionOptions,
  target: string,
  options: BackupOptions = {},
): Promise<string> {
  const path = resolve(target);
  assertTarget(source.path, path, options.overwrite ?? false);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const partial = createPartial(path);
  const connection = openReader(source);
  try {
    connection.exec('BEGIN');
    connection.prepare('SELECT count(*) FROM sqlite_schema').get();
    const { totalPages } = await connection.backup(partial, {
      progress: ({ totalPages, remainingPages }) => {
        options.onProgress?.({ totalPages, remainingPages });
        return PAGES_A_STEP;
      },
    });
    options.onProgress?.({ totalPages, remainingPages: 0 });
    sealCopy(partial);
    await verifyInBackground(partial);
    publish(partial, path);
    return path;
  } catch (error) {
    throw translate(error, { open: true, path });
  } finally {
    connection.close();
    removePartial(partial);
  }
}

/**
 * A copy made at once, for the moment before a migration, with the newest `keep` of its kind kept. Works
 * while another connection of this process holds the write lock.
 */
export function backupBeforeMigration(
  source: ConnectionOptions,
  { label, keep, at }: { label: string; keep: number; at: Date },
): string {
  const stamp = at.toISOString().replace(/[-:.]/g, '');
  const path = `${source.path}.${stamp}.before-${label}.backup`;
  const partial = createPartial(path);
  const connection = openReader(source);
  try {
    // Pre-created empty, which VACUUM INTO allows, so that the copy is 0600: https://www.sqlite.org/lang_vacuum.html
    connection.pragma('query_only = OFF');
    connection.prepare('VACUUM INTO ?').run(partial);
    sealCopy(partial);
    verifyNow(partial);
    publish(partial, path);
  } catch (error) {
    throw translate(error, { open: true, path });
  } finally {
    connection.close();
    removePartial(partial);
  }
  removeOld(source.path, keep);
  return path;
}

function assertTarget(source: string, target: string, overwrite: boolean): void {
  if (existsSync(source) && existsSync(target) && realpathSync(source) === realpathSync(target)) {
    throw new ProxyVaultError(
      'INVALID_INPUT',
      'A database cannot be backed up onto itself: give another path.',
    );
  }
  if (existsSync(`${target}-wal`)) {
    throw new ProxyVaultError(
      'CONFLICT',
      `${target} is a database in use (it has a -wal file): give another path.`,
    );
  }
  if (existsSync(target) && !overwrite) {
    throw new ProxyVaultError(
      'CONFLICT',
      `${target} exists: give another path, or say that it may be overwritten.`,
    );
  }
}

function createPartial(path: string): string {
  const partial = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.partial`);
  closeSync(openSync(partial, 'wx', 0o600));
  return partial;
}

/** Leaves one file that needs no -wal beside it. */
function sealCopy(partial: string): void {
  const copy = openConnection(copyOptions(partial));
  try {
    copy.pragma('journal_mode = DELETE');
  } finally {
    copy.close();
  }
}

function verifyNow(partial: string): void {
  const copy = openReader(copyOptions(partial));
  try {
    assertSound(partial, copy.pragma('quick_check', { simple: true }));
  } finally {
    copy.close();
  }
}

async function verifyInBackground(partial: string): Promise<void> {
  const copy = new Background({ path: partial, busyTimeoutMs: 0, workers: 1, log: null });
  try {
    const [row] = await copy.all('SELECT quick_check FROM pragma_quick_check');
    assertSound(partial, row?.quick_check);
  } finally {
    await copy.close();
  }
}

function assertSound(path: string, verdict: unknown): void {
  if (verdict !== 'ok') {
    throw new ProxyVaultError(
      'CORRUPT',
      `The copy ${path} is damaged and was removed: ${String(verdict)}. Run \`proxyvault check\`.`,
    );
  }
}

function copyOptions(path: string): ConnectionOptions {
  return { path, readonly: false, durability: 'full', busyTimeoutMs: 0 };
}

/** On the disk before it has its name, and its name on the disk before it is reported. */
function publish(partial: string, path: string): void {
  syncFile(partial);
  renameSync(partial, path);
  if (process.platform !== 'win32') syncFile(dirname(path));
}

function syncFile(path: string): void {
  const descriptor = openSync(path, process.platform === 'win32' ? 'r+' : 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function removePartial(partial: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${partial}${suffix}`, { force: true });
}

function removeOld(source: string, keep: number): void {
  const folder = dirname(source);
  const prefix = `${basename(source)}.`;
  const backups = readdirSync(folder)
    .filter(
      (name) =>
        name.startsWith(prefix) && /^\d{8}T\d{9}Z\.before-.+\.backup$/.test(name.slice(prefix.length)),
    )
    .sort();
  for (const name of backups.slice(0, Math.max(0, backups.length - keep)))
    rmSync(join(folder, name), { force: true });
}
