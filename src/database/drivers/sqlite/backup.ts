import { dirname, resolve } from 'node:path';

import { ProxyVaultError } from '../../../errors.ts';
import { makeFolder, publish, publishNew } from '../../../files/durable.ts';
import { fileError } from '../../../files/file-error.ts';
import { assertPath } from '../../../files/path.ts';
import { createTemporary, removeAbandonedTemporaries, removeTemporary } from '../../../files/temporary.ts';
import { assertBoolean, assertFunction, assertOptions, invalidInput } from '../../../model/validation.ts';
import { Background } from './background.ts';
import { assertTarget, lockTarget } from './backup-target.ts';
import { type Connection, openReader } from './connection.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { type BackupProgress, copyTo, optionsOf, Progress, sealCopy } from './copy.ts';
import { translate } from './errors.ts';
import { keptName, removeOldMigrationBackups } from './kept.ts';
import { replaceLocked } from './replace.ts';

export interface BackupOptions {
  /** Called after each batch of pages. */
  onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Replace an older backup at the target. Any other file is never replaced. */
  overwrite?: boolean | undefined;
}

/** Copies one moment of a database in use: a read transaction pins it, so that writers neither wait nor make it start again. */
export async function backupTo(
  source: ConnectionOptions,
  target: string,
  options: BackupOptions = {},
): Promise<string> {
  assertBackup(target, options);
  const { onProgress, overwrite = false } = options;
  const path = resolve(target);
  const progress = new Progress(onProgress);
  try {
    const old = assertTarget(source.path, path, overwrite);
    // Before the work of copying, so that a refusal comes at once.
    if (old !== null) (await lockTarget(old))?.close();
    makeFolder(dirname(old ?? path));
    removeAbandonedTemporaries(old ?? path);
    const partial = createTemporary(old ?? path, 'partial');
    try {
      await copyTo(source, partial, progress);
      sealCopy(partial);
      await verifyInBackground(partial);
      if (old === null) publishNew(partial, path);
      else await replaceBackup(partial, old);
    } finally {
      removeTemporary(partial);
    }
    return path;
  } catch (error) {
    progress.rethrow();
    throw translate(fileError(error, `The backup ${path} cannot be written`, path), { path });
  }
}

function assertBackup(target: string, options: BackupOptions): void {
  if (typeof target !== 'string' || target.trim() === '' || target.includes('\0'))
    throw invalidInput('The backup must be the path of a file.');
  assertPath(target, 'The backup');
  const { onProgress, overwrite } = assertOptions(
    options,
    ['onProgress', 'overwrite'],
    'options of a backup',
  );
  if (onProgress !== undefined) assertFunction(onProgress, 'onProgress');
  if (overwrite !== undefined) assertBoolean(overwrite, 'overwrite');
}

/** Under a lock, because a process that has the old backup open would write into the new one. */
async function replaceBackup(partial: string, path: string): Promise<void> {
  const lock = await lockTarget(path);
  try {
    replaceLocked(partial, path, lock);
  } finally {
    lock?.close();
  }
}

/** A copy made at once before a migration, even while this process holds the write lock. The newest `keep` of its kind stay. */
export function backupBeforeMigration(
  source: ConnectionOptions,
  { label, keep, at }: { label: string; keep: number; at: Date },
): void {
  const path = keptName(source.path, at, label);
  let partial: string | null = null;
  let connection: Connection | null = null;
  try {
    removeAbandonedTemporaries(path);
    partial = createTemporary(path, 'partial');
    connection = openReader(source);
    // Pre-created empty, which VACUUM INTO allows, so that the copy is 0600: https://www.sqlite.org/lang_vacuum.html
    connection.pragma('query_only = OFF');
    connection.prepare('VACUUM INTO ?').run(partial);
    sealCopy(partial);
    verifyNow(partial);
    publish(partial, path);
    removeOldMigrationBackups(source.path, keep);
  } catch (error) {
    throw translate(fileError(error, `The backup ${path} cannot be written`, path), { path });
  } finally {
    connection?.close();
    if (partial !== null) removeTemporary(partial);
  }
}

function verifyNow(partial: string): void {
  const copy = openReader(optionsOf(partial));
  try {
    assertSound(partial, copy.pragma('quick_check', { simple: true }));
  } finally {
    copy.close();
  }
}

async function verifyInBackground(partial: string): Promise<void> {
  const copy = new Background({ path: partial, busyTimeoutMs: 0, backgroundWorkers: 1, log: null });
  try {
    const [row] = await copy.all('SELECT quick_check FROM pragma_quick_check');
    assertSound(partial, row?.quick_check);
  } finally {
    await copy.close();
  }
}

function assertSound(path: string, verdict: unknown): void {
  if (verdict === 'ok') return;
  throw new ProxyVaultError(
    'CORRUPT',
    `The copy ${path} is damaged and was removed: ${String(verdict)}. Run \`proxyvault check\`.`,
  );
}
